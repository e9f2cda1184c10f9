"""Which line of which template wrote what stands in a rendered text.

A check of MJML finds a mistake in what the templates made of an edition; an author of templates needs the file
and the line to open. So the same templates run once more with an invisible mark at the start of each of their
lines, and the marks are taken out again. Only a finding asks for it.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import Environment, FunctionLoader

_BEGIN, _END = "\x01", "\x02"  # no text of an author holds them
_MARK = re.compile(f"{_BEGIN}(\\d+){_END}")


@dataclass(slots=True)
class Marker:
    """Marks the sources of templates, and remembers what each mark stands for."""

    places: list[tuple[str, int]] = field(default_factory=list)

    def marked(self, environment: Environment, name: str, source: str) -> str:
        """The source with a mark before what each of its lines writes."""
        return "".join(
            self._lines(name, line, text) if kind == "data" else text for line, kind, text in environment.lex(source)
        )

    def _lines(self, name: str, first: int, text: str) -> str:
        return "".join(
            self._mark(name, number) + line for number, line in enumerate(text.splitlines(keepends=True), first)
        )

    def _mark(self, name: str, line: int) -> str:
        self.places.append((name, line))
        return f"{_BEGIN}{len(self.places) - 1}{_END}"


@dataclass(frozen=True, slots=True)
class Trace:
    """Where each stretch of a rendered text comes from."""

    _line_starts: Sequence[int]
    _starts: Sequence[int]  # of the stretches, ascending
    _places: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, text: str, places: Sequence[tuple[str, int]]) -> "Trace":
        """Read the marks of a rendered text."""
        clean, starts, found, end = [], [], [], 0
        length = 0
        for match in _MARK.finditer(text):
            clean.append(text[end : match.start()])
            length += match.start() - end
            starts.append(length)
            found.append(places[int(match[1])])
            end = match.end()
        clean.append(text[end:])
        lines = [0, *(match.end() for match in re.finditer("\n", "".join(clean)))]
        return cls(lines, starts, found)

    def place(self, line: int, col: int) -> tuple[str, int] | None:
        """Template and line that wrote this place of the text, both counted from 1; None for a place beyond it."""
        if not 1 <= line <= len(self._line_starts):
            return None
        index = bisect_right(self._starts, self._line_starts[line - 1] + max(col, 1) - 1) - 1
        return self._places[index] if index >= 0 else None


def trace(environment: Environment, sources: Mapping[str, str], name: str, values: Mapping[str, object]) -> Trace:
    """Run a template with its lines marked. `environment` is one whose loader may be replaced: an overlay."""
    marker = Marker()

    def load(wanted: str) -> tuple[str, str, None] | None:
        source = sources.get(wanted)
        return None if source is None else (marker.marked(environment, wanted, source), wanted, None)

    marking = environment.overlay(loader=FunctionLoader(load), cache_size=50)
    return Trace.of(marking.get_template(name).render(values), marker.places)
