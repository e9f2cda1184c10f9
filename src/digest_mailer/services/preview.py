"""Sample messages: each edition as a reader whom nobody knows would get it, for looking at and for checks."""

from dataclasses import dataclass

from digest_mailer.core.address import parse_address
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
    date = sample_date(issue, composer.publication.timezone)
    made = []
    for key, edition in composer.editions(issue, composer.keys(issue, people)).items():
        topics = words_of(label.ordinal for label in edition.labels)
        reader = Recipient(
            SubscriberId(1), _READER, "Sample Reader", topics, all_topics=not edition.labels, generation=0
        )
        message = address(edition, reader, date, SAMPLE_KEYRING)
        made.append(Sample(key, edition, edition_hash(encode_edition(edition)), message))
    return made
