"""Files that a command writes: whole, or as they were."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from digest_mailer.core.errors import UsageError


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A file to write text to, which takes the place of the old one when all of it is there; `-` is standard output.
    Raises UsageError when it cannot be written."""
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                yield file  # type: ignore[misc]
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as problem:
        raise UsageError(f"cannot write {path}: {problem.strerror}", "choose another file") from problem
