"""The journal of departures: who left, outside the database, so that a restored backup cannot bring them back.

One line of JSON a departure, with the keyed hash of the address and the id, never the address; on disk before
the person is told that they left.
"""

import errno
import json
import os
from datetime import datetime
from pathlib import Path

from digest_mailer.adapters.durable import sync_directory
from digest_mailer.core.identity import SubscriberId


class DepartureJournal:
    """The port `Departures` on the file `.digest/departures.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, subscriber: SubscriberId, address_hash: bytes, reason: str, now: datetime) -> None:
        """Append one departure; on disk when it returns."""
        entry = {"at": now.isoformat(), "subscriber": subscriber, "address": address_hash.hex(), "reason": reason}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = not self._path.exists()
        # one write of one line: appends of several processes do not mix (POSIX O_APPEND)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        line = (json.dumps(entry) + "\n").encode()
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, "the disk is full", str(self._path))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_directory(self._path.parent)
