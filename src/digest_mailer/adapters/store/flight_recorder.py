"""The flight recorder: what a sender was doing when its process ended.

Claims are durable in batches, so after a sudden end the database cannot tell a row that was only claimed from one
whose message had left. The recorder can: a small file in memory, shared with the kernel, with a slot for each
claimed row and a mark in it, written in well under a microsecond before the first octet of a message leaves and
again after its answer. When a process dies, the kernel keeps what it wrote.

    header   magic 8 | boot 16 | incarnation 16 | mailing 8 | fence 8 | slots 8
    slot     row 8 | mark 1 | unused 7

After a power loss the file says nothing, or something old: then it is of another boot, is not believed, and every
claimed row without a result may have left. The same holds where a system does not say which boot it is in.
"""

import hashlib
import mmap
import os
import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path

from digest_mailer.adapters.system import boot
from digest_mailer.core.errors import TemporaryProblem
from digest_mailer.core.identity import RowId

_HEADER = struct.Struct("<8s16s16sqqq")
_ROW = struct.Struct("<q")
_SLOT = 16
_MARK = 8  # offset in a slot
_MAGIC = b"DMFLIGHT"


class Mark(IntEnum):
    """How far a claimed row has come."""

    CLAIMED = 0  # nothing of its message has left
    STARTED = 1  # some of it may have
    ACCEPTED = 2  # the server took it
    RETURNED = 3  # the server did not take it


class FlightRecorder:
    """The recorder of one sender of one mailing. Written by the sender's threads, read by the next sender."""

    def __init__(self, path: Path, incarnation: str, mailing: int, fence: int, slots: int) -> None:
        """Begin a new file. Raises TemporaryProblem when the disk has no room for it."""
        self._path = path
        self._free = [_HEADER.size + number * _SLOT for number in range(slots)]
        self._places: dict[RowId, int] = {}
        header = _HEADER.pack(_MAGIC, _boot(), bytes.fromhex(incarnation), mailing, fence, slots)
        new = path.with_suffix(".new")
        try:
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _reserve(descriptor, _HEADER.size + slots * _SLOT)
                self._map = mmap.mmap(descriptor, _HEADER.size + slots * _SLOT)
            finally:
                os.close(descriptor)
            self._map[: _HEADER.size] = header
            new.replace(path)
        except OSError as problem:
            raise TemporaryProblem(f"cannot write {path}: {problem.strerror}", "make room on the disk") from problem

    def board(self, rows: Iterable[RowId]) -> None:
        """Give each of these claimed rows a slot."""
        for row in rows:
            place = self._places[row] = self._free.pop()
            self._map[place + _MARK] = Mark.CLAIMED
            _ROW.pack_into(self._map, place, row)

    def mark(self, row: RowId, mark: Mark) -> None:
        """Say how far the row has come."""
        self._map[self._places[row] + _MARK] = mark

    def land(self, rows: Iterable[RowId]) -> None:
        """Take back the slots of rows whose results are durable."""
        for row in rows:
            place = self._places.pop(row)
            _ROW.pack_into(self._map, place, 0)
            self._free.append(place)

    def close(self) -> None:
        """Let go of the file; it stays for the next sender to read."""
        self._map.close()


def read(path: Path, incarnation: str, mailing: int, fence: int) -> Mapping[RowId, Mark] | None:
    """The marks that the sender with this fence left; None when the file is not there, is damaged, or is of another
    boot, database or sender, so that nothing is known."""
    try:
        content = path.read_bytes()
        magic, where, life, of, by, slots = _HEADER.unpack_from(content)
    except (OSError, struct.error):
        return None
    expected = (_MAGIC, _boot(), bytes.fromhex(incarnation), mailing, fence)
    if (magic, where, life, of, by) != expected or not any(where) or len(content) != _HEADER.size + slots * _SLOT:
        return None
    places = range(_HEADER.size, len(content), _SLOT)
    rows = ((_ROW.unpack_from(content, place)[0], content[place + _MARK]) for place in places)
    return {RowId(row): Mark(mark) for row, mark in rows if row}


def _boot() -> bytes:
    """Which start of the machine this is; zeros where the system does not tell."""
    name = boot()
    return hashlib.sha256(name.encode()).digest()[:16] if name else bytes(16)


def _reserve(descriptor: int, size: int) -> None:
    """Make the file this long with room on the disk for all of it: a write into a hole of a full disk would end the
    process without a word."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.write(descriptor, bytes(size))
