"""One SpamAssassin daemon on loopback, local rules only, spoken to in its own protocol (spamd 1.5).

Loading its rules takes seconds and judging a message a fraction of one, so a run starts it once. It knows no
user's settings, learns nothing and looks nothing up.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components import program

PATIENCE = 60  # seconds for one answer; the first waits until the rules are loaded
_RULE = re.compile(r"^ *(-?\d+(?:\.\d+)?) ([A-Z0-9_]+) ", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a message."""

    spam: bool
    score: float
    rules: dict[str, float]  # those that count for or against it

    @property
    def against(self) -> float:
        """The points that speak against it; those in its favour (a mailing list's headers) do not make up for them."""
        return sum(points for points in self.rules.values() if points > 0)


@dataclass(frozen=True)
class Spamd:
    """A running daemon."""

    port: int

    def judge(self, message: bytes) -> Verdict:
        """The daemon's report on a message."""
        answer = self._ask(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message) + message)
        verdict = re.search(r"^Spam: (True|False) ; (-?[\d.]+) / ", answer, re.MULTILINE)
        assert verdict, answer
        rules = {name: float(points) for points, name in _RULE.findall(answer)}
        return Verdict(verdict[1] == "True", float(verdict[2]), {name: n for name, n in rules.items() if n})

    def ping(self) -> None:
        """Wait until it is ready to judge."""
        assert "PONG" in self._ask(b"PING SPAMC/1.5\r\n\r\n")

    def _ask(self, request: bytes) -> str:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode("utf-8", "replace")


@contextmanager
def running_spamd() -> Iterator[Spamd]:
    """Start it, and stop it with everything that it started."""
    with tempfile.TemporaryDirectory(prefix="digest-mailer-spamd-") as home:
        log = Path(home, "log")
        options = ["--local", "--nouser-config", "--max-children=1", "--cf=use_bayes 0", "--cf=use_auto_whitelist 0"]
        if os.geteuid() == 0:  # it refuses to judge as root
            shutil.chown(home, "nobody")
            options.append("--username=nobody")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        command = [program("spamd"), f"--listen=127.0.0.1:{port}", "--syslog=stderr", *options]
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C"}
        with log.open("wb") as said, subprocess.Popen(command, cwd=home, env=environment, stderr=said) as process:
            try:
                daemon = Spamd(port)
                _wait_for(daemon, process, log)
                yield daemon
            finally:
                process.terminate()


def _wait_for(daemon: Spamd, process: subprocess.Popen[bytes], log: Path) -> None:
    """It listens before it has read its rules, and answers once it has."""
    while True:
        try:
            return daemon.ping()
        except ConnectionRefusedError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"spamd ended: {log.read_text()}") from None
