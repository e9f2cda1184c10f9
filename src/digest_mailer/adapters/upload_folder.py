"""Uploaded lists on disk: one file each in a folder of their own, for their owner's eyes, under a random name."""

import os
import secrets
import shutil
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from digest_mailer.core.errors import ConfigError, NothingMatched

_CHUNK = 1 << 20


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class UploadFolder:
    """The port `UploadedFiles` on a folder, which is made when it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, data: BinaryIO) -> tuple[str, int]:
        """Write a file; answers its new name and its size. Raises ConfigError when it cannot be written."""
        name = secrets.token_hex(16)
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self._path / name, "xb", opener=_private) as file:
                shutil.copyfileobj(data, file, _CHUNK)
                return name, file.tell()
        except OSError as problem:
            self.remove(name)
            raise ConfigError(f"cannot keep the file: {problem.strerror}", "make room on the disk") from problem

    def open(self, name: str) -> BinaryIO:
        """The file of this name. Raises NothingMatched when it is gone."""
        try:
            return (self._path / name).open("rb")
        except OSError as problem:
            raise NothingMatched("the uploaded file is gone", "upload it again") from problem

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""
        with suppress(OSError):
            (self._path / name).unlink(missing_ok=True)

    def tidy(self, before: datetime, but: Collection[str]) -> None:
        """Delete files from before this time, but for these."""
        with suppress(OSError):  # the folder, or a file that somebody else was faster with
            for path in [*self._path.iterdir()]:
                if path.name not in but and path.stat().st_mtime < before.timestamp():
                    path.unlink(missing_ok=True)
