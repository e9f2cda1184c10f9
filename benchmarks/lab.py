"""What the scenarios work with: programs compiled, publications made, libraries fetched, each once; and how much.

It all stands below the system's directory for temporary files, in a folder named after the sources, so that what an
older version has made is never measured.
"""

import hashlib
import importlib.util
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from processes import HERE, NotHereError, find, python, timed
from publication import USUAL

_NAME = "digest-mailer-benchmarks"
_FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-Werror")
_LEAST = 200  # messages of a run, however short it shall be
_WRITES = 100


@dataclass(frozen=True)
class Lab:
    """One machine, and how much to do on it."""

    scale: float = 1.0  # of the numbers of messages
    window: int = 1000
    connections: int = 20
    quick: bool = False  # short runs, only to see that everything works

    @cached_property
    def folder(self) -> Path:
        """Where everything is kept that is used again. What belongs to other sources goes."""
        everything = Path(tempfile.gettempdir(), _NAME)
        folder = everything / _fingerprint()
        folder.mkdir(parents=True, exist_ok=True)
        for other in everything.iterdir():
            if other != folder and other.name != "libraries":
                shutil.rmtree(other, ignore_errors=True)
        return folder

    @property
    def batch(self) -> int:
        """How many rows are claimed, and how many results written, at a time: see `services.desk`."""
        return self.window // 4

    def count(self, usual: int) -> int:
        """So many messages, at this scale."""
        return max(min(usual, _LEAST), round(usual * self.scale))

    def publication(self, people: int, articles: int = USUAL) -> Path:
        """The folder of a publication with so many readers, which nobody sends from."""
        folder = self.folder / f"{people}-readers-{articles}-articles"
        if not folder.exists():
            with self.scratch() as unfinished:
                timed(python("publication", unfinished, "--people", people, "--articles", articles))
                shutil.move(unfinished, folder)
        return folder

    def message_size(self, articles: int = USUAL) -> int:
        """How many octets a finished message of it has."""
        return (self.publication(1, articles) / "message.eml").stat().st_size

    @contextmanager
    def copy(self, people: int, articles: int = USUAL) -> Iterator[Path]:
        """A publication to send from; it goes afterwards."""
        source = self.publication(people, articles) / "publication"
        with self.scratch() as folder:
            root = Path(shutil.copytree(source, folder / "publication"))
            os.sync()  # nothing of the copying may be left for the disk to do
            yield root

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the same disk."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def sink(self) -> Path:
        """The fast sink. Raises NotHereError without a compiler."""
        return self._compiled("sink.c", "sink")

    @cached_property
    def slow_sync(self) -> Path:
        """What makes syncs slower, and counts them. Raises NotHereError without a compiler."""
        return self._compiled("slow_sync.c", "slow_sync.so", "-shared", "-fPIC", "-ldl")

    @cached_property
    def nodemailer(self) -> Path:
        """The folder that nodemailer is installed in. Raises NotHereError when it cannot be had."""
        find("node")
        folder = self._libraries / "nodemailer"
        if not (folder / "node_modules" / "nodemailer").exists():
            folder.mkdir(parents=True, exist_ok=True)
            quiet = ("--no-audit", "--no-fund", "--silent")
            _fetch([find("npm"), "install", *quiet, "--prefix", str(folder), "nodemailer"], "nodemailer")
        return folder

    @cached_property
    def aiosmtplib(self) -> Path:
        """A folder to import aiosmtplib from. Raises NotHereError when it cannot be had."""
        found = importlib.util.find_spec("aiosmtplib")
        if found and found.origin:
            return Path(found.origin).parents[1]
        folder = self._libraries / "aiosmtplib"
        if not (folder / "aiosmtplib").exists():
            pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
            _fetch([*pip, "--target", str(folder), "aiosmtplib"], "aiosmtplib")
        return folder

    @cached_property
    def sync_time(self) -> float:
        """How long the disk takes for a sync, in milliseconds; the median of some."""
        taken = []
        with tempfile.TemporaryFile(dir=self.folder) as file:
            for _ in range(_WRITES):
                file.write(b"x" * 4096)
                file.flush()
                begun = time.perf_counter()
                os.fdatasync(file.fileno())
                taken.append(time.perf_counter() - begun)
        return statistics.median(taken) * 1000

    @property
    def _libraries(self) -> Path:
        return self.folder.parent / "libraries"

    def _compiled(self, source: str, name: str, *more: str) -> Path:
        path = self.folder / name
        if not path.exists():
            timed([find("cc"), *_FLAGS, "-o", str(path), str(HERE / source), *more])
        return path


def _fetch(command: list[str], name: str) -> None:
    try:
        timed(command)
    except RuntimeError as problem:
        raise NotHereError(f"{name} cannot be installed here") from problem


def _fingerprint() -> str:
    """Changes with everything that a publication is made of, and with the programs that are compiled."""
    root = HERE.parent
    found = hashlib.sha256()
    ours = ("benchmarks/publication.py", "benchmarks/*.c")
    patterns = ("src/**/*.py", "templates/**/*", "newsletters/*", "digest.toml", *ours)
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        if path.is_file():
            found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
