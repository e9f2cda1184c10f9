"""Header lines that read back exactly, whatever is in the value, and that nothing can break out of.

Python 3.11's EmailMessage loses spaces in some long non-ASCII subjects, so values are encoded with
`email.header.Header` (RFC 2047: encoded words of at most 75 characters; RFC 5322 section 2.2.3: folded at
78) and put in front of the body as finished bytes.
"""

import re
import string
from email.header import Header

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.identity import CONTROLS

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # RFC 5322 3.2.3
_LONGEST_WORD = 60  # longer ones cannot be folded and are encoded instead
_LONGEST_PHRASE = 74  # with the header's name; a line has 78
_FOLD = "\r\n "
_SHORT = 40  # up to here, name and phrase leave room for an address on their line
_ENCODED_WORD = len("=?utf-8?q??=")
# RFC 2047 section 4.2: a space is an underline; what is not a letter, a digit or one of these is =XX
_QUOTED = {code: f"={code:02X}" for code in range(256)}
_QUOTED |= {ord(char): char for char in "-!*+/" + string.ascii_letters + string.digits} | {ord(" "): "_"}


def check_value(name: str, value: str) -> str:
    """The value when it can stand in a header. Raises ValueError for a control character: parsing and import
    refuse those with a sentence, so here it is a defect."""
    if CONTROLS.search(value):
        raise ValueError(f"control character in the value of {name}")
    return value


def unstructured(name: str, value: str) -> str:
    """A line of free text, like Subject."""
    check_value(name, value)
    return f"{name}: {_words(value, name)}\r\n"


def mailbox(name: str, display: str, address: EmailAddress) -> str:
    """A line with one mailbox, like From and To (RFC 5322 section 3.4)."""
    check_value(name, display + address.typed)
    return f"{name}: {phrase(name, display)}<{address.typed}>\r\n"


def quick_mailbox(name: str, display: str, address: EmailAddress) -> str:
    """The same line as `mailbox` makes, for the millions of a mailing: names of plain letters, and names that fit
    into one encoded word, take a tenth of the time."""
    length = len(name) + len(display)
    if length <= _SHORT and "=?" not in display and _ATOMS.fullmatch(display):
        return f"{name}: {display} <{address.typed}>\r\n"
    if not display.isascii() and not CONTROLS.search(display):
        octets = display.encode()
        quoted = octets.decode("latin-1").translate(_QUOTED)
        as_base64 = (len(octets) + 2) // 3 * 4
        if as_base64 >= len(quoted) and len(name) + len(quoted) + _ENCODED_WORD <= _LONGEST_PHRASE:
            return f"{name}: =?utf-8?q?{quoted}?={_FOLD}<{address.typed}>\r\n"
    return mailbox(name, display, address)


def phrase(name: str, text: str) -> str:
    """A display name, ready to stand before a bracket; empty for an empty one (RFC 5322 section 3.2.5)."""
    check_value(name, text)
    if not text:
        return ""
    quoted = text if _ATOMS.fullmatch(text) else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
    length = len(name) + len(quoted)
    if not _plain(text) or length > _LONGEST_PHRASE:
        return _encoded(text, name) + _FOLD
    return quoted + (_FOLD if length > _SHORT else " ")


def structured(name: str, *parts: str) -> str:
    """A line of finished parts, one a folded line, with commas between them."""
    for part in parts:
        check_value(name, part.replace(_FOLD, ""))  # a phrase may be folded already
    return f"{name}: {f',{_FOLD}'.join(parts)}\r\n"


def _words(value: str, name: str) -> str:
    return (
        Header(value, "us-ascii", header_name=name, maxlinelen=76).encode(splitchars=" ", linesep="\r\n")
        if _plain(value)
        else _encoded(value, name)
    )


def _encoded(value: str, name: str) -> str:
    return Header(value, "utf-8", header_name=name, maxlinelen=76).encode(linesep="\r\n")


def _plain(value: str) -> bool:
    """Whether the value can stand as it is: ASCII, foldable at single spaces, not like an encoded word."""
    return (
        value.isascii()
        and "=?" not in value
        and "  " not in value
        and value == value.strip()
        and all(len(word) <= _LONGEST_WORD for word in value.split(" "))
    )
