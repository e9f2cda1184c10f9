"""Servers that take everything and keep nothing, each started for one run and ended after it.

A sink of ours tells at its end how many messages it took, so no run counts in which one was missing.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from processes import find, python, start

HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds for one to listen


@dataclass
class Sink:
    """A running one."""

    port: int
    process: "subprocess.Popen[bytes]"
    certificates: Path | None = None  # to trust; None for plain text
    messages: int | None = None  # when it has ended, unless it does not count

    @property
    def url(self) -> str:
        """As digest-mailer wants it, without the number of connections."""
        return f"smtp://{HOST}:{self.port}?tls={'implicit' if self.certificates else 'none'}"


@contextmanager
def fast_sink(lab: Lab, *options: str) -> Iterator[Sink]:
    """Our own in C; the options are in `sink.c`."""
    process = start([str(lab.sink), *options])
    sink = Sink(int(_line(process)), process)
    with _ended(sink):
        yield sink


@contextmanager
def postfix_sink(_lab: Lab) -> Iterator[Sink]:
    """Postfix's smtp-sink. It does not count."""
    program = find("smtp-sink")
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    root = ["-u", "nobody"] if os.geteuid() == 0 else []  # it will not be root
    sink = Sink(port, start([program, *root, f"{HOST}:{port}", "1000"], stdout=subprocess.DEVNULL))
    with _ended(sink):
        await_port(port)
        yield sink


@contextmanager
def tls_sink(lab: Lab) -> Iterator[Sink]:
    """Ours behind TLS, on uvloop."""
    with lab.scratch() as folder:
        path = folder / "certificates.pem"
        process = start(python("tls_sink", path))
        sink = Sink(int(_line(process)), process, path)
        with _ended(sink):
            yield sink


@contextmanager
def _ended(sink: Sink) -> Iterator[None]:
    """End it, and hear how many it took."""
    try:
        yield
    finally:
        sink.process.send_signal(signal.SIGTERM)
        out, _ = sink.process.communicate()
        words = (out or b"").decode().split()
        if "messages" in words:
            sink.messages = int(words[words.index("messages") + 1])


def _line(process: "subprocess.Popen[bytes]") -> str:
    stream = process.stdout
    line = stream.readline().decode() if stream else ""
    if not line:
        raise RuntimeError("a sink did not start")
    return line


def await_port(port: int) -> None:
    """Wait until something listens there. Raises RuntimeError when nothing does."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError as problem:
            if time.monotonic() > end:
                raise RuntimeError("a server did not start") from problem
            time.sleep(0.05)
        else:
            return
