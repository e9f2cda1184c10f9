"""The finished content of a message as SMTP may carry it: CRLF lines of 7-bit text, none too long.

`Octets` cannot be made of anything else, so whoever holds one may put it on the wire unread. It stands in
pieces, because messages of one edition share nearly all of theirs; the pieces with their leading dots doubled
(RFC 5321 section 4.5.2) are worked out once and shared too.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_LINE = 998  # without CRLF: RFC 5322 section 2.1.1, RFC 5321 section 4.5.3.1.6
_LEADING_DOT = re.compile(rb"(?m)^\.")
_FINAL_DOT = b".\r\n"

Pieces = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """Content with holes. A hole is an empty piece; `holes` says which value goes where, and which part of it."""

    pieces: Pieces
    stuffed: Pieces
    holes: tuple[tuple[int, int, slice], ...]


class Octets(NamedTuple):
    """Headers and body. Build it with `octets`, or from a form of something that was built with it."""

    form: Form
    values: Pieces
    size: int  # of the content, in octets: what SIZE= says (RFC 1870)

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> list[bytes]:
        """The content. The large pieces are the same objects in every message of an edition: whoever writes them as
        they are saves a copy, and the processor finds them where it left them."""
        return self._fill(self.form.pieces)

    def wire(self) -> list[bytes]:
        """What follows 354, in pieces: the content with its leading dots doubled, and the final dot."""
        pieces = self._fill(self.form.stuffed)
        pieces.append(_FINAL_DOT)
        return pieces

    def behind(self, header: bytes) -> "Octets":
        """The same content with finished header lines in front of it, as a signature is put there."""
        front = octets(header)
        pieces = front.form.pieces + tuple(self.pieces())
        stuffed = front.form.stuffed + tuple(self._fill(self.form.stuffed))
        return Octets(Form(pieces, stuffed, ()), (), front.size + self.size)

    def _fill(self, pieces: Pieces) -> list[bytes]:
        filled, values = list(pieces), self.values
        for place, hole, part in self.form.holes:
            filled[place] = values[hole][part]
        return filled


def octets(content: bytes) -> Octets:
    """The content, once it is known that nothing need be done to it on the way.

    Raises ValueError for what would have to be repaired: a repaired message would no longer be the one that
    was approved and signed. `core.message` builds content that always passes.
    """
    if problem := objection(content):
        raise ValueError(problem)
    return Octets(Form((content,), (stuff(content),), ()), (), len(content))


def stuff(content: bytes) -> bytes:
    """The content with its leading dots doubled (RFC 5321 section 4.5.2)."""
    return _LEADING_DOT.sub(b"..", content)


def objection(content: bytes) -> str:
    """Why SMTP cannot carry the content unaltered; empty when it can."""
    lines = content.split(b"\r\n")
    if lines.pop() or any(b"\r" in line or b"\n" in line for line in lines):
        return "the content has a line that does not end in CRLF"  # RFC 5321 section 2.3.8
    if not content.isascii() or b"\0" in content:
        return "the content is not 7-bit text"  # RFC 5321 section 2.4
    if any(len(line) > MAX_LINE for line in lines):
        return f"the content has a line of more than {MAX_LINE} characters"
    return ""
