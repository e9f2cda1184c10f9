"""Letters: what is in them, and that one which the way out would not take is tried again, for some minutes."""

import asyncio
from collections.abc import Sequence
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from digest_mailer.bootstrap import App
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope
from digest_mailer.core.message import Message
from digest_mailer.ports import Work
from digest_mailer.services.express import Express
from digest_mailer.services.letters import Kind, deliver
from publication_support import EVERYTHING, ONE_TOPIC, make_publication, person


class Way:
    """A way out that answers as it was told."""

    url, live, connections = "way:", False, 1

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = list(outcomes)
        self.seen: list[str] = []

    async def deliver(self, work: Work) -> None:
        """One message a call."""
        while taken := work.take():
            row, message = taken
            self.seen.append(message.message_id)
            work.begin(row)
            work.settle(row, self.outcomes.pop(0))


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication."""
    return make_publication(tmp_path)


@pytest.fixture
def message(app: App) -> Message:
    """A letter."""
    return app.letters(app.library).message(Kind.CHOOSE, person(app, ONE_TOPIC))


LATER = Deferred(Scope.TRANSPORT, "421 busy")
NEVER = Refused(Scope.RECIPIENT, "550 no such user")
TAKEN = Accepted("250 ok")


@pytest.mark.parametrize(
    ("outcomes", "taken", "waits"),
    [
        ([TAKEN], True, []),
        ([LATER, TAKEN], True, [30]),
        ([LATER, LATER, TAKEN], True, [30, 300]),
        ([LATER, LATER, LATER], False, [30, 300]),
        ([NEVER], False, []),
        ([LATER, NEVER], False, [30]),
    ],
)
def test_a_letter_is_tried_again_while_it_may_help(
    app: App, message: Message, outcomes: list[Outcome], taken: bool, waits: list[int]
) -> None:
    way, waited = Way(outcomes), []

    async def rest(seconds: float) -> None:
        waited.append(seconds)

    assert asyncio.run(deliver(Express(way, app.clock), message, rest)) == taken
    assert (waited, way.outcomes) == (waits, [])
    assert set(way.seen) == {message.message_id}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("address", [EVERYTHING, ONE_TOPIC])
def test_a_letter_reads_back_as_it_was_meant(app: App, kind: Kind, address: str) -> None:
    who = person(app, address)
    made = app.letters(app.library).message(kind, who)
    read = BytesParser(policy=policy.default).parsebytes(made.content)
    assert read["Subject"] == made.subject
    assert (read["To"].addresses[0].addr_spec, made.to) == (address, who.address)
    assert read["Content-Language"] == who.language
    text, html = read.get_body(("plain",)), read.get_body(("html",))
    assert text
    assert html
    assert text.get_content().replace("\r\n", "\n") == made.text
    assert html.get_content().split() == made.html.split()
    assert max(len(line) for line in made.text.splitlines() if "https://" not in line) <= 72


def test_two_letters_of_a_kind_are_two_messages(app: App) -> None:
    """A mailbox hides the second mail of the same Message-ID."""
    letters, who = app.letters(app.library), person(app, ONE_TOPIC)
    assert letters.message(Kind.CHOOSE, who).message_id != letters.message(Kind.CHOOSE, who).message_id
