"""What readers choose for themselves: topics, language, a pause.

A page was made for one state of the person, and says which when its form comes back: of two windows that save something
different the second is told, and changes nothing. Who drops the last topic is asked what they mean: to get nothing is
to leave, and nobody leaves by an empty list.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from digest_mailer.core.archive import ArchiveEntry
from digest_mailer.core.audience import Profile, State, Subscriber
from digest_mailer.core.audit import READER
from digest_mailer.core.errors import ChangedMeanwhileError, UsageError
from digest_mailer.core.identity import Language, TopicKey
from digest_mailer.core.topic import Catalogue, Topic, union
from digest_mailer.services.subscriptions import Subscriptions

PAUSES = (1, 3, 6)  # months
_PAGE = "preferences page"
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says."""

    all_topics: bool
    topics: frozenset[TopicKey]
    language: Language

    @property
    def nothing(self) -> bool:
        """Whether no article could ever come of it."""
        return not self.all_topics and not self.topics


@dataclass(frozen=True, slots=True)
class Choosing:
    """The choices of one reader at a time."""

    subscriptions: Subscriptions
    catalogue: Catalogue
    languages: tuple[Language, ...]
    today: Callable[[], date]  # the day where the publication is

    @property
    def offered(self) -> tuple[Topic, ...]:
        """What can be chosen."""
        return self.catalogue.offered

    def of(self, person: Subscriber) -> Choice:
        """What a person has chosen, of what can be."""
        keys = {topic.key for topic in self.catalogue.in_words(person.topics) if not topic.retired}
        return Choice(person.all_topics, frozenset(keys), person.language)

    def read(
        self, *, all_topics: bool, topics: Sequence[str], language: str, present: Language | None = None
    ) -> Choice:
        """A choice out of a form. Raises UsageError for a topic or a language that cannot be chosen; the present one of
        a reader can always be kept."""
        known = {topic.key for topic in self.offered}
        if strange := [key for key in topics if key not in known]:
            raise UsageError(f'there is no topic "{strange[0][:80]}"', "open the page again")
        if language not in (*self.languages, present):
            raise UsageError("there is no such language", "open the page again")
        return Choice(all_topics, frozenset(TopicKey(key) for key in topics), Language(language))

    def save(self, person: Subscriber, choice: Choice, seen: str) -> bool:
        """Keep a choice; False when it is the present one. Raises ChangedMeanwhileError when the page was made for
        another state, UsageError for a choice of nothing."""
        if choice.nothing:
            raise UsageError("nothing is chosen", "choose topics, a pause, or to leave")
        wanted = self._profile(person, choice)
        if wanted == person.profile:
            return False
        self._check(person, seen)
        return self.subscriptions.edit(person, wanted, READER, _PAGE, only_if=person.profile)

    def pause(self, person: Subscriber, months: int, seen: str) -> date:
        """No mail for so many months; answers the first day with mail again. Raises like `save`."""
        if months not in PAUSES:
            raise UsageError("a pause is of 1, 3 or 6 months", "open the page again")
        until = months_later(self.today(), months)
        if not (person.state is State.PAUSED and person.paused_until == until):
            self._check(person, seen)
            self.subscriptions.pause(person, until, READER, _PAGE)
        return until

    def resume(self, person: Subscriber) -> None:
        """End a pause; nothing when there is none."""
        if person.state is State.PAUSED:
            self.subscriptions.resume(person, READER, _PAGE)

    def _profile(self, person: Subscriber, choice: Choice) -> Profile:
        """The person with the choice. Retired topics, which nobody could tick, stay as they are."""
        kept = self.catalogue.words(topic.key for topic in self.catalogue.in_words(person.topics) if topic.retired)
        topics = union((self.catalogue.words(choice.topics), kept))
        return replace(person.profile, topics=topics, all_topics=choice.all_topics, language=choice.language)

    def _check(self, person: Subscriber, seen: str) -> None:
        if seen != mark(person):
            raise ChangedMeanwhileError("the choices were changed in another window", "look at them again")


def mark(person: Subscriber) -> str:
    """Names the state of a person that a page was made for."""
    state = [person.topics, person.all_topics, person.language, person.state, str(person.paused_until)]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_after = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (first_after - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def articles_a_month(entries: Sequence[ArchiveEntry], choice: Choice, today: date) -> float:
    """How many articles a month this choice would have got in the twelve months behind us."""
    first = months_later(today.replace(day=1), -_MONTHS).strftime("%Y-%m")
    now = today.strftime("%Y-%m")
    recent = [article for entry in entries if first <= entry.issue < now for article in entry.articles]
    return sum(choice.all_topics or bool(article.topics & choice.topics) for article in recent) / _MONTHS


def articles_a_year(entries: Sequence[ArchiveEntry], topic: TopicKey, today: date) -> int:
    """How many articles a topic had in the twelve months behind us."""
    only = Choice(all_topics=False, topics=frozenset({topic}), language=Language("en"))
    return round(articles_a_month(entries, only, today) * _MONTHS)
