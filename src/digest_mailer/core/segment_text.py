"""A segment as one line that people type: `any:empathy,attachment language:fr role=clinician joined>=2023`.

An expression is terms, and all of them must hold; `and` between them means nothing. A term is a name, a sign and
values, with commas between several. `:` and `=` mean the same. A value with spaces, commas or quotation marks is put
into quotation marks, and a quotation mark inside is written `\\"`. A name that is no condition is an attribute,
unless it looks like a slip of a condition's; in quotation marks it always is one. docs/reference/segments.md tells
it all with examples.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import NoReturn

from digest_mailer.core.errors import UsageError, did_you_mean
from digest_mailer.core.segment import Segment
from digest_mailer.core.segment_form import Condition, Draft, period, words
from digest_mailer.core.topic import Catalogue

_ALIKE = {
    "any": Condition.ANY,
    "topic": Condition.ANY,
    "topics": Condition.ANY,
    "all": Condition.ALL,
    "none": Condition.NONE,
    "state": Condition.STATE,
    "states": Condition.STATE,
    "language": Condition.LANGUAGE,
    "languages": Condition.LANGUAGE,
    "received": Condition.RECEIVED,
}
_NEGATED = {Condition.ANY: Condition.NONE, Condition.RECEIVED: Condition.NOT_RECEIVED}
_EVERYBODY = "everybody"
_FILLERS = ("and", _EVERYBODY)
_RESERVED = (*_ALIKE, "joined", "attribute", "not", *_FILLERS)
_ADD_UP = (Condition.ALL, Condition.NONE, Condition.NOT_RECEIVED)  # twice is the same as once with a comma

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r'[^\s,":=<>]+')
_SIGN = re.compile(r">=|<=|[:=<>]")
_VALUE = re.compile(r'[^\s,"]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_NAME = re.compile(r"[a-z0-9_.-]+")


def parse(text: str, catalogue: Catalogue, name: str = "") -> Segment:
    """The segment that an expression means. Raises UsageError with the column (from 1) of what it does not know."""
    reader = _Reader(text, catalogue)
    while reader.more():
        reader.term()
    return reader.draft.segment(name)


def write(segment: Segment, catalogue: Catalogue) -> str:
    """The expression of a segment; `parse` makes the same of it."""
    terms = []
    for condition, attribute, values in words(segment, catalogue):
        joined = condition in (Condition.JOINED_FROM, Condition.JOINED_BEFORE)
        sign = "" if joined else "=" if condition is Condition.ATTRIBUTE else ":"
        name = _name(attribute) if condition is Condition.ATTRIBUTE else str(condition)
        terms.append(f"{name}{sign}{','.join(map(_value, values))}")
    return " ".join(terms) or _EVERYBODY


def looks_like_expression(text: str) -> bool:
    """Whether this can only be an expression: no name of a segment has a sign in it."""
    return _SIGN.search(text) is not None


class _Reader:
    """An expression, and how far it was read."""

    def __init__(self, text: str, catalogue: Catalogue) -> None:
        self.text = text
        self.at = 0
        self.draft = Draft(catalogue)
        self.seen: set[tuple[Condition, str]] = set()

    def more(self) -> bool:
        """Whether there is another term."""
        self._take(_SPACE)
        return self.at < len(self.text)

    def term(self) -> None:
        """Read one."""
        begun = self.at
        quoted = self.text.startswith('"', begun)
        name = self._word(_NAME, "a name")
        self._take(_SPACE)
        sign = self._take(_SIGN)
        folded = name.lower()
        if quoted:
            self._attribute(begun, name, sign)
        elif not sign and folded in _FILLERS:
            return
        elif folded == "not":
            self._negated(sign)
        elif folded == "attribute":
            self._named_attribute(begun, name, sign)
        elif folded == "joined":
            self._joined(begun, sign)
        elif folded in _ALIKE:
            self._values(begun, name, sign, _ALIKE[folded])
        else:
            self._unknown(begun, name, sign)

    def _negated(self, sign: str) -> None:
        self._take(_SPACE)
        begun = self.at
        name = self._word(_NAME, "a name")
        condition = _NEGATED.get(_ALIKE.get(name.lower(), Condition.STATE))
        if sign not in ("", ":") or condition is None:
            self._wrong(begun, "not goes before received or topic", "like: not:received:2023-07")
        self._take(_SPACE)
        self._values(begun, name, self._take(_SIGN), condition)

    def _named_attribute(self, begun: int, name: str, sign: str) -> None:
        self._plain_sign(begun, name, sign)
        self._take(_SPACE)
        start, quoted = self.at, self.text.startswith('"', self.at)
        attribute = self._word(_NAME, "the name of an attribute")
        self._take(_SPACE)
        self._attribute(start, attribute if quoted else attribute.lower(), self._take(_SIGN))

    def _unknown(self, begun: int, name: str, sign: str) -> None:
        """An attribute, or a slip."""
        if not sign:
            hint = "like role=clinician or topic:empathy; words with spaces in quotation marks"
            self._wrong(begun, f'"{name}" says nothing by itself', hint)
        if slip := _slip(name.lower()):
            self._wrong(begun, f'unknown condition "{name}"', f"{slip} An attribute of that name: attribute:{name}")
        self._attribute(begun, name.lower(), sign)

    def _attribute(self, begun: int, attribute: str, sign: str) -> None:
        self._values(begun, attribute, sign, Condition.ATTRIBUTE, attribute)

    def _values(self, begun: int, name: str, sign: str, condition: Condition, attribute: str = "") -> None:
        self._plain_sign(begun, name, sign)
        self._once(begun, condition, attribute)
        for start, value in self._list():
            with _column(start):
                self.draft.add(condition, value, attribute)

    def _joined(self, begun: int, sign: str) -> None:
        if not sign:
            self._wrong(begun, "joined needs a day", "like joined>=2023-01-01, joined<2024 or joined:2023-05")
        (start, word), *rest = self._list()
        if rest:
            self._wrong(rest[0][0], "joined takes one day", "from and to are two terms: joined>=2023-05 joined<2023-07")
        with _column(start):
            first, behind = period(word)
        since = behind if sign == ">" else first if sign in (">=", ":", "=") else None
        before = behind if sign in ("<=", ":", "=") else first if sign == "<" else None
        for condition, day, wanted in (
            (Condition.JOINED_FROM, since, sign in (">", ">=", ":", "=")),
            (Condition.JOINED_BEFORE, before, sign in ("<", "<=", ":", "=")),
        ):
            if wanted:
                self._day(begun, start, condition, day)

    def _day(self, begun: int, start: int, condition: Condition, day: date | None) -> None:
        if day is None:
            self._wrong(start, "there is no day behind that")
        self._once(begun, condition)
        self.draft.add(condition, str(day))

    def _list(self) -> Iterator[tuple[int, str]]:
        """Values with commas between them, and where each begins."""
        while True:
            self._take(_SPACE)
            yield self.at, self._word(_VALUE, "a value")
            if self.at < len(self.text) and self.text[self.at] != "," and not self.text[self.at].isspace():
                self._wrong(self.at, "a space or a comma must be here")
            end = self.at
            self._take(_SPACE)
            if not self.text.startswith(",", self.at):
                self.at = end
                return
            self.at += 1

    def _word(self, pattern: re.Pattern[str], what: str) -> str:
        """A word, in quotation marks or not."""
        begun = self.at
        if match := _QUOTED.match(self.text, begun):
            self.at = match.end()
            return _ESCAPED.sub(r"\1", match[1])
        if self.text.startswith('"', begun):
            self._wrong(begun, "the quotation mark is not closed")
        if not (word := self._take(pattern)):
            self._wrong(begun, f"{what} is missing")
        return word

    def _plain_sign(self, begun: int, name: str, sign: str) -> None:
        if sign not in (":", "="):
            self._wrong(begun, f"{name} needs a colon and a value", f"like {name}:{'...' if not sign else 'value'}")

    def _once(self, begun: int, condition: Condition, attribute: str = "") -> None:
        if (condition, attribute) in self.seen and condition not in _ADD_UP:
            self._wrong(begun, "this is said twice", "several values go into one term, with commas: any:empathy,ptsd")
        self.seen.add((condition, attribute))

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else ""

    def _wrong(self, start: int, what: str, hint: str = "") -> NoReturn:
        with _column(start):
            raise UsageError(what, hint)


@contextmanager
def _column(start: int) -> Iterator[None]:
    """Say where it is, with what is wrong."""
    try:
        yield
    except UsageError as problem:
        raise UsageError(f"column {start + 1} of the segment: {problem.what}", problem.hint) from None


def _slip(name: str) -> str:
    return did_you_mean(name, _RESERVED)


def _name(attribute: str) -> str:
    plain = _PLAIN_NAME.fullmatch(attribute) and attribute not in _RESERVED and not _slip(attribute)
    return attribute if plain else _quoted(attribute)


def _value(value: str) -> str:
    return value if _VALUE.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
