"""The machine stops at any instant of a send: nobody is missed, nobody gets it twice, few are unknown.

One real `send` runs under strace, to a server that notes whom it took when. Then for many instants of it the database
is put back as a power loss would have left it (`powerloss_support` tells the model), and the mailing goes on from
there to a second server. Half of the disks also hold a random part of what was not synced. The instants come from
pytest's seed and are printed; POWER_LOSSES says how many. That the check finds a missing fsync is shown with a `send`
that has less of them.
"""

import asyncio
import os
import random
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from components import require
from core_support import JULY
from digest_mailer.adapters.store import flight_recorder
from digest_mailer.adapters.store.flight_recorder import FlightRecorder
from digest_mailer.adapters.store.lease import recorder_path
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import DigestError
from digest_mailer.core.identity import RowId
from digest_mailer.core.mailing import Mailing
from digest_mailer.services.send import Ended, Ending
from message_support import PATIENCE
from powerloss_support import Names, Trace, read_trace, traced
from publication_support import NOW, make_publication
from send_support import keep_one_issue
from store_support import candidate, take_in

pytestmark = pytest.mark.slow
LOSSES = int(os.environ.get("POWER_LOSSES", "240"))
WINDOW = 16
PEOPLE = {f"reader{number}@clinic.example.org" for number in range(60)}
# `send` as it is, but for one setting of the database.
CARELESS = """
from digest_mailer.adapters.store import database
from digest_mailer.cli import main

def set_up(connection, record, before=database._set_up):
    before(connection, record)
    connection.execute("PRAGMA synchronous={}")

database._set_up = set_up
main()
"""


Taken = list[tuple[float, str]]  # when a server had all of a message, and for whom


@dataclass
class Guest(asyncio.Protocol):
    """A connection to a server that takes everything, and notes it before it says so."""

    taken: Taken
    rest: bytes = b""
    recipient: str = ""
    in_content: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (parts := self.rest.partition(b"\r\n.\r\n" if self.in_content else b"\r\n"))[1]:
            self.rest = parts[2]
            self.transport.write(self.answer(b"." if self.in_content else parts[0]))

    def answer(self, said: bytes) -> bytes:
        verb = said[:4]
        self.in_content = verb == b"DATA"
        if verb == b"RCPT":
            self.recipient = said.decode().partition("<")[2].partition(">")[0]
        if verb == b".":
            self.taken.append((time.time(), self.recipient))
        return {b"EHLO": b"250-sink.example\r\n250 PIPELINING\r\n", b"DATA": b"354 Go on\r\n"}.get(verb, b"250 Yes\r\n")


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[int, Taken]]:
    """A server: its port, and what it takes."""
    taken: Taken = []
    server = await asyncio.get_running_loop().create_server(lambda: Guest(taken), "127.0.0.1", 0)
    async with server, asyncio.timeout(PATIENCE):
        yield server.sockets[0].getsockname()[1], taken


@dataclass(frozen=True)
class Story:
    """A send that came to its end, as it was seen from outside."""

    app: App
    trace: Trace
    taken: Taken

    def taken_by(self, instant: float) -> set[str]:
        """Whom the server had taken."""
        return {address for at, address in self.taken if at <= instant}

    def put_back(self, disk: Mapping[str, bytes]) -> App:
        """The publication with this disk; keys and files stay as they were."""
        for path in self.app.state.iterdir():
            if path.is_file():
                path.unlink()
        for name, octets in disk.items():
            (self.app.state / name).write_bytes(octets)
        return build_app(self.app.root)


def tell(folder: Path, *program: str) -> Story:
    """Send July by this program under strace."""
    require("strace")
    made = make_publication(folder, people=False)
    keep_one_issue(made.root)
    readers = [candidate(address) for address in sorted(PEOPLE)]
    take_in(made.importer.roster, readers, NOW)
    app = build_app(made.root)
    before = {path.name: path.read_bytes() for path in app.state.glob("digest.db*")}
    out = folder / "trace"

    async def send() -> Taken:
        async with sink() as (port, taken):
            way = ["--transport", f"smtp://127.0.0.1:{port}", "--wait", "0"]
            words = traced(out, [sys.executable, *program, "-C", str(app.root), "send", JULY, *way])
            environment = os.environ | {"DIGEST_DELIVERY__WINDOW": str(WINDOW)}
            process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, env=environment)
            _, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
        return taken

    taken = asyncio.run(send())
    assert Counter(address for _, address in taken) == Counter(PEOPLE)
    return Story(app, read_trace(out, app.state, before), taken)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(tmp_path_factory.mktemp("story"), "-m", "digest_mailer")


def lose_power(story: Story, count: int) -> tuple[Counter[str], list[str]]:
    """Lose the power at so many instants, and go on each time. How many were taken by then, and what was wrong."""
    seed = random.randrange(2**32)  # noqa: S311
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311
    seen, faults = Counter[str](), list[str]()
    for number, instant in enumerate(story.trace.instants(count, chance)):
        names = Names.STRICT if number % 4 < 2 else Names.ORDERED
        disk = story.trace.disk_at(instant, names, chance if number % 2 else None)
        taken = story.taken_by(instant)
        seen["nobody" if not taken else "some" if len(taken) < len(PEOPLE) else "everybody"] += 1
        try:
            found = go_on(story.put_back(disk), taken, leave=number % 3 > 0)
        except DigestError as problem:
            found = {str(problem): taken}
        faults += [f"{number} at {instant:.6f}, {names}: {what} {sorted(who)}" for what, who in found.items() if who]
    return seen, faults


def leave_recorder(app: App, mailing: Mailing) -> None:
    """A flight recorder of another start of the machine, which says that nothing of any claimed row had left."""
    with closing(sqlite3.connect(app.database.path)) as connection:
        ((life,),) = connection.execute("SELECT value FROM meta WHERE key = 'incarnation'").fetchall()
        rows = connection.execute("SELECT id FROM delivery WHERE state = 'claimed'").fetchall()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flight_recorder, "boot", lambda: "another start")
        recorder = FlightRecorder(recorder_path(app.database.path, mailing.id), life, mailing.id, mailing.fence, WINDOW)
    recorder.board(RowId(row) for (row,) in rows)
    recorder.close()


def go_on(app: App, taken: set[str], *, leave: bool) -> dict[str, set[str]]:
    """Send to another server from this disk. For each thing that must not be, of whom it is true."""
    mailing = app.ledger.mailing(JULY)
    if not mailing:
        return {"taken, and not in the ledger": taken}
    if leave:
        leave_recorder(app, mailing)
    claimed = believed(app, HandOff.ACCEPTED)

    async def send() -> tuple[Taken, Ended]:
        async with sink() as (port, second):
            run = app.run(app.transport(f"smtp://127.0.0.1:{port}"), lambda _state: None)
            return second, await run.send(JULY, timedelta(0))

    second, ended = asyncio.run(send())
    again = Counter(address for _, address in second)
    unknown = believed(app, HandOff.UNKNOWN)
    return {
        "not in the audience": set(again) - PEOPLE,
        "still open": set() if ended.ending is Ending.COMPLETE else {ended.ending},
        "missed": PEOPLE - taken - set(again) - unknown,
        "taken twice": taken & set(again) | {address for address, times in again.items() if times > 1},
        "unknown, and the second server has it": unknown & set(again),
        "more unknown than the window": unknown if len(unknown) > WINDOW else set(),
        "accepted in the ledger before the server took it": claimed - taken,
        "neither accepted nor named": PEOPLE - believed(app, HandOff.ACCEPTED) - unknown,
    }


def believed(app: App, state: HandOff) -> set[str]:
    return {address for address, _ in app.ledger.named(JULY, state)}


def uncovered(story: Story) -> set[str]:
    """Whose message began to leave before their claim was certain to be on the disk."""
    query = "SELECT 1 FROM delivery JOIN person USING (subscriber_id) WHERE typed = ? AND state = 'claimed'"
    bodies, covered = dict(story.trace.bodies()), set()
    assert set(bodies) == PEOPLE
    for address, instant in bodies.items():
        app = story.put_back(story.trace.disk_at(instant, Names.STRICT))
        with closing(sqlite3.connect(app.database.path)) as connection, suppress(sqlite3.DatabaseError):
            if connection.execute(query, (address,)).fetchone():
                covered.add(address)
    return PEOPLE - covered


def test_a_power_loss_at_any_instant_misses_and_repeats_nobody(story: Story) -> None:
    seen, faults = lose_power(story, LOSSES)
    assert not faults
    assert all(seen[kind] for kind in ("nobody", "some", "everybody")), seen


def test_no_octet_of_a_message_leaves_before_its_claim_is_on_the_disk(story: Story) -> None:
    assert not uncovered(story)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_with_fewer_syncs_the_same_checks_fail(tmp_path: Path, synchronous: str) -> None:
    """Else they would show nothing."""
    program = tmp_path / "careless.py"
    program.write_text(CARELESS.format(synchronous), "utf-8")
    story = tell(tmp_path, str(program))
    assert uncovered(story)
    assert lose_power(story, 24)[1]
