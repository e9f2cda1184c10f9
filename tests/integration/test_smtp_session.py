"""How the SMTP transport opens a connection: TLS, log-in, greeting; and how it closes one."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import Auth, SmtpSettings, Tls
from digest_mailer.core.delivery import Accepted, Deferred, Refused, Scope
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.identity import RowId
from message_support import build, deliver, deliver_one, rows, run
from smtp_server import Hang, Say, Script, ScriptedServer
from smtp_support import MODES, SHORT, Authority, plain, protected

LOGIN = ("news", "right")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "localhost")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_protected_delivery_with_log_in(tls: Tls, mode: str, authority: Authority) -> None:
    async def case() -> None:
        implicit = tls is Tls.IMPLICIT
        async with ScriptedServer(
            tls=authority.server, implicit=implicit, login=LOGIN, extensions=MODES[mode]
        ) as server:
            large = build(
                1, b"".join(b"line %d of many, all of them different\r\n" % number for number in range(60_000))
            )
            messages = [(RowId(1), large), *rows(9)[1:]]
            outcomes = await deliver(protected(server, authority, "right", tls, connections=3), messages)
            assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
            assert sorted(server.contents) == sorted(message.content for _, message in messages)
            assert server.good_logins == server.seen["connection"] <= 3
            assert server.failed_logins == 0

    run(case())


@pytest.mark.parametrize("connections", [1, 5])
@pytest.mark.parametrize("method", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "XOAUTH2"])
def test_a_wrong_password_is_tried_once(method: str, connections: int, authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server, login=LOGIN, methods=method) as server:
            auth = Auth.XOAUTH2 if method == "XOAUTH2" else Auth.PASSWORD
            outcomes = await deliver(
                protected(server, authority, "wrong", connections=connections, auth=auth), rows(20)
            )
            told = " (status 401)" if method == "XOAUTH2" else ""
            wrong = Refused(Scope.ACCOUNT, f"5.7.8 Wrong user name or password{told}", 535, "5.7.8")
            assert set(outcomes.values()) == {wrong}
            assert server.failed_logins == server.seen["auth"] == 1
            assert server.seen["mail"] == 0

    run(case())


@pytest.mark.parametrize(
    ("methods", "chosen"),
    [
        ("LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2", "SCRAM-SHA-256"),
        ("XOAUTH2 LOGIN PLAIN SCRAM-SHA-1", "SCRAM-SHA-1"),
        ("LOGIN PLAIN CRAM-MD5", "PLAIN"),
        ("login cram-md5", "LOGIN"),
        ("SCRAM-SHA-256-PLUS PLAIN", "PLAIN"),
    ],
)
def test_the_best_way_to_log_in_is_taken(methods: str, chosen: str, authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server, login=LOGIN, methods=methods) as server:
            assert await deliver_one(protected(server, authority, "right")) == Accepted("2.0.0 Queued")
            (command,) = [command for command in server.commands if command.startswith("AUTH")]
            assert command.split(" ")[1] == chosen
            assert len(command.split(" ")) == 3  # with an initial response
            assert (server.good_logins, server.failed_logins) == (1, 0)

    run(case())


def test_a_token_is_used_when_asked_for(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(tls=authority.server, login=LOGIN, methods="PLAIN XOAUTH2") as server:
            assert isinstance(await deliver_one(protected(server, authority, "right", auth=Auth.XOAUTH2)), Accepted)
            assert server.commands[3] == "AUTH XOAUTH2 dXNlcj1uZXdzAWF1dGg9QmVhcmVyIHJpZ2h0AQE="

    run(case())


@pytest.mark.parametrize(("methods", "auth"), [
    ("CRAM-MD5", Auth.PASSWORD), ("XOAUTH2", Auth.PASSWORD), ("GSSAPI NTLM", Auth.PASSWORD),
    ("PLAIN LOGIN SCRAM-SHA-256", Auth.XOAUTH2), ("", Auth.PASSWORD),
])  # fmt: skip
def test_no_way_to_log_in_is_a_fault_of_the_account(methods: str, auth: Auth, authority: Authority) -> None:
    async def case() -> None:
        login = LOGIN if methods else None
        async with ScriptedServer(tls=authority.server, login=login, methods=methods) as server:
            outcome = await deliver_one(protected(server, authority, "right", auth=auth))
            assert outcome == Refused(Scope.ACCOUNT, "the server offers no way to log in that is known here")
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


def test_a_server_that_does_not_know_the_password_either_is_left(authority: Authority) -> None:
    async def case() -> None:
        script = {"proof": Say("")}
        async with ScriptedServer(script, tls=authority.server, login=LOGIN, methods="SCRAM-SHA-256") as server:
            outcomes = await deliver(protected(server, authority, "right", connections=2), rows(3))
            said = "at AUTH: SCRAM-SHA-256: the server did not prove that it knows the password"
            assert set(outcomes.values()) == {Refused(Scope.ACCOUNT, said)}
            assert server.seen["auth"] == 1
            assert server.seen["mail"] == 0

    run(case())


@pytest.mark.parametrize("challenge", ["334 ", "334 !", "334 cj0=", "334 cj1hLHM9YixpPTE="])
@pytest.mark.parametrize("method", ["SCRAM-SHA-256", "PLAIN"])
def test_a_challenge_without_sense_ends_the_log_in(method: str, challenge: str, authority: Authority) -> None:
    async def case() -> None:
        script = {"challenge": Say(challenge)}
        async with ScriptedServer(script, tls=authority.server, login=LOGIN, methods=method) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.ACCOUNT
            assert method in outcome.reply
            assert server.seen["mail"] == 0

    run(case())


def test_a_password_is_never_sent_in_clear(authority: Authority) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=["AUTH PLAIN", "AUTH=LOGIN"]) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            said = "the server offers no STARTTLS, and unprotected mail is not sent"
            assert outcome == Refused(Scope.TRANSPORT, said)
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


@pytest.mark.parametrize("more", ["\r\n250-evil.example\r\n250 AUTH PLAIN", "\r\n250 half", "\r\n2"])
def test_words_before_the_handshake_are_not_heard(more: str, authority: Authority) -> None:
    """They may be somebody else's: RFC 3207 section 6."""

    async def case() -> None:
        script = {"starttls": Say("220 2.0.0 Go ahead" + more)}
        async with ScriptedServer(script, tls=authority.server, login=LOGIN) as server:
            outcome = await deliver_one(protected(server, authority, "right"))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.TRANSPORT
            assert "before TLS" in outcome.reply
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


def test_what_was_offered_before_tls_is_forgotten(authority: Authority) -> None:
    async def case() -> None:
        offers = [Say("250-x\r\n250-STARTTLS\r\n250-SIZE 10\r\n250 PIPELINING"), Say("250-x\r\n250 auth=plain login")]
        async with ScriptedServer({"ehlo": offers}, tls=authority.server, login=LOGIN) as server:
            assert await deliver_one(protected(server, authority, "right")) == Accepted("2.0.0 Queued")
            assert server.seen["ehlo"] == 2
            assert "MAIL FROM:<bounces+t1@news.example.org>" in server.commands

    run(case())


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize("fault", ["wrong host", "unknown authority"])
def test_certificates_that_do_not_hold_are_refused(tls: Tls, fault: str, authority: Authority, tmp_path: Path) -> None:
    async def case() -> None:
        own = Authority(tmp_path, "elsewhere.example" if fault == "wrong host" else "localhost")
        trusted = own if fault == "wrong host" else authority
        async with ScriptedServer(tls=own.server, implicit=tls is Tls.IMPLICIT, login=LOGIN) as server:
            outcome = await deliver_one(protected(server, trusted, "right", tls))
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.TRANSPORT
            assert "certificate" in outcome.reply
            assert server.seen["auth"] == server.seen["mail"] == 0

    run(case())


def test_tls_to_a_server_that_speaks_none_is_deferred(authority: Authority) -> None:
    async def case() -> None:
        scripts: list[Script] = [{}, {"greeting": Hang()}]
        for script in scripts:
            async with ScriptedServer(script) as server:
                outcome = await deliver_one(protected(server, authority, tls=Tls.IMPLICIT, timeouts=SHORT))
                assert isinstance(outcome, Deferred)
                assert outcome.scope is Scope.TRANSPORT

    run(case())


def test_a_server_that_is_not_there_is_deferred() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        settings = SmtpSettings("127.0.0.1", taken.getsockname()[1], tls=Tls.NONE, connections=3)
        outcomes = run(deliver(SmtpTransport(settings), rows(5)))
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


def test_every_connection_says_who_we_are() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            await deliver_one(plain(server))
            await deliver_one(plain(server, local_hostname="news.example.org"))
            assert server.commands[0] == "EHLO [127.0.0.1]"
            assert "EHLO news.example.org" in server.commands

    run(case())


@pytest.mark.parametrize("greeting", ["220-one\r\n220-two\r\n220 three", "220"])
def test_a_greeting_may_have_many_lines_or_no_words(greeting: str) -> None:
    async def case() -> None:
        async with ScriptedServer({"greeting": Say(greeting)}) as server:
            assert isinstance(await deliver_one(plain(server)), Accepted)

    run(case())


def test_a_second_greeting_is_not_taken_for_an_answer() -> None:
    async def case() -> None:
        async with ScriptedServer({"greeting": Say("220 a\r\n220 b")}) as server:
            outcome = await deliver_one(plain(server))
            assert outcome == Deferred(Scope.TRANSPORT, "at EHLO: an answer that is not SMTP")
            assert server.seen["mail"] == 0

    run(case())


def test_a_silent_goodbye_is_not_waited_for_long() -> None:
    async def case() -> None:
        async with ScriptedServer({"quit": Hang()}) as server:
            loop = asyncio.get_running_loop()
            start = loop.time()
            assert isinstance(await deliver_one(plain(server, replace(SHORT, final_dot=5))), Accepted)
            assert loop.time() - start < 3
            await server.empty.wait()

    run(case())
