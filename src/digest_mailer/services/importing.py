"""A list of people taken in: read once, compared, and merged only when somebody says so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from digest_mailer.core.audience import ImportResult, Reject
from digest_mailer.core.intake import Batch, Origin
from digest_mailer.ports import Clock, Roster

Told = Callable[[int], None]


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
            origin = Origin(source, digest(), asked.actor, len(rejects))
            return Imported(staging.merge(origin, self.clock.now()), rejects, applied=True)


def _merged(rejects: Sequence[Reject], repeated: Sequence[Reject]) -> list[Reject]:
    """One for each row, in order. That somebody stands in the file twice is said before anything else of the row."""
    again = {reject.row for reject in repeated}
    return sorted((*(one for one in rejects if one.row not in again), *repeated), key=attrgetter("row"))
