"""The file of `subscribers import --rejects`: rows that were refused, to be corrected and imported."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from digest_mailer.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_mailer.bootstrap import SubscriberFile
    from digest_mailer.core.audience import Reject


def check_writable(path: Path, source: Path) -> None:
    """To be called before anything is imported. Raises UsageError when the file cannot be written, or is the list."""
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path} is the list that is imported", "name another file with --rejects")
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as problem:
        raise _refused(path, problem) from problem


def write_rejects(path: Path, file: "SubscriberFile", rejects: "Sequence[Reject]") -> None:
    """Write the rejected rows as they stand in the file, behind their number and the reason. An import passes over
    these two columns."""
    from digest_mailer.bootstrap import REJECT_COLUMNS
    from digest_mailer.services.importing import rejected_rows

    try:
        with path.open("w", encoding="utf-8", newline="") as target:
            rows = rejected_rows(file.header, file.rows(), rejects, REJECT_COLUMNS)
            csv.writer(target, lineterminator="\n").writerows(rows)
    except OSError as problem:
        raise _refused(path, problem) from problem


def _refused(path: Path, problem: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {problem.strerror}", "choose another file")
