"""The SMTP transport as a whole: what is said when, over how many connections, and how it ends."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from digest_mailer.adapters.transports.smtp_settings import Timeouts
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from message_support import Pile, build, deliver, deliver_one, rows, run
from smtp_server import Action, Close, Hang, Say, Script, ScriptedServer
from smtp_support import LONG, MODES, Authority, plain, protected


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "localhost")


def kinds(outcomes: dict[RowId, Outcome]) -> list[type]:
    return [type(outcomes[row]) for row in sorted(outcomes)]


@pytest.mark.parametrize(("mode", "behind"), [
    ("pipelined", ["MAIL RCPT DATA", "MAIL RCPT DATA", ""]),
    ("chunking", ["MAIL RCPT", "MAIL RCPT", ""]),
    ("step by step", ["", "", ""]),
])  # fmt: skip
def test_the_next_message_is_announced_behind_the_content(mode: str, behind: list[str]) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            assert kinds(await deliver(plain(server), rows(3))) == [Accepted] * 3
            assert server.behind == behind
            assert server.contents == [message.content for _, message in rows(3)]
            assert server.seen["connection"] == server.seen["quit"] == 1

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_every_content_is_begun_before_it_leaves_and_settled_with_its_connection(mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:

            class Watched(Pile):
                def begin(self, row: RowId, connection: str = "") -> bool:
                    assert dict(rows(9))[row].content not in server.contents
                    return super().begin(row, connection)

            pile = Watched(rows(9))
            await plain(server, connections=2).deliver(pile)
            assert sorted(pile.begun) == list(range(1, 10))
            assert set(pile.names.values()) <= {f"{number} to 127.0.0.1:{server.port}" for number in (1, 2)}

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("withdrawn", [{1}, {2}, {3}, {2, 3}, {1, 2, 3}])
def test_nothing_leaves_of_a_message_that_was_withdrawn(mode: str, withdrawn: set[int]) -> None:
    """After 354 there is no way back but to hang up; with BDAT there is RSET."""

    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            pile = Pile(rows(3), withdrawn=withdrawn)
            await plain(server).deliver(pile)
            left = [row for row in (1, 2, 3) if row not in withdrawn]
            assert sorted(pile.outcomes) == pile.begun == left
            assert server.contents == [dict(rows(3))[RowId(row)].content for row in left]
            assert server.empties == 0
            last = max(withdrawn) == 3
            if mode == "chunking":
                assert server.seen["connection"] == 1
                assert server.seen["rset"] == len(withdrawn) - last
            else:
                assert server.seen["connection"] == 1 + len(withdrawn) - last
                assert server.seen["rset"] == 0

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_refused_recipients_leave_the_connection_usable(mode: str) -> None:
    async def case() -> None:
        replies: Sequence[Action] = [Say("550 5.1.1 No"), Say("250 Yes"), Say("451 4.2.0 Later"), Say("250 Yes")]
        async with ScriptedServer({"rcpt": replies}, extensions=MODES[mode]) as server:
            outcomes = await deliver(plain(server), rows(4))
            assert kinds(outcomes) == [Refused, Accepted, Deferred, Accepted]
            assert server.seen["connection"] == 1
            assert server.seen["rset"] == 2
            assert server.empties == 0

    run(case())


@pytest.mark.parametrize("answer", [Say("250 2.0.0 Queued"), Say("554 5.5.1 No valid recipients"), Close(), Hang()])
@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_354_for_nobody_is_ended_by_a_lone_dot_and_counts_as_nothing(stage: str, answer: Action) -> None:
    async def case() -> None:
        script: Script = {stage: [Say("250 Fine"), Say("550 5.1.1 No")], "dot": [Say("250 2.0.0 Queued"), answer]}
        async with ScriptedServer(script, extensions=MODES["pipelined"], careless=True) as server:
            pile = Pile(rows(3))
            await plain(server, replace(LONG, command=0.2)).deliver(pile)
            assert kinds(pile.outcomes) == [Accepted, Refused, Accepted]
            assert pile.begun == [1, 3]
            assert server.empties == 1
            assert server.seen["rset"] == 0
            assert [content for content in server.contents if content] == [rows(1)[0][1].content, rows(3)[2][1].content]
            assert server.seen["connection"] == (1 if isinstance(answer, Say) else 2)

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_stays_inside_a_refused_transaction_costs_nobody_their_mail(mode: str) -> None:
    """The announcement behind the refused content is out of order for it: once more, behind RSET."""

    async def case() -> None:
        script: Script = {"dot": [Say("250 Queued"), Say("554 5.7.1 Spam"), Say("250 Queued")]}
        async with ScriptedServer(script, extensions=MODES[mode], sulks=True) as server:
            assert kinds(await deliver(plain(server), rows(4))) == [Accepted, Refused, Accepted, Accepted]
            assert server.empties == 0  # 354 would be for the recipients of the refused one as well
            assert (server.seen["connection"], server.seen["rset"]) == ((2, 0) if mode == "pipelined" else (1, 1))

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", ["rcpt", "dot"])
def test_421_ends_the_connection_from_our_side_too(stage: str, mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer({stage: [Say("421 4.3.2 Closing, but not yet")]}, extensions=MODES[mode]) as server:
            assert kinds(await deliver(plain(server), rows(2))) == [Deferred, Accepted]
            assert server.seen["connection"] == 2
            assert server.seen["rset"] == 0

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_the_server_closed_between_two_messages_is_replaced(mode: str) -> None:
    async def case() -> None:
        script: Script = {"dot": [Close("250 2.0.0 Queued, and good bye")]}
        async with ScriptedServer(script, extensions=MODES[mode]) as server:
            assert kinds(await deliver(plain(server), rows(3))) == [Accepted] * 3
            assert server.seen["connection"] == 2

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("closing", [Close(), Close("421 4.3.2 Closing")])
def test_a_message_gets_one_other_connection_and_no_third(closing: Action, mode: str) -> None:
    async def case() -> None:
        script: Script = {"mail": [Say("250 Fine"), closing, closing, Say("250 Fine")]}
        async with ScriptedServer(script, extensions=MODES[mode]) as server:
            assert kinds(await deliver(plain(server), rows(3))) == [Accepted, Deferred, Accepted]
            assert server.seen["connection"] == 3
            assert server.seen["mail"] == 4

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_a_full_server_is_not_tried_for_ever(mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer({"mail": Close("421 4.3.2 Closing")}, extensions=MODES[mode]) as server:
            outcomes = await deliver(plain(server), rows(3))
            assert all(getattr(outcome, "scope", None) is Scope.TRANSPORT for outcome in outcomes.values())
            assert server.seen["mail"] == 3

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_words_to_an_idle_connection_end_it(mode: str) -> None:
    async def case() -> None:
        script: Script = {"dot": [Say("250 2.0.0 Queued\r\n421 4.4.2 Idle for too long")]}
        async with ScriptedServer(script, extensions=MODES[mode]) as server:
            pile = Pile(rows(1), still_open=True)
            task = asyncio.create_task(plain(server).deliver(pile))
            await pile.resting.wait()
            await server.empty.wait()
            pile.add(rows(3)[1:])
            pile.close()
            await task
            assert kinds(pile.outcomes) == [Accepted] * 3
            assert server.seen["connection"] == 2

    run(case())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("address", ["a b@example.org", "a>b@example.org", "a\r\nQUIT@example.org", "é@example.org"])
def test_addresses_that_would_break_the_command_are_refused(address: str, mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            message = build(1)._replace(envelope=build(1).envelope._replace(recipient=address))
            outcomes = await deliver(plain(server), [(RowId(1), message), *rows(3)[1:]])
            assert getattr(outcomes[RowId(1)], "scope", None) is Scope.RECIPIENT
            assert kinds(outcomes) == [Refused, Accepted, Accepted]
            message = build(1)._replace(envelope=build(1).envelope._replace(sender=address))
            outcome = await deliver_one(plain(server), message)
            assert getattr(outcome, "scope", None) is Scope.ACCOUNT
            assert server.seen["mail"] == 2

    run(case())


@pytest.mark.parametrize("limit", ["SIZE 100", "SIZE 0", "SIZE", "size 1000000"])
def test_size_is_said_and_too_large_is_not_sent(limit: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=[limit, *MODES["pipelined"]]) as server:
            message = build(1, b".x\r\n" * 100)
            outcome = await deliver_one(plain(server), message)
            if limit == "SIZE 100":
                said = f"{len(message.content)} octets, and the server takes 100"
                assert outcome == Refused(Scope.MESSAGE, said)
                assert server.seen["mail"] == 0
            else:
                assert isinstance(outcome, Accepted)
                assert any(f"SIZE={len(message.content)}" in command for command in server.commands)

    run(case())


@pytest.mark.parametrize("offered", [True, False])
def test_reports_are_asked_for_where_they_are_understood(offered: bool) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=["dsn"] if offered else []) as server:
            await deliver_one(plain(server), build(1, recipient="a+b=c@example.org"))
            wanted = [
                "MAIL FROM:<bounces+t1@news.example.org> RET=HDRS ENVID=m1@news.example.org",
                "RCPT TO:<a+b=c@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.org",
            ]
            plain_ones = ["MAIL FROM:<bounces+t1@news.example.org>", "RCPT TO:<a+b=c@example.org>"]
            assert server.commands[1:3] == (wanted if offered else plain_ones)

    run(case())


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_is_used_again_but_not_for_ever(mode: str) -> None:
    async def connections(count: int, **settings: Any) -> int:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            await deliver(plain(server, **settings), rows(count))
            assert server.contents == [message.content for _, message in rows(count)]
            assert server.seen["quit"] == server.seen["connection"]
            return server.seen["connection"]

    assert run(connections(100)) == 1
    assert run(connections(101)) == 2
    assert run(connections(7, max_messages=3)) == 3
    assert run(connections(3, max_age=0.0)) == 3


@pytest.mark.parametrize("mode", MODES)
def test_as_many_connections_as_allowed_and_as_needed(mode: str) -> None:
    async def connections(messages: int) -> int:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            transport = plain(server, connections=5)
            assert transport.connections == 5
            pile = Pile(rows(messages))
            await transport.deliver(pile)
            assert len(server.contents) == messages
            assert pile.most <= 5 * (1 if mode == "step by step" else 2)
            return server.seen["connection"]

    assert run(connections(40)) == 5
    assert run(connections(2)) == 2
    assert run(connections(0)) == 0


@pytest.mark.parametrize("mode", MODES)
def test_connections_wait_for_more_and_go_on(mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            pile = Pile([], still_open=True)
            task = asyncio.create_task(plain(server, connections=2).deliver(pile))
            for first in range(5):
                await pile.resting.wait()
                pile.add([(RowId(number), build(number)) for number in range(4 * first, 4 * first + 4)])
            await pile.resting.wait()
            pile.close()
            await task
            assert kinds(pile.outcomes) == [Accepted] * 20
            assert server.seen["connection"] == 2

    run(case())


@pytest.mark.parametrize("mode", ["pipelined", "chunking"])
def test_what_comes_while_a_content_is_unanswered_is_announced_at_once(mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer({"dot": Hang()}, extensions=MODES[mode]) as server:
            pile = Pile(rows(1), still_open=True)
            task = asyncio.create_task(plain(server).deliver(pile))
            await server.reached.wait()
            await pile.resting.wait()
            pile.add(rows(3)[1:])
            for _ in range(20):
                await asyncio.sleep(0)
            assert pile.taken == [1, 2]
            assert pile.begun == [1]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert pile.outcomes == {}

    run(case())


def test_messages_keep_going_while_one_connection_hangs() -> None:
    async def case() -> None:
        async with ScriptedServer({"dot": [Hang()]}, extensions=MODES["pipelined"]) as server:
            outcomes = await deliver(plain(server, replace(LONG, final_dot=0.3), connections=2), rows(8))
            assert kinds(outcomes).count(Accepted) == 6
            assert kinds(outcomes).count(Unknown) == kinds(outcomes).count(Deferred) == 1

    run(case())


EVERY_STAGE = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "quit", "early")


@pytest.mark.parametrize(
    ("mode", "stage"),
    [(mode, stage) for mode in MODES for stage in EVERY_STAGE if (mode, stage) != ("chunking", "data")],  # it has none
)
def test_cancelled_in_the_middle_leaves_nothing(stage: str, mode: str, authority: Authority) -> None:
    async def case() -> None:
        script: Script = {stage: Hang()} | ({"rcpt": Say("550 No")} if stage == "rset" else {})
        login = ("news", "right")
        async with ScriptedServer(script, tls=authority.server, login=login, extensions=MODES[mode]) as server:
            pile = Pile(rows(5))
            task = asyncio.create_task(protected(server, authority, "right", connections=2).deliver(pile))
            await server.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            settled = dict(pile.outcomes)
            if stage != "early":
                await server.empty.wait()
            assert pile.outcomes == settled

    run(case())


def test_cancelled_while_waiting_for_messages_leaves_nothing() -> None:
    async def case() -> None:
        async with ScriptedServer() as server:
            pile = Pile(rows(3), still_open=True)
            task = asyncio.create_task(plain(server, connections=3).deliver(pile))
            await pile.resting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.empty.wait()

    run(case())


class Broken(Pile):
    """Fails in one of its calls, at row 4."""

    def __init__(self, messages: Sequence[tuple[RowId, Message]], call: str) -> None:
        super().__init__(messages, still_open=True)
        self._call = call
        self.failed = False

    def _try(self, call: str, row: int) -> None:
        assert not self.failed, "something was asked after the failure"
        if call == self._call and row == 4:
            self.failed = True
            raise LookupError("the ledger is gone")

    def take(self) -> tuple[RowId, Message] | None:
        self._try("take", len(self.taken) + 1)
        return super().take()

    async def more(self) -> bool:
        if self._call == "more" and len(self.taken) >= 4:
            raise LookupError("the ledger is gone")
        return await super().more()

    def begin(self, row: RowId, connection: str = "") -> bool:
        self._try("begin", row)
        return super().begin(row, connection)

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        self._try("settle", row)
        super().settle(row, outcome, connection)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("call", ["take", "more", "begin", "settle"])
def test_what_the_work_raises_comes_out(call: str, connections: int, mode: str) -> None:
    async def case() -> None:
        async with ScriptedServer(extensions=MODES[mode]) as server:
            pile = Broken(rows(4 if call == "more" else 30), call)
            with pytest.raises(LookupError, match="the ledger is gone"):
                await plain(server, connections=connections).deliver(pile)
            await server.empty.wait()
            if call == "begin":
                assert build(4).content not in server.contents

    run(case())


@pytest.mark.parametrize("stage", ["greeting", "mail", "rcpt", "dot"])
def test_what_settling_a_failure_raises_comes_out(stage: str) -> None:
    async def case() -> None:
        class Unwilling(Pile):
            def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
                raise LookupError("the ledger is gone")

        for action in (Close(), Say("554 5.5.0 Never"), Say("421 4.3.2 Closing"), Say("nonsense")):
            async with ScriptedServer({stage: action}, extensions=MODES["pipelined"]) as server:
                with pytest.raises(LookupError, match="the ledger is gone"):
                    await plain(server, connections=2).deliver(Unwilling(rows(3), still_open=True))
                await server.empty.wait()

    run(case())


@pytest.mark.parametrize("pulse", [Timeouts(), Timeouts(command=0.4), Timeouts(final_dot=0.4)])
def test_deadlines_are_looked_at_often_enough(pulse: Timeouts) -> None:
    assert pulse.pulse <= min(1.0, pulse.command / 4, pulse.final_dot / 4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protect", [True, False])
def test_the_faster_loop_changes_nothing(mode: str, protect: bool, authority: Authority) -> None:
    """Content on the wire, content that is still here, and a connection that is lost, as by the loop of the library."""

    async def case() -> None:
        tls = authority.server if protect else None
        large = build(1, (b"RSET " * 199 + b"\r\n") * 15_000)
        script: Script = {"early": [Close()], "dot": [Say("250 2.0.0 Queued"), Close()]}
        async with ScriptedServer(script, extensions=MODES[mode], tls=tls) as server:
            transport = protected(server, authority) if protect else plain(server)
            outcomes = await deliver(transport, [(RowId(1), large), (RowId(9), build(9)), (RowId(10), build(10))])
            ends = [outcomes[RowId(row)] for row in (1, 9, 10)]
            assert isinstance(ends[0], Deferred)
            assert "before the end had left" in ends[0].reply
            if mode == "step by step":
                assert kinds(outcomes) == [Deferred, Accepted, Unknown]
            else:
                assert kinds(outcomes) == [Deferred, Deferred, Accepted]

    uvloop.run(case())
    run(case())
