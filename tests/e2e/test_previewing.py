"""The command that opens the preview: what it prints, what it refuses, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from command_support import command
from digest_mailer.bootstrap import App
from publication_support import ONE_TOPIC, make_publication, person
from site_support import free_port


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


def test_it_says_a_line_for_each_event_and_ends(app: App) -> None:
    port = str(free_port())
    words = ["-C", str(app.root), "--json", "preview", "--no-open", "--port", port, "--as", ONE_TOPIC]
    started = subprocess.Popen(
        [sys.executable, "-m", "digest_mailer", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")},
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stderr is not None
    try:
        serving = json.loads(started.stdout.readline())
        assert serving["event"] == "serving"
        assert serving["issue"] == "2023-07"
        target = f"/admin/issues/2023-07/?as={person(app, ONE_TOPIC).id}"
        assert serving["url"] == f"http://127.0.0.1:{port}{target}"
        assert parse_qs(urlsplit(serving["link"]).query) == {"next": [target]}
        page, cookie = _enter(serving["link"])
        assert ONE_TOPIC in page
        changes = Request(
            f"http://127.0.0.1:{port}/admin/issues/2023-07/changes/",
            headers={"Accept": "text/event-stream", "Cookie": cookie},
        )
        with urlopen(changes, timeout=60) as events:
            first = _data(events)
            path = app.root / "newsletters" / "2023-07.md"
            path.write_text("---\n", "utf-8")
            assert _data(events) != first
            changed = json.loads(started.stdout.readline())
            assert (changed["event"], changed["readable"]) == ("changed", False)
            assert changed["trouble"][0]["path"] == "newsletters/2023-07.md"
            started.send_signal(signal.SIGINT)  # while a page listens
            assert json.loads(started.stdout.readline())["event"] == "ended"
        assert started.wait(60) == 0
    finally:
        started.kill()
        started.communicate()


def _enter(link: str) -> tuple[str, str]:
    """Press the button; the page that it leads to, and the session's cookie."""
    from http.client import HTTPConnection

    parts = urlsplit(link)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    origin = f"{parts.scheme}://{parts.netloc}"
    connection.request("POST", f"{parts.path}?{parts.query}", headers={"Origin": origin, "Content-Length": "0"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.request("GET", answer.getheader("Location") or "", headers={"Cookie": cookie})
    page = connection.getresponse().read().decode()
    connection.close()
    return page, cookie


def _data(events: Any) -> str:
    """The next event's data."""
    while True:
        line = events.readline().decode()
        assert line
        if line.startswith("data:"):
            return str(line)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["2019-01"], 6),
        (["july"], 2),
        (["--as", "nobody@clinic.example.org"], 6),
        (["--segment", "nobody"], 6),
        (["--as", ONE_TOPIC, "--segment", "language:fr"], 2),
    ],
)
def test_what_it_refuses(app: App, words: list[str], code: int) -> None:
    result = command("-C", app.root, "preview", "--no-open", *words)
    assert result.code == code
    assert result.err.startswith(("error:", "Usage"))
