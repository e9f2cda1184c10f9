"""What `ports.Transport` promises, held by every transport: smtp, outbox, sandbox."""

import asyncio
import mailbox
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest_mailer.adapters.transports.outbox import OutboxTransport, file_name
from digest_mailer.adapters.transports.sandbox import SandboxServer, SandboxTransport
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Tls
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Scope
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.ports import Transport
from message_support import Pile, build, deliver, rows, run
from smtp_server import ScriptedServer, keeping_server
from smtp_support import MODES


@dataclass(frozen=True)
class Rig:
    """A transport and a look at what arrived."""

    transport: Transport
    arrived: Callable[[], list[bytes]]

    def has(self, message: Message) -> bool:
        return any(message.content == content for content in self.arrived())


MakeRig = Callable[..., AbstractAsyncContextManager[Rig]]


@asynccontextmanager
async def smtp_rig(_path: Path, connections: int = 3) -> AsyncIterator[Rig]:
    async with keeping_server() as (port, keeper):
        settings = SmtpSettings("127.0.0.1", port, tls=Tls.NONE, connections=connections)
        yield Rig(SmtpTransport(settings), lambda: keeper.contents)


@asynccontextmanager
async def pipelined_rig(_path: Path, connections: int = 3, mode: str = "pipelined") -> AsyncIterator[Rig]:
    async with ScriptedServer(extensions=MODES[mode]) as server:
        settings = SmtpSettings("127.0.0.1", server.port, tls=Tls.NONE, connections=connections)
        yield Rig(SmtpTransport(settings), lambda: server.contents)


def chunking_rig(path: Path, connections: int = 3) -> AbstractAsyncContextManager[Rig]:
    return pipelined_rig(path, connections, "chunking")


@asynccontextmanager
async def outbox_rig(path: Path, connections: int = 3) -> AsyncIterator[Rig]:
    folder = path / "deep" / "outbox"
    yield Rig(OutboxTransport(folder), lambda: [file.read_bytes() for file in folder.glob("*")])


@asynccontextmanager
async def sandbox_rig(path: Path, connections: int = 3) -> AsyncIterator[Rig]:
    folder = path / "deep" / "maildir"
    yield Rig(SandboxTransport(folder, connections), lambda: [without_trace(content) for content in filed(folder)])


def filed(folder: Path) -> list[bytes]:
    """Stored copies, read as files: the mailbox module would turn line ends."""
    return [file.read_bytes() for file in (folder / "new").glob("*")]


def without_trace(stored: bytes) -> bytes:
    """The content behind the two headers that the sandbox puts in front."""
    return stored.split(b"\r\n", 2)[2]


RIGS: dict[str, MakeRig] = {
    "step by step": smtp_rig,
    "pipelined": pipelined_rig,
    "chunking": chunking_rig,
    "outbox": outbox_rig,
    "sandbox": sandbox_rig,
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> MakeRig:
    def make(connections: int = 3) -> AbstractAsyncContextManager[Rig]:
        return RIGS[request.param](tmp_path, connections)

    return make


BODIES = {
    "plain": b"Hello.\r\n",
    "empty": b"",
    "dots": b".\r\n..\r\n.hidden\r\nlast.\r\n.\r\n",
    "blank lines": b"\r\n\r\nfar down\r\n\r\n",
    "long line": b"x" * 998 + b"\r\n",
    "dot and long line": b"." * 998 + b"\r\n",
    "looks like commands": b"QUIT\r\nRSET\r\nFrom here\r\n>From there\r\n",
    "white space at the end": b"soft \r\ntab\t\r\n=20\r\n",
    "control characters": b"bell \x07, form feed \x0c, delete \x7f\r\n",
    "large": b"".join(b"line %d of many, each as long as the one before\r\n" % number for number in range(20_000)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_octet_arrives_and_no_other(rig: MakeRig, body: bytes) -> None:
    async def case() -> None:
        message = build(1, body)
        async with rig() as it:
            assert list(await deliver(it.transport, [(RowId(1), message)])) == [1]
            assert it.arrived() == [message.content]

    run(case())


@pytest.mark.parametrize("connections", [1, 2, 7])
def test_many_messages_over_few_connections_each_once(rig: MakeRig, connections: int) -> None:
    async def case() -> None:
        messages = rows(60)
        async with rig(connections) as it:
            outcomes = await deliver(it.transport, messages)
            assert set(outcomes) == {row for row, _ in messages}
            assert all(isinstance(outcome, Accepted) for outcome in outcomes.values())
            assert sorted(it.arrived()) == sorted(message.content for _, message in messages)

    run(case())


def test_content_is_begun_before_it_leaves_and_arrived_before_it_is_settled(rig: MakeRig) -> None:
    messages = dict(rows(12))

    async def case() -> None:
        async with rig() as it:

            class Watched(Pile):
                def begin(self, row: RowId, connection: str = "") -> bool:
                    assert not it.has(messages[row])
                    return super().begin(row, connection)

                def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
                    assert row in self.begun
                    assert it.has(messages[row])
                    super().settle(row, outcome, connection)

            pile = Watched(messages.items())
            await it.transport.deliver(pile)
            assert sorted(pile.outcomes) == sorted(messages)

    run(case())


def test_no_message_no_outcome(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            assert await deliver(it.transport, []) == {}
            assert it.arrived() == []

    run(case())


@pytest.mark.parametrize("withdrawn", [{1}, {3}, {2, 5}, {1, 2, 3, 4, 5}])
def test_a_withdrawn_message_does_not_arrive_and_gets_no_outcome(rig: MakeRig, withdrawn: set[int]) -> None:
    async def case() -> None:
        async with rig(2) as it:
            pile = Pile(rows(5), withdrawn=withdrawn)
            await it.transport.deliver(pile)
            left = {row: message for row, message in rows(5) if row not in withdrawn}
            assert set(pile.outcomes) == set(left)
            assert sorted(it.arrived()) == sorted(message.content for message in left.values())

    run(case())


def test_never_more_begun_and_unsettled_than_connections(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig(3) as it:
            most = 0

            class Counting(Pile):
                def begin(self, row: RowId, connection: str = "") -> bool:
                    nonlocal most
                    most = max(most, len(self.begun) + 1 - len(self.outcomes))
                    return super().begin(row, connection)

            await it.transport.deliver(Counting(rows(40)))
            assert 1 <= most <= it.transport.connections <= 3

    run(case())


def test_it_waits_for_more(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            pile = Pile([], still_open=True)
            task = asyncio.create_task(it.transport.deliver(pile))
            for number in range(1, 5):
                await pile.resting.wait()
                pile.add([(RowId(number), build(number))])
            await pile.resting.wait()
            pile.close()
            await task
            assert sorted(pile.outcomes) == [1, 2, 3, 4]
            assert len(it.arrived()) == 4

    run(case())


@pytest.mark.parametrize("settled", [0, 1, 20])
def test_a_cancelled_delivery_leaves_nothing_running(rig: MakeRig, settled: int) -> None:
    async def case() -> None:
        async with rig() as it:
            before = asyncio.all_tasks()
            enough = asyncio.Event()

            class Counting(Pile):
                def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
                    super().settle(row, outcome, connection)
                    if len(self.outcomes) >= settled:
                        enough.set()

            pile = Counting(rows(500))
            task = asyncio.create_task(it.transport.deliver(pile))
            if settled:
                await enough.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            servers = ("_handle_client", "_serve", "_accept_connection2")
            left = [task for task in asyncio.all_tasks() - before if not any(name in repr(task) for name in servers)]
            assert not left
            assert settled <= len(pile.outcomes) < 500
            told = dict(pile.outcomes)
            for _ in range(20):
                await asyncio.sleep(0)
            assert pile.outcomes == told

    run(case())


@pytest.mark.parametrize("call", ["take", "more", "begin", "settle"])
def test_what_the_work_raises_comes_out(rig: MakeRig, call: str) -> None:
    async def case() -> None:
        async with rig() as it:

            def broken(*_: object) -> None:
                raise LookupError("the ledger is gone")

            pile = Pile(rows(5))
            setattr(pile, call, broken)
            with pytest.raises(LookupError, match="the ledger is gone"):
                await it.transport.deliver(pile)
            if call in ("take", "begin"):
                assert it.arrived() == []

    run(case())


def test_a_transport_can_deliver_again(rig: MakeRig) -> None:
    async def case() -> None:
        messages = rows(4)
        async with rig() as it:
            await deliver(it.transport, messages[:2])
            await deliver(it.transport, messages[2:])
            assert len(it.arrived()) == 4

    run(case())


def test_none_of_these_reaches_people(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            assert it.transport.live is False
            assert it.transport.url.partition(":")[0] in ("smtp", "outbox", "sandbox")

    run(case())


def test_outbox_overwrites_a_retry_and_leaves_no_partial_file(tmp_path: Path) -> None:
    transport = OutboxTransport(tmp_path)
    for _ in range(2):
        assert run(deliver(transport, rows(1))) == {1: Accepted("written as m1.eml")}
    assert [file.name for file in tmp_path.iterdir()] == ["m1.eml"]
    assert (tmp_path / "m1.eml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("identifier", ["<../../up@example.org>", "</etc/passwd@example.org>", "<a\\b@example.org>"])
def test_outbox_file_stays_in_its_directory(identifier: str) -> None:
    name = file_name(identifier)
    assert not {"/", "\\"} & set(name)
    assert name.endswith(".eml")


def test_outbox_that_cannot_be_written_is_trouble_of_the_way(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_bytes(b"")
    outcomes = run(deliver(OutboxTransport(blocker), rows(2)))
    for outcome in outcomes.values():
        assert isinstance(outcome, Deferred)
        assert outcome.scope is Scope.TRANSPORT
        assert str(blocker) in outcome.reply


def test_outbox_takes_back_what_it_could_not_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    outcomes = run(deliver(OutboxTransport(tmp_path), rows(1)))
    assert outcomes == {1: Deferred(Scope.TRANSPORT, f"cannot write into {tmp_path}: No space left on device")}
    assert list(tmp_path.iterdir()) == []


def test_sandbox_shows_the_envelope(tmp_path: Path) -> None:
    message = build(1, recipient="ann@example.org", sender="bounces+token@news.example.org")
    run(deliver(SandboxTransport(tmp_path / "maildir"), [(RowId(1), message)]))
    (stored,) = mailbox.Maildir(tmp_path / "maildir")
    assert stored["Return-Path"] == "<bounces+token@news.example.org>"
    assert stored["Delivered-To"] == "ann@example.org"
    assert stored.keys()[:2] == ["Return-Path", "Delivered-To"]
    assert not [name for name in stored.keys() if name.startswith("X-")]  # noqa: SIM118 - a Message, not a dict


def test_sandbox_without_a_maildir_is_trouble_of_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    outcomes = run(deliver(SandboxTransport(tmp_path / "file" / "maildir"), rows(3)))
    assert len(outcomes) == 3
    assert all(isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT for outcome in outcomes.values())


def test_sandbox_that_cannot_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_box: mailbox.Maildir, _message: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox.Maildir, "add", full)
    outcomes = run(deliver(SandboxTransport(tmp_path / "maildir"), rows(1)))
    assert outcomes == {1: Deferred(Scope.MESSAGE, "4.3.1 Cannot file it: No space left on device", 452, "4.3.1")}


def test_sandbox_server_alone_keeps_its_port(tmp_path: Path) -> None:
    async def case() -> None:
        async with SandboxServer(tmp_path / "maildir") as server:
            transport = SmtpTransport(SmtpSettings(server.host, server.port, tls=Tls.NONE))
            await deliver(transport, rows(2))
            reader, writer = await asyncio.open_connection(server.host, server.port)
            assert (await reader.readline()).startswith(b"220 ")
        assert await reader.read() == b""  # dropped when the server stops
        writer.close()
        await writer.wait_closed()

    run(case())
    assert len(filed(tmp_path / "maildir")) == 2
