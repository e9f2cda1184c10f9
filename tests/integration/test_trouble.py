"""Trouble in the middle of a send: a full disk, a busy database, a clock set back, a server that restarts.

Each time the run ends with a sentence or gets over it, and the same send goes on until everybody was taken by the
server once or is named unknown. One connection, so at most one is unknown for each time that a run was cut off.
"""

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from core_support import JULY
from digest_mailer.bootstrap import App
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import ExitCode
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.send import Ended, Ending, Run
from message_support import run
from publication_support import NOW, FixedClock, make_publication
from send_support import keep_one_issue
from smtp_server import Action, Say, ScriptedServer
from store_support import candidate, take_in

MORE = 100  # people, besides those of the sample
# `send`, until the first results are to be kept; from there on the disk is full, as SQLite or as the kernel says it.
FULL = """
import resource
from digest_mailer.adapters.store.database import sqlite
from digest_mailer.adapters.store.lease import SenderLease
from digest_mailer.cli import main

def turn(self, results, limit, now, before=SenderLease.turn):
    if results:
        {}
    return before(self, results, limit, now)

SenderLease.turn = turn
main()
"""
NO_PAGE = 'sqlite(self._connection).execute("PRAGMA max_page_count=1")'
NO_OCTET = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))"
# `send` with little patience for a database that others write to.
HASTY = """
from digest_mailer.adapters.store.database import Database
from digest_mailer.cli import main

Database.__init__.__defaults__ = (0.2,)
main()
"""


class Server(ScriptedServer):
    """One that notes whom it took before it says so, and calls `at` with their number. For one connection."""

    def __init__(self, at: Callable[[int], None] = lambda _number: None, port: int = 0, deferred: int = 0) -> None:
        super().__init__({"rcpt": [Say("452 4.2.2 Mailbox full")] * deferred}, extensions=("PIPELINING",))
        self.at = at
        self.port = port
        self.taken = Counter[str]()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def next_action(self, stage: str) -> Action | None:
        if stage == "dot":
            said = next(command for command in reversed(self.commands) if command.startswith("RCPT"))
            self.taken[said.partition("<")[2].partition(">")[0]] += 1
            self.at(self.taken.total())
        return super().next_action(stage)

    def stop(self) -> None:
        """Close everything at once, without a word."""
        self._server.close()
        for task in self._tasks:
            task.cancel()

    @property
    def way(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?connections=1"


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = make_publication(tmp_path)
    keep_one_issue(made.root)
    readers = [candidate(f"reader{number}@clinic.example.org") for number in range(MORE)]
    take_in(made.importer.roster, readers, NOW)
    return made


def begin(app: App, server: Server) -> Run:
    """As `send` does: the audience, then a run."""
    transport, launcher = app.transport(server.way), app.launcher(app.library)
    launcher.start(launcher.prepare(JULY, EVERYBODY, transport), transport, None)
    return app.run(transport, lambda _state: None)


async def send(app: App, server: Server) -> Ended:
    return await begin(app, server).send(JULY, timedelta(0))


def check(app: App, taken: Counter[str], cut_off: int) -> None:
    """Everybody was taken once, or is named."""
    assert max(taken.values()) == 1
    accepted, unknown = ({who for who, _ in app.ledger.named(JULY, s)} for s in (HandOff.ACCEPTED, HandOff.UNKNOWN))
    assert accepted <= set(taken) <= accepted | unknown
    assert len(unknown) <= cut_off
    plan = app.launcher(app.library).plan(app.library.load(JULY), EVERYBODY)
    assert len(accepted) + len(unknown) == plan.people + plan.already > MORE


async def send_by(program: Path, app: App, server: Server) -> tuple[int | None, str]:
    """Send by this program in a process of its own: its exit code, and what it said of an error."""
    words = [str(program), "-C", str(app.root), "--quiet", "send", JULY, "--transport", server.way, "--wait", "0"]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate()
    return process.returncode, errors.decode().partition("\nerror: ")[2]


@pytest.mark.parametrize(
    ("how", "code", "sentence"),
    [
        pytest.param(NO_PAGE, ExitCode.TEMPORARY, "the disk of {} is full\n", id="as SQLite does"),
        pytest.param(NO_OCTET, ExitCode.CONFIG, "cannot use the database {}: disk I/O error\n", id="as Linux does"),
    ],
)
def test_a_full_disk_ends_the_run_with_a_sentence_and_loses_nothing(
    app: App, tmp_path: Path, how: str, code: ExitCode, sentence: str
) -> None:
    program = tmp_path / "full.py"
    program.write_text(FULL.format(how), "utf-8")

    async def work() -> Counter[str]:
        async with Server() as server:
            ended, said = await send_by(program, app, server)
            assert ended == code, said
            assert said.startswith(sentence.format(app.database.path))
            assert server.taken
            assert (await send(app, server)).ending is Ending.COMPLETE
            return server.taken

    check(app, run(work()), cut_off=1)


def test_a_database_that_is_busy_for_too_long_ends_the_run_and_loses_nothing(app: App, tmp_path: Path) -> None:
    program = tmp_path / "hasty.py"
    program.write_text(HASTY, "utf-8")

    async def work(other: sqlite3.Connection) -> Counter[str]:
        def at(number: int) -> None:
            if number == MORE // 2:
                other.execute("BEGIN IMMEDIATE")

        async with Server(at) as server:
            ended, said = await send_by(program, app, server)
            assert ended == ExitCode.TEMPORARY, said
            assert said.startswith(f"the database {app.database.path} is busy\n")
            assert other.in_transaction
            other.rollback()
            assert (await send(app, server)).ending is Ending.COMPLETE
            return server.taken

    with closing(sqlite3.connect(app.database.path, isolation_level=None)) as other:
        check(app, run(work(other)), cut_off=1)


def test_a_clock_that_is_set_back_repeats_nobody_and_forgets_nobody(app: App) -> None:
    """Who was to be tried again in a minute waits two days longer by that clock, or until it is right again."""
    clock = app.clock
    assert isinstance(clock, FixedClock)

    async def work() -> Counter[str]:
        async with Server(deferred=3) as server:
            first = begin(app, server)

            def at(number: int) -> None:
                if number == MORE // 2:
                    first.stop()

            server.at = at
            assert (await first.send(JULY, timedelta(0))).ending is Ending.STOPPED
            clock.advance(timedelta(days=-2))
            ended = await send(app, server)
            assert ended.ending is Ending.WAITING
            assert ended.progress[HandOff.DEFERRED] == ended.progress.open == 3
            clock.advance(timedelta(days=2, minutes=2))
            assert (await send(app, server)).ending is Ending.COMPLETE
            return server.taken

    check(app, run(work()), cut_off=0)


def test_a_server_that_restarts_in_the_middle_is_waited_for(app: App) -> None:
    clock = app.clock
    assert isinstance(clock, FixedClock)

    async def work() -> Counter[str]:
        first = Server(lambda number: first.stop() if number == MORE // 2 else None)
        async with first:
            sending, second, rests = begin(app, first), Server(port=first.port), list[float]()

            async def rest(_stopping: asyncio.Event, seconds: float) -> None:
                clock.advance(timedelta(seconds=seconds))
                rests.append(seconds)
                if len(rests) == 2:  # once it comes in vain
                    await second.__aenter__()

            sending.rest = rest
            ended = await sending.send(JULY, timedelta(minutes=15))
        await second.__aexit__(None, None, None)
        assert ended.ending is Ending.COMPLETE
        assert first.taken.total() == MORE // 2
        return first.taken + second.taken

    check(app, run(work()), cut_off=1)
