"""The text of an issue file as it stands, beside what was read from it.

An `Issue` holds what its author means; a rule about spelling needs what the author typed, and where. `Source`
keeps the lines and, for every text of the front matter and of the settings, the stretch that it was read from.
Lines end in a line feed here whatever ends them in the file, so a place is the same in both.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from digest_mailer.core.errors import Place

BLOCK_STYLES = ("|", ">")  # texts below their field, where a stretch begins with the sign and not with the text


@dataclass(frozen=True, slots=True, order=True)
class Written:
    """One text of a block of settings, and the stretch of the file that says it, quotation marks included."""

    start: Place
    end: Place  # just behind it
    field: str
    text: str
    style: str = ""  # its quotation mark, | or >; empty without
    in_row: bool = False  # one of a list in brackets


@dataclass(frozen=True, slots=True)
class Source:
    """The lines of a file, the number of those before its Markdown, and the texts of its settings."""

    lines: tuple[str, ...] = ()
    body_start: int = 0
    written: tuple[Written, ...] = ()

    @property
    def text(self) -> str:
        """The file as one text."""
        return "\n".join(self.lines)

    @property
    def body(self) -> str:
        """The Markdown: everything behind the front matter."""
        return "\n".join(self.lines[self.body_start :])

    def raw(self, one: Written) -> str:
        """What stands in the file for this text."""
        lines = list(self.lines[one.start.line - 1 : one.end.line])
        lines[-1] = lines[-1][: one.end.col - 1]
        lines[0] = lines[0][one.start.col - 1 :]
        return "\n".join(lines)

    def find(self, one: Written, pattern: re.Pattern[str], nth: int = 0) -> Place:
        """Where the nth match in this text stands; where the text begins when escapes or line ends hide it."""
        raw = self.raw(one)
        seen, meant = list(pattern.finditer(raw)), list(pattern.finditer(one.text))
        if len(seen) != len(meant) or nth >= len(seen):
            return one.start
        return place_in(raw, seen[nth].start(), one.start)

    def value_of(self, field: str, key: Place) -> Written | None:
        """The text of a field whose name stands at this place."""
        behind = (one for one in self.written if one.field == field and one.start >= key)
        return min(behind, default=None)


def place_in(text: str, offset: int, start: Place) -> Place:
    """The place of an offset in a text that begins at `start`."""
    line = text.count("\n", 0, offset)
    col = offset - (text.rfind("\n", 0, offset) + 1)
    return Place(start.line + line, col + (1 if line else start.col))


class Offsets:
    """Places of a file as offsets in its text, and back."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=0))

    def start_of(self, line: int) -> int:
        """Where a line begins, counted from 0; behind the last one, the end of the text and one more."""
        return self._starts[min(line, len(self._starts) - 1)]

    def of(self, place: Place) -> int:
        """The offset of a place."""
        return self._starts[place.line - 1] + place.col - 1

    def place(self, offset: int) -> Place:
        """The place of an offset."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)
