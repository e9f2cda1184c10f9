"""A segment as words: what a form shows and takes, one field a condition.

A `Draft` is filled word by word, from the fields of a form, from options, or from an expression
(`core.segment_text`), so all of them accept the same words and refuse them with the same sentences. `words` is the
way back. Topics are named by key, name or alias; one that the catalogue does not have, by its number: `#17`.
An attribute and its value are typed as a pair, `role=clinician`; in quotation marks either of them may be anything.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

from digest_mailer.core.audience import State
from digest_mailer.core.errors import UsageError, did_you_mean
from digest_mailer.core.identity import IssueId, Language, parse_issue_id
from digest_mailer.core.segment import MAX_ISSUES, MAX_PAIRS, Segment
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, TopicWords, ordinals_of, words_of

_Word = TypeVar("_Word")
_NUMBER = re.compile(r"#([0-9]{1,3})")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LAST = date.max
_FEWER = "leave some of them out"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PLAIN_NAME = re.compile(r'[^"=\s](?:[^=\r\n]*[^=\s])?')
_PLAIN_VALUE = re.compile(r'(?:[^"\s](?:[^\r\n]*\S)?)?')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "r": "\r"}
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


class Condition(StrEnum):
    """What a segment can ask for; the name is how it is written."""

    ANY = "any"
    ALL = "all"
    NONE = "none"
    STATE = "state"
    LANGUAGE = "language"
    ATTRIBUTE = "attribute"
    JOINED_FROM = "joined>="
    JOINED_BEFORE = "joined<"
    RECEIVED = "received"
    NOT_RECEIVED = "not:received"


_TOPICS = (Condition.ANY, Condition.ALL, Condition.NONE)


class Draft:
    """A segment that is being put together. Words of one condition add up."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._topics: dict[Condition, set[int]] = {condition: set() for condition in _TOPICS}
        self._states: list[State] = []
        self._languages: list[Language] = []
        self._attributes: dict[str, list[str]] = {}
        self._days: dict[Condition, date] = {}
        self._issues: dict[Condition, list[IssueId]] = {Condition.RECEIVED: [], Condition.NOT_RECEIVED: []}

    def add(self, condition: Condition, word: str, attribute: str = "") -> None:
        """One word more of a condition; `attribute` is the name of an attribute. Raises UsageError for what is no
        such word, and for one too many."""
        match condition:
            case Condition.ANY | Condition.ALL | Condition.NONE:
                self._topics[condition].add(self._topic(word))
            case Condition.STATE:
                _once(self._states, _state(word))
            case Condition.LANGUAGE:
                _once(self._languages, _language(word))
            case Condition.ATTRIBUTE:
                _once(self._attributes.setdefault(attribute, []), word)
                if sum(map(len, self._attributes.values())) > MAX_PAIRS:
                    raise UsageError(f"a segment asks for {MAX_PAIRS} values of attributes at most", _FEWER)
            case Condition.JOINED_FROM | Condition.JOINED_BEFORE:
                self._days[condition] = period(word)[0]
            case Condition.RECEIVED | Condition.NOT_RECEIVED:
                _once(self._issues[condition], _issue(word))
                if len(set().union(*self._issues.values())) > MAX_ISSUES:
                    raise UsageError(f"a segment asks for {MAX_ISSUES} issues at most", _FEWER)

    def segment(self, name: str = "") -> Segment:
        """What was put together."""
        return Segment(
            name=name,
            any_topics=words_of(self._topics[Condition.ANY]),
            all_topics=words_of(self._topics[Condition.ALL]),
            no_topics=words_of(self._topics[Condition.NONE]),
            states=tuple(self._states),
            languages=tuple(self._languages),
            attributes={one: tuple(values) for one, values in self._attributes.items()},
            joined_from=self._days.get(Condition.JOINED_FROM),
            joined_before=self._days.get(Condition.JOINED_BEFORE),
            received=tuple(self._issues[Condition.RECEIVED]),
            not_received=tuple(self._issues[Condition.NOT_RECEIVED]),
        )

    def _topic(self, word: str) -> int:
        number = _NUMBER.fullmatch(word)
        if number and int(number[1]) < MAX_TOPICS:
            return int(number[1])
        topic = self._catalogue.find(word)
        if topic is None:
            raise UsageError(f'unknown topic "{word}"', self._catalogue.suggest(word) or "topics.toml lists them all")
        return topic.ordinal


def words(segment: Segment, catalogue: Catalogue) -> Iterator[tuple[Condition, str, tuple[str, ...]]]:
    """Every condition, the attribute's name where it is one, and its words. A draft of them is the same segment."""
    days = {Condition.JOINED_FROM: segment.joined_from, Condition.JOINED_BEFORE: segment.joined_before}
    found: list[tuple[Condition, str, tuple[str, ...]]] = [
        (Condition.ANY, "", topics_in_words(segment.any_topics, catalogue)),
        (Condition.ALL, "", topics_in_words(segment.all_topics, catalogue)),
        (Condition.NONE, "", topics_in_words(segment.no_topics, catalogue)),
        (Condition.STATE, "", segment.states),
        (Condition.LANGUAGE, "", segment.languages),
        *((Condition.ATTRIBUTE, name, values) for name, values in segment.attributes.items()),
        *((condition, "", (str(day),)) for condition, day in days.items() if day),
        (Condition.RECEIVED, "", segment.received),
        (Condition.NOT_RECEIVED, "", segment.not_received),
    ]
    return ((condition, name, tuple(map(str, values))) for condition, name, values in found if values)


def period(word: str) -> tuple[date, date | None]:
    """The first day of a year, a month or a day, and the first day behind it; None behind the last day there is.
    Raises UsageError for what is none of them."""
    match = _PERIOD.fullmatch(word)
    try:
        first = date(*(int(part or 1) for part in match.groups())) if match else None
    except ValueError:
        first = None
    if not match or first is None:
        raise UsageError(f'"{word}" is no day', "days are written YYYY-MM-DD; a month or a year will do")
    if first > _LAST - timedelta(1 if match[3] else 31 if match[2] else 366):
        return first, None
    if match[3]:
        return first, first + timedelta(1)
    return first, (first + timedelta(31)).replace(day=1) if match[2] else first.replace(year=first.year + 1)


def read_pair(text: str) -> tuple[str, str]:
    """The name and the value of an attribute. Without quotation marks, a name has small letters only. Raises UsageError
    for what is no pair."""
    quoted = _QUOTED.match(text := text.strip())
    name, equals, value = text[quoted.end() if quoted else 0 :].partition("=")
    name = name.strip()
    if not equals or bool(name) == bool(quoted):
        raise UsageError(f'"{text}" is not NAME=VALUE', "like: role=clinician")
    whole = _QUOTED.fullmatch(value := value.strip())
    return _unquoted(quoted[1]) if quoted else name.lower(), _unquoted(whole[1]) if whole else value


def write_pair(name: str, value: str) -> str:
    """An attribute and its value as a line; `read_pair` makes the same of it."""
    plain = _PLAIN_NAME.fullmatch(name) and name == name.lower()
    return f"{name if plain else _quoted(name)}={value if _PLAIN_VALUE.fullmatch(value) else _quoted(value)}"


def topics_in_words(topics: TopicWords, catalogue: Catalogue) -> tuple[str, ...]:
    """Topics by key. The number stands for one that would not be found by it."""
    keys = {topic.ordinal: topic.key for topic in catalogue}
    sure = {number: key for number, key in keys.items() if (found := catalogue.find(key)) and found.ordinal == number}
    return tuple(sure.get(number, f"#{number}") for number in ordinals_of(topics))


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda match: _MEANT.get(match[1], match[1]), text)


def _once(kept: list[_Word], word: _Word) -> None:
    if word not in kept:
        kept.append(word)


def _state(word: str) -> State:
    names = [str(state) for state in State]
    if word.lower() not in names:
        raise UsageError(f'unknown state "{word}"', did_you_mean(word, names) or f"states: {', '.join(names)}")
    return State(word.lower())


def _language(word: str) -> Language:
    if not _LANGUAGE.fullmatch(word.lower()):
        raise UsageError(f'"{word}" is no language', "languages are written as en or fr")
    return Language(word.lower())


def _issue(word: str) -> IssueId:
    issue = parse_issue_id(word)
    if issue is None:
        raise UsageError(f'"{word}" is no issue', "issues are written YYYY-MM, like 2023-07")
    return issue
