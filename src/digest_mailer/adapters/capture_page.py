"""One page capture: the plain text of a blog page, read into the articles that it shows.

A capture keeps words and line order and loses everything else (heading levels, links, bold type), so only
position tells a title from a paragraph. One line is one paragraph; blank lines mean nothing.

    page furniture            everything above the first month
    July 2023                 a month: the name in English and a year, alone on its line
    A Title of a Study        up to 200 characters
    Doe, A. (2021). ...       optional citation, under 700: author first, year in brackets in the first 250
    The summary.              one line or more
    Practice Implications     in any case, also with a colon, no-break spaces, marks, or its text on the same line
    What follows for care.    one line or more; then the next title, the next month, or the end

Where implications end and the next title begins is not marked. Between two lines "Practice Implications" of one
month, the title is, in this order of trust and never the first line below the heading:

1. a line that a citation follows, or a line *like a title* (up to 120 characters, no full stop, colon, comma or
   semicolon at its end, no list item) of four words or more that a paragraph follows;
2. any line like a title;
3. any line of up to 200 characters that something follows ("It Depends.").

A line of the first kind that is not used as a title means that an article has no Practice Implications: an error,
since otherwise one article would vanish inside another. Any other line like a title that is read as text is a
warning. Codes are listed in `adapters.captures`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from digest_mailer.adapters.capture_lines import (
    Line,
    can_be_title,
    implications_in,
    is_surely_title,
    looks_like_citation,
    looks_like_title,
    month_of,
)
from digest_mailer.core.errors import Diagnostic, Severity
from digest_mailer.core.fields import RESERVED_MARK
from digest_mailer.core.identity import IssueId, is_control
from digest_mailer.core.issue_file import IMPLICATIONS

_ADD_HEADING = f'add the line "{IMPLICATIONS}"; if this is no title, join it with its paragraph'


@dataclass(frozen=True, slots=True)
class Entry:
    """One article as one capture shows it."""

    path: str
    line: int
    month: IssueId
    title: str
    citation: str
    body: tuple[str, ...]
    implications: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """What it says below its title, space apart: equal in two captures of one article."""
        return " ".join((self.citation, *self.body, IMPLICATIONS, *self.implications)).split()


@dataclass(slots=True)
class Page:
    """The articles of one capture in its order, and what was noticed on the way."""

    path: str
    entries: list[Entry] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)

    def error(self, line: int, code: str, message: str, hint: str, col: int = 1) -> None:
        """Note what makes the capture unusable."""
        self.found.append(Diagnostic(self.path, line, col, code, message, hint))

    def warn(self, line: int, code: str, message: str, hint: str) -> None:
        """Note what a person should look at."""
        self.found.append(Diagnostic(self.path, line, 1, code, message, hint, Severity.WARNING))


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of lines, and the number of the month or heading that bounds it."""

    number: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class _Head:
    """An article above its implications."""

    title: Line
    citation: str
    body: list[Line]


def read_page(path: str, data: bytes) -> Page:
    """Read one capture as far as it can be read."""
    page = Page(path)
    if (text := _decode(page, data)) is None:
        return page
    months = list(_months(text))
    for month, block in months:
        _check_characters(page, block.lines)
        _read_month(page, month, block)
    if not any(block.lines for _, block in months):
        hint = 'a month stands alone on its line, like "July 2023", its articles below'
        page.error(months[0][1].number if months else 1, "DM203", "no month with an article", hint)
    return page


def _decode(page: Page, data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        col = problem.start - data.rfind(b"\n", 0, problem.start)
        message = f"not UTF-8: byte 0x{data[problem.start]:02X}"
        page.error(line, "DM201", message, "save the capture as UTF-8", col)
        return None
    if not text.strip():
        page.error(1, "DM202", "the capture is empty", "save the page's text into it")
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _months(text: str) -> Iterator[tuple[IssueId, _Part]]:
    """The stretch of every month; what stands above the first is furniture of the page."""
    block: _Part | None = None
    for number, line in enumerate(text.split("\n"), 1):
        month = month_of(line)
        if month:
            block = _Part(number, [])
            yield month, block
        elif block and line.strip():
            block.lines.append(Line(number, line.strip()))


def _check_characters(page: Page, lines: Sequence[Line]) -> None:
    for line in lines:
        bad = next((char for char in line.text if is_control(char) and char != "\t"), None)
        if bad is not None:
            message = f"the line holds the control character U+{ord(bad):04X}"
            page.error(line.number, "DM208", message, "delete it", line.text.index(bad) + 1)
        if RESERVED_MARK in line.text:
            message = f"the line holds {RESERVED_MARK}, which marks personal slots"
            page.error(line.number, "DM208", message, "reword it", line.text.index(RESERVED_MARK) + 1)


def _read_month(page: Page, month: IssueId, block: _Part) -> None:
    if not block.lines:
        page.warn(block.number, "DM211", "the month has no article", "it makes no issue")
        return
    first, *others = _parts(block)
    head = _head(page, _Part(others[0].number if others else block.number, first.lines))
    if not others:
        hint = f'add the line "{IMPLICATIONS}" below its summary'
        page.error(block.lines[0].number, "DM205", f'the article has no line "{IMPLICATIONS}"', hint)
    for number, part in enumerate(others, 1):
        last = number == len(others)
        end = len(part.lines) if last else _next_title(part.lines)
        implications = part.lines[:end]
        if not implications:
            page.error(part.number, "DM207", f"{IMPLICATIONS} holds no text", "write it below the heading")
        _check_text(page, part.lines, 1, end)
        if head and implications:
            page.entries.append(_entry(page, month, head, implications))
        if not last:
            head = _head(page, _Part(others[number].number, part.lines[end:]))


def _parts(block: _Part) -> list[_Part]:
    parts = [_Part(block.number, [])]
    for line in block.lines:
        text = implications_in(line.text)
        if text is None:
            parts[-1].lines.append(line)
        else:
            parts.append(_Part(line.number, [Line(line.number, text)] if text else []))
    return parts


def _next_title(lines: Sequence[Line]) -> int:
    """Where the next article begins below a heading; the number of lines when nowhere."""
    places = range(1, len(lines))
    ranks = (
        (n for n in places if _surely_title(lines, n)),
        (n for n in places if looks_like_title(lines[n].text)),
        (n for n in places[:-1] if can_be_title(lines[n].text)),
    )
    return next((n for rank in ranks for n in rank), len(lines))


def _surely_title(lines: Sequence[Line], index: int) -> bool:
    following = lines[index + 1].text if index + 1 < len(lines) else None
    return is_surely_title(lines[index].text, following)


def _head(page: Page, part: _Part) -> _Head | None:
    """Title, citation and summary: the lines that end at line `part.number`."""
    if not part.lines:
        page.error(part.number, "DM204", "no title above this line", "an article begins with its title")
        return None
    if not (lines := _from_title(page, part.lines)):
        return None
    cited = len(lines) > 1 and looks_like_citation(lines[1].text)
    body = lines[2:] if cited else lines[1:]
    if not body:
        page.error(lines[0].number, "DM206", "the article has no summary", "write it below the title")
    _check_text(page, body, 0, len(body))
    return _Head(lines[0], lines[1].text if cited else "", body)


def _from_title(page: Page, lines: list[Line]) -> list[Line]:
    """The lines from the title on; reports what stands above it."""
    first = lines[0]
    if looks_like_title(first.text):
        return lines
    title = next((n for n in range(1, len(lines)) if _surely_title(lines, n)), None)
    if title is None and can_be_title(first.text):
        return lines
    hint = f"the title seems to be line {lines[title].number}" if title else "put the title above it"
    page.error(first.number, "DM204", "text stands where a title should", hint)
    return lines[title:] if title else []


def _check_text(page: Page, lines: Sequence[Line], start: int, end: int) -> None:
    """Report the lines of a text that look like titles."""
    for n in range(start, end):
        line = lines[n]
        if _surely_title(lines, n):
            message = f'"{line.text}" looks like a title, and an article beside it has no "{IMPLICATIONS}"'
            page.error(line.number, "DM205", message, _ADD_HEADING)
        elif looks_like_title(line.text):
            message = f'"{line.text}" looks like a title and was read as text'
            page.warn(line.number, "DM215", message, "look at what the article became")


def _entry(page: Page, month: IssueId, head: _Head, implications: Sequence[Line]) -> Entry:
    return Entry(
        path=page.path,
        line=head.title.number,
        month=month,
        title=head.title.text,
        citation=head.citation,
        body=tuple(line.text for line in head.body),
        implications=tuple(line.text for line in implications),
    )
