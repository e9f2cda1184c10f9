"""The SMTP transport against a server that follows a script: each stage, each way to fail, and what comes of it."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from digest_mailer.adapters.transports import smtp_session
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Timeouts, Tls
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.identity import RowId
from message_support import build, deliver, deliver_first, deliver_one, feed, no_note, rows, run
from smtp_server import Action, Close, Hang, Partial, Say, Script, ScriptedServer

SHORT = Timeouts(connect=0.2, command=0.2, final_dot=0.2)
LONG = Timeouts(connect=5, command=5, final_dot=5)


class Authority:
    """A private certificate authority, one server certificate of it, and the file that trusts it."""

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        self.file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.server)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "localhost")


def plain(server: ScriptedServer, timeouts: Timeouts = LONG, connections: int = 1) -> SmtpTransport:
    return SmtpTransport(
        SmtpSettings("127.0.0.1", server.port, tls=Tls.NONE, connections=connections, timeouts=timeouts)
    )


def protected(
    server: ScriptedServer, authority: Authority, password: str = "", tls: Tls = Tls.STARTTLS, **more: Any
) -> SmtpTransport:
    settings = SmtpSettings(
        "localhost", server.port, "news" if password else "", password, tls, 1, LONG, ca_file=authority.file
    )
    return SmtpTransport(replace(settings, **more))


ACTIONS: dict[str, Action] = {
    "4xx": Say("451 4.3.0 Later"),
    "5xx": Say("554 5.5.0 Never"),
    "421": Close("421 4.3.2 Closing"),
    "close": Close(),
    "hang": Hang(),
    "partial": Partial("250 half a rep"),
    "not SMTP": Say("HTTP/1.1 400 Bad Request"),
    "wrong class": Say("150 Hm"),
}
NO_ANSWER = ("close", "hang", "partial", "not SMTP", "wrong class")

End = tuple[type, Scope | None]
LATER, NEVER = (Deferred, Scope.TRANSPORT), (Refused, Scope.TRANSPORT)

# Stage by stage: what a 4xx (421 too), a 5xx, and no usable answer end in.
TABLE: dict[str, tuple[End, End, End]] = {
    "greeting": (LATER, NEVER, LATER),
    "ehlo": (LATER, NEVER, LATER),
    "starttls": (LATER, NEVER, LATER),
    "auth": ((Deferred, Scope.ACCOUNT), (Refused, Scope.ACCOUNT), LATER),
    "mail": (LATER, (Refused, Scope.ACCOUNT), LATER),
    "rcpt": ((Deferred, Scope.RECIPIENT), (Refused, Scope.RECIPIENT), LATER),
    "data": ((Deferred, Scope.MESSAGE), (Refused, Scope.MESSAGE), LATER),
    "dot": ((Deferred, Scope.MESSAGE), (Refused, Scope.MESSAGE), (Unknown, None)),
}


def expected(stage: str, action: str) -> End:
    for_4xx, for_5xx, for_silence = TABLE[stage]
    return {"4xx": for_4xx, "421": for_4xx, "5xx": for_5xx}.get(action, for_silence)


def patience(stage: str, action: Action) -> Timeouts:
    """Short only where the test waits for the time limit: a busy computer must not fail the others."""
    if not isinstance(action, Hang):
        return LONG
    limit = {"greeting": "connect", "dot": "final_dot"}.get(stage, "command")
    return replace(LONG, **{limit: 0.2})


async def try_at(stage: str, action: Action, authority: Authority) -> tuple[Outcome, list[RowId], ScriptedServer]:
    """One message to a server that does this at this stage."""
    noted: list[RowId] = []

    async def on_attempt(row: RowId) -> None:
        noted.append(row)

    secure = stage in ("starttls", "auth")
    async with ScriptedServer(
        {stage: action}, tls=authority.server if secure else None, login=("news", "right") if stage == "auth" else None
    ) as server:
        if secure:
            transport = protected(
                server, authority, "right" if stage == "auth" else "", timeouts=patience(stage, action)
            )
        else:
            transport = plain(server, patience(stage, action))
        outcomes = await deliver(transport, rows(1), on_attempt)
    return outcomes[RowId(1)], noted, server


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", TABLE)
def test_outcome_of_every_failure_at_every_stage(stage: str, action: str, authority: Authority) -> None:
    outcome, noted, server = run(try_at(stage, ACTIONS[action], authority))
    kind, scope = expected(stage, action)
    assert type(outcome) is kind, outcome
    assert getattr(outcome, "scope", None) is scope, outcome
    if action not in NO_ANSWER:
        assert isinstance(outcome, Deferred | Refused)
        assert (outcome.code, outcome.enhanced) == {
            "4xx": (451, "4.3.0"), "5xx": (554, "5.5.0"), "421": (421, "4.3.2")
        }[action]  # fmt: skip
    assert outcome.reply
    assert noted == ([1] if stage in ("data", "dot") else [])
    assert server.contents == []


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", ["quit", "rset"])
def test_what_comes_after_acceptance_changes_nothing(stage: str, action: str) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: ACTIONS[action]}) as server:
            assert await deliver_one(plain(server, patience(stage, ACTIONS[action]))) == Accepted("2.0.0 Queued")

    run(case())


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", TABLE)
def test_one_failure_leaves_the_rest_delivered_once(stage: str, action: str, authority: Authority) -> None:
    """Where a connection has to be new for it, the first of seven messages meets trouble, else the third."""
    position = 2 if stage in ("mail", "rcpt", "data", "dot") else 0

    async def case() -> None:
        before: list[Action] = [Say({"data": "354 Go on"}.get(stage, "250 2.0.0 Fine"))] * position
        script: Script = {stage: [*before, ACTIONS[action]]}
        timeouts = patience(stage, ACTIONS[action])
        secure = stage in ("starttls", "auth")
        login = ("news", "right") if stage == "auth" else None
        async with ScriptedServer(script, tls=authority.server if secure else None, login=login) as server:
            if secure:
                transport = protected(server, authority, "right" if login else "", timeouts=timeouts)
            else:
                transport = plain(server, timeouts)
            outcomes = await deliver(transport, rows(7))
        accepted = {row for row, outcome in outcomes.items() if isinstance(outcome, Accepted)}
        assert len(outcomes) == 7
        assert sorted(server.contents) == sorted(message.content for row, message in rows(7) if row in accepted)
        if (stage, action) == ("auth", "5xx"):
            assert accepted == set()  # one failed log-in is enough
            assert server.seen["auth"] == 1
        elif stage == "mail" and action in ("421", *NO_ANSWER):
            assert len(accepted) == 7  # the server had closed between two messages
        else:
            assert len(accepted) == 6

    run(case())


@pytest.mark.parametrize(
    ("stage", "reply", "outcome"),
    [
        ("rcpt", "552 Too many", Deferred(Scope.RECIPIENT, "Too many", 552)),
        ("rcpt", "552 5.2.2 Full", Refused(Scope.RECIPIENT, "5.2.2 Full", 552, "5.2.2")),
        ("rcpt", "550 5.7.1 Policy", Refused(Scope.RECIPIENT, "5.7.1 Policy", 550, "5.7.1")),
        ("rcpt", "530 5.7.0 Log in", Refused(Scope.ACCOUNT, "5.7.0 Log in", 530, "5.7.0")),
        ("rcpt", "535 No", Refused(Scope.ACCOUNT, "No", 535)),
        ("rcpt", "251 Will forward", Accepted("2.0.0 Queued")),
        ("rcpt", "252 Will try", Accepted("2.0.0 Queued")),
        ("rcpt", "550 4.1.1 Mixed", Refused(Scope.RECIPIENT, "4.1.1 Mixed", 550)),
        ("rcpt", "550 5.1.10: Null", Refused(Scope.RECIPIENT, "5.1.10: Null", 550, "5.1.10")),
        ("rcpt", "550 5.1.1.1 Odd", Refused(Scope.RECIPIENT, "5.1.1.1 Odd", 550)),
        ("rcpt", "550-5.1.1 No\r\n550 5.1.1 such", Refused(Scope.RECIPIENT, "5.1.1 No 5.1.1 such", 550, "5.1.1")),
        ("mail", "530 5.7.0 TLS first", Refused(Scope.ACCOUNT, "5.7.0 TLS first", 530, "5.7.0")),
        ("mail", "552 5.3.4 Too large", Refused(Scope.MESSAGE, "5.3.4 Too large", 552, "5.3.4")),
        ("mail", "452 4.3.1 Disk full", Deferred(Scope.TRANSPORT, "4.3.1 Disk full", 452, "4.3.1")),
        ("dot", "552 Too large", Refused(Scope.MESSAGE, "Too large", 552)),
        ("dot", "251 Taken", Accepted("Taken")),
        ("data", "250 Already?", Deferred(Scope.TRANSPORT, "at DATA: an answer that is not SMTP: Already?")),
        ("dot", "354 More?", Unknown("at end of content: an answer that is not SMTP: More?")),
    ],
)
def test_replies_that_have_a_rule_of_their_own(stage: str, reply: str, outcome: Outcome) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: Say(reply)}) as server:
            assert await deliver_one(plain(server)) == outcome

    run(case())


def test_replies_are_kept_without_addresses_and_controls() -> None:
    async def case() -> None:
        text = "550 5.1.1 <READER1@example.org>: \x1b[31m unknown \xff, from bounces+t1@news.example.org"
        async with ScriptedServer({"rcpt": Say(text)}) as server:
            outcome = await deliver_one(plain(server))
        assert isinstance(outcome, Refused)
        assert outcome.reply == "5.1.1 <(address)>: [31m unknown \xff, from (address)"

    run(case())


@pytest.mark.parametrize("address", ["a b@example.org", "a>b@example.org", "a\r\nQUIT@example.org", "é@example.org"])
def test_addresses_that_would_break_the_command_are_refused(address: str) -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            message = replace(build(1), envelope=replace(build(1).envelope, recipient=address))
            outcomes = await deliver(plain(server), [(RowId(1), message), *rows(3)[1:]])
            assert isinstance(outcomes[RowId(1)], Refused)
            assert getattr(outcomes[RowId(1)], "scope", None) is Scope.RECIPIENT
            assert len(server.contents) == 2
            message = replace(build(1), envelope=replace(build(1).envelope, sender=address))
            outcome = await deliver_one(plain(server), message)
            assert getattr(outcome, "scope", None) is Scope.ACCOUNT

    run(case())


def test_data_waits_until_the_attempt_is_noted() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            noting, noted = asyncio.Event(), asyncio.Event()

            async def on_attempt(row: RowId) -> None:
                noting.set()
                await noted.wait()

            task = asyncio.create_task(deliver(plain(server), rows(1), on_attempt))
            await noting.wait()
            assert server.seen["rcpt"] == 1
            assert server.seen["data"] == 0
            noted.set()
            assert await task == {1: Accepted("2.0.0 Queued")}

    run(case())


@pytest.mark.parametrize("limit", ["SIZE 100", "SIZE 0", "SIZE", "SIZE 1000000"])
def test_size_is_said_and_too_large_is_not_sent(limit: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=[limit]) as server:
            message = build(1, b"x\r\n" * 100)
            outcome = await deliver_one(plain(server), message)
            said = f"SIZE={len(message.content)}"
        if limit == "SIZE 100":
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.MESSAGE
            assert server.seen["mail"] == 0
        else:
            assert isinstance(outcome, Accepted)
            assert any(said in command for command in server.commands)

    run(case())


def test_a_connection_is_used_again_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connections(count: int) -> int:
        async with ScriptedServer() as server:
            await deliver(plain(server), rows(count))
            assert len(server.contents) == count
            assert server.seen["quit"] == server.seen["connection"]
            return server.seen["connection"]

    assert run(connections(100)) == 1
    assert run(connections(101)) == 2
    monkeypatch.setattr(smtp_session, "_MAX_AGE", 0.0)
    assert run(connections(3)) == 3


def test_as_many_connections_as_allowed_and_no_more() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            busy = 0
            most = 0

            async def on_attempt(row: RowId) -> None:
                nonlocal busy, most
                busy += 1
                most = max(most, busy)
                for _ in range(50):
                    await asyncio.sleep(0.0005)
                busy -= 1

            await deliver(plain(server, connections=5), rows(40), on_attempt)
            assert most == 5
            assert server.seen["connection"] == 5

    run(case())


def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    async def case() -> None:
        async with ScriptedServer({"dot": [Close("250 2.0.0 Queued, and good bye")]}) as server:
            outcomes = await deliver(plain(server), rows(3))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
            assert server.seen["connection"] == 2

    run(case())


@pytest.mark.parametrize("stage", ["rcpt", "data", "dot"])
def test_421_ends_the_connection_from_our_side_too(stage: str) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: [Say("421 4.3.2 Closing, but not yet")]}) as server:
            outcomes = await deliver(plain(server), rows(2))
            assert [type(outcomes[RowId(row)]) for row in (1, 2)] == [Deferred, Accepted]
            assert server.seen["connection"] == 2
            assert server.seen["rset"] == 0

    run(case())


def test_a_full_server_is_not_tried_for_ever() -> None:
    async def case() -> None:
        async with ScriptedServer({"mail": Close("421 4.3.2 Closing")}) as server:
            outcomes = await deliver(plain(server), rows(3))
            assert all(getattr(outcome, "scope", None) is Scope.TRANSPORT for outcome in outcomes.values())
            assert server.seen["mail"] == 3

    run(case())


def test_refused_recipients_leave_the_connection_usable() -> None:
    async def case() -> None:
        replies: Sequence[Action] = [Say("550 5.1.1 No"), Say("250 Yes"), Say("451 4.2.0 Later"), Say("250 Yes")]
        async with ScriptedServer({"rcpt": replies}) as server:
            outcomes = await deliver(plain(server), rows(4))
            assert [type(outcomes[RowId(row)]) for row in (1, 2, 3, 4)] == [Refused, Accepted, Deferred, Accepted]
            assert server.seen["connection"] == 1
            assert server.seen["rset"] == 2

    run(case())


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_protected_delivery_with_log_in(tls: Tls, authority: Authority) -> None:
    async def case() -> None:
        login = ("news", "right")
        async with ScriptedServer(tls=authority.server, implicit=tls is Tls.IMPLICIT, login=login) as server:
            outcomes = await deliver(protected(server, authority, "right", tls, connections=3), rows(9))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
            assert len(server.contents) == 9
            assert server.good_logins == server.seen["connection"] <= 3
            assert server.failed_logins == 0

    run(case())


@pytest.mark.parametrize("connections", [1, 5])
def test_a_wrong_password_is_tried_once(connections: int, authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server, login=("news", "right")) as server:
            outcomes = await deliver(protected(server, authority, "wrong", connections=connections), rows(20))
            wrong = Refused(Scope.ACCOUNT, "5.7.8 Wrong user name or password", 535, "5.7.8")
            assert set(outcomes.values()) == {wrong}
            assert server.failed_logins == 1
            assert server.seen["mail"] == 0

    run(case())


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_login_is_used_where_plain_is_not_offered(password: str, authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server, login=("news", "right"), methods="LOGIN CRAM-MD5") as server:
            outcome = await deliver_one(protected(server, authority, password))
            assert type(outcome) is (Accepted if password == "right" else Refused)
            assert server.good_logins + server.failed_logins == server.seen["auth"] == 1

    run(case())


@pytest.mark.parametrize("methods", ["CRAM-MD5", "XOAUTH2", "GSSAPI NTLM"])
def test_cram_md5_is_the_last_resort(methods: str, authority: Authority) -> None:
    async def case() -> None:
        login = ("news", "right")
        async with ScriptedServer({"auth": Close()}, tls=authority.server, login=login, methods=methods) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            assert not isinstance(outcome, Accepted)
            assert [command for command in server.commands if command.startswith("AUTH")] == (
                ["AUTH CRAM-MD5"] if methods == "CRAM-MD5" else []
            )

    run(case())


def test_no_log_in_offered_is_a_fault_of_the_account(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.ACCOUNT
            assert server.seen["auth"] == 0

    run(case())


def test_starttls_is_required_and_nothing_goes_without(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=["AUTH PLAIN"]) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.TRANSPORT
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize("fault", ["wrong host", "unknown authority"])
def test_certificates_that_do_not_hold_are_refused(tls: Tls, fault: str, authority: Authority, tmp_path: Path) -> None:
    async def case() -> None:
        own = Authority(tmp_path, "elsewhere.example" if fault == "wrong host" else "localhost")
        trusted = own if fault == "wrong host" else authority
        async with ScriptedServer(tls=own.server, implicit=tls is Tls.IMPLICIT, login=("news", "right")) as server:
            outcome = await deliver_one(protected(server, trusted, "right", tls))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.TRANSPORT
            assert "certificate" in outcome.reply
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


def test_tls_to_a_server_that_speaks_none_is_deferred(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            outcome = await deliver_one(protected(server, authority, tls=Tls.IMPLICIT, timeouts=SHORT))
            assert isinstance(outcome, Deferred)
            assert outcome.scope is Scope.TRANSPORT

    run(case())


def test_tls_handshake_without_an_answer_is_deferred(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer({"greeting": Hang()}) as server:
            outcome = await deliver_one(protected(server, authority, tls=Tls.IMPLICIT, timeouts=SHORT))
            assert isinstance(outcome, Deferred)
            assert outcome.scope is Scope.TRANSPORT

    run(case())


def test_a_server_that_is_not_there_is_deferred() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        settings = SmtpSettings("127.0.0.1", taken.getsockname()[1], tls=Tls.NONE, connections=3)
        outcomes = run(deliver(SmtpTransport(settings), rows(5)))
    assert len(outcomes) == 5
    for outcome in outcomes.values():
        assert isinstance(outcome, Deferred)
        assert outcome.scope is Scope.TRANSPORT


def test_plain_text_is_refused_beyond_this_computer() -> None:
    with pytest.raises(ConfigError, match="tls=none"):
        SmtpSettings("mail.example.org", 25, tls=Tls.NONE)
    with pytest.raises(ConfigError, match="password"):
        SmtpSettings("127.0.0.1", 25, "news", "right", Tls.NONE)


def test_a_user_without_password_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no password"):
        SmtpTransport(SmtpSettings("mail.example.org", 587, "news"))


def test_only_servers_elsewhere_are_live() -> None:
    assert SmtpTransport(SmtpSettings("mail.example.org", 587)).live
    assert not SmtpTransport(SmtpSettings("localhost", 25, tls=Tls.NONE)).live


@pytest.mark.parametrize(
    "stage", ["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "quit"]
)
def test_cancelled_in_the_middle_leaves_nothing(stage: str, authority: Authority) -> None:
    async def case() -> None:
        script: Script = {stage: Hang()} | ({"rcpt": Say("550 No")} if stage == "rset" else {})
        login = ("news", "right")
        async with ScriptedServer(script, tls=authority.server, login=login) as server:
            task = asyncio.create_task(deliver(protected(server, authority, "right", connections=2), rows(5)))
            await server.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.empty.wait()

    run(case())


def test_cancelled_while_waiting_for_messages_leaves_nothing() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            waiting = asyncio.Event()

            async def slow() -> Any:
                for pair in rows(3):
                    yield pair
                waiting.set()
                await asyncio.Event().wait()

            async def take() -> None:
                async for _ in plain(server, connections=3).deliver(slow(), no_note):
                    pass

            task = asyncio.create_task(take())
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.empty.wait()

    run(case())


def test_trouble_of_one_does_not_wait_for_messages_that_never_come() -> None:
    async def case() -> None:
        async def slow() -> Any:
            for pair in rows(2):
                yield pair
            await asyncio.Event().wait()

        async def on_attempt(row: RowId) -> None:
            if row == 2:
                raise LookupError("the ledger is gone")

        async with ScriptedServer() as server:
            with pytest.raises(LookupError):
                async for _ in plain(server, connections=3).deliver(slow(), on_attempt):
                    pass

    run(case())


def test_early_close_over_tls_leaves_nothing(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server) as server:
            await deliver_first(protected(server, authority, connections=4), rows(30))
            await server.empty.wait()

    run(case())


def test_every_connection_says_who_we_are() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            settings = SmtpSettings("127.0.0.1", server.port, tls=Tls.NONE)
            await deliver_one(SmtpTransport(settings))
            await deliver_one(SmtpTransport(replace(settings, local_hostname="news.example.org")))
            assert server.commands[0] == "EHLO [127.0.0.1]"
            assert "EHLO news.example.org" in server.commands

    run(case())


def test_an_early_answer_ends_the_connection() -> None:
    """The server refuses before it has read all: what still goes must not be read as commands."""

    async def case() -> None:
        async with ScriptedServer({"early": [Say("550 5.7.1 No")]}) as server:
            large = build(1, (b"RSET " * 199 + b"\r\n") * 15_000)
            outcomes = await deliver(plain(server, Timeouts()), [(RowId(1), large), *rows(2)[1:]])
            assert outcomes == {1: Refused(Scope.MESSAGE, "5.7.1 No", 550, "5.7.1"), 2: Accepted("2.0.0 Queued")}
            assert server.seen["connection"] == 2

    run(case())


def test_messages_keep_going_while_one_connection_hangs() -> None:
    async def case() -> None:
        async with ScriptedServer({"dot": [Hang()]}) as server:
            transport = plain(server, replace(LONG, final_dot=0.3), connections=2)
            seen = [type(outcome) async for _, outcome in transport.deliver(feed(rows(8)), no_note)]
            assert seen[-1] is Unknown
            assert seen.count(Accepted) == 7

    run(case())
