"""Everybody who sends: digest-mailer by its whole path, and those that it is compared with.

A run is one fresh process to one fresh sink. Rates of programs in C count all of it, those of interpreted ones begin
behind the imports, which favours the rivals: none of them reads a list or keeps a ledger.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import Lab
from processes import HERE, Finished, NotHereError, environment, find, python, timed
from publication import USUAL
from rounds import RATE, Contest, Sender, Values
from sinks import HOST, Sink, fast_sink

OpenSink = Callable[[Lab], AbstractContextManager[Sink]]


@dataclass(frozen=True, slots=True)
class Ours:
    """One way to run digest-mailer."""

    lab: Lab
    sink: OpenSink = fast_sink
    people: int = 60_000  # at full scale
    exact: bool = False  # so many at every scale
    articles: int = USUAL
    loop: str = "uvloop"
    dkim: str = ""  # rsa or both
    sync_us: int | None = None  # microseconds more for each sync; None leaves them as they are

    def sender(self, name: str) -> Sender:
        """Under this name; syncs are counted in a run of its own, unless something stands between them anyway."""
        counted = None if self.sync_us is not None else replace(self, sync_us=0).run
        return Sender(name, self.run, counted, self.setup)

    @property
    def setup(self) -> str:
        """What belongs beside each rate: how much it takes at once, and how much could be unknown."""
        lab = self.lab
        return (
            f"batch {lab.batch}, {lab.connections} connections, unknown at most {lab.connections} after process death"
            f" and {lab.window} (the window) after power loss"
        )

    def run(self) -> Values:
        """One run."""
        lab = self.lab
        people = self.people if self.exact else lab.count(self.people)
        with lab.copy(people, self.articles) as root, self.sink(lab) as sink:
            url = f"{sink.url}&connections={lab.connections}"
            command = python("sender", root, url, "--loop", self.loop, "--articles", self.articles)
            if self.dkim:
                command += ["--dkim", self.dkim]
            data = timed(command, self._environment(sink)).data
        _check(sink, data["messages"])
        return _values(data) | {
            "syncs": data["syncs"] / data["seconds"],
            "planning": data["planning"],
            "memory": data["rss_peak"] - data["rss_loaded"],
        }

    def _environment(self, sink: Sink) -> dict[str, str]:
        more = {"DIGEST_DELIVERY__WINDOW": str(self.lab.window), "DIGEST_DKIM__SIGN": "true" if self.dkim else "false"}
        if sink.certificates:
            more["DIGEST_DELIVERY__CA_FILE"] = str(sink.certificates)
        if self.sync_us is not None:
            more |= {"LD_PRELOAD": str(self.lab.slow_sync), "SLOW_SYNC_US": str(self.sync_us)}
        return environment(**more)


@dataclass(frozen=True, slots=True)
class Rivals:
    """The others, on one kind of sink. Each is left out of the contest when it is not here."""

    lab: Lab
    contest: Contest
    sink: OpenSink = fast_sink
    articles: int = USUAL

    def smtp_source(self, messages: int, name: str = "smtp-source") -> None:
        """Postfix's load generator in C, over connections that it keeps (-d), with messages of the same size."""

        def command(sink: Sink, count: int) -> list[str]:
            size = self.lab.message_size(self.articles)
            how = ["-d", "-s", str(self.lab.connections), "-m", str(count), "-l", str(size)]
            return [program, *how, "-f", "digest@example.org", "-t", "reader@example.org", f"{HOST}:{sink.port}"]

        with self._here(name):
            program = find("smtp-source")
            self._add(name, messages, command, _whole)

    def smtplib(self, messages: int, name: str = "smtplib, threads") -> None:
        """The standard library, handing finished messages over."""
        self._python("smtplib", messages, name)

    def naive(self, messages: int, name: str = "Jinja + EmailMessage + smtplib") -> None:
        """Everything made anew for each reader."""
        self._python("naive", messages, name)

    def aiosmtplib(self, messages: int, name: str = "aiosmtplib, uvloop") -> None:
        """Finished messages over asyncio."""
        with self._here(name):
            self._python("aiosmtplib", messages, name, "--library", str(self.lab.aiosmtplib))

    def nodemailer(self, way: str, messages: int, name: str) -> None:
        """Node's usual mailer; the way is raw or compose."""

        def command(sink: Sink, count: int) -> list[str]:
            where = [str(self._material), str(sink.port), str(count), str(self.lab.connections)]
            trusted = [str(sink.certificates)] if sink.certificates else []
            return [node, str(HERE / "nodemailer.cjs"), str(library), way, *where, *trusted]

        with self._here(name):
            library, node = self.lab.nodemailer, find("node")
            self._add(name, messages, command, _told)

    def _python(self, way: str, messages: int, name: str, *more: str) -> None:
        def command(sink: Sink, count: int) -> list[str]:
            trusted = ["--ca", str(sink.certificates)] if sink.certificates else []
            many = ["--messages", str(count), "--connections", str(self.lab.connections)]
            return python("hand_over", way, self._material, sink.port, *many, *trusted, *more)

        self._add(name, messages, command, _told)

    def _add(
        self,
        name: str,
        messages: int,
        command: Callable[[Sink, int], Sequence[str]],
        read: Callable[[Finished, int], Values],
    ) -> None:
        def run() -> Values:
            count = self.lab.count(messages)
            with self.sink(self.lab) as sink:
                finished = timed(command(sink, count))
            _check(sink, count)
            return read(finished, count)

        self.contest.senders.append(Sender(name, run))

    @property
    def _material(self) -> Path:
        return self.lab.publication(1, self.articles)

    @contextmanager
    def _here(self, name: str) -> Iterator[None]:
        """Names somebody as left out when something is not here."""
        try:
            yield
        except NotHereError as problem:
            self.contest.left_out.append((name, str(problem)))


def _check(sink: Sink, messages: int) -> None:
    if sink.messages not in (None, messages):
        raise RuntimeError(f"the sink took {sink.messages} messages of {messages}")


def _whole(finished: Finished, count: int) -> Values:
    """Of a program that tells nothing: all its time."""
    return {RATE: count / finished.seconds, "cpu": finished.cpu / count * 1000, "seconds": finished.seconds}


def _told(finished: Finished, _count: int) -> Values:
    """Of a program that tells."""
    return _values(finished.data)


def _values(data: dict[str, Any]) -> dict[str, float]:
    count, seconds = data["messages"], data["seconds"]
    return {RATE: count / seconds, "cpu": data["cpu"] / count * 1000, "seconds": seconds}
