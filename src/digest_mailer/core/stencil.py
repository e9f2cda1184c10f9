"""An edition compiled for many readers: finished octets with holes, and a message is the holes filled.

`address` (core.message) builds a message the plain way, through the standard library, in milliseconds. Nearly
all of that is the same for every reader, so a stencil lets the plain way build one message to nobody, with marks
where a reader's values stand, and cuts it there. What follows gives the same octets as the plain way:

- Tokens and ids have a fixed length, so they move no line break behind them. Where quoted-printable breaks a
  line inside one (RFC 2045 section 6.7), it does so at the same place for everybody.
- Quoted-printable looks at one line of the text at a time, so the lines with the why-line, whose length is the
  reader's, are encoded by themselves, once for each why-line that occurs.
- The header To is made for each reader. A line of any piece that begins with a dot was doubled beforehand.

Nothing here is trusted to be equal: property tests compare with `address` octet by octet.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import quoprimime
from enum import IntEnum

from digest_mailer.core.edition import Edition, Slot, escape_html, fill
from digest_mailer.core.flowed import flow
from digest_mailer.core.header import quick_mailbox
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.message import (
    ID_OCTETS,
    TEXT_WIDTH,
    Envelope,
    Keys,
    Message,
    Recipient,
    SlotValues,
    body,
    headers,
    id_text,
    return_path,
    to_line,
)
from digest_mailer.core.octets import Form, Octets, stuff
from digest_mailer.core.token import LENGTH, KeyedHash, Scope, Stamp
from digest_mailer.core.topic import TopicWords
from digest_mailer.core.urls import preferences_url, unsubscribe_url

_LINE = 76  # RFC 2045 section 6.7, rule 5
_MOST_WHYS = 4096  # why-lines remembered for one edition


class _Hole(IntEnum):
    """What is filled in. The numbers index the values of a reader."""

    TO = 0
    IDENTIFIER = 1
    LEAVE = 2
    CHOOSE = 3


@dataclass(frozen=True, slots=True)
class _Cut:
    """A piece of a reader's value: all of it, or the part between two soft line breaks."""

    hole: _Hole
    part: slice


@dataclass(frozen=True, slots=True)
class _Shape:
    """Every message with one why-line: what is fixed in it."""

    form: Form
    size: int  # without the header To
    fingerprint: bytes


class Stencil:
    """One edition in one mailing: the same date and keys for all its messages."""

    def __init__(self, edition: Edition, date: datetime, keys: Keys) -> None:
        self.edition = edition
        self._marks = _Marks(edition)
        self._sketch = _Sketch(edition, date, self._marks)
        self._leave = Stamp(Scope.UNSUBSCRIBE, edition.issue, keys.tokens)
        self._choose = Stamp(Scope.PREFERENCES, edition.issue, keys.tokens)
        self._bounce = Stamp(Scope.BOUNCE, edition.issue, keys.tokens)
        self._hash = KeyedHash(keys.message_id)
        self._id_end = f"@{edition.sender.address.domain}>"
        self._sender = return_path(edition.sender, "") if not edition.sender.bounce_mailbox else ""
        self._shapes: dict[tuple[TopicWords, bool], _Shape] = {}

    def address(self, recipient: Recipient) -> Message:
        """The message to this reader; the same as `core.message.address` makes."""
        shape = self._shapes.get((recipient.topics, recipient.all_topics)) or self._shape(recipient)
        leave = self._leave(recipient.id, recipient.generation)
        choose = self._choose(recipient.id, recipient.generation)
        identifier = self._identifier(recipient.id)
        to = quick_mailbox("To", recipient.name, recipient.address).encode("ascii")
        values = (to, identifier, leave, choose)
        return Message(
            Envelope(self._sender or self._return_path(recipient), recipient.address.typed),
            f"<{identifier.decode()}{self._id_end}",
            Octets(shape.form, values, shape.size + len(to)),
            SlotValues(self.edition, recipient, leave.decode(), choose.decode()),
            hashlib.sha256(b"\0".join((shape.fingerprint, *values))).digest(),
        )

    def _identifier(self, subscriber: SubscriberId) -> bytes:
        return self._hash(id_text(self.edition.issue, subscriber))[:ID_OCTETS].hex().encode()

    def _return_path(self, recipient: Recipient) -> str:
        return return_path(self.edition.sender, self._bounce(recipient.id, recipient.generation).decode())

    def _shape(self, recipient: Recipient) -> _Shape:
        why = self.edition.why_line(recipient.topics, all_topics=recipient.all_topics)
        if len(self._shapes) >= _MOST_WHYS:
            self._shapes.clear()
        shape = self._shapes[recipient.topics, recipient.all_topics] = self._sketch.shape(why)
        return shape


class _Marks:
    """Texts that stand where a reader's values will, as long as those and unlike anything in the edition."""

    def __init__(self, edition: Edition) -> None:
        source = repr((edition.html, edition.text, edition.subject)).encode()
        self._seed = hashlib.sha256(source).hexdigest()
        self.leave = self._mark("leave", LENGTH)
        self.choose = self._mark("choose", LENGTH)
        self.identifier = self._mark("identifier", 2 * ID_OCTETS)
        self.why = self._mark("why", LENGTH)
        holes = {_Hole.LEAVE: self.leave, _Hole.CHOOSE: self.choose, _Hole.IDENTIFIER: self.identifier}
        # a soft line break may stand between any two characters
        loose = {hole: b"(?:=\r\n)?".join(bytes((c,)) for c in mark.encode()) for hole, mark in holes.items()}
        self._wanted = re.compile(b"|".join(b"(?P<h%d>%b)" % (hole, pattern) for hole, pattern in loose.items()))

    def line(self, number: int) -> str:
        """Stands for a whole line of a part."""
        return self._mark(f"line {number}", LENGTH)

    def cut(self, content: bytes) -> Iterator[bytes | _Cut]:
        """The content in pieces, cut where marks stand, inside them at soft line breaks."""
        end = 0
        for match in self._wanted.finditer(content):
            yield content[end : match.start()]
            hole, start = _Hole(int(str(match.lastgroup)[1:])), 0
            for number, run in enumerate(match[0].split(b"=\r\n")):
                if number:
                    yield b"=\r\n"
                yield _Cut(hole, slice(start, start + len(run)))
                start += len(run)
            end = match.end()
        yield content[end:]

    def _mark(self, name: str, length: int) -> str:
        return hashlib.sha256(f"{self._seed} {name}".encode()).hexdigest()[:length]


@dataclass(frozen=True, slots=True)
class _WhyLine:
    """A line of the source that holds the why-line."""

    mark: str  # stands for it in the sketch
    source: str
    html: bool

    def encoded(self, why_mark: str, why: str) -> bytes:
        """The line, or what it flows into, as it stands in a message."""
        value = escape_html(why) if self.html else flow(why, TEXT_WIDTH)
        return _quoted_printable(self.source.replace(why_mark, value))


class _Sketch:
    """The message to nobody, with marks: where the why-lines stand, and all the rest finished."""

    def __init__(self, edition: Edition, date: datetime, marks: _Marks) -> None:
        self._marks = marks
        self._lines: list[_WhyLine] = []
        sender = edition.sender
        values = {
            Slot.WHY: marks.why,
            Slot.UNSUBSCRIBE: unsubscribe_url(sender.base_url, marks.leave),
            Slot.PREFERENCES: preferences_url(sender.base_url, marks.choose),
        }
        text = self._set_lines_aside(fill(edition.text, values), html=False)
        html = self._set_lines_aside(
            fill(edition.html, {slot: escape_html(value) for slot, value in values.items()}), html=True
        )
        identifier = f"<{marks.identifier}@{sender.address.domain}>"
        nobody = Recipient.nobody(sender.address)
        head = headers(edition, nobody, date, identifier, marks.leave)
        to = to_line(nobody.name, nobody.address).encode("ascii")
        self._before, _, after = head.partition(b"\r\n" + to)
        self._before += b"\r\n"
        after += body(text, html, identifier, flowed=edition.flowed)
        self._pieces = self._separate(after)
        self._stuffed = self._separate(stuff(after))

    def shape(self, why: str) -> _Shape:
        """The pieces of every message with this why-line. The large ones are shared by all forms."""
        lines = [line.encoded(self._marks.why, why) for line in self._lines]
        pieces = list(self._fill(self._pieces, lines))
        stuffed = self._fill(self._stuffed, [stuff(line) for line in lines])
        holes = ((place, int(one.hole), one.part) for place, one in enumerate(pieces) if isinstance(one, _Cut))
        return _Shape(
            form=Form(_fixed(pieces), _fixed(stuffed), tuple(holes)),
            size=sum(len(one) if isinstance(one, bytes) else _length(one) for one in pieces),
            fingerprint=_fingerprint(pieces),
        )

    def _set_lines_aside(self, source: str, *, html: bool) -> str:
        """The source with a mark in the place of every line that holds the why-line."""
        lines = source.split("\n")
        for number, line in enumerate(lines):
            if self._marks.why in line:
                why_line = _WhyLine(self._marks.line(len(self._lines)), line, html)
                self._lines.append(why_line)
                lines[number] = why_line.mark
        return "\n".join(lines)

    def _separate(self, content: bytes) -> list[bytes | _Cut | int]:
        """The content in pieces; a number stands for the why-line of that number."""
        pieces: list[bytes | _Cut | int] = []
        rest = content
        for number, line in enumerate(self._lines):
            front, _, rest = rest.partition(line.mark.encode())
            pieces += [*self._marks.cut(front), number]
        return [*pieces, *self._marks.cut(rest)]

    def _fill(self, pieces: Sequence[bytes | _Cut | int], lines: Sequence[bytes]) -> Iterator[bytes | _Cut]:
        yield self._before
        yield _Cut(_Hole.TO, slice(None))
        for piece in pieces:
            if isinstance(piece, int):
                yield from self._marks.cut(lines[piece])
            else:
                yield piece


def _fixed(pieces: Iterable[bytes | _Cut]) -> tuple[bytes, ...]:
    return tuple(b"" if isinstance(one, _Cut) else one for one in pieces)


def _length(cut: _Cut) -> int:
    """How long a value's piece is; the header To is counted with its reader."""
    return 0 if cut.hole is _Hole.TO else cut.part.stop - cut.part.start


def _quoted_printable(source: str) -> bytes:
    """Lines of a part as `EmailMessage.set_content` encodes them, without the last line's end."""
    encoded = quoprimime.body_encode(source.encode().decode("latin-1"), _LINE)
    return encoded.replace("\n", "\r\n").encode("ascii")


def _fingerprint(pieces: Sequence[bytes | _Cut]) -> bytes:
    """SHA-256 of everything fixed, and of where the holes are."""
    found = hashlib.sha256()
    for one in pieces:
        found.update(repr(one).encode() if isinstance(one, _Cut) else b"%d:%b" % (len(one), one))
    return found.digest()
