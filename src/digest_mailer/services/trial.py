"""Test mail: an issue as it would arrive, sent to whoever is to look at it, before anybody else gets it.

Any address will do. The subject begins with [TEST], and the List-Id is another one, so that filters tell the two
apart. The links that unsubscribe are of the sample key, which no server accepts; the ledger does not know of it; and
every test has ids of its own, because a mailbox that has seen a Message-ID hides the second mail that has it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.edition import Assignment, Edition, EditionKey, article_topics
from digest_mailer.core.errors import InterlockError, NothingMatched
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.issue import Issue
from digest_mailer.core.message import SAMPLE_KEYRING, Message, Recipient, address
from digest_mailer.core.topic import NO_TOPICS, words_of
from digest_mailer.ports import Clock, Subscribers, Transport
from digest_mailer.services.compose import Composer

PREFIX = "[TEST]"


@dataclass(frozen=True, slots=True)
class Trial:
    """Makes test mail of issues."""

    composer: Composer
    people: Subscribers
    clock: Clock
    new_id: Callable[[], SubscriberId]

    def keys(self, issue: Issue, reader: Subscriber | None, *, all_editions: bool) -> tuple[EditionKey, ...]:
        """Which editions to send: the reader's, all, or the whole issue in the first language. Raises NothingMatched
        when the reader would get none."""
        if all_editions:
            return self.composer.keys(issue, self.people)
        catalogue, publication = self.composer.library.vocabulary.catalogue, self.composer.publication
        assignment = Assignment(article_topics(issue, catalogue), publication.languages, publication.no_match)
        key = (
            assignment.key(reader.topics, reader.language, all_topics=reader.all_topics)
            if reader
            else assignment.key(NO_TOPICS, publication.languages[0], all_topics=True)
        )
        if key is None:
            raise NothingMatched(f"{issue.id} has no article of the topics of this reader", "leave --as out")
        return (key,)

    def messages(
        self, issue: Issue, keys: Sequence[EditionKey], to: Sequence[EmailAddress], reader: Subscriber | None
    ) -> list[Message]:
        """Each edition for each address; of several, the subject says which it is."""
        editions = self.composer.editions(issue, keys)
        return [
            self._message(editions[key], f" ({key})" if len(keys) > 1 else "", one, reader)
            for key in keys
            for one in to
        ]

    def _message(self, edition: Edition, which: str, to: EmailAddress, reader: Subscriber | None) -> Message:
        sender = replace(edition.sender, list_id=f"test.{edition.sender.list_id}")
        marked = replace(edition, subject=f"{PREFIX} {edition.subject}{which}", sender=sender)
        if reader:
            name, topics, everything = reader.name, reader.topics, reader.all_topics
        else:
            name, topics = "", words_of(label.ordinal for label in edition.labels)
            everything = not edition.labels
        recipient = Recipient(self.new_id(), to, name, topics, everything, 0)
        return address(marked, recipient, self.clock.now(), SAMPLE_KEYRING)


def check_addresses(to: Sequence[EmailAddress], transport: Transport) -> None:
    """Refuse addresses that no mail can reach where mail would really leave (RFC 2606)."""
    reserved = [str(one) for one in to if one.is_reserved]
    if transport.live and reserved:
        raise InterlockError(
            f"{', '.join(reserved)} is at a domain reserved for examples", "name an address of your own with --to"
        )
