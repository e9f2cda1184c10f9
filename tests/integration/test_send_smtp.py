"""The main job against real SMTP servers on loopback: everybody their articles, and what bad servers do to it."""

import asyncio
import email
import email.policy
import html
import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from core_support import JULY
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Timeouts, Tls
from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State, Subscriber, eligible
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.edition import article_topics, select
from digest_mailer.core.errors import InterlockError
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.ports import Transport
from digest_mailer.services.send import Ended, Ending, Run
from message_support import run
from publication_support import FixedClock, make_publication
from send_support import keep_one_issue
from smtp_server import Close, Hang, Say, ScriptedServer, keeping_server

SHORT = Timeouts(connect=5, command=5, final_dot=0.2)


@pytest.fixture
def app(tmp_path: Path) -> App:
    keep_one_issue((made := make_publication(tmp_path)).root)
    return made


def way_to(port: int, connections: int = 4, timeouts: Timeouts | None = None) -> SmtpTransport:
    return SmtpTransport(
        SmtpSettings("127.0.0.1", port, tls=Tls.NONE, connections=connections, timeouts=timeouts or Timeouts())
    )


def begin(app: App, transport: Transport) -> Run:
    """As `send` does: what must hold, then the audience, then a run that never really waits."""
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, transport)
    launcher.start(launch, transport, launch.people)
    sending = app.run(transport, lambda _state: None)
    clock = app.clock
    assert isinstance(clock, FixedClock)

    async def rest(_stopping: asyncio.Event, seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    sending.rest = rest
    return sending


async def send(app: App, transport: Transport, wait: timedelta = timedelta(0)) -> Ended:
    return await begin(app, transport).send(JULY, wait)


def served(app: App) -> dict[str, Subscriber]:
    """Who gets July, worked out one by one: they may get mail, and follow a topic of one of its articles."""
    topics = article_topics(app.library.load(JULY), app.library.vocabulary.catalogue)
    return {
        person.address.typed: person
        for person in app.people.listing(EVERYBODY)
        if not eligible(person.state, person.paused_until, suppressed=False, today=app.clock.now().date())
        and select(topics, person.topics, all_topics=person.all_topics, no_match=NoMatch.SKIP)
    }


def titles_by_reader(app: App, people: Mapping[str, Subscriber]) -> dict[str, dict[str, bool]]:
    """Every title of July, and whether each person is to see it."""
    issue, catalogue = app.library.load(JULY), app.library.vocabulary.catalogue
    titles = {}
    for address, person in people.items():
        followed = {topic.key for topic in catalogue.in_words(person.topics)}
        titles[address] = {one.title: person.all_topics or bool(followed & set(one.topics)) for one in issue.articles}
    return titles


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def plain(message: EmailMessage, kind: str) -> str:
    """A part's text as a person reads it."""
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    if kind == "html":
        text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|title|head)\b.*?</\1>", " ", text)))
    return " ".join(text.split()).casefold()


async def send_to_keeper(app: App) -> tuple[Ended, dict[str, EmailMessage]]:
    """Send to a server that takes everything: what it got, by address."""
    async with keeping_server() as (port, keeper):
        ended = await send(app, way_to(port))
    messages = [read(content) for content in keeper.contents]
    by_address = {str(one["To"].addresses[0].addr_spec): one for one in messages}
    assert len(by_address) == len(messages) == len(keeper.contents)
    return ended, by_address


def test_everybody_who_may_gets_one_message_with_their_articles_and_nobody_else_any(app: App) -> None:
    expected = served(app)
    titles = titles_by_reader(app, expected)
    assert len({tuple(one.values()) for one in titles.values()}) == 7  # every selection of three articles
    ended, messages = run(send_to_keeper(app))
    assert ended.ending is Ending.COMPLETE
    assert set(messages) == set(expected)
    for address, message in messages.items():
        for kind in ("plain", "html"):
            text = plain(message, kind)
            assert {title: title.casefold() in text for title in titles[address]} == titles[address], (address, kind)


def test_a_message_is_text_then_html_with_the_exact_subject_and_ways_out_of_its_own(app: App) -> None:
    _, messages = run(send_to_keeper(app))
    leave = [str(message["List-Unsubscribe"]) for message in messages.values()]
    assert len(set(leave)) == len(messages)
    subject = app.library.load(JULY).subject
    for message in messages.values():
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert message["Subject"] == subject
        link = str(message["List-Unsubscribe"]).strip("<>")
        assert link in (message.get_body(("plain",)) or message).get_content()
    assert len({str(message["Message-ID"]) for message in messages.values()}) == len(messages)


def test_sending_again_is_refused_and_reaches_nobody(app: App) -> None:
    run(send_to_keeper(app))

    async def again() -> int:
        async with keeping_server() as (port, keeper):
            with pytest.raises(InterlockError, match="already sent") as caught:
                await send(app, way_to(port))
            assert caught.value.exit_code == 4
            return len(keeper.contents)

    assert run(again()) == 0


def ends(progress: Mapping[HandOff, int]) -> dict[str, int]:
    return {str(state): count for state, count in progress.items() if count}


async def send_to(app: App, server: ScriptedServer, connections: int = 2, wait: timedelta = timedelta(0)) -> Ended:
    async with server:
        return await send(app, way_to(server.port, connections, SHORT), wait)


def test_a_server_that_refuses_everybody_is_believed(app: App) -> None:
    everybody = len(served(app))
    server = ScriptedServer({"rcpt": Say("550 5.1.1 No such user")})
    ended = run(send_to(app, server))
    assert ended.ending is Ending.COMPLETE
    assert ends(ended.progress.by_state) == {"refused": everybody}
    assert server.seen["data"] == 0
    assert {detail for _, detail in app.ledger.named(JULY, HandOff.REFUSED)} == {"5.1.1 No such user"}


def test_a_server_that_refuses_one_serves_the_others(app: App) -> None:
    everybody = len(served(app))
    server = ScriptedServer({"rcpt": [Say("550 5.1.1 No such user")]})
    ended = run(send_to(app, server))
    assert ends(ended.progress.by_state) == {"refused": 1, "accepted": everybody - 1}
    assert len(server.contents) == everybody - 1


def test_a_server_that_says_later_gets_it_later(app: App) -> None:
    everybody = len(served(app))
    server = ScriptedServer({"rcpt": [Say("450 4.2.0 Greylisted")] * everybody})
    ended = run(send_to(app, server, wait=timedelta(minutes=15)))
    assert ends(ended.progress.by_state) == {"accepted": everybody}
    assert server.seen["rcpt"] == 2 * everybody
    assert Counter(server.contents).most_common(1)[0][1] == 1


@pytest.mark.parametrize("silence", [Close(), Hang()], ids=["closes", "never answers"])
def test_a_server_that_goes_silent_behind_the_content_leaves_a_few_unknown(app: App, silence: Close | Hang) -> None:
    everybody = len(served(app))
    server = ScriptedServer({"dot": silence})
    ended = run(send_to(app, server))
    assert ended.ending is Ending.TROUBLE
    assert 3 <= ended.progress[HandOff.UNKNOWN] <= 4  # three in a row pause it, and one more may be in flight
    assert ended.progress.total == everybody
    held = {address for address, _ in app.ledger.named(JULY, HandOff.UNKNOWN)}
    good = ScriptedServer()
    run(send_to(app, good))
    assert len(good.contents) == everybody - len(held)
    assert not any(f"RCPT TO:<{address}>" in good.commands for address in held)


@pytest.mark.parametrize("stage", ["greeting", "mail", "rcpt", "data"])
def test_a_server_that_closes_before_the_content_costs_nobody_anything(app: App, stage: str) -> None:
    everybody = len(served(app))
    ended = run(send_to(app, ScriptedServer({stage: Close()})))
    assert ended.ending is Ending.TROUBLE
    assert ends(ended.progress.by_state) == {"planned": everybody}
    good = ScriptedServer()
    assert run(send_to(app, good)).ending is Ending.COMPLETE
    assert len(good.contents) == everybody


def test_no_server_at_all_is_trouble_and_nothing_is_sent(app: App) -> None:
    everybody = len(served(app))

    async def work() -> Ended:
        async with ScriptedServer() as server:
            port = server.port
        return await send(app, way_to(port))

    ended = run(work())
    assert (ended.ending, ended.accepted) == (Ending.TROUBLE, 0)
    assert ends(ended.progress.by_state) == {"planned": everybody}


def test_a_refused_log_in_or_sender_ends_it_at_once(app: App) -> None:
    server = ScriptedServer({"mail": Say("550 5.7.1 You may not send")})
    ended = run(send_to(app, server, connections=4, wait=timedelta(hours=1)))
    assert ended.ending is Ending.TROUBLE
    assert server.seen["mail"] <= 4
    assert ended.progress[HandOff.PLANNED] == ended.progress.total


def test_stopping_twice_in_the_middle_names_what_was_in_flight(app: App) -> None:
    everybody = len(served(app))

    async def work() -> Ended:
        async with ScriptedServer({"dot": [*[Say("250 ok")] * 10, *[Hang()] * 100]}) as server:
            sending = begin(app, way_to(server.port, 2))
            task = asyncio.create_task(sending.send(JULY, timedelta(0)))
            await server.reached.wait()
            assert sending.stop() is True
            assert sending.stop() is False
            return await task

    ended = run(work())
    assert ended.ending is Ending.STOPPED
    unknown = ended.progress[HandOff.UNKNOWN]
    assert 1 <= unknown <= 2
    assert ends(ended.progress.by_state) == {"accepted": 10, "unknown": unknown, "planned": everybody - 10 - unknown}


def test_people_of_every_state_are_among_the_sample(app: App) -> None:
    """What the first test above stands on."""
    states = app.people.count(EVERYBODY)
    assert all(states[state] for state in State if state is not State.ERASED)
    assert len(served(app)) < states[State.ACTIVE] + states[State.PAUSED]
