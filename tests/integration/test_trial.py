"""Test mail, and the lane of mail that somebody waits for."""

import asyncio
import email
import email.policy
import re
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from command_support import command
from core_support import JULY
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Tls
from digest_mailer.bootstrap import App
from digest_mailer.core.address import parse_address
from digest_mailer.core.delivery import Accepted, Deferred, Outcome
from digest_mailer.core.message import Message
from digest_mailer.core.pacing import Pacer
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.core.token import SAMPLE_KEY_ID, read
from digest_mailer.services.send import Ended, Ending
from message_support import run
from publication_support import EVERYTHING, ONE_TOPIC, make_publication, person
from smtp_server import keeping_server

ME = "me@clinic.ca"


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_publication(tmp_path)


def outbox(app: App) -> list[EmailMessage]:
    parser = email.policy.default
    contents = [path.read_bytes() for path in sorted((app.root / "out").iterdir())]
    return [email.message_from_bytes(content, policy=parser) for content in contents]


def plain(message: EmailMessage) -> str:
    """The plain text, its lines joined."""
    part = message.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def try_it(app: App, *words: str) -> int:
    return command("-C", app.root, "test", JULY, "--transport", f"outbox:{app.root / 'out'}", *words).code


def mail(app: App, *to: str) -> list[Message]:
    """The whole issue for these addresses."""
    library = app.library
    trial, issue = app.trial(library), library.load(JULY)
    keys = trial.keys(issue, None, all_editions=False)
    return trial.messages(issue, keys, [parse_address(one) for one in to], None)


def way_to(port: int) -> SmtpTransport:
    return SmtpTransport(SmtpSettings("127.0.0.1", port, tls=Tls.NONE, connections=2))


def test_anybody_gets_the_whole_issue_marked_and_nothing_remembers_it(app: App) -> None:
    assert try_it(app, "--to", ME, "--to", "you@clinic.ca") == 0
    mine, yours = outbox(app)
    subject = app.library.load(JULY).subject
    assert {str(mine["To"]), str(yours["To"])} == {ME, "you@clinic.ca"}
    assert mine["Subject"] == yours["Subject"] == f"[TEST] {subject}"
    assert str(mine["List-Id"]).startswith("test.", str(mine["List-Id"]).index("<") + 1)
    assert all(one.title in plain(mine) for one in app.library.load(JULY).articles)
    assert app.ledger.mailing(JULY) is None


def test_its_links_do_nothing(app: App) -> None:
    assert try_it(app, "--to", ME) == 0
    (message,) = outbox(app)
    tokens = set(re.findall(r"[A-Za-z0-9_-]{40}", str(message["List-Unsubscribe"]) + str(message.get_body(("html",)))))
    found = [token for token in map(read, tokens) if token]
    assert found
    assert {token.key_id for token, _ in found} == {SAMPLE_KEY_ID}  # which no server accepts


def test_a_second_test_is_another_mail(app: App) -> None:
    """A mailbox hides the second mail with a Message-ID that it has seen."""
    assert [try_it(app, "--to", ME) for _ in range(2)] == [0, 0]
    assert len({message["Message-ID"] for message in outbox(app)}) == 2


def test_it_is_what_a_reader_would_get(app: App) -> None:
    assert try_it(app, "--to", ME, "--as", ONE_TOPIC) == 0
    (message,) = outbox(app)
    reader = person(app, ONE_TOPIC)
    (to,) = message["To"].addresses
    assert (to.display_name, to.addr_spec) == (reader.name, ME)
    followed = {topic.key for topic in app.library.vocabulary.catalogue.in_words(reader.topics)}
    text = plain(message)
    for article in app.library.load(JULY).articles:
        assert (article.title in text) == bool(followed & set(article.topics))


def test_a_reader_of_another_language_gets_theirs(app: App) -> None:
    assert try_it(app, "--to", ME, "--as", EVERYTHING) == 0
    assert outbox(app)[0]["Content-Language"] == "fr"


def test_every_edition_is_named_in_its_subject(app: App) -> None:
    assert try_it(app, "--to", ME, "--all-editions") == 0
    library = app.library
    keys = app.composer(library).keys(library.load(JULY), app.people)
    subjects = [str(message["Subject"]) for message in outbox(app)]
    assert len(subjects) == len(keys) > 1
    assert all(sum(subject.endswith(f" ({key})") for subject in subjects) == 1 for key in keys)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", "nonsense"), 2),
        (("--to", ME, "--as", EVERYTHING, "--all-editions"), 2),
        (("--to", ME, "--as", "nobody@clinic.ca"), 6),
        (("--to", "me@example.org", "--transport", "smtp://mail.clinic.ca"), 4),
        (("--to", ME, "--transport", "smtp://127.0.0.1:1?tls=none"), 7),
    ],
)
def test_what_cannot_be_is_said(app: App, words: tuple[str, ...], code: int) -> None:
    assert try_it(app, *words) == code
    assert not (app.root / "out").exists()


def test_an_issue_with_mistakes_is_not_tried(app: App) -> None:
    path = app.root / "newsletters" / f"{JULY}.md"
    path.write_text(path.read_text().replace("title:", "titel:", 1))
    assert try_it(app, "--to", ME) == 3
    assert not (app.root / "out").exists()


# -- the lane


def test_who_waits_does_not_wait_for_a_mailing(app: App) -> None:
    """A mailing of one message a minute is under way to the same server."""

    async def both() -> tuple[list[Outcome], Ended, int]:
        async with keeping_server() as (port, keeper):
            begun, library = asyncio.Event(), app.library
            launcher = app.launcher(library)
            launcher.start(launch := launcher.prepare(JULY, EVERYBODY, way_to(port)), way_to(port), None)
            mailing = app.run(way_to(port), lambda _: begun.set())
            mailing.pacer = Pacer(per_second=1 / 60)
            sending = asyncio.create_task(mailing.send(JULY, timedelta(0)))
            await begun.wait()
            outcomes = await app.express(way_to(port)).send(mail(app, ME))
            assert b"To: <me@clinic.ca>\r\n" in keeper.contents[-1]
            mailing.stop()
            return outcomes, await sending, launch.people

    outcomes, ended, people = run(both())
    assert [type(outcome) for outcome in outcomes] == [Accepted]
    assert ended.ending is Ending.STOPPED
    assert ended.progress.waiting == people - 1


def test_each_message_is_tried_once_and_what_came_of_it_is_told(app: App) -> None:
    outcomes = run(app.express(way_to(1)).send(mail(app, ME, ME, ME)))
    assert [type(outcome) for outcome in outcomes] == [Deferred] * 3
