"""Every stage of an SMTP conversation, every way to fail there, every way of speaking, and what comes of it.

The table of `delivery`: what a message ends in, what the one behind it ends in, and what the server got.
"""

import pytest

from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown
from digest_mailer.core.identity import RowId
from message_support import Pile, build, deliver, deliver_one, rows, run
from smtp_server import Action, Close, Hang, Partial, Say, Script, ScriptedServer
from smtp_support import ACTIONS, MODES, NO_ANSWER, Authority, patience, plain, protected

End = tuple[type, Scope | None]
LATER, NEVER = (Deferred, Scope.TRANSPORT), (Refused, Scope.TRANSPORT)
TAKEN: End = (Accepted, None)

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
STAGES = {mode: [s for s in ("mail", "rcpt", "data", "dot") if (mode, s) != ("chunking", "data")] for mode in MODES}
CASES = [(mode, stage, action) for mode in MODES for stage in STAGES[mode] for action in ACTIONS]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "localhost")


def expected(stage: str, action: str) -> End:
    for_4xx, for_5xx, for_silence = TABLE[stage]
    return {"4xx": for_4xx, "421": for_4xx, "5xx": for_5xx}.get(action, for_silence)


def end(outcome: Outcome) -> End:
    return type(outcome), getattr(outcome, "scope", None)


def check_code(outcome: Outcome, action: str) -> None:
    assert isinstance(outcome, Deferred | Refused)
    codes = {"4xx": (451, "4.3.0"), "5xx": (554, "5.5.0"), "421": (421, "4.3.2")}
    assert (outcome.code, outcome.enhanced) == codes[action]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", ["greeting", "ehlo", "starttls", "auth"])
def test_trouble_before_the_first_message(stage: str, action: str, authority: Authority) -> None:
    """The first of three meets it; a failed log-in is enough for all."""
    secure = stage in ("starttls", "auth")
    login = ("news", "right") if stage == "auth" else None

    async def case() -> None:
        script: Script = {stage: [ACTIONS[action]]}
        limits = patience(stage, ACTIONS[action])
        async with ScriptedServer(script, tls=authority.server if secure else None, login=login) as server:
            transport = (
                protected(server, authority, "right" if login else "", timeouts=limits)
                if secure
                else plain(server, limits)
            )
            pile = Pile(rows(3))
            await transport.deliver(pile)
            assert end(pile.outcomes[RowId(1)]) == expected(stage, action)
            if action not in NO_ANSWER:
                check_code(pile.outcomes[RowId(1)], action)
            others = [type(pile.outcomes[RowId(row)]) for row in (2, 3)]
            if (stage, action) == ("auth", "5xx"):
                assert others == [Refused, Refused]
                assert server.seen["auth"] == 1
            else:
                assert others == [Accepted, Accepted]
                assert pile.begun == [2, 3]
                assert server.seen["connection"] == 2

    run(case())


@pytest.mark.parametrize(("mode", "stage", "action"), CASES)
def test_trouble_with_the_first_message_of_a_connection(mode: str, stage: str, action: str) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: ACTIONS[action]}, extensions=MODES[mode]) as server:
            pile = Pile(rows(1))
            await plain(server, patience(stage, ACTIONS[action])).deliver(pile)
            outcome = pile.outcomes[RowId(1)]
            assert end(outcome) == expected(stage, action), outcome
            if action not in NO_ANSWER:
                check_code(outcome, action)
            assert pile.begun == ([1] if stage == "dot" else [])
            assert server.contents == []
            assert server.seen["connection"] == 1

    run(case())


@pytest.mark.parametrize(("mode", "stage", "action"), CASES)
def test_trouble_with_the_second_of_three(mode: str, stage: str, action: str) -> None:
    """The second is announced behind the content of the first, and the third behind its own."""
    silent = action in NO_ANSWER
    second = expected(stage, action)
    third: End = TAKEN
    if stage == "mail" and (silent or action == "421"):
        second = TAKEN  # as if the server had closed between two messages
    if stage == "dot" and silent and mode != "step by step":
        third = LATER

    async def case() -> None:
        before = Say({"data": "354 Go on"}.get(stage, "250 2.0.0 Queued"))
        script: Script = {stage: [before, ACTIONS[action]]}
        async with ScriptedServer(script, extensions=MODES[mode]) as server:
            pile = Pile(rows(3))
            await plain(server, patience(stage, ACTIONS[action])).deliver(pile)
            assert [end(pile.outcomes[RowId(row)]) for row in (1, 2, 3)] == [TAKEN, second, third]
            if second != TAKEN and not silent:
                check_code(pile.outcomes[RowId(2)], action)
            accepted = [message.content for row, message in rows(3) if end(pile.outcomes[row]) == TAKEN]
            assert server.contents == accepted
            assert pile.begun == [row for row in (1, 2, 3) if end(pile.outcomes[RowId(row)]) == TAKEN or (
                row == 2 and stage == "dot")]  # fmt: skip
            again = action == "421" or silent
            assert server.seen["connection"] == (2 if again and third == TAKEN else 1)

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", ["quit", "rset"])
def test_what_comes_after_acceptance_changes_nothing(stage: str, action: str, mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: ACTIONS[action]}, extensions=MODES[mode]) as server:
            assert await deliver_one(plain(server, patience(stage, ACTIONS[action]))) == Accepted("2.0.0 Queued")

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", [action for action in ACTIONS if action not in ("4xx", "5xx")])
def test_a_reset_that_fails_costs_a_connection_and_no_message(action: str, mode: str) -> None:
    async def case() -> None:
        script: Script = {"rcpt": [Say("550 5.1.1 No")], "rset": [ACTIONS[action]]}
        async with ScriptedServer(script, extensions=MODES[mode]) as server:
            outcomes = await deliver(plain(server, patience("rset", ACTIONS[action])), rows(3))
            assert [type(outcomes[RowId(row)]) for row in (1, 2, 3)] == [Refused, Accepted, Accepted]
            assert server.seen["connection"] == 2

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
        ("mail", "503 5.5.1 Not now", Refused(Scope.ACCOUNT, "5.5.1 Not now", 503, "5.5.1")),
        ("dot", "552 Too large", Refused(Scope.MESSAGE, "Too large", 552)),
        ("dot", "550 5.7.26 Sign it", Refused(Scope.MESSAGE, "5.7.26 Sign it", 550, "5.7.26")),
        ("dot", "251 Taken", Accepted("Taken")),
        ("dot", "250", Accepted("")),
        ("data", "250 Already?", Deferred(Scope.TRANSPORT, "at DATA: an answer that is not SMTP: Already?")),
        ("dot", "354 More?", Unknown("at end of content: an answer that is not SMTP: More?")),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_replies_that_have_a_rule_of_their_own(mode: str, stage: str, reply: str, outcome: Outcome) -> None:
    if stage not in STAGES[mode]:
        return  # BDAT has no 354

    async def case() -> None:
        async with ScriptedServer({stage: Say(reply)}, extensions=MODES[mode]) as server:
            assert await deliver_one(plain(server)) == outcome

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_replies_are_kept_without_addresses_and_controls(mode: str) -> None:
    async def case() -> None:
        text = "550 5.1.1 <READER1@example.org>: \x1b[31m unknown \xff, from bounces+t1@news.example.org"
        async with ScriptedServer({"rcpt": Say(text)}, extensions=MODES[mode]) as server:
            outcome = await deliver_one(plain(server))
        assert isinstance(outcome, Refused)
        assert outcome.reply == "5.1.1 <(address)>: [31m unknown \xff, from (address)"
        async with ScriptedServer({"dot": Say("250 2.0.0 Taken  for reader1@Example.org")}) as server:
            assert await deliver_one(plain(server)) == Accepted("2.0.0 Taken for (address)")

    run(case())


# What a server may do with a content that it has not read to its end.
CUT: dict[str, tuple[Action, End]] = {
    "close": (Close(), LATER),
    "hang": (Hang(), LATER),
    "refuse": (Say("550 5.7.1 No"), (Refused, Scope.MESSAGE)),
    "421": (Say("421 4.3.2 Closing"), (Deferred, Scope.MESSAGE)),
    "not SMTP": (Say("HTTP/1.1 400 Bad Request"), LATER),
    "wrong class": (Say("354 More?"), LATER),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", CUT)
def test_a_content_whose_end_is_still_here_cannot_have_been_taken(mode: str, cut: str) -> None:
    """What still would go must not be read as commands, so the connection ends too."""
    action, first = CUT[cut]

    async def case() -> None:
        async with ScriptedServer({"early": [action]}, extensions=MODES[mode]) as server:
            large = build(1, (b"RSET " * 199 + b"\r\n") * 15_000)
            pile = Pile([(RowId(1), large), *rows(3)[1:]])
            await plain(server, patience("early", action)).deliver(pile)
            assert end(pile.outcomes[RowId(1)]) == first, pile.outcomes[RowId(1)]
            answered = cut in ("refuse", "421")
            second = TAKEN if answered or mode == "step by step" else LATER
            assert [end(pile.outcomes[RowId(row)]) for row in (2, 3)] == [second, TAKEN]
            assert server.seen["connection"] == 2
            assert server.seen["rset"] == 0

    run(case())


def test_partial_and_close_are_told_apart_from_silence() -> None:
    async def case(action: Action) -> str:
        async with ScriptedServer({"dot": action}) as server:
            outcome = await deliver_one(plain(server, patience("dot", action)))
            assert isinstance(outcome, Unknown)
            return outcome.reply

    assert run(case(Close())) == run(case(Partial("250 ha"))) == "at end of content: the server closed the connection"
    assert run(case(Hang())) == "at end of content: no answer in time"
    assert run(case(Say("nonsense"))) == "at end of content: an answer that is not SMTP"
