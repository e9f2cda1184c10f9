"""The publication's secrets: made once, kept in `.digest/keys/` for the owner's eyes only.

    address      hashes addresses for the ledger and the suppression list; permanent
    message-id   makes Message-IDs; permanent
    token-N      signs tokens; the highest N signs, all verify

Losing `address` would let people be mailed twice, losing `token-N` would break links in mails already sent:
back them up with the database.
"""

import re
import secrets
from pathlib import Path

from filelock import FileLock

from digest_mailer.adapters.durable import write_file
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.message import Keys
from digest_mailer.core.token import TokenKeys

_BYTES = 32
_TOKEN = re.compile(r"token-([1-9]\d{0,2})\.key")


class KeyFiles:
    """The key files of one publication."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def missing(self) -> list[str]:
        """The files that should be there and are not."""
        names = ["address", "message-id", *([] if self._tokens() else ["token-1"])]
        return [str(self._path(name)) for name in names if not self._path(name).exists()]

    def make(self) -> None:
        """Make what is missing."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self._folder / "make.lock", mode=0o600):  # whoever comes second finds whole keys
                for path in self.missing():
                    write_file(Path(path), f"{secrets.token_hex(_BYTES)}\n".encode(), 0o600)
        except OSError as problem:
            raise ConfigError(f"cannot make keys in {self._folder}: {problem.strerror}", "check the disk") from problem

    @property
    def address(self) -> bytes:
        """The key of address hashes."""
        return self._read("address")

    @property
    def keys(self) -> Keys:
        """The keys of messages and links."""
        numbers = self._tokens()
        if not numbers:
            raise ConfigError(f"there is no token key in {self._folder}", KEYS_LOST)
        tokens = {number: self._read(f"token-{number}") for number in numbers}
        return Keys(TokenKeys(max(numbers), tokens), self._read("message-id"))

    def _tokens(self) -> list[int]:
        found = (_TOKEN.fullmatch(path.name) for path in self._folder.glob("token-*.key"))
        return sorted(int(match[1]) for match in found if match)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _read(self, name: str) -> bytes:
        path = self._path(name)
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as problem:
            raise ConfigError(f"cannot read the key {path}", KEYS_LOST) from problem
        if len(key) != _BYTES:
            raise ConfigError(f"the key {path} is not {_BYTES} bytes", KEYS_LOST)
        return key


KEYS_LOST = "put it back from a backup; a new one would not fit the mails already sent"
