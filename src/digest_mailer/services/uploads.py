"""Lists that were uploaded: each is kept for a day at most, and read in a thread of its own, one at a time.

A page cannot wait for a million rows. So an upload has a stage, which a page shows: what is to be done with it is
handed in as `Work`, and what came of that is kept beside it. A list is taken in only by somebody who saw what its
newest reading found. Only who uploaded a list finds it again. When the process ends, so does what it knew of uploads;
their files go when they are a day old.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock, Thread
from typing import Any, BinaryIO, Generic, TypeVar

from digest_mailer.core.errors import (
    ChangedMeanwhileError,
    DigestError,
    InterlockError,
    NothingMatched,
    TemporaryProblem,
)
from digest_mailer.ports import Clock, UploadedFiles

LIFE = timedelta(days=1)

About = TypeVar("About")
Told = Callable[[int], None]
Work = Callable[[BinaryIO, Told], bool]  # tells how many rows more it read; answers whether the file is still needed
Spawn = Callable[[Callable[[], None]], None]

logger = logging.getLogger(__name__)


class Stage(StrEnum):
    """How far it has come with an upload."""

    WAITING = "waiting"  # nobody has read it
    READING = "reading"
    READ = "read"  # what it would do is known
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"  # `problem` says why; nothing was changed


@dataclass(slots=True)
class Upload(Generic[About]):
    """A list that was uploaded."""

    name: str
    owner: str  # as the audit trail names them
    source: str  # what the file was called
    size: int  # octets
    at: datetime
    about: About  # what is asked and known of it
    stage: Stage = Stage.WAITING
    reading: int = 0  # the number of the newest; a page shows what one of them found
    rows: int = 0  # read so far
    octets: int = 0  # the same
    problem: DigestError | None = None
    dropped: bool = False

    @property
    def at_work(self) -> bool:
        """Whether a thread has it in hand."""
        return self.stage in (Stage.READING, Stage.APPLYING)


class _DroppedError(Exception):
    """Nobody wants it any more."""


def in_a_thread(work: Callable[[], None]) -> None:
    """Do it beside everything else. The end of the process does not wait for it: what is not committed was not done."""
    Thread(target=work, name="upload", daemon=True).start()


@dataclass(slots=True)
class Uploads:
    """The uploads of one publication."""

    files: UploadedFiles
    clock: Clock
    spawn: Spawn = in_a_thread
    _known: dict[str, Upload[Any]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def tidy(self) -> None:
        """Delete what is older than a day."""
        before = self.clock.now() - LIFE
        with self._lock:
            for old in [one for one in self._known.values() if one.at < before and not one.at_work]:
                del self._known[old.name]
            busy = [one.name for one in self._known.values() if one.at_work]
        self.files.tidy(before, busy)

    def keep(self, data: BinaryIO, source: str, owner: str, about: About) -> Upload[About]:
        """Take a file in. Raises ConfigError when it cannot be written."""
        self.tidy()
        name, size = self.files.keep(data)
        upload = Upload(name, owner, source, size, self.clock.now(), about)
        with self._lock:
            self._known[name] = upload
        return upload

    def find(self, name: str, owner: str, kind: type[About]) -> Upload[About]:
        """An upload of theirs, of this kind. Raises NothingMatched when there is none, or no longer."""
        with self._lock:
            found = self._known.get(name)
        known = found is not None and (found.at_work or found.at >= self.clock.now() - LIFE)
        if found is None or not known or found.owner != owner or not isinstance(found.about, kind):
            raise NothingMatched("this upload is not here any more", "unless it was taken in, upload the file again")
        return found

    def open(self, upload: Upload[Any]) -> BinaryIO:
        """Its file. Raises NothingMatched when it is gone."""
        return self.files.open(upload.name)

    def read(self, upload: Upload[Any], work: Work) -> None:
        """Have it read. Raises InterlockError while another list is in hand, and when it was taken in,
        TemporaryProblem when the machine has no thread for it."""
        with self._lock:
            self._check_free(upload)
            upload.reading += 1
            before = _begin(upload, Stage.READING)
        self._start(upload, work, Stage.READ, before)

    def apply(self, upload: Upload[Any], work: Work, seen: int) -> None:
        """Have done what it would do, by somebody who saw what this reading found. Raises like `read`, InterlockError
        when it was not read, and ChangedMeanwhileError when it was read anew."""
        with self._lock:
            self._check_free(upload)
            if upload.stage is not Stage.READ:
                raise InterlockError("this list is not ready to be taken in", "look at what it would do first")
            if upload.reading != seen:
                raise ChangedMeanwhileError("this list was read anew meanwhile", "look at what it would do now")
            before = _begin(upload, Stage.APPLYING)
        self._start(upload, work, Stage.DONE, before)

    def drop(self, upload: Upload[Any]) -> bool:
        """Delete it; answers whether it was taken in before. Raises InterlockError while it is being applied."""
        with self._lock:
            if upload.stage is Stage.APPLYING:
                raise InterlockError("this list is being taken in", "wait until that is done")
            upload.dropped = True
            self._known.pop(upload.name, None)
            in_hand, done = upload.at_work, upload.stage is Stage.DONE
        if not in_hand:
            self.files.remove(upload.name)
        return done

    def _check_free(self, upload: Upload[Any]) -> None:
        if upload.stage is Stage.DONE:
            raise InterlockError("this list was taken in", "upload it again to read it again")
        if any(one.at_work for one in self._known.values()):
            raise InterlockError("a list is being read already", "wait until that is done, then try again")

    def _start(self, upload: Upload[Any], work: Work, then: Stage, before: "_Standing") -> None:
        try:
            self.spawn(lambda: self._work(upload, work, then))
        except (RuntimeError, MemoryError) as problem:
            with self._lock:
                upload.stage, upload.rows, upload.octets, upload.problem = before
            raise TemporaryProblem("the machine has too much to do", "try again in a minute") from problem

    def _work(self, upload: Upload[Any], work: Work, then: Stage) -> None:
        """All of it in one thread. The stage comes last: by then everything else is there."""
        needed, wrong = True, None
        try:
            with self.open(upload) as data:
                needed = work(data, _teller(upload, data))
        except _DroppedError:
            pass
        except DigestError as problem:
            wrong = problem
        except Exception as problem:  # noqa: BLE001 - a page shows that it failed; the message may hold an address
            logger.error("an upload could not be read: %s", type(problem).__name__)  # noqa: TRY400
            wrong = DigestError("something went wrong with this list", "try again; else tell who runs the server")
        if not (needed or wrong):
            self.files.remove(upload.name)
        with self._lock:  # from here on `drop` deletes the file itself
            upload.problem, upload.stage = wrong, Stage.FAILED if wrong else then
            dropped = upload.dropped
        if dropped:
            self.files.remove(upload.name)


_Standing = tuple[Stage, int, int, DigestError | None]


def _begin(upload: Upload[Any], stage: Stage) -> _Standing:
    """Bring it to a stage; answers how it stood."""
    before = (upload.stage, upload.rows, upload.octets, upload.problem)
    upload.stage, upload.rows, upload.octets, upload.problem = stage, 0, 0, None
    return before


def _teller(upload: Upload[Any], data: BinaryIO) -> Told:
    """Notes how far the reading has come, and ends it when nobody wants it any more."""

    def told(rows: int) -> None:
        if upload.dropped:
            raise _DroppedError
        upload.rows += rows
        upload.octets = data.tell()

    return told
