"""The machine: its clock, and the lock that lets one process send.

The lock is the operating system's, so it ends with its process however that ends.
"""

import os
import secrets
import socket
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from digest_mailer.core.errors import ConfigError, Locked
from digest_mailer.core.identity import SubscriberId

_REST = 55  # bits of an id behind its first octet
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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


def this_process() -> str:
    """Names this process for others: machine, start of the machine, number, start of the process."""
    return "/".join((socket.gethostname(), boot(), str(os.getpid()), _started(os.getpid())))


def still_runs(process: str) -> bool | None:
    """Whether the process of this name runs; None where that cannot be asked, because it is another machine's."""
    machine, of_boot, number, started = [*process.split("/"), "", "", ""][:4]
    if machine != socket.gethostname() or not number.isdecimal():
        return None
    if of_boot != boot():
        return False
    return _started(int(number)) == started != ""


def boot() -> str:
    """Which start of the machine this is; empty where the system does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(number: int) -> str:
    """When a process began, in the kernel's own count (proc(5), field 22 of stat); empty when there is none, a dash
    where the system does not tell but the process is there."""
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return "" if _BOOT_ID.exists() else _is_there(number)


def _is_there(number: int) -> str:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass  # it is somebody else's
    return "-"


def new_subscriber_id() -> SubscriberId:
    """A random id of 63 bits that is never 0."""
    return SubscriberId(secrets.randbelow(2**63 - 1) + 1)


def new_subscriber_ids(count: int) -> Iterator[SubscriberId]:
    """So many random ids in ascending order, for an import. How many begin with an octet is drawn first: so they need
    not all be there to be sorted."""
    for first, share in sorted(Counter(secrets.token_bytes(count)).items()):
        drawn = array("Q", secrets.token_bytes(8 * share))
        for one in sorted(drawn):
            yield SubscriberId(first << _REST | one >> (64 - _REST) or 1)
