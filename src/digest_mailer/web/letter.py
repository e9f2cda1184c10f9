"""A stored message as values to show. Whatever bytes come in, an answer comes out.

Python's parser answers malformed mail with many kinds of exception, so it is asked piece by piece and every
piece has something to fall back on. The HTML is handed on as it is; the frame that shows it runs nothing.
"""

import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default

from digest_mailer.core.identity import is_control

HEAD_BYTES = 64 * 1024
_HEAD_TAG = re.compile(r"<head(?:\s[^<>]*)?>", re.IGNORECASE)
_EARLIER_TAGS = (re.compile(r"<html(?:\s[^<>]*)?>", re.IGNORECASE), re.compile(r"<!doctype[^<>]*>", re.IGNORECASE))
_NEW_TAB = '<base target="_blank">'
_TO_ANCHOR = re.compile(r"""(<a\b[^<>]*?)(\shref=["']?#)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LetterHead:
    """What a list of messages shows. All empty: the file is no readable message."""

    to: str = ""
    subject: str = ""
    issue: str = ""
    edition: str = ""

    @property
    def readable(self) -> bool:
        """Whether anything of it could be read."""
        return bool(self.to or self.subject)


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole message. `text` and `html` are None where there is no such part."""

    head: LetterHead
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None


def read_head(data: bytes) -> LetterHead:
    """The head of a message from its first bytes."""
    try:
        message = BytesHeaderParser(policy=default).parsebytes(data)
        return _head(message)
    except Exception:  # noqa: BLE001 - see the module's docstring
        return LetterHead()


def read_letter(data: bytes) -> Letter:
    """A message from all its bytes."""
    try:
        message = BytesParser(policy=default).parsebytes(data)
        return Letter(_head(message), _headers(message), _body(message, "plain"), _body(message, "html"))
    except Exception:  # noqa: BLE001 - see the module's docstring
        return Letter(LetterHead(), (), None, None)


def for_frame(html: str) -> str:
    """A mail's HTML with its links opening in another tab, but for those to a place in it. Nothing goes before a
    doctype: that would change how browsers lay the mail out."""
    html = _TO_ANCHOR.sub(r'\1 target="_self"\2', html)
    for tag in (_HEAD_TAG, *_EARLIER_TAGS):
        found = tag.search(html)
        if found:
            return html[: found.end()] + _NEW_TAB + html[found.end() :]
    return _NEW_TAB + html


def _head(message: EmailMessage) -> LetterHead:
    # Feedback-ID is issue:edition:digest:sender (core.message)
    issue, edition = (*_field(message, "Feedback-ID").split(":"), "", "")[:2]
    to = _field(message, "To") or _field(message, "Delivered-To")
    return LetterHead(to, _field(message, "Subject"), issue, edition)


def _field(message: EmailMessage, name: str) -> str:
    found = [str(raw) for key, raw in message.raw_items() if key.lower() == name.lower()]
    return _clean(_decoded(found[0])) if found else ""


def _headers(message: EmailMessage) -> tuple[tuple[str, str], ...]:
    return tuple((_clean(name), _clean(_decoded(str(raw)))) for name, raw in message.raw_items())


def _decoded(raw: str) -> str:
    """A header as people read it. Not by the policy's own parser: that of Python 3.11 leaves a space between the
    encoded words of a name, against RFC 2047 section 6.2."""
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(text)))
    except Exception:  # noqa: BLE001 - see the module's docstring
        return text


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        content = part.get_content()
    except Exception:  # noqa: BLE001 - see the module's docstring
        content = part.get_payload(decode=True)
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    return str(content).encode("utf-8", "replace").decode()


def _clean(text: str) -> str:
    """One line that can be shown: bytes that were no text as question marks, controls as spaces."""
    shown = text.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if is_control(char) else char for char in shown).split())
