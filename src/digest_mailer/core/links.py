"""Which addresses an author's Markdown may hold, and what can be told of an address from its letters alone.

A mail shows an address on its own, so a link is absolute (`https`, `http` or `mailto`) and an image is `https`;
everything else is shown as the words that it stood on. `core.prose` warns of it before that happens.
"""

import re
from urllib.parse import urlsplit

# An address in running text. One inside another (`https://proxy.example.org/?to=https://...`) is part of that.
ADDRESS = re.compile(r"(?<![\w=/&?%])https?://[^\s<>\"'`()\[\]{}|\\]*(?<![,;:!?])", re.IGNORECASE)

_PLACEHOLDER_HOST = "example.com"  # example.org and example.net stand in for real sites in samples
_PLACEHOLDER_WORDS = ("todo", "url", "link", "xxx", "tk", "…", "...")
_PLACEHOLDER_PARTS = ("TODO", "TK", "TKTK", "XXX", "FIXME", "…", "...")


def is_link(url: str) -> bool:
    """Whether an address in Markdown is a link that a mail can have: absolute, http(s) or mailto."""
    scheme, host, rest = parts(url)
    return (scheme in ("https", "http") and bool(host)) or (scheme == "mailto" and "@" in rest)


def is_image(url: str) -> bool:
    """Whether an address in Markdown can be an image's: https with a host."""
    scheme, host, _ = parts(url)
    return scheme == "https" and bool(host)


def is_placeholder(url: str) -> bool:
    """Whether an address only keeps the place of one: `#`, `https://…`, `TODO`, https://example.com/page."""
    bare = url.strip().rstrip("/").lower()
    if bare == "#" or bare in _PLACEHOLDER_WORDS:
        return True
    scheme, host, rest = parts(url)
    if scheme == "mailto":
        host, rest = rest.partition("?")[0].rpartition("@")[2].lower(), ""
    return (
        (host.rstrip(".") or host) in (*_PLACEHOLDER_WORDS, _PLACEHOLDER_HOST)
        or host.endswith(f".{_PLACEHOLDER_HOST}")
        or any((part.rstrip(".") or part) in _PLACEHOLDER_PARTS for part in rest.partition("?")[0].split("/"))
    )


def parts(url: str) -> tuple[str, str, str]:
    """Scheme, host and path with query; all empty when the address cannot be read."""
    try:
        found = urlsplit(url)
        host = found.hostname or ""
    except ValueError:
        return "", "", ""
    return found.scheme, host, f"{found.path}?{found.query}" if found.query else found.path
