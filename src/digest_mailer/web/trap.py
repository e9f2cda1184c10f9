"""What stands instead of a riddle before a form that anybody can send: a field that people do not see, and a stamp that
says when the page was made. A program that fills in every field, or answers at once, is not worked for.
"""

import hashlib
import hmac
from datetime import datetime

from starlette.datastructures import FormData

HONEYPOT = "website"  # a field that nobody is to fill in
STAMP = "at"
SHORTEST = 2.0  # seconds that a person needs at least
LONGEST = 24 * 3600.0  # a page may stand open for a day


def stamp(now: datetime, secret: bytes) -> str:
    """The time, signed."""
    seconds = str(int(now.timestamp()))
    return f"{seconds}-{_mac(seconds, secret)}"


def is_bait_taken(form: FormData) -> bool:
    """Whether the field that people do not see is filled in."""
    return bool(form.get(HONEYPOT))


def is_patient(form: FormData, now: datetime, secret: bytes) -> bool:
    """Whether the page was made by us, some seconds ago, and not days."""
    seconds, _, mac = str(form.get(STAMP, "")).partition("-")
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) < 12):
        return False
    if not hmac.compare_digest(mac.encode(errors="replace"), _mac(seconds, secret).encode()):
        return False
    return SHORTEST <= now.timestamp() - int(seconds) <= LONGEST


def _mac(seconds: str, secret: bytes) -> str:
    return hmac.digest(secret, b"form " + seconds.encode(), hashlib.sha256).hex()[:32]
