"""How long somebody waits for the question whether it was they who signed up: alone, and while a mailing is sent.

    python benchmarks/letters.py [--people N] [--letters N]

The real `serve` and the real sender, on one publication and its database. A form is posted to the sign-up page about
twice a second; the time runs from there until a server has taken the whole letter. The mailing goes to the fast sink,
the letters to a server of their own, so that nothing but the lane of letters is in their way. Each form comes from
another network, because strangers of one network are rationed.
"""

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from aiosmtpd.controller import Controller
from lab import Lab
from processes import environment, python, start, wait
from sinks import HOST, await_port, fast_sink

_PEOPLE, _LETTERS = 1_000_000, 100
_BETWEEN = 0.5  # seconds between two forms
_PATIENCE = 60.0  # seconds for a letter, and for the site to start
_STAMP = re.compile(r'name="at" value="([^"]+)"')
_TRAP = 2.5  # seconds that the sign-up page wants a person to take


class _Letters:
    """A server that notes when each address got its letter."""

    def __init__(self) -> None:
        self._arrived: dict[str, float] = {}
        self._changed = threading.Condition()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """All of a letter is there."""
        now = time.monotonic()
        with self._changed:
            self._arrived.update(dict.fromkeys(envelope.rcpt_tos, now))
            self._changed.notify_all()
        return "250 2.0.0 taken"

    def when(self, address: str) -> float:
        """When it came. Raises RuntimeError when it does not."""
        with self._changed:
            if not self._changed.wait_for(lambda: address in self._arrived, _PATIENCE):
                raise RuntimeError("a letter did not come")
            return self._arrived[address]


class _Stranger:
    """Signs up, each time as somebody else from elsewhere."""

    def __init__(self, site: str, letters: _Letters) -> None:
        self._page, self._letters, self._number = f"{site}/subscribe/", letters, 0
        with urlopen(self._page) as page:  # noqa: S310 - our own
            stamped = _STAMP.search(page.read().decode())
        if not stamped:
            raise RuntimeError("the sign-up page has no form")
        self._stamp = stamped[1]
        time.sleep(_TRAP)

    def wait(self) -> float:
        """Sign up; answers after how many seconds the letter was there."""
        self._number += 1
        address = f"stranger{self._number}@office{self._number % 40}.example.org"
        form = urlencode({"email": address, "scope": "all", "at": self._stamp}).encode()
        network = f"10.{self._number // 250}.{self._number % 250}.9"
        begun = time.monotonic()
        with urlopen(Request(self._page, form, {"X-Forwarded-For": network})) as answer:  # noqa: S310
            answer.read()
        return self._letters.when(address) - begun


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="How long a confirmation letter takes.")
    parser.add_argument("--people", type=int, default=_PEOPLE, help=f"of the mailing ({_PEOPLE})")
    parser.add_argument("--letters", type=int, default=_LETTERS, help=f"how many alone, and at least ({_LETTERS})")
    options = parser.parse_args()
    lab, letters = Lab(), _Letters()
    with lab.copy(options.people) as root, _server(letters) as port, _site(root, port) as site, fast_sink(lab) as sink:
        stranger = _Stranger(site, letters)
        alone = [_one(stranger) for _ in range(options.letters)]
        url = f"{sink.url}&connections={lab.connections}"
        sender = start(python("sender", root, url, "--loop", "uvloop"), environment(), stdout=subprocess.DEVNULL)
        begun, meanwhile = time.monotonic(), []
        while os.waitid(os.P_PID, sender.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            meanwhile.append(_one(stranger))
        taken = time.monotonic() - begun
        wait(sender)
    sys.stdout.write(
        "| confirmation letters | number | median ms | p95 ms | longest ms |\n| --- | --: | --: | --: | --: |\n"
    )
    sys.stdout.write(_row("alone", alone) + _row(f"while {options.people:,} people are sent to", meanwhile))
    sys.stdout.write(f"\nThe mailing took {taken:.0f} s: {options.people / taken:,.0f} messages a second.\n")


def _one(stranger: _Stranger) -> float:
    waited = stranger.wait()
    time.sleep(max(0.0, _BETWEEN - waited))
    return waited


def _row(name: str, waits: list[float]) -> str:
    ordered = sorted(waits)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    figures = (statistics.median(ordered), p95, ordered[-1])
    return f"| {name} | {len(ordered)} | " + " | ".join(f"{one * 1000:.0f}" for one in figures) + " |\n"


@contextmanager
def _server(letters: _Letters) -> Iterator[int]:
    """The server of the letters; its port."""
    controller = Controller(letters, hostname=HOST, port=free_port())
    controller.start()
    try:
        yield int(controller.port)
    finally:
        controller.stop()


@contextmanager
def _site(root: Path, letters: int) -> Iterator[str]:
    """`serve`, with its letters to this port; its address."""
    port = free_port()
    more = {"DIGEST_DELIVERY__TRANSPORT": f"smtp://{HOST}:{letters}?tls=none"}
    command = [sys.executable, "-m", "digest_mailer", "-q", "-C", str(root), "serve", "--port", str(port)]
    process = start(command, environment(**more), subprocess.DEVNULL, subprocess.DEVNULL)
    try:
        await_port(port)
        yield f"http://{HOST}:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
