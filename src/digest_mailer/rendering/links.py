"""Which addresses may stand in a mail, and how they are spelled.

Escaping keeps an address inside its attribute; it does not stop `javascript:`. So every address that a
template writes goes through `safe_url`, and the addresses of an author's Markdown through `is_link` and
`is_image` of `core.links`. HTML and plain text show the same spelling: characters that an address may not hold are
percent-encoded once, here, and not by each library on the way.
"""

import re
from urllib.parse import quote

from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import ContentError
from digest_mailer.core.links import is_image, is_link, parts

__all__ = ["is_image", "is_link", "safe_url", "spell"]

# RFC 3986 section 2.2 (reserved) and the percent sign, so that an address already encoded stays as it is.
_KEEP = "!#$%&'()*+,/:;=?@[]~"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where `serve` runs while somebody tries things out
_ANCHOR = re.compile(r"#[A-Za-z][\w-]*")
_SLOT = re.compile(rf"(?:{'|'.join(slot.mark for slot in Slot)})(?:#[a-z]+)?")


def spell(url: str) -> str:
    """The address with every character encoded that RFC 3986 does not allow."""
    return quote(url, safe=_KEEP)


def safe_url(url: str) -> str:
    """The address as it may stand in an `href`: https, http on this machine, mailto, an anchor, a slot's mark
    with or without an anchor.

    Raises ContentError for any other.
    """
    if _SLOT.fullmatch(url) or _ANCHOR.fullmatch(url):
        return url
    spelled = spell(url)
    scheme, host, rest = parts(spelled)
    if (
        (scheme == "https" and host)
        or (scheme == "http" and host in _LOOPBACK)
        or (scheme == "mailto" and "@" in rest and "?" not in rest)
    ):
        return spelled
    raise ContentError(
        f'the address "{url[:80]}" cannot stand in a mail',
        "use an address that begins with https:// or mailto:",
    )
