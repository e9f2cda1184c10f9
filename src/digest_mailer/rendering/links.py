"""Which addresses may stand in a mail, and how they are spelled.

Escaping keeps an address inside its attribute; it does not stop `javascript:`. So every address that a
template writes goes through `safe_url`, and the addresses of an author's Markdown through `is_link` and
`is_image`. HTML and plain text show the same spelling: characters that an address may not hold are
percent-encoded once, here, and not by each library on the way.
"""

import re
from urllib.parse import quote, urlsplit

from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import ContentError

# RFC 3986 section 2.2 (reserved) and the percent sign, so that an address already encoded stays as it is.
_KEEP = "!#$%&'()*+,/:;=?@[]~"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where `serve` runs while somebody tries things out
_ANCHOR = re.compile(r"#[A-Za-z][\w-]*")
_MARKS = tuple(slot.mark for slot in Slot)


def spell(url: str) -> str:
    """The address with every character encoded that RFC 3986 does not allow."""
    return quote(url, safe=_KEEP)


def safe_url(url: str) -> str:
    """The address as it may stand in an `href`: https, http on this machine, mailto, an anchor, a slot's mark.

    Raises ContentError for any other.
    """
    if url in _MARKS or _ANCHOR.fullmatch(url):
        return url
    spelled = spell(url)
    scheme, host, rest = _parts(spelled)
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


def is_link(url: str) -> bool:
    """Whether an address in Markdown is a link that a mail can have: absolute, http(s) or mailto."""
    scheme, host, rest = _parts(url)
    return (scheme in ("https", "http") and bool(host)) or (scheme == "mailto" and "@" in rest)


def is_image(url: str) -> bool:
    """Whether an address in Markdown can be an image's: https with a host."""
    scheme, host, _ = _parts(url)
    return scheme == "https" and bool(host)


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, host and path with query; all empty when the address cannot be read."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", "", ""
    return parts.scheme, host, f"{parts.path}?{parts.query}" if parts.query else parts.path
