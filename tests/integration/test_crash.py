"""A sender that is killed or interrupted at any moment: nobody is missed, nobody gets it twice, few are unknown.

The sender is the real command in a process of its own; the server it sends to is here, and chooses the moment by
what it has just heard or said. A failing case prints its moment; pytest's own seed repeats it.
"""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from hypothesis import settings

from core_support import JULY
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.delivery import Fate, HandOff
from digest_mailer.core.feedback import FeedbackEvent
from digest_mailer.core.mailing import Status
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.send import Ended, Ending
from message_support import run
from publication_support import make_publication
from send_support import keep_one_issue

SOAK = settings.get_current_profile_name() == "soak"
KILLS = 40 if SOAK else 4  # at each of the moments
ANY_TIME = 100 if SOAK else 8  # kills at whatever moment
AT_ONCE = 2
CONNECTIONS = 4  # of digest.toml
MOMENTS = ("connection", "mail", "rcpt", "data", "content", "reply")


@dataclass
class Sink:
    """A server that takes everything and says when. `at` is awaited at every moment: with its name, how often it
    came, before the answer (`content`: all of a message is here; `reply`: and that was said)."""

    at: Callable[[str, int], Awaitable[None]] | None = None
    pipelining: bool = True
    port: int = 0
    accepted: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)  # of the messages accepted
    seen: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.hold, "127.0.0.1", 0, limit=2**20)  # a mail is over 64 KiB
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.server.close()
        await self.quiet()
        await self.server.wait_closed()

    async def quiet(self) -> None:
        """Until every connection has ended and what it brought is counted."""
        while self.tasks:
            await asyncio.wait([*self.tasks])

    async def moment(self, name: str) -> None:
        self.seen[name] += 1
        if self.at:
            await self.at(name, self.seen[name])

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.tasks.discard(task)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""

        async def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        await self.moment("connection")
        await say("220 sink.example ESMTP")
        while line := await reader.readline():
            verb = line[:4].strip().lower().decode()
            await self.moment(verb)
            if verb == "rcpt":
                recipient = line.decode().partition("<")[2].partition(">")[0]
            if verb == "data":
                await say("354 Go on")
                content = await reader.readuntil(b"\r\n.\r\n")
                self.accepted.append(recipient)
                self.identifiers.append(content.partition(b"Message-ID: <")[2].partition(b">")[0].decode())
                await self.moment("content")
                await say("250 2.0.0 Taken")
                await self.moment("reply")
            elif verb == "ehlo" and self.pipelining:
                await say("250-sink.example\r\n250 PIPELINING")
            else:
                await say("221 Bye" if verb == "quit" else "250 Yes")


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_app(tmp_path)


def make_app(folder: Path) -> App:
    """The sample with the machine's clock, as the command has it."""
    made = make_publication(folder)
    keep_one_issue(made.root)
    return build_app(made.root)


async def start(app: App, sink: Sink) -> Process:
    """`send` in a process of its own."""
    words = ["-C", str(app.root), "send", JULY, "--transport", f"smtp://127.0.0.1:{sink.port}", "--wait", "0"]
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "digest_mailer", *words, stdout=PIPE, stderr=PIPE)


async def go_on(app: App, sink: Sink) -> Ended:
    """`send` again, here."""
    transport = app.transport(f"smtp://127.0.0.1:{sink.port}")
    with app.lock(JULY):
        launcher = app.launcher(app.library)
        launcher.start(launcher.prepare(JULY, EVERYBODY, transport), transport, None)
        return await app.run(transport, lambda _state: None).send(JULY, timedelta(0))


def unknown(app: App) -> set[str]:
    return {address for address, _ in app.ledger.named(JULY, HandOff.UNKNOWN)}


def check(app: App, sink: Sink, people: int) -> None:
    """No silent miss, no silent duplicate, and a bounded, named unknown set."""
    assert Counter(sink.accepted).most_common(1)[0][1] == 1
    assert len(unknown(app)) <= CONNECTIONS
    believed = {address for address, _ in app.ledger.named(JULY, HandOff.ACCEPTED)}
    assert believed <= set(sink.accepted)
    assert len(believed | unknown(app)) == people
    assert set(sink.accepted) <= believed | unknown(app)


def people_of(app: App) -> int:
    """How many are in the audience: those of the plan, whether or not the ledger has them by now."""
    plan = app.launcher(app.library).plan(app.library.load(JULY), EVERYBODY)
    return plan.people + plan.already


@pytest.mark.parametrize("kind", MOMENTS)
def test_a_sender_that_is_killed_at_any_moment_misses_and_repeats_nobody(tmp_path: Path, kind: str) -> None:
    apps = [make_app(tmp_path / str(number)) for number in range(KILLS)]
    most = CONNECTIONS if kind == "connection" else people_of(apps[0])
    whens = [random.randint(1, most) for _ in apps]  # noqa: S311
    print(f"killed at {kind} {whens} of {most}")  # noqa: T201

    async def work() -> None:
        few = asyncio.Semaphore(AT_ONCE)

        async def one(app: App, when: int) -> None:
            async with few:
                await kill_once(app, kind, when)

        await asyncio.gather(*map(one, apps, whens))

    run(work(), patience=60 if not SOAK else 3600)


async def kill_once(app: App, kind: str, when: int) -> None:
    """Kill a sender at the moment of this kind that comes as the `when`-th, then send again."""
    async with Sink(pipelining=when % 2 == 0) as sink:
        process = await start(app, sink)

        async def kill(name: str, count: int) -> None:
            if (name, count) == (kind, when):
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()

        sink.at = kill
        _, errors = await process.communicate()
        assert process.returncode == -signal.SIGKILL, errors.decode()
        await sink.quiet()
        ended = await go_on(app, sink)
        await sink.quiet()
        assert ended.ending is Ending.COMPLETE
        assert ended.progress.total == people_of(app)
        check(app, sink, ended.progress.total)
        await settle(app, sink)


async def settle(app: App, sink: Sink) -> None:
    """What the server's log knows is settled by it, and who is not in it gets it now: everybody has it once."""
    overseer, transport = app.overseer(), app.transport(f"smtp://127.0.0.1:{sink.port}")
    overseer.learn(JULY, [FeedbackEvent(identifier, Fate.NONE) for identifier in sink.identifiers])
    lost = overseer.unknown(JULY)
    assert not {one.address for one in lost} & set(sink.accepted)
    if overseer.resolve(JULY, lost, HandOff.PLANNED):
        await app.run(transport, lambda _state: None).send(JULY, timedelta(0))
        await sink.quiet()
    assert not unknown(app)
    assert Counter(sink.accepted) == Counter({one.address: 1 for one in app.oversight.deliveries(JULY)})


@pytest.mark.slow
def test_a_sender_that_is_killed_at_whatever_time_misses_and_repeats_nobody(tmp_path: Path) -> None:
    """Also while the audience is fixed or written, while a batch is claimed, while results are kept, at the end."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        whole = make_app(tmp_path / "whole")
        async with Sink() as sink:
            begun = loop.time()
            await (await start(whole, sink)).communicate()
            lasted = loop.time() - begun
        few = asyncio.Semaphore(AT_ONCE)

        async def one(app: App, share: float) -> None:
            async with few, Sink() as sink:
                process = await start(app, sink)
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), share * lasted)
                if process.returncode is None:
                    process.kill()
                await process.communicate()
                await sink.quiet()
                mailing = app.ledger.mailing(JULY)
                assert mailing or not sink.accepted
                if mailing is None or app.ledger.still_open(JULY).open:  # else there is nobody to go on with
                    await go_on(app, sink)
                    await sink.quiet()
                check(app, sink, people_of(app))
                await settle(app, sink)

        shares = [random.uniform(0.5, 1.5) for _ in range(ANY_TIME)]  # noqa: S311
        print(f"killed after {shares} of {lasted:.2f} s")  # noqa: T201
        apps = [make_app(tmp_path / str(number)) for number in range(ANY_TIME)]
        await asyncio.gather(*map(one, apps, shares))

    run(work(), patience=120 if not SOAK else 3600)


def test_who_is_killed_again_and_again_comes_to_the_end_too(app: App) -> None:
    """And with every kill, no more are unknown than there are connections."""
    people = people_of(app)

    async def work() -> None:
        async with Sink() as sink:
            for kills in (1, 2):
                process = await start(app, sink)

                async def kill(name: str, _count: int, process: Process = process, kills: int = kills) -> None:
                    if name == "content" and len(sink.accepted) == kills * people // 3:
                        os.kill(process.pid, signal.SIGKILL)
                        await process.wait()

                sink.at = kill
                await process.communicate()
                assert process.returncode == -signal.SIGKILL
                await sink.quiet()
            sink.at = None
            assert (await go_on(app, sink)).ending is Ending.COMPLETE
            await sink.quiet()
        assert Counter(sink.accepted).most_common(1)[0][1] == 1
        held = unknown(app)
        assert len(held) <= 2 * CONNECTIONS
        assert len(set(sink.accepted) | held) == people

    run(work())


def test_ctrl_c_finishes_what_is_in_flight_and_the_same_command_goes_on(app: App) -> None:
    people = people_of(app)

    async def work() -> None:
        async with Sink() as sink:
            process = await start(app, sink)

            async def interrupt(name: str, count: int) -> None:
                if (name, count) == ("content", people // 2):
                    process.send_signal(signal.SIGINT)

            sink.at = interrupt
            _, errors = await process.communicate()
            assert process.returncode == 130, errors.decode()
            await sink.quiet()
            assert len(sink.accepted) < people
            assert not unknown(app)
            mailing = app.ledger.mailing(JULY)
            assert mailing is not None
            assert mailing.status is Status.PAUSED
            sink.at = None
            assert (await go_on(app, sink)).ending is Ending.COMPLETE
            await sink.quiet()
        check(app, sink, people)
        assert not unknown(app)

    run(work())


def test_a_second_ctrl_c_drops_what_is_in_flight_and_names_it(app: App) -> None:
    people = people_of(app)

    async def work() -> None:
        async with Sink() as sink:
            process = await start(app, sink)
            half, unanswered = asyncio.Event(), set[str]()

            async def hang(name: str, _count: int) -> None:
                if name == "content" and len(sink.accepted) >= people // 2:
                    unanswered.add(sink.accepted[-1])
                    half.set()
                    await process.wait()

            sink.at = hang
            await half.wait()
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while b"stopping" not in await process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            await process.communicate()
            assert process.returncode == 130
            await sink.quiet()
            held = unknown(app)
            assert 1 <= len(held) <= CONNECTIONS
            assert unanswered <= held
            sink.at = None
            await go_on(app, sink)
            await sink.quiet()
        check(app, sink, people)
        assert unknown(app) == held

    run(work())
