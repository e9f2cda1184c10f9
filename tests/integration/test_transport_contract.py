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
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.ports import Transport
from message_support import build, deliver, deliver_first, feed, no_note, rows, run
from smtp_server import keeping_server


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


@pytest.fixture(params=[smtp_rig, outbox_rig, sandbox_rig], ids=["smtp", "outbox", "sandbox"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> MakeRig:
    def make(connections: int = 3) -> AbstractAsyncContextManager[Rig]:
        made: AbstractAsyncContextManager[Rig] = request.param(tmp_path, connections)
        return made

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


def test_attempt_is_noted_before_the_content_leaves(rig: MakeRig) -> None:
    async def case() -> None:
        messages = dict(rows(12))
        noted: list[RowId] = []
        async with rig() as it:

            async def on_attempt(row: RowId) -> None:
                for _ in range(20):
                    await asyncio.sleep(0)
                assert not it.has(messages[row])
                noted.append(row)

            async for row, _ in it.transport.deliver(feed(list(messages.items())), on_attempt):
                assert row in noted
                assert it.has(messages[row])
        assert sorted(noted) == sorted(messages)

    run(case())


def test_no_message_no_outcome(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            assert await deliver(it.transport, []) == {}
            assert it.arrived() == []

    run(case())


def test_nothing_happens_before_the_first_outcome_is_asked_for(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            it.transport.deliver(feed(rows(3)), no_note)
            await asyncio.sleep(0.01)
            assert it.arrived() == []

    run(case())


def test_early_close_leaves_nothing_running(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig() as it:
            before = asyncio.all_tasks()
            await deliver_first(it.transport, rows(50))
            arrived = len(it.arrived())
            assert 1 <= arrived < 50
            left = asyncio.all_tasks() - before
            if isinstance(it.transport, SmtpTransport):  # its test server lives on
                left = {task for task in left if "_handle_client" not in repr(task)}
            assert not left
            await asyncio.sleep(0.01)
            assert len(it.arrived()) == arrived

    run(case())


def test_early_close_while_an_attempt_is_being_noted(rig: MakeRig) -> None:
    async def case() -> None:
        async with rig(1) as it:
            noting = asyncio.Event()

            async def on_attempt(row: RowId) -> None:
                noting.set()
                await asyncio.Event().wait()

            task = asyncio.create_task(deliver(it.transport, rows(3), on_attempt))
            await noting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert it.arrived() == []

    run(case())


def test_more_is_taken_only_when_outcomes_are_taken(rig: MakeRig) -> None:
    async def case() -> None:
        given = 0

        async def counted() -> AsyncIterator[tuple[RowId, Message]]:
            nonlocal given
            for pair in rows(40):
                given += 1
                yield pair

        async with rig(3) as it:
            taken = 0
            async for _ in it.transport.deliver(counted(), no_note):
                taken += 1
                await asyncio.sleep(0.002)
                assert given <= taken + 3

    run(case())


def test_trouble_in_the_stream_of_messages_comes_out(rig: MakeRig) -> None:
    async def broken() -> AsyncIterator[tuple[RowId, Message]]:
        for pair in rows(5):
            yield pair
        raise LookupError("the ledger is gone")

    async def case() -> None:
        outcomes: list[Outcome] = []
        async with rig() as it:
            with pytest.raises(LookupError, match="the ledger is gone"):  # noqa: PT012 - the outcomes before it count
                async for _, outcome in it.transport.deliver(broken(), no_note):
                    outcomes.append(outcome)
            assert len(outcomes) == len(it.arrived()) == 5

    run(case())


def test_trouble_in_noting_the_attempt_comes_out_and_nothing_of_it_leaves(rig: MakeRig) -> None:
    async def on_attempt(row: RowId) -> None:
        if row == 4:
            raise LookupError("the ledger is gone")

    async def case() -> None:
        messages = dict(rows(30))
        async with rig() as it:
            with pytest.raises(LookupError, match="the ledger is gone"):
                await deliver(it.transport, list(messages.items()), on_attempt)
            assert not it.has(messages[RowId(4)])
            assert len(it.arrived()) < 10

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


@pytest.mark.parametrize(
    "content",
    [b"A: b\r\n\r\nbare\nline\r\n", b"A: b\r\n\r\nbare\rline\r\n", b"A: b\r\n\r\nno end", b"A: b\r\n\r\n\xc3\xa9\r\n",
     b"A: b\r\n\r\nnul\0\r\n", b"A: b\r\n\r\n" + b"x" * 999 + b"\r\n"],
)  # fmt: skip
def test_smtp_refuses_what_it_would_have_to_change(content: bytes) -> None:
    async def case() -> None:
        original = build()
        message = Message(original.envelope, original.message_id, original.subject, original.to, "", "", content)
        async with smtp_rig(Path()) as it:
            outcome = (await deliver(it.transport, [(RowId(1), message)]))[RowId(1)]
            assert isinstance(outcome, Refused)
            assert outcome.scope is Scope.MESSAGE
            assert it.arrived() == []

    run(case())
