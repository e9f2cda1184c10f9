"""The sandbox's Maildir, read and never written: which messages there are, newest first.

A message's id is its file's name without the flags. It is looked up among the names that are there, never
made into a path, so an id cannot lead out of the folder. What a file holds is not trusted: one that is no
message is listed as unreadable.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from digest_mailer.web.letter import HEAD_BYTES, LetterHead, read_head

_FOLDERS = ("new", "cur")  # `tmp` holds what is still being written


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in the folder."""

    id: str
    arrived: datetime
    path: Path
    head: LetterHead

    @property
    def group(self) -> str:
        """The edition it is a copy of, as an address on the page says it."""
        return f"{self.head.issue}:{self.head.edition}" if self.head.edition else ""


@dataclass
class MailFolder:
    """The folder. Heads are kept, because a stored message never changes."""

    folder: Path
    _known: dict[tuple[str, int, int], Stored] = field(default_factory=dict)

    def listing(self) -> list[Stored]:
        """Every message, newest first."""
        present: dict[tuple[str, int, int], Stored] = {}
        for name in _FOLDERS:
            for path, size, nanoseconds in _files(self.folder / name):
                key = (path.name, size, nanoseconds)
                present[key] = self._known.get(key) or _stored(path, nanoseconds)
        self._known = present
        return sorted(present.values(), key=lambda stored: (stored.arrived, stored.id), reverse=True)

    def find(self, message_id: str) -> Stored | None:
        """The message of this id."""
        return next((stored for stored in self.listing() if stored.id == message_id), None)


def _files(folder: Path) -> list[tuple[Path, int, int]]:
    """Plain files with their size and time of change; links and folders are none."""
    try:
        with os.scandir(folder) as entries:
            plain = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            found = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in plain]
    except OSError:
        return []  # nothing was sent yet
    return [(path, status.st_size, status.st_mtime_ns) for path, status in found]


def _stored(path: Path, nanoseconds: int) -> Stored:
    try:
        with path.open("rb") as file:
            head = read_head(file.read(HEAD_BYTES))
    except OSError:
        head = LetterHead()
    arrived = datetime.fromtimestamp(nanoseconds / 1_000_000_000, UTC)
    return Stored(path.name.partition(":")[0], arrived, path, head)
