"""How fast a list of people is taken in, how long nobody else can write meanwhile, and how much memory it takes.

    make bench IMPORTING="--people 1000000"

A list of so many people is made: one to six topics each, three thousand domains, a role, one of some hundred days of
consent; once in any order and once by address. Each is imported into an empty publication, and the first once more.
Every import is a process of its own, counted from when its imports are made. A second connection asks every few
milliseconds whether it may write: the longest time that it may not is how long the lock is held. The yardstick is the
least that any import does: the csv module, and one table with one unique index, without looking at what it reads.
The time of the processor is told beside the rates, which on a shared machine say how much of it was left.
"""

import argparse
import csv
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from digest_mailer.bootstrap import App, Reading, SubscriberFile, build_app, new_publication
from digest_mailer.services.importing import Asked

_SEED = 1
_DOMAINS = 3_000
_LARGE = ("gmail.com", "outlook.com", "yahoo.ca")
_HEADER = ("email", "name", "language", "topics", "state", "consent_source", "consent_date", "role")
_GIVEN = ("ann", "bob", "eve", "marie", "jean", "kwame")
_FAMILY = ("lee", "tremblay", "mensah", "okafor")
_ROLES = ("clinician", "student", "researcher", "")
_GOALS = {"shuffled": 100_000, "sorted": 130_000, "again": 80_000}
_ASKING = 0.002  # seconds between two tries to write


def main() -> None:
    """Measure, and print a table; or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--least", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        sys.stdout.write(json.dumps(_import(*asked.run)))
    elif asked.least:
        sys.stdout.write(json.dumps(_least(asked.least)))
    else:
        _measure(asked.people, asked.rounds)


def _measure(people: int, rounds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("the least", *_GOALS)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shuffled, in_order = _lists(folder, people)
        for number in range(rounds):
            found["the least"].append(_process("--least", shuffled))
            for name, path in (("shuffled", shuffled), ("sorted", in_order)):
                root = folder / f"{name}-{number}"
                new_publication(root)
                found[name].append(_process("--run", root, path))
                if name == "shuffled":
                    found["again"].append(_process("--run", root, path))
    sys.stdout.write(f"{people:,} people, medians of {rounds}\n")
    sys.stdout.write(
        f"{'':12}{'rows/s':>12}{'goal':>12}{'ratio':>8}{'CPU us/row':>12}{'locked s':>10}{'MiB above':>11}\n"
    )
    least = statistics.median(one["rate"] for one in found["the least"])
    for name, runs in found.items():
        parts = ("rate", "processor", "locked", "memory")
        rate, processor, lock, memory = (statistics.median(one[part] for one in runs) for part in parts)
        goal = f"{_GOALS[name]:,}" if name in _GOALS else ""
        line = f"{name:12}{rate:>12,.0f}{goal:>12}{rate / least:>8.2f}{processor:>12.1f}{lock:>10.2f}{memory:>11.1f}\n"
        sys.stdout.write(line)


def _process(*words: object) -> dict[str, float]:
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this program
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def _import(root: Path, path: Path) -> dict[str, float]:
    """One import into a publication."""
    app = build_app(root)
    importer, catalogue = app.importer, app.library.vocabulary.catalogue
    before, begun, spent = _memory(), time.perf_counter(), time.process_time()
    with _Watch(app) as watch, path.open("rb") as data:
        file = SubscriberFile(data, catalogue, Reading(app.clock.now().date()))
        done = importer.run(file.batches(), path.name, lambda: "digest", Asked(apply=True))
    return _found(done.result.created + done.result.unchanged, begun, spent, watch.longest, before)


def _least(path: Path) -> dict[str, float]:
    """What nothing can do without."""
    before, begun, spent = _memory(), time.perf_counter(), time.process_time()
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        closing(sqlite3.connect(Path(folder) / "least.db")) as connection,
        path.open(encoding="utf-8", newline="") as data,
        connection,
    ):
        connection.execute(f"CREATE TABLE person ({', '.join(_HEADER)}, UNIQUE (email))")
        rows = csv.reader(data)
        next(rows)
        count = connection.executemany(f"INSERT INTO person VALUES (?{', ?' * (len(_HEADER) - 1)})", rows).rowcount  # noqa: S608
    return _found(count, begun, spent, 0, before)


def _found(rows: int, begun: float, spent: float, locked: float, memory: float) -> dict[str, float]:
    """Microseconds of the processor for each row."""
    rate, processor = rows / (time.perf_counter() - begun), (time.process_time() - spent) / rows * 1e6
    return {"rate": rate, "processor": processor, "locked": locked, "memory": _memory() - memory}


class _Watch:
    """Tries to write all the while, on a connection of its own, and keeps how long it could not."""

    def __init__(self, app: App) -> None:
        self._path = app.database.path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.longest = 0.0

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            free = time.perf_counter()
            while not self._over.wait(_ASKING):
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("ROLLBACK")
                    free = time.perf_counter()
                except sqlite3.OperationalError:
                    self.longest = max(self.longest, time.perf_counter() - free)


def _lists(folder: Path, people: int) -> tuple[Path, Path]:
    """The same list in any order, and by address."""
    root = folder / "names"
    new_publication(root)
    topics = [topic.name for topic in build_app(root).library.vocabulary.catalogue]
    rows = [*_people(people, topics)]
    paths = folder / "shuffled.csv", folder / "sorted.csv"
    for path in paths:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows(rows)
        rows.sort()
    return paths


def _people(count: int, topics: list[str]) -> Iterator[tuple[str, ...]]:
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    domains = [f"clinic{number}.org" for number in range(_DOMAINS)]
    domains += [one for one in _LARGE for _ in range(_DOMAINS // 4)]
    for number in range(count):
        given, family = chance.choice(_GIVEN), chance.choice(_FAMILY)
        day = f"202{chance.randrange(4)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        yield (
            f"{given}.{family}{number}@{chance.choice(domains)}",
            f"{given.title()} {family.title()}",
            chance.choice(("en", "en", "en", "fr")),
            "; ".join(chance.sample(topics, chance.randrange(1, 7))),
            "active",
            "sign-up form",
            day,
            chance.choice(_ROLES),
        )


def _memory() -> float:
    """The most that this process has had, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
