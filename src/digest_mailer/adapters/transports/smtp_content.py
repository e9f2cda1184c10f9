"""Finished content as SMTP carries it: checked, then dot-stuffed; nothing else happens to its octets.

`core.message` builds content that always passes. The check is there because a repaired message would no
longer be the one that was approved and signed: what cannot be carried as it is, is refused.
"""

import re

_MAX_LINE = 998  # without CRLF: RFC 5322 section 2.1.1, RFC 5321 section 4.5.3.1.6
_LINE_DOT = re.compile(rb"(?m)^\.")
_PATH = re.compile(r"[!-;=?-~]*")  # printable ASCII without space, < and >


def objection(content: bytes) -> str:
    """Why SMTP cannot carry the content unaltered; empty when it can."""
    lines = content.split(b"\r\n")
    if lines.pop() or any(b"\r" in line or b"\n" in line for line in lines):
        return "the content has a line that does not end in CRLF"  # RFC 5321 section 2.3.8
    if not content.isascii() or b"\0" in content:
        return "the content is not 7-bit text"  # RFC 5321 section 2.4
    if any(len(line) > _MAX_LINE for line in lines):
        return f"the content has a line of more than {_MAX_LINE} characters"
    return ""


def stuffed(content: bytes) -> bytes:
    """The content with its dots doubled and the final dot (RFC 5321 section 4.5.2)."""
    return _LINE_DOT.sub(b"..", content) + b".\r\n"


def path(address: str) -> bytes | None:
    """The address in angle brackets (RFC 5321 section 4.1.2); None when it would break the command."""
    return b"<%s>" % address.encode("ascii") if _PATH.fullmatch(address) else None
