"""Sample messages: each edition as a reader whom nobody knows would get it, for looking at and for checks."""

from dataclasses import dataclass

from digest_mailer.core.address import parse_address
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.edition import Edition, EditionKey, edition_hash, encode_edition
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.issue import Issue
from digest_mailer.core.message import SAMPLE_KEYRING, Message, Recipient, address
from digest_mailer.core.topic import words_of
from digest_mailer.ports import Subscribers
from digest_mailer.services.compose import Composer
from digest_mailer.services.publish import sample_date

_READER = parse_address("reader@example.org")


@dataclass(frozen=True, slots=True)
class Sample:
    """One edition, and the message of a sample reader who follows all its topics by name."""

    key: EditionKey
    edition: Edition
    hash: str
    message: Message


def samples(composer: Composer, issue: Issue, people: Subscribers | None) -> list[Sample]:
    """Every edition that `approve` would keep. The same files give the same bytes, on every machine."""
    made = []
    for key, edition in composer.editions(issue, composer.keys(issue, people)).items():
        message = sample_message(edition, issue, composer.publication.timezone)
        made.append(Sample(key, edition, edition_hash(encode_edition(edition)), message))
    return made


def sample_message(edition: Edition, issue: Issue, timezone: str, person: Subscriber | None = None) -> Message:
    """An edition as the sample reader gets it, or as a subscriber would. No server accepts the links in it."""
    if person:
        reader = Recipient(
            person.id, person.address, person.name, person.topics, all_topics=person.all_topics, generation=0
        )
    else:
        topics = words_of(label.ordinal for label in edition.labels)
        reader = Recipient(
            SubscriberId(1), _READER, "Sample Reader", topics, all_topics=not edition.labels, generation=0
        )
    return address(edition, reader, sample_date(issue, timezone), SAMPLE_KEYRING)
