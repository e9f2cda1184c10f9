"""Links of a finished edition: where they lead, and whether their words say so.

    DM408   an address that a mail cannot have, or none. Mail goes to https, mailto, an anchor in itself, and
            to a reader's own pages; http only on this machine, while somebody tries things out
    DM409   a placeholder that was never replaced: `#`, https://example.com, TODO, URL, …
    DM410   an anchor that leads nowhere
    DM411   a link that says nothing (WCAG 2.2, 2.4.4 and 4.1.2); the alt of a picture and aria-label count
    DM412   words that fit any link (2.4.4, 2.4.9): here, read more, cliquez ici
    DM413   the same words for different addresses (3.2.4)
    DM414   words that show one host while the address is on another, as in phishing; mail programs warn of it

`near` is the address where there is one in the author's file or a template, else the words.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.naming import one_line, short
from digest_mailer.rendering.rules.page import Node, Page

PERSONAL = (Slot.UNSUBSCRIBE.mark, Slot.PREFERENCES.mark, f"{Slot.PREFERENCES.mark}#pause")

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_UNSAFE = re.compile(r"[\s<>\"\\^`{|}]")  # RFC 3986 has no place for them
_PLACEHOLDERS = frozenset(("#", "url", "link", "address", "todo", "tbd", "fixme", "xxx", "xxxx", "…", "..."))
_PLACEHOLDER_HOSTS = frozenset(("example.com", "www.example.com", "todo", "tbd", "url", "xxx", "link", "…"))
_CUT = ("…", "...", "%e2%80%a6")
_GENERIC = frozenset(
    (
        "here", "click here", "read more", "more", "link", "this", "this link", "learn more", "click", "see more",
        "ici", "cliquez ici", "cliquer ici", "lire la suite", "lire plus", "en savoir plus", "lien", "ce lien",
        "plus", "voir plus", "suite",
    )
)  # fmt: skip
_DECORATION = " .,:;!?…»«›‹>→⟶➔➜-–—()[]\"'“”’"
_SHOWN_ADDRESS = re.compile(r"https?://([^\s/?#]+)\S*", re.IGNORECASE)
# Without a scheme only what nobody could mean otherwise: `Node.js` is no host, `www.apa.org` and `doi.org` are.
_SHOWN_HOST = re.compile(
    r"(www\.[\w.-]+|(?:[\w-]+\.)+(?:com|org|net|edu|gov|int|info|ca|fr|uk|eu|de))(?:[:/?#]\S*)?", re.IGNORECASE
)
_SHOWN_MAILBOX = re.compile(r"[^\s@]+@([\w.-]+\.\w{2,})")


def check_links(page: Page) -> Iterator[Finding]:
    """Every link of the HTML that a reader sees."""
    targets = {*page.ids, *(node.get("name") for node in page.having("a"))}
    led: dict[str, tuple[str, str]] = {}  # words in small letters, the first address and the words themselves
    for node in page.shown("a", "area"):
        href = node.element.get("href")
        name = accessible_name(node)
        if href is None:
            if not (node.get("id") or node.get("name")):  # else it is where other links lead
                yield Finding("DM408", f'the link "{short(name)}" has no address', "give it an href", near=name)
            continue
        near = name if href in PERSONAL or not href.strip() else href
        yield from _check_address(href.strip(), name, near, targets)
        yield from _check_words(href.strip(), name, near)
        yield from _check_consistency(href.strip(), name, near, led)


def accessible_name(node: Node) -> str:
    """What a screen reader says for a link: its label, else its words, else the alts of its pictures."""
    label = one_line(node.get("aria-label"))
    if label or (words := node.words):
        return label or words
    pictures = [node.element] if node.tag == "area" else node.element.iter("img")
    return one_line(" ".join(picture.get("alt") or "" for picture in pictures))


def _check_address(href: str, name: str, near: str, targets: set[str]) -> Iterator[Finding]:
    if href in PERSONAL:
        return
    scheme, host, rest = _parts(href)
    if _is_placeholder(href, host):
        yield Finding(
            "DM409",
            f'the link "{short(name)}" still leads to the placeholder {short(href)}',
            "write the address",
            near=near,
        )
    elif href.startswith("#"):
        if unquote(href[1:]) not in targets:
            yield Finding(
                "DM410",
                f'the link "{short(name)}" leads to {short(href)}, and nothing in the mail has that name',
                f'give its target id="{short(href[1:])}" and the same name',
                near=near,
            )
    elif not _is_allowed(scheme, host, rest) or _UNSAFE.search(href):
        yield Finding(
            "DM408",
            f'the link "{short(name)}" leads to "{short(href)}", which is no address for a mail',
            "use an address that begins with https:// or mailto:, without spaces",
            near=near,
        )


def _is_allowed(scheme: str, host: str, rest: str) -> bool:
    if scheme == "mailto":
        return "@" in rest
    return bool(host) and (scheme == "https" or (scheme == "http" and host in _LOOPBACK))


def _is_placeholder(href: str, host: str) -> bool:
    return href.lower() in _PLACEHOLDERS or host in _PLACEHOLDER_HOSTS or href.lower().endswith(_CUT)


def _check_words(href: str, name: str, near: str) -> Iterator[Finding]:
    if not name:
        yield Finding(
            "DM411",
            f"the link to {short(href)} has no words" if href else "a link has neither address nor words",
            "write words, or give its picture an alt",
            near=near or "<a",
        )
    elif is_generic(name):
        yield Finding(
            "DM412",
            f'the link "{short(name)}" does not say where it leads',
            "name what the reader will find there",
            Severity.WARNING,
            near=near,
        )
    if (shown := _shown_host(name, href)) and shown != (actual := _host_of(href)):
        yield Finding(
            "DM414",
            f"the words of a link show {short(shown)}, but it leads to {short(actual)}",
            "show the address that it leads to, or words that are no address",
            near=near,
        )


def is_generic(name: str) -> bool:
    """Whether these words would fit any link."""
    return name.casefold().strip(_DECORATION) in _GENERIC


def _check_consistency(href: str, name: str, near: str, led: dict[str, tuple[str, str]]) -> Iterator[Finding]:
    if not name or href.startswith("#") or is_generic(name):  # those are told already
        return
    first, words = led.setdefault(name.casefold(), (href, name))
    if first != href:
        yield Finding(
            "DM413",
            f'"{short(words)}" leads to {short(first)} and elsewhere to {short(href)}',
            "use words that tell the two apart",
            Severity.WARNING,
            near=near,
        )


def _shown_host(name: str, href: str) -> str:
    """The host that the words show, if they show one; compared like `_host_of`."""
    if href in PERSONAL or href.startswith("#"):
        return ""
    pattern = _SHOWN_MAILBOX if href.lower().startswith("mailto:") else _SHOWN_ADDRESS
    found = pattern.fullmatch(name) or (_SHOWN_HOST.fullmatch(name) if pattern is _SHOWN_ADDRESS else None)
    return _plain_host(_parts(f"https://{found[1]}")[1]) if found else ""


def _host_of(href: str) -> str:
    scheme, host, rest = _parts(href)
    return _plain_host(rest.partition("?")[0].rpartition("@")[2] if scheme == "mailto" else host)


def _plain_host(host: str) -> str:
    """A host without `www.`, with its letters as they are read."""
    host = unquote(host).casefold().removeprefix("www.").rstrip(".")
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


@lru_cache(maxsize=4096)
def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, host and the rest; all empty when the address cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").lower(), f"{parts.path}?{parts.query}"
    except ValueError:
        return "", "", ""
