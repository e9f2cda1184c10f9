"""The form of a person: what can be edited of them, as it was typed and as a profile.

What was typed is kept as it was typed, so that a form with a mistake in it comes back as it went. Topics that nobody is
offered any more stay as they are unless their box is shown and cleared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import NO_ATTRIBUTES, Consent, Profile
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.segment_form import read_pair, write_pair
from digest_mailer.core.topic import NO_TOPICS, Catalogue, Topic, TopicWords, ordinals_of, words_of
from digest_mailer.services.subscriptions import consent_by_hand, read_address
from digest_mailer.web.admin.gate import Visit
from digest_mailer.web.forms import field, ticked


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields."""

    address: str = ""
    name: str = ""
    language: str = ENGLISH
    everything: bool = False
    topics: frozenset[str] = frozenset()
    attributes: str = ""  # a pair a line
    reason: str = ""
    source: str = ""  # of a consent
    day: str = ""  # of a consent

    @classmethod
    def in_form(cls, visit: Visit) -> "Typed":
        """As somebody sent them."""
        texts = {name: visit.typed(name) for name in ("address", "name", "language", "reason", "source", "day")}
        attributes = field(visit.form, "attributes").replace("\r\n", "\n")
        chosen = frozenset(ticked(visit.form, "topic"))
        return cls(**texts, everything=visit.typed("scope") == "all", topics=chosen, attributes=attributes)

    @classmethod
    def of(cls, profile: Profile, catalogue: Catalogue) -> "Typed":
        """As they stand."""
        lines = (write_pair(name, value) for name, value in profile.attributes.items())
        keys = frozenset(str(topic.key) for topic in catalogue.in_words(profile.topics))
        own = (profile.address.typed, profile.name, profile.language, profile.all_topics)
        return cls(*own, keys, "\n".join(lines))

    def profile(self, app: App, catalogue: Catalogue, present: Profile | None = None) -> Profile:
        """What they say of somebody who is like this now. Raises UsageError for what cannot be."""
        if self.language not in languages(app, present):
            raise UsageError(f'"{self.language}" is not a language of this publication', "choose one of the list")
        return Profile(
            address=read_address(self.address),
            name=" ".join(self.name.split()),
            language=Language(self.language),
            topics=self._topics(catalogue, present.topics if present else NO_TOPICS),
            all_topics=self.everything,
            attributes=self._attributes(),
        )

    def consent(self, today: date) -> Consent:
        """The consent that they tell of. Raises UsageError for what is none."""
        return consent_by_hand(self.source, self.day, today)

    def _topics(self, catalogue: Catalogue, present: TopicWords) -> TopicWords:
        boxes = {str(topic.key): topic.ordinal for topic in shown_topics(catalogue, present)}
        if strange := sorted(self.topics - boxes.keys()):
            raise UsageError(f'there is no topic "{strange[0][:80]}"', "open the page again")
        unseen = set(ordinals_of(present)) - set(boxes.values())
        return words_of(unseen | {boxes[key] for key in self.topics})

    def _attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.attributes.split("\n"):
            if line.strip():
                name, value = read_pair(line)
                if name in found:
                    raise UsageError(f'there are two lines for "{name}"', "keep one of them")
                found[name] = value
        return found or dict(NO_ATTRIBUTES)


def shown_topics(catalogue: Catalogue, present: TopicWords = NO_TOPICS) -> Sequence[Topic]:
    """The topics that have a box: those that are offered, then those that are not and yet are followed."""
    followed = [topic for topic in catalogue.in_words(present) if topic.retired]
    return [*catalogue.offered, *followed]


def languages(app: App, present: Profile | None = None) -> tuple[Language, ...]:
    """The languages to choose from: the publication's, and the present one, which it may have no longer."""
    return tuple(dict.fromkeys((*app.publication.languages, *([present.language] if present else []))))
