"""A thousand people leave while their issue is sent: no word about them once they were told, and nobody else is missed.

`send`, the site and the server that is sent to are processes of their own, this one the last of them. People leave by
one-click POSTs (RFC 8058 section 3.2), a few at a time, most of them those who come next: their rows are planned, or
claimed and in hand. From 100 ms after their 200, no RCPT may name them. LEAVING_PEOPLE says how large the issue is.
"""

import asyncio
import os
import random
import socket
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from core_support import JULY
from digest_mailer.adapters.store.tables import stamp
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.address import EmailAddress, address_hash
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.token import Scope, sign
from publication_support import NOW, make_publication
from send_support import keep_one_issue

pytestmark = pytest.mark.slow
PEOPLE = int(os.environ.get("LEAVING_PEOPLE", "50000"))
LEAVERS = 1000
AT_A_TIME = 4
AHEAD = 2000  # people: those claimed, and as many behind them
LATE = 0.1  # seconds
PATIENCE = 240.0
# `digest-mailer serve` on a socket that listens already, so that nobody has to find out when it does.
SERVE = """
import asyncio, socket, sys
from pathlib import Path
from uvicorn import Config, Server
from digest_mailer.bootstrap import build_app
from digest_mailer.web.app import build_site

site = build_site(build_app(Path(sys.argv[1])), inbox=False)
server = Server(Config(site, access_log=False, log_level="warning"))
asyncio.run(server.serve(sockets=[socket.socket(fileno=int(sys.argv[2]))]))
"""


@dataclass
class Sink:
    """What a server notes that takes everything, and when. It gives out a ticket to leave after so many people were
    named, and waits with its answers while too many tickets are not used."""

    each: int
    named: list[tuple[float, str]] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    tickets: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    given: int = 0
    used: int = 0
    unsaid: list[tuple[asyncio.Transport, bytes]] = field(default_factory=list)

    def name(self, address: str) -> None:
        self.named.append((time.monotonic(), address))
        if len(self.named) % self.each == 0 and self.given < LEAVERS:
            self.given += 1
            self.tickets.release()

    def use(self) -> None:
        self.used += 1
        unsaid, self.unsaid = self.unsaid, []
        for transport, said in unsaid:
            self.say(transport, said)

    def say(self, transport: asyncio.Transport, said: bytes) -> None:
        if self.given - self.used > AT_A_TIME:
            self.unsaid.append((transport, said))
        else:
            transport.write(said)


class Guest(asyncio.BufferedProtocol):
    """A connection to a sink. Contents are looked through for their end, and not kept."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.room = bytearray(2**18)
        self.filled = 0
        self.recipient = ""
        self.in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 sink.example ESMTP\r\n")

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.room)[self.filled :]

    def buffer_updated(self, nbytes: int) -> None:
        place, said, self.filled = 0, b"", self.filled + nbytes
        while (found := self.room.find(self.end, place, self.filled)) >= 0:
            begin, place = place, found + len(self.end)
            said += self.answer(b"." if self.in_content else bytes(self.room[begin:found]))
        if self.in_content:
            place = max(place, self.filled - len(self.end) + 1)
        self.filled -= place
        self.room[: self.filled] = self.room[place : place + self.filled]
        self.sink.say(self.transport, said)

    @property
    def end(self) -> bytes:
        return b"\r\n.\r\n" if self.in_content else b"\r\n"

    def answer(self, said: bytes) -> bytes:
        verb = said[:4]
        self.in_content = verb == b"DATA"
        if verb == b"RCPT":
            self.recipient = said[said.index(b"<") + 1 : said.index(b">")].decode()
            self.sink.name(self.recipient)
        if verb == b".":
            self.sink.taken[self.recipient] += 1
        return {b"EHLO": b"250-sink.example\r\n250 PIPELINING\r\n", b"DATA": b"354 Go on\r\n"}.get(verb, b"250 Yes\r\n")


@dataclass
class Leavers:
    """People who leave, and when they were told that they had."""

    app: App
    order: list[tuple[int, str]]  # everybody as they will be sent to: id, address
    sink: Sink
    told: dict[str, float] = field(default_factory=dict)

    async def leave(self, port: int, number: int) -> None:
        """So many of them, one after the other on one connection."""
        reader = writer = None
        for _ in range(number):
            await self.sink.tickets.acquire()
            if not reader or not writer:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            token, address = self.choose()
            body = b"List-Unsubscribe=One-Click"
            head = f"POST /u/{token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            self.told[address] = time.monotonic()
            self.sink.use()
            assert answer.startswith(b"http/1.1 200"), answer
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))
        if writer:
            writer.close()
            await writer.wait_closed()

    def choose(self) -> tuple[str, str]:
        """Somebody whose turn comes soon: their token and address."""
        following = len(self.sink.named) + random.randrange(AHEAD)  # noqa: S311
        person, address = self.order.pop(min(following - len(self.told), len(self.order) - 1))
        return sign(Scope.UNSUBSCRIBE, SubscriberId(person), IssueId(JULY), 0, self.app.secrets.keys.tokens), address


def make_crowd(folder: Path) -> tuple[App, list[tuple[int, str]]]:
    """July, approved, and so many people, in the order of their ids."""
    made = make_publication(folder)
    keep_one_issue(made.root)
    numbers = sorted(random.sample(range(1, 2**63), PEOPLE))
    crowd = [(number, f"reader{place}@clinic.example.org") for place, number in enumerate(numbers)]
    key, now = made.secrets.address, stamp(NOW)
    people = "INSERT INTO person (subscriber_id, address_hash, canonical, typed, name) VALUES (?, ?, ?3, ?3, '')"
    subscribers = """INSERT INTO subscriber (id, state, language, all_topics, created_at, changed_at, changed_seq)
                     VALUES (?1, 'active', 'en', 1, ?2, ?2, 0)"""
    with closing(sqlite3.connect(made.database.path)) as connection, connection:
        connection.executemany(subscribers, ((number, now) for number, _ in crowd))
        hashed = ((number, address_hash(EmailAddress(one, one), key), one) for number, one in crowd)
        connection.executemany(people, hashed)
    return build_app(made.root), crowd


@asynccontextmanager
async def site(app: App) -> AsyncIterator[int]:
    """The site in a process of its own: its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        words = ["-c", SERVE, str(app.root), str(number)]
        process = await asyncio.create_subprocess_exec(sys.executable, *words, pass_fds=[number])
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def send_while_people_leave(app: App, crowd: list[tuple[int, str]]) -> tuple[Sink, dict[str, float]]:
    """The whole of it: what the server has noted, and when who was told."""
    sink = Sink(PEOPLE * 9 // 10 // LEAVERS)
    leavers = Leavers(app, [*crowd], sink)
    server = await asyncio.get_running_loop().create_server(lambda: Guest(sink), "127.0.0.1", 0)
    async with asyncio.timeout(PATIENCE), server, site(app) as port, asyncio.TaskGroup() as group:
        way = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        words = ["-m", "digest_mailer", "-C", str(app.root), "send", JULY, "--transport", way, "--wait", "0"]
        for _ in range(AT_A_TIME):
            group.create_task(leavers.leave(port, LEAVERS // AT_A_TIME))
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE, stderr=PIPE)
        output, errors = await process.communicate()
        assert process.returncode == 0, (output + errors).decode()
    return sink, leavers.told


def test_no_word_about_who_has_left_and_everybody_else_is_served_once(tmp_path: Path) -> None:
    app, crowd = make_crowd(tmp_path)
    sink, told = asyncio.run(send_while_people_leave(app, crowd))
    after = [at - told[address] for at, address in sink.named if address in told]
    print(f"latest RCPT {1000 * max(after, default=0.0):.0f} ms after the 200")  # noqa: T201
    assert len(told) == LEAVERS
    assert max(after, default=0.0) <= LATE
    with closing(sqlite3.connect(app.database.path)) as connection:
        states = dict(connection.execute("SELECT typed, d.state FROM delivery d JOIN person USING (subscriber_id)"))
        left = connection.execute(
            "SELECT count(*) FROM audit_private WHERE content ->> 'reason' = 'one-click'"
        ).fetchone()
    accepted = {address for address, state in states.items() if state == "accepted"}
    assert set(sink.taken) == accepted
    assert sink.taken.most_common(1)[0][1] == 1
    suppressed = {address for address, state in states.items() if state == "suppressed"}
    assert suppressed == set(told) - accepted
    assert accepted | suppressed == set(states) >= {address for _, address in crowd}
    assert left == (LEAVERS,)
    assert len(suppressed) > LEAVERS / 2, "too few left in time to show anything"
