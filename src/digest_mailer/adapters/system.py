"""The machine: its clock, and the lock that lets one process send.

The lock is the operating system's, so it ends with its process however that ends.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from digest_mailer.core.errors import ConfigError, Locked
from digest_mailer.core.identity import SubscriberId


class SystemClock:
    """The port `Clock`."""

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return datetime.now(UTC)


@contextmanager
def sending_lock(path: Path) -> Iterator[None]:
    """Hold the lock of sending. Raises Locked when another process has it, ConfigError when it cannot be made."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as problem:
        raise Locked("another process is sending", "wait for it, or see: digest-mailer status") from problem
    except OSError as problem:
        raise ConfigError(f"cannot make the lock {path}: {problem.strerror}", "check the folder's rights") from problem
    try:
        yield
    finally:
        lock.release()


def new_subscriber_id() -> SubscriberId:
    """A random id of 63 bits that is never 0."""
    return SubscriberId(secrets.randbelow(2**63 - 1) + 1)
