"""What a power loss leaves on the disk, worked out from the system calls of a real `send`.

A kill cannot show that an fsync is missing, because the kernel keeps what was written. So `traced` runs a command under
strace, `read_trace` makes a `Trace` of what it printed, and `Trace.disk_at` says what the files of the database may
hold when the machine stops at an instant. The model:

- An octet is certain when its write had ended before an fsync or fdatasync of its file began, and that sync had ended.
- A name (made, moved, removed) is certain, with `Names.STRICT`, when a sync of its directory covers it in the same way
  (all that POSIX promises), and with `Names.ORDERED` when a sync of any file does: ext4 commits names in their order.
- Of the rest, nothing is there, or with `more` a random part: each write with even odds, whole or with only a piece
  of it; of the names, the first few. A file made longer by a later piece has zeros before it.

Left out: `-shm`, which SQLite makes anew, and the flight recorder, which is written through memory and of no use after
a power loss; a test puts one of another boot there. All times are of the machine's clock (`time.time`), because strace
prints that one. A call that the model does not know fails, where it is about a file of the database.
"""

import random
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_ON_FILES = "openat,pwrite64,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync,sync_file_range"
_ON_NAMES = "unlink,unlinkat,rename,renameat,renameat2,link,linkat"
_ON_SOCKETS = "write,writev,sendto,sendmsg"


class Names(StrEnum):
    """When a name in a directory is certain."""

    STRICT = "strict"
    ORDERED = "ordered"


@dataclass(frozen=True, slots=True)
class Write:
    """Octets of a file; or with none, its new length, which is then `place`."""

    began: float
    ended: float
    file: int
    place: int
    octets: bytes | None


@dataclass(frozen=True, slots=True)
class Sync:
    """An fsync or fdatasync that succeeded; of the directory when it has no file."""

    began: float
    ended: float
    file: int | None


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands for a file from now on, or for none."""

    began: float
    ended: float
    name: str
    file: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """Octets that were given to a socket."""

    began: float
    ended: float
    socket: str
    octets: bytes


Event = Write | Sync | Name | Sent


@dataclass(frozen=True, slots=True)
class Trace:
    """What a process did to the files of a database, and what it said on the network; in the order of the ends."""

    before: Mapping[str, bytes]  # the files when it began, numbered in this order
    events: Sequence[Event]

    def disk_at(self, instant: float, names: Names, more: random.Random | None = None) -> dict[str, bytes]:
        """The files after a power loss at this instant; `more` chooses what is there beyond what is certain."""
        begun = [event for event in self.events if event.began <= instant]
        syncs = [event for event in begun if isinstance(event, Sync) and event.ended <= instant]
        certain = {sync.file: sync.began for sync in syncs}  # the last of each
        if names is Names.ORDERED:
            certain[None] = max((sync.began for sync in syncs), default=0.0)
        files = {number: bytearray(octets) for number, octets in enumerate(self.before.values())}
        for write in (event for event in begun if isinstance(event, Write)):
            held = files.setdefault(write.file, bytearray())
            if write.ended <= certain.get(write.file, 0.0):
                _put(held, write.place, write.octets)
            elif more and more.random() < 0.5:
                _put(held, *_torn(write, more))
        entries: dict[str, int | None] = {name: number for number, name in enumerate(self.before)}
        for name in self._kept([event for event in begun if isinstance(event, Name)], certain.get(None, 0.0), more):
            entries[name.name] = name.file
        return {name: bytes(files.get(file, b"")) for name, file in entries.items() if file is not None}

    def bodies(self) -> Iterator[tuple[str, float]]:
        """For each message, its recipient and when its first octet may have left."""
        for socket in {event.socket for event in self.events if isinstance(event, Sent)}:
            parts = [event for event in self.events if isinstance(event, Sent) and event.socket == socket]
            parts.sort(key=lambda part: part.began)
            places, said = [], b""
            for part in parts:
                places.append(len(said))
                said += part.octets
            for found in re.finditer(rb"RCPT TO:<([^>]+)>[^\r]*\r\nDATA\r\n(?=.)", said, re.DOTALL):
                yield found[1].decode(), parts[bisect_right(places, found.end()) - 1].began

    def instants(self, count: int, chance: random.Random) -> Iterator[float]:
        """So many, one in each part of the process's life; where much happened, they are close."""
        ends = [event.ended for event in self.events]
        ends += [ends[-1] + 1.0]
        for number in range(count):
            place = int((number + chance.random()) / count * (len(ends) - 1))
            yield chance.uniform(ends[place], ends[place + 1])

    def _kept(self, names: Sequence[Name], certain: float, more: random.Random | None) -> Sequence[Name]:
        sure = sum(name.ended <= certain for name in names)
        return names[: more.randint(sure, len(names)) if more else sure]


def _put(held: bytearray, place: int, octets: bytes | None) -> None:
    if octets is None:
        del held[place:]
    held.extend(bytes(max(place - len(held), 0)))
    if octets:
        held[place : place + len(octets)] = octets


def _torn(write: Write, more: random.Random) -> tuple[int, bytes | None]:
    """The write, or in one case of three a piece of it."""
    if not write.octets or more.random() < 0.67:
        return write.place, write.octets
    start, end = sorted(more.choices(range(len(write.octets) + 1), k=2))
    return write.place + start, write.octets[start:end]


def traced(trace: Path, words: Sequence[str]) -> list[str]:
    """The command line that runs these words under strace."""
    calls = f"trace={_ON_FILES},{_ON_NAMES},{_ON_SOCKETS}"
    options = ["-f", "--seccomp-bpf", "-ttt", "-T", "-yy", "-xx", "-s", "1000000", "-e", calls, "-o", str(trace)]
    return ["strace", *options, *words]


_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (\d+)(?:<([^>]*)>)? <([\d.]+)>")  # one that did not fail
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"([^"]*)"')


def read_trace(trace: Path, folder: Path, before: Mapping[str, bytes]) -> Trace:
    """Read what strace printed of a process that worked on the database in this folder, where these files were."""
    reader = _Reader(folder, {name: number for number, name in enumerate(before)}, len(before))
    begun: dict[str, tuple[float, str]] = {}  # by thread, calls that were interrupted by another thread's
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            if not (found := _LINE.fullmatch(line.rstrip("\n"))):
                continue
            thread, at, text = found[1], float(found[2]), found[3]
            if text.endswith(_UNFINISHED):
                begun[thread] = (at, text.removesuffix(_UNFINISHED))
                continue
            if resumed := _RESUMED.fullmatch(text):
                at, front = begun.pop(thread)
                text = front + resumed[1]
            if call := _CALL.fullmatch(text):
                reader.call(at, at + float(call[5]), call[1], call[2], int(call[3]), _plain(call[4] or ""))
    return Trace(before, sorted(reader.events, key=lambda event: event.ended))


def _plain(escaped: str) -> str:
    return bytes.fromhex(escaped.replace("\\x", "")).decode() if escaped.startswith("\\x") else escaped


@dataclass
class _Reader:
    """Follows which file a name stands for."""

    folder: Path
    names: dict[str, int]
    files: int
    events: list[Event] = field(default_factory=list)

    def call(self, began: float, ended: float, call: str, text: str, result: int, opened: str) -> None:
        """One call that succeeded."""
        texts = [bytes.fromhex(part.replace("\\x", "")) for part in _TEXT.findall(text)]
        if call == "openat":
            self._opened(began, ended, self._own(opened), text)
        elif call in _ON_NAMES.split(","):
            names = [name for path in texts if (name := self._own(path.decode()))]
            assert not names or call == "unlink", f"not in the model: {call} {names}"
            for name in names:
                del self.names[name]
                self.events.append(Name(began, ended, name, None))
        elif found := _DESCRIPTOR.match(text):
            self._described(began, ended, call, text, b"".join(texts)[:result], _plain(found[1]))

    def _opened(self, began: float, ended: float, name: str, text: str) -> None:
        assert not name or "O_TRUNC" not in text, f"not in the model: {text}"
        if name and name not in self.names:
            self.names[name] = self.files
            self.events.append(Name(began, ended, name, self.files))
            self.files += 1

    def _described(self, began: float, ended: float, call: str, text: str, octets: bytes, path: str) -> None:
        name = self._own(path)
        if path.startswith("TCP:"):
            self.events.append(Sent(began, ended, path, octets))
        elif call in ("fsync", "fdatasync") and (name or Path(path) == self.folder):
            self.events.append(Sync(began, ended, self.names[name] if name else None))
        elif name and call in ("pwrite64", "ftruncate"):
            place = int(text.rpartition(", ")[2])
            self.events.append(Write(began, ended, self.names[name], place, octets if call == "pwrite64" else None))
        else:
            assert not name, f"not in the model: {call} {name}"

    def _own(self, path: str) -> str:
        """The name of a file of the database; empty for any other path."""
        found = Path(path)
        kept = found.parent == self.folder and found.name.startswith("digest.db") and not path.endswith("-shm")
        return found.name if kept else ""
