"""The fields of a segment's form, and its conditions in the words of a reader's language.

A field is named after its condition. What was typed is kept as it was typed (`Said`), so that a form with a mistake in
it comes back as it went; `services.segmenting` turns it into a segment and back. A `Sheet` is the
form of one visit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from starlette.datastructures import FormData

from digest_mailer.core.audience import State
from digest_mailer.core.identity import IssueId, Language, parse_issue_id
from digest_mailer.core.segment import Segment
from digest_mailer.core.segment_form import Condition, topics_in_words, words
from digest_mailer.core.topic import Catalogue, words_of
from digest_mailer.rendering.phrases import Phrases, name_of_language
from digest_mailer.services.library import Library
from digest_mailer.services.segmenting import Reason, Said, mark
from digest_mailer.web import forms
from digest_mailer.web.admin.gate import Visit

TOPICS = (Condition.ANY, Condition.ALL, Condition.NONE)
ISSUES = (Condition.RECEIVED, Condition.NOT_RECEIVED)
DAYS = (Condition.JOINED_FROM, Condition.JOINED_BEFORE)
_BOXES = (*TOPICS, Condition.STATE, Condition.LANGUAGE, *ISSUES)

SaidInForm = dict[Condition, list[str]]


@dataclass(frozen=True, slots=True)
class Option:
    """A box to tick."""

    word: str
    name: str
    ticked: bool
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A condition, or what somebody has of it."""

    condition: Condition
    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form of one visit: what it says, and what came of it."""

    visit: Visit
    library: Library
    before: Segment | None  # as it is kept; none for a new one
    said: Said
    name: str = ""
    expression: str = ""  # as it was typed
    trouble: Mapping[str, str] = field(default_factory=dict)  # a sentence by the part of the page
    status: int = 200

    @property
    def seen(self) -> str:
        """Names what the form was made for. It goes along with the form until a change of that was told."""
        if self.visit.posted and self.status != 409:
            return self.visit.typed("seen")
        return mark(self.before) if self.before else ""


def said_in(form: FormData) -> SaidInForm:
    """What a form says of each condition; a line of the field of attributes is one of them."""
    said = {condition: forms.ticked(form, field_of(condition)) for condition in _BOXES}
    lines = forms.field(form, field_of(Condition.ATTRIBUTE)).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    said[Condition.ATTRIBUTE] = [line for line in lines if line.strip()]
    for condition in DAYS:
        day = forms.field(form, field_of(condition)).strip()
        said[condition] = [day] if day else []
    return {condition: found for condition, found in said.items() if found}


def field_of(condition: Condition) -> str:
    """The name of a condition's field."""
    return condition.name.lower()


@dataclass(frozen=True, slots=True)
class Wording:
    """Conditions as somebody reads them."""

    catalogue: Catalogue
    phrases: Phrases

    def topics(self, chosen: Sequence[str]) -> list[Option]:
        """The topics that there are, those that are offered no longer last; merged ones only where they are chosen."""
        known = sorted((one for one in self.catalogue if not one.merged_into), key=lambda one: one.retired)
        options = [
            Option(word, topic.display(self.phrases.language), word in chosen, topic.retired)
            for topic in known
            for word in topics_in_words(words_of([topic.ordinal]), self.catalogue)
        ]
        shown = {one.word for one in options}
        return [*options, *(Option(word, self.topic(word), True) for word in chosen if word not in shown)]

    def topic(self, word: str) -> str:
        """The name of a topic that is given by its key or number."""
        named = self.catalogue.find(word)
        if named is None:
            named = next((one for one in self.catalogue if f"#{one.ordinal}" == word), None)
        return named.display(self.phrases.language) if named else word

    def issues(self, there: Sequence[IssueId], chosen: Sequence[str]) -> list[Option]:
        """The issues that there are, and those that are chosen."""
        return [Option(one, self.issue(one), one in chosen) for one in dict.fromkeys((*there, *chosen))]

    def issue(self, word: str) -> str:
        """The month of an issue."""
        issue = parse_issue_id(word)
        return self.phrases.month(issue) if issue else word

    def states(self, chosen: Sequence[str]) -> list[Option]:
        """The states that somebody in a segment can be in: who was erased is in none."""
        there = (state for state in State if state is not State.ERASED)
        return [Option(one, one, one in chosen) for one in dict.fromkeys((*there, *chosen))]

    def languages(self, there: Sequence[Language], chosen: Sequence[str]) -> list[Option]:
        """The publication's languages, and those that are chosen."""
        both = dict.fromkeys((*there, *chosen))
        return [Option(one, name_of_language(Language(one)), one in chosen) for one in both]

    def terms(self, segment: Segment) -> list[Term]:
        """Every condition of a segment."""
        return list(self._terms(segment))

    def had(self, reason: Reason) -> Term:
        """What somebody has of what a condition asks for; words in the place of nothing."""
        _ = self.phrases.gettext
        (term,) = self._terms(reason.part)
        if reason.everything:
            return Term(term.condition, "", (_("all topics"),))
        values = self._values(term.condition, reason.has) or (self._nothing(term.condition),)
        return Term(term.condition, "", values)

    def _terms(self, segment: Segment) -> Iterator[Term]:
        for condition, attribute, values in words(segment, self.catalogue):
            label = attribute if condition is Condition.ATTRIBUTE else self.label(condition)
            yield Term(condition, label, self._values(condition, values))

    def label(self, condition: Condition) -> str:
        """What a condition says, its values left out."""
        _ = self.phrases.gettext
        return {
            Condition.ANY: _("Follows at least one of these topics"),
            Condition.ALL: _("Follows all of these topics"),
            Condition.NONE: _("Follows none of these topics"),
            Condition.STATE: _("State"),
            Condition.LANGUAGE: _("Language"),
            Condition.ATTRIBUTE: _("Attributes"),
            Condition.JOINED_FROM: _("Joined on or after"),
            Condition.JOINED_BEFORE: _("Joined before"),
            Condition.RECEIVED: _("Got at least one of these issues"),
            Condition.NOT_RECEIVED: _("Got none of these issues"),
        }[condition]

    def _values(self, condition: Condition, values: Sequence[str]) -> tuple[str, ...]:
        """Values by their names; states stay as they are, the templates have words for them."""
        if condition in TOPICS:
            return tuple(self.topic(one) for one in values)
        if condition is Condition.LANGUAGE:
            return tuple(name_of_language(Language(one)) for one in values)
        if condition in ISSUES:
            return tuple(self.issue(one) for one in values)
        if condition in DAYS:
            return tuple(self.phrases.day(date.fromisoformat(one)) for one in values)
        return tuple(values)

    def _nothing(self, condition: Condition) -> str:
        _ = self.phrases.gettext
        if condition in TOPICS:
            return _("no topic")
        if condition in ISSUES:
            return _("none of them")
        return _("a day that is not known") if condition in DAYS else _("nothing")
