"""Rehearsals: the sandbox gets things wrong on purpose, and the ledger's promise holds under every fault of it.

The sandbox's Maildir is what a server knows. Whoever was planned is accepted or named with a reason, nobody got two,
and what the ledger believes is what was filed; only who is unknown may have got it or not.
"""

import asyncio
import mailbox
import socket
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from command_support import command
from core_support import JULY
from digest_mailer.adapters.transports import sandbox_server
from digest_mailer.adapters.transports.sandbox import Mischief, SandboxServer, SandboxTransport
from digest_mailer.adapters.transports.smtp_settings import Timeouts
from digest_mailer.bootstrap import App
from digest_mailer.core.delivery import Accepted, Deferred, HandOff, Refused, Scope
from digest_mailer.core.errors import ConfigError, ExitCode
from digest_mailer.core.identity import RowId
from digest_mailer.core.rehearsal import Fault, Faults, parse_faults
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.ports import Transport
from digest_mailer.services.send import Ended, Ending
from message_support import build, deliver, rows, run
from publication_support import FixedClock, make_publication
from send_support import keep_one_issue
from smtp_support import Authority, protected

RUNS = 25  # of `send`, at most; three lost answers in a row end one
BRISK = Timeouts(connect=0.2, command=5, final_dot=0.5)


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = make_publication(tmp_path)
    keep_one_issue(made.root)
    return made


async def send(app: App, transport: Transport, wait: timedelta = timedelta(0)) -> Ended:
    """As the command does; where it would rest, the clock goes on instead."""
    launcher, clock = app.launcher(app.library), app.clock
    assert isinstance(clock, FixedClock)
    launcher.start(launcher.prepare(JULY, EVERYBODY, transport), transport, None)
    sending = app.run(transport, lambda _state: None)

    async def rest(_stopping: asyncio.Event, seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    sending.rest = rest
    return await sending.send(JULY, wait)


async def rehearse(app: App, transport: Transport) -> Ended:
    """Call `send` again and again, as an admin would, until nobody is due any more."""
    for _ in range(RUNS):
        ended = await send(app, transport, timedelta(hours=40))
        check(app)
        if ended.ending is Ending.COMPLETE:
            return ended
    raise AssertionError(ended)


def named(app: App, state: HandOff) -> set[str]:
    return {address for address, _ in app.ledger.named(JULY, state)}


def filed(app: App) -> Counter[str]:
    """What the sandbox has, by address."""
    if not app.maildir.exists():
        return Counter()
    return Counter(str(message["Delivered-To"]) for message in mailbox.Maildir(app.maildir))


def planned(app: App) -> set[str]:
    return {address for state in HandOff for address in named(app, state)}


def check(app: App) -> None:
    """Accepted plus named is planned, nobody twice."""
    got, accepted, unknown = filed(app), named(app, HandOff.ACCEPTED), named(app, HandOff.UNKNOWN)
    assert not got or got.most_common(1)[0][1] == 1
    assert accepted <= got.keys() <= accepted | unknown
    plan = app.launcher(app.library).plan(app.library.load(JULY), EVERYBODY)
    assert len(planned(app)) == app.ledger.progress(JULY).total == plan.people + plan.already > 20


def befallen(app: App, faults: Faults, fault: Fault, attempt: int = 1) -> set[str]:
    """Whom the fault befalls, by its draw: some, and not all."""
    found = {address for address in planned(app) if faults.of_message(address, attempt) is fault}
    assert found
    assert found < planned(app)
    return found


def rehearsal(app: App, text: str) -> tuple[Transport, Faults]:
    return app.transport(f"sandbox:?fail={text}"), parse_faults(text.replace("%25", "%"), 0)


# -- one fault after the other, through a whole send


def test_who_is_refused_for_now_is_tried_again_and_gets_it(app: App) -> None:
    transport, faults = rehearsal(app, "4xx=30%,seed=7")
    assert run(send(app, transport)).ending is Ending.WAITING
    check(app)
    first = befallen(app, faults, Fault.LATER)
    assert named(app, HandOff.DEFERRED) == first
    assert {reply for _, reply in app.ledger.named(JULY, HandOff.DEFERRED)} == {"4.3.0 Try again later, for rehearsal"}
    run(rehearse(app, transport))
    assert named(app, HandOff.ACCEPTED) == planned(app) == filed(app).keys()


def test_who_is_refused_for_good_is_named_and_the_others_get_it(app: App) -> None:
    transport, faults = rehearsal(app, "5xx=20%25,seed=7")
    run(rehearse(app, transport))
    assert named(app, HandOff.REFUSED) == befallen(app, faults, Fault.NEVER)
    assert named(app, HandOff.ACCEPTED) == planned(app) - named(app, HandOff.REFUSED)


def test_a_connection_that_is_lost_before_the_content_loses_nobody(app: App) -> None:
    transport, faults = rehearsal(app, "drop-data=20%,seed=7")
    run(rehearse(app, transport))
    befallen(app, faults, Fault.DROP_DATA)
    assert named(app, HandOff.ACCEPTED) | named(app, HandOff.UNKNOWN) == planned(app)
    assert named(app, HandOff.ACCEPTED) == filed(app).keys()


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_LOST])
def test_whose_answer_is_lost_is_unknown_and_never_tried_again(app: App, fault: Fault) -> None:
    transport, faults = rehearsal(app, f"{fault}=20%,seed=7")
    run(rehearse(app, transport))
    unknown = named(app, HandOff.UNKNOWN)
    assert unknown == befallen(app, faults, fault)
    assert named(app, HandOff.ACCEPTED) == planned(app) - unknown
    assert unknown & filed(app).keys() == (unknown if fault is Fault.DROP else set())


def test_a_server_that_never_answers_is_waited_for_and_then_unknown(app: App) -> None:
    faults = parse_faults("stall=10%,seed=7", 0)
    run(rehearse(app, SandboxTransport(app.maildir, 4, faults, BRISK)))
    assert named(app, HandOff.UNKNOWN) == befallen(app, faults, Fault.STALL)
    assert filed(app).keys() == planned(app)


def test_slow_answers_are_waited_for(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_server, "_SLOWNESS", 0.005)
    run(rehearse(app, rehearsal(app, "slow=100%")[0]))
    assert named(app, HandOff.ACCEPTED) == planned(app) == filed(app).keys()


def test_a_server_that_never_greets_holds_nobody_for_good(app: App) -> None:
    faults = parse_faults("half-open=50%,seed=16", 0)
    assert [faults.strikes(Fault.HALF_OPEN, number) for number in (1, 2, 3, 4)] == [True, False, True, False]
    transport = SandboxTransport(app.maildir, 1, faults, BRISK)
    first = run(send(app, transport))
    assert (first.ending, first.trouble) == (Ending.TROUBLE, "at greeting: no answer in time")
    assert filed(app) == {}
    run(rehearse(app, transport))
    assert named(app, HandOff.ACCEPTED) == planned(app) == filed(app).keys()


def test_a_handshake_that_fails_is_trouble_of_the_way(app: App, tmp_path: Path) -> None:
    async def work() -> Ended:
        async with SandboxServer(app.maildir, mischief=Mischief(Faults({Fault.TLS: 1}))) as server:
            return await send(app, protected(server, Authority(tmp_path, "localhost")))  # type: ignore[arg-type]

    ended = run(work())
    assert ended.ending is Ending.TROUBLE
    assert ended.trouble.startswith("at STARTTLS: ")
    assert filed(app) == {}
    check(app)
    run(rehearse(app, app.transport("sandbox:")))
    assert named(app, HandOff.ACCEPTED) == planned(app) == filed(app).keys()


def test_after_a_storm_everybody_gets_it(app: App) -> None:
    transport, _ = rehearsal(app, "storm=15")
    run(send(app, transport))
    check(app)
    assert len(named(app, HandOff.DEFERRED)) == 15
    run(rehearse(app, transport))
    assert named(app, HandOff.ACCEPTED) == planned(app) == filed(app).keys()


def test_everything_at_once_still_leaves_nobody_out(app: App) -> None:
    text = "4xx=15%,5xx=5%,drop-data=5%,drop=5%,drop-lost=5%,storm=5,seed=4"
    run(rehearse(app, rehearsal(app, text)[0]))
    settled = (HandOff.ACCEPTED, HandOff.REFUSED, HandOff.UNKNOWN)
    assert set().union(*(named(app, state) for state in settled)) == planned(app)
    assert all(named(app, state) for state in settled)


# -- what a server says and does, one message at a time


def outcomes_of(tmp_path: Path, faults: dict[Fault, float], timeouts: Timeouts = BRISK) -> Any:
    return run(deliver(SandboxTransport(tmp_path / "maildir", 1, Faults(faults), timeouts), rows(1)))[RowId(1)]


def test_refusals_are_those_of_a_real_server(tmp_path: Path) -> None:
    later = Deferred(Scope.RECIPIENT, "4.3.0 Try again later, for rehearsal", 451, "4.3.0")
    assert outcomes_of(tmp_path, {Fault.LATER: 1}) == later
    never = Refused(Scope.RECIPIENT, "5.1.1 No such user, for rehearsal", 550, "5.1.1")
    assert outcomes_of(tmp_path, {Fault.NEVER: 1}) == never


def test_each_answer_of_a_slow_server_takes_its_time(tmp_path: Path) -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        transport = SandboxTransport(tmp_path / "maildir", 1, Faults({Fault.SLOW: 1}))
        assert isinstance((await deliver(transport, rows(1)))[RowId(1)], Accepted)
        return loop.time() - began

    answers = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot", "QUIT")
    assert run(work()) >= 0.2 * len(answers) - 0.02


def test_a_handshake_that_is_not_drawn_to_fail_is_refused(tmp_path: Path) -> None:
    faults = Faults({Fault.TLS: 0.5}, seed=2)
    assert not faults.strikes(Fault.TLS, 1)

    async def work() -> object:
        async with SandboxServer(tmp_path / "maildir", mischief=Mischief(faults)) as server:
            way = protected(server, Authority(tmp_path, "localhost"))  # type: ignore[arg-type]
            return (await deliver(way, [(RowId(1), build())]))[RowId(1)]

    assert run(work()) == Deferred(Scope.TRANSPORT, "TLS not available", 454)


def test_the_sandbox_itself_asks_for_no_tls_and_says_so(app: App) -> None:
    with pytest.raises(ConfigError, match="the fault tls means nothing to sandbox:") as caught:
        app.transport("sandbox:?fail=tls=1")
    assert "inbox --fail" in caught.value.hint


# -- where faults are asked for


def test_a_url_names_its_faults_and_a_seed_to_repeat_them(app: App) -> None:
    transport = app.transport("sandbox:?fail=4xx=5%,drop=0.1%25")
    assert transport.url.startswith("sandbox:?fail=4xx=5%,drop=0.1%,seed=")
    assert not transport.live
    assert app.transport(transport.url).url == transport.url
    assert app.transport("sandbox:").url == "sandbox:"


def test_inbox_misbehaves_as_it_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    heard = []

    async def visit(_server: object) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HELO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nQUIT\r\n")
        heard.extend((await reader.read(-1)).decode().splitlines())
        writer.close()
        await writer.wait_closed()

    monkeypatch.setattr("uvicorn.Server.serve", visit)
    done = command("-C", app.root, "inbox", "--smtp-port", str(port), "--fail", "5xx=100%,tls=100%,seed=4")
    assert done.code == ExitCode.DONE, done.err
    assert heard[3] == "550 5.1.1 No such user, for rehearsal"
    assert "a rehearsal, not a server as it should be: --fail 5xx=100%,tls=100%,seed=4" in done.err
    assert "only who asks for STARTTLS meets this fault" in done.err


@pytest.mark.parametrize("text", ["5x=1%", ""])
def test_inbox_refuses_faults_that_it_does_not_know(app: App, text: str) -> None:
    done = command("-C", app.root, "inbox", "--fail", text)
    assert done.code == ExitCode.USAGE
    assert "unknown fault" in done.err
