"""The publication's secrets: made once, kept in `.digest/keys/` for the owner's eyes only.

    address      hashes addresses for the ledger and the suppression list; permanent
    message-id   makes Message-IDs; permanent
    token-N      signs tokens; the highest N signs, all verify

Losing `address` would let people be mailed twice, losing `token-N` would break links in mails already sent:
back them up with the database.
"""

import os
import re
import secrets
from pathlib import Path

from digest_mailer.core.errors import ConfigError
from digest_mailer.core.message import Keys
from digest_mailer.core.token import TokenKeys

_BYTES = 32
_TOKEN = re.compile(r"token-([1-9]\d{0,2})\.key")


class KeyFiles:
    """The key files of one publication."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make what is missing."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("address", "message-id", "token-1"):
            if name != "token-1" or not self._tokens():
                self._make(name)

    @property
    def address(self) -> bytes:
        """The key of address hashes."""
        return self._read("address")

    @property
    def keys(self) -> Keys:
        """The keys of messages and links."""
        numbers = self._tokens()
        if not numbers:
            raise ConfigError(f"there is no token key in {self._folder}", _LOST)
        tokens = {number: self._read(f"token-{number}") for number in numbers}
        return Keys(TokenKeys(max(numbers), tokens), self._read("message-id"))

    def _tokens(self) -> list[int]:
        found = (_TOKEN.fullmatch(path.name) for path in self._folder.glob("token-*.key"))
        return sorted(int(match[1]) for match in found if match)

    def _make(self, name: str) -> None:
        try:
            descriptor = os.open(self._folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, name: str) -> bytes:
        path = self._folder / f"{name}.key"
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as problem:
            raise ConfigError(f"cannot read the key {path}", _LOST) from problem
        if len(key) != _BYTES:
            raise ConfigError(f"the key {path} is not {_BYTES} bytes", _LOST)
        return key


_LOST = "put it back from a backup; a new one would not fit the mails already sent"
