"""The suppression list for people: by address, where the list itself knows only keyed hashes.

A list that was exported by this publication has the hashes too, so that it can be brought back when the addresses are
long forgotten. The hashes of another publication mean nothing here: its key is another one.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from digest_mailer.core.address import AddressError, address_hash, parse_address
from digest_mailer.core.audience import Ground, Reject, Suppression
from digest_mailer.core.errors import ContentError, NothingMatched
from digest_mailer.core.spreadsheet import guarded, unguarded
from digest_mailer.ports import Clock, Suppressions
from digest_mailer.services.subscriptions import read_address

COLUMNS = ("email", "hash", "ground", "reason", "since")
_HASH = 16  # octets
_SHOWN = 40  # characters of what is no time
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)  # before that nobody was mailed


@dataclass(frozen=True, slots=True)
class Listed:
    """What an import of suppressions did, or would do."""

    entries: int
    added: int
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, slots=True)
class Suppressing:
    """What admins do with the list."""

    suppressions: Suppressions
    address_key: bytes
    clock: Clock

    def find(self, address: str) -> Suppression | None:
        """The entry of an address; None when it is not on the list. Raises UsageError for no address."""
        return self.suppressions.get(address_hash(read_address(address), self.address_key))

    def add(self, addresses: Iterable[str], reason: str, actor: str) -> int:
        """Suppress these addresses, whether they subscribe or not; answers how many were not on the list."""
        now = self.clock.now()
        hashes = [address_hash(read_address(one), self.address_key) for one in addresses]
        entries = [Suppression(digest, Ground.MANUAL, reason, now) for digest in hashes]
        return self.suppressions.add(entries, actor, now)

    def remove(self, address: str, reason: str, actor: str) -> None:
        """Take an address off the list. Whoever left stays so. Raises NothingMatched when it is not on it."""
        digest = address_hash(read_address(address), self.address_key)
        if not self.suppressions.remove(digest, actor, reason, self.clock.now()):
            raise NothingMatched(f"{address} is not on the suppression list", "see: digest-mailer suppressions list")

    def load(self, lines: Iterable[str], source: str, actor: str, *, apply: bool, keep_rejects: bool) -> Listed:
        """Take in a list as CSV, of any with a column email or hash. Raises ContentError for what is no such list."""
        entries, rejects = self._read(lines, source)
        if not apply or (rejects and not keep_rejects):
            known = self.suppressions.known(one.digest for one in entries)
            return Listed(len(entries), len(entries) - known, tuple(rejects))
        return Listed(len(entries), self.suppressions.add(entries, actor, self.clock.now()), tuple(rejects))

    def write(self, file: IO[str]) -> int:
        """Write the list as CSV, as `load` takes it back; answers how many entries."""
        writer, count = csv.DictWriter(file, COLUMNS, lineterminator="\n"), 0
        writer.writeheader()
        for row in self.rows():
            writer.writerow({name: guarded(cell) for name, cell in row.items()})
            count += 1
        return count

    def rows(self) -> Iterator[dict[str, str]]:
        """The list, a row an entry, as `load` takes it back."""
        for one, address in self.suppressions.all():
            yield dict(
                zip(COLUMNS, (address, one.digest.hex(), one.ground, one.reason, one.since.isoformat()), strict=True)
            )

    def _read(self, lines: Iterable[str], source: str) -> tuple[list[Suppression], list[Reject]]:
        reader = csv.DictReader(lines, strict=True)
        try:
            names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
            if not {"email", "hash"} & names.keys():
                what = f"{source} has neither a column email nor hash (row 1)"
                raise ContentError(what, "a list of suppressed addresses has one of them")
            entries: dict[bytes, Suppression] = {}
            rejects: list[Reject] = []
            for number, row in enumerate(reader, 2):
                cells = {name: unguarded((row.get(column) or "").strip()) for name, column in names.items()}
                try:
                    one = self._entry(cells)
                    entries[one.digest] = one
                except ValueError as problem:
                    rejects.append(Reject(number, cells.get("email", "")[:320], str(problem)))
        except (csv.Error, UnicodeDecodeError) as problem:
            raise ContentError(
                f"{source} cannot be read as CSV in UTF-8: {problem}", "save it as CSV UTF-8"
            ) from problem
        return list(entries.values()), rejects

    def _entry(self, cells: dict[str, str]) -> Suppression:
        """A row. Raises ValueError with the reason when it cannot be used."""
        ground = cells.get("ground") or Ground.MANUAL
        if ground not in tuple(Ground):
            raise ValueError(f'"{ground}" is no ground; one of: {", ".join(Ground)}')
        digest = self._digest(cells.get("email", ""), cells.get("hash", ""))
        since = _instant(cells["since"]) if cells.get("since") else self.clock.now()
        return Suppression(digest, Ground(ground), cells.get("reason") or "imported", min(since, self.clock.now()))

    def _digest(self, address: str, digest: str) -> bytes:
        if address:
            try:
                return address_hash(parse_address(address), self.address_key)
            except AddressError as problem:
                raise ValueError(str(problem)) from problem
        found = bytes.fromhex(digest)
        if len(found) != _HASH:
            raise ValueError("neither an address nor a hash of this publication")
        return found


def _instant(text: str) -> datetime:
    """A day or a time, in UTC. Raises ValueError with the reason for what is none, and for one that cannot be meant."""
    try:
        read = datetime.fromisoformat(text)
        at = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or at < _FIRST:
        raise ValueError(f'"{text[:_SHOWN]}" is not a time since 1970, like 2023-07-01 or 2023-07-01T09:00:00+00:00')
    return at
