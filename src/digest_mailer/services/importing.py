"""A list of people taken in: read once, compared, and merged only when somebody says so."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import BinaryIO

from digest_mailer.core.audience import Consent, ImportResult, Reject
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.intake import Batch, Origin
from digest_mailer.core.spreadsheet import guarded, unguarded
from digest_mailer.ports import Clock, Roster

Told = Callable[[int], None]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of a file, beside what stands in it."""

    columns: Mapping[str, str] = field(default_factory=dict)  # what a column is: its name in the file, then a field
    consent: Consent | None = None  # of rows that state none
    topics: str = ""  # of rows that state none, as in a cell
    encoding: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for an encoding that there is not."""
        try:
            "".encode(self.encoding or "utf-8")
        except LookupError as problem:
            hint = "for instance: utf-8, windows-1252, utf-16-le"
            raise UsageError(f'"{self.encoding}" is no encoding', hint) from problem


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    result: ImportResult
    rejects: Sequence[Reject]
    applied: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done with a list."""

    apply: bool = False
    keep_rejects: bool = False  # take the good rows in although others are bad
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes lists in."""

    roster: Roster
    clock: Clock
    language: Language = ENGLISH  # of new people where a list does not say

    def run(
        self,
        batches: Iterable[Batch],
        source: str,
        digest: Callable[[], str],
        asked: Asked,
        on_rows: Told | None = None,
    ) -> Imported:
        """Read the rows and compare them with who is there; write only when that was asked for, and with rejects only
        when they are kept. `digest` is asked for when it is needed, `on_rows` told how many rows more were read."""
        with self.roster.staging() as staging:
            rejects: list[Reject] = []
            for batch in batches:
                staging.take(batch)
                rejects += batch.rejects
                if on_rows:
                    on_rows(batch.read)
            rejects = _merged(rejects, staging.seal())
            if not asked.apply or (rejects and not asked.keep_rejects):
                return Imported(staging.look(), rejects, applied=False)
            origin = Origin(source, digest(), asked.actor, len(rejects), self.language)
            return Imported(staging.merge(origin, self.clock.now()), rejects, applied=True)


def file_digest(data: BinaryIO) -> str:
    """What a whole file is known by."""
    data.seek(0)
    found = hashlib.sha256()
    while octets := data.read(_CHUNK):
        found.update(octets)
    return found.hexdigest()


def rejected_rows(
    header: Sequence[str], rows: Iterable[tuple[int, list[str]]], rejects: Sequence[Reject], leading: Sequence[str]
) -> Iterator[list[str]]:
    """The rejected rows as they stand in the file, each behind its number and the reason; first the header, with the
    `leading` names for these two. An import passes over such columns, so what was corrected can be imported, and it
    takes off again what keeps a spreadsheet from running a cell."""
    reasons = {reject.row: reject.reason for reject in rejects}
    own = [index for index, name in enumerate(header) if name not in leading]
    yield [*leading, *(_harmless(header[index]) for index in own)]
    for number, cells in rows if reasons else ():
        if number in reasons:
            kept = [cell for index, cell in enumerate(cells) if index in own or index >= len(header)]
            yield [str(number), guarded(reasons[number]), *map(_harmless, kept)]


def _harmless(cell: str) -> str:
    """A cell of a list, which may be guarded already, for a spreadsheet; an import reads the same in it."""
    return guarded(unguarded(cell.strip()))


def _merged(rejects: Sequence[Reject], repeated: Sequence[Reject]) -> list[Reject]:
    """One for each row, in order. That somebody stands in the file twice is said before anything else of the row."""
    again = {reject.row for reject in repeated}
    return sorted((*(one for one in rejects if one.row not in again), *repeated), key=attrgetter("row"))
