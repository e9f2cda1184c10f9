"""Passwords as Argon2id hashes (RFC 9106), by argon2-cffi with the costs that it recommends."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from digest_mailer.core.account import MAX_PASSWORD


class Argon2Passwords:
    """The port `Passwords`."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")  # checked where there is none, for its time

    def hashed(self, password: str) -> str:
        """What is kept of a password."""
        return self._hasher.hash(password)

    def check(self, kept: str, password: str) -> tuple[bool, str]:
        """Whether the password is right, and what to keep from now on when the costs went up. What was kept is empty
        where there is no password: that takes the same time."""
        try:
            self._hasher.verify(kept or self._nobody, password[: MAX_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False, ""
        if not kept:
            return False, ""
        return True, self._hasher.hash(password) if self._hasher.check_needs_rehash(kept) else ""
