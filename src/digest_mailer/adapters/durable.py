"""Files that are there as a whole or not at all, also after a power loss."""

import os
import secrets
import shutil
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)  # Windows


def write_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Make or replace a file in one step: the old one or the new one stands under its name, whatever happens.

    A file that is there keeps its rights, a new one gets `mode` less the umask. On disk when it returns.
    Raises OSError, and then leaves nothing beside it. Of several that write it at once, one is the last; a process
    that is killed leaves a hidden file behind that nobody reads.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a new name in a directory durable (not known on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
