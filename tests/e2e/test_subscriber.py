"""A subscriber: the link in the mail, followed to a running server, and the next issue that stays away."""

import mailbox
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from command_support import command, process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's publication, with July sent."""
    folder = tmp_path_factory.mktemp("subscriber") / "demo"
    assert process("demo", folder, "--no-serve").code == 0
    return folder


@pytest.fixture(scope="module")
def site(publication: Path) -> Iterator[str]:
    """The address of `serve`, as a process of its own; it is up when it says where it listens."""
    port = _free_port()
    words = [sys.executable, "-m", "digest_mailer", "-C", str(publication), "serve", "--port", str(port)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as server:
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_until_it_answers(base, server)
            yield base
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=30)
    assert server.returncode == 0


def _wait_until_it_answers(base: str, server: "subprocess.Popen[bytes]") -> None:
    """Connect again until the server listens; it ends by itself when it cannot."""
    for _ in range(100_000):
        if server.poll() is not None:
            pytest.fail(f"serve ended with {server.returncode}")
        try:
            with urllib.request.urlopen(base, timeout=30):
                return
        except OSError:
            continue
    pytest.fail("serve does not answer")


def _mail(publication: Path, address: str) -> EmailMessage:
    inbox = mailbox.Maildir(publication / ".digest" / "sandbox", create=False)
    for key in inbox.keys():  # noqa: SIM118 - a Maildir iterates over messages
        message = BytesParser(policy=policy.default).parsebytes(inbox.get_bytes(key))
        if address in message["To"]:
            return message
    pytest.fail(f"no mail to {address}")


def _link(publication: Path, site: str, address: str) -> str:
    """The one-click address of that person's mail, at the server of this test."""
    header = str(_mail(publication, address)["List-Unsubscribe"])
    return site + "/u/" + header.strip("<>").rpartition("/u/")[2]


def _state(publication: Path, address: str) -> str:
    return str(command("-C", publication, "--json", "subscribers", "show", address).json["state"])


def test_looking_at_the_link_changes_nothing(publication: Path, site: str) -> None:
    link = _link(publication, site, "david.cohen@hospital.example.com")
    for _ in range(5):
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert (answer.status, b"<form" in answer.read()) == (200, True)
    assert _state(publication, "david.cohen@hospital.example.com") == "active"


def test_one_click_ends_the_subscription_for_good(publication: Path, site: str) -> None:
    address = "amelie.tremblay@clinic.example.org"
    link = _link(publication, site, address)
    for _ in range(2):
        with urllib.request.urlopen(link, data=b"List-Unsubscribe=One-Click", timeout=30) as answer:
            assert answer.status == 200
    shown = command("-C", publication, "--json", "subscribers", "show", address).json
    assert [move["reason"] for move in shown["history"]] == ["subscribers.example.csv", "one-click"]
    assert (publication / ".digest" / "departures.jsonl").read_text().count("one-click") == 1
    assert command("-C", publication, "approve", "2023-06").code == 0
    assert command("-C", publication, "send", "2023-06").code == 0
    inbox = mailbox.Maildir(publication / ".digest" / "sandbox", create=False)
    june = [m for m in map(inbox.get_bytes, inbox.keys()) if b"\r\nFeedback-ID: 2023-06:" in m]
    assert june
    assert not [m for m in june if address.encode() in m]


def test_every_link_of_a_mail_leads_somewhere(publication: Path, site: str) -> None:
    """Each of the publication's own addresses in the text part answers with a page."""
    message = _mail(publication, "david.cohen@hospital.example.com")
    text = message.get_body(("plain",))
    assert text is not None
    base = message["List-Unsubscribe"].strip("<>").partition("/u/")[0]
    own = sorted({line for line in text.get_content().split() if line.startswith(base)})
    assert len(own) > 10
    for link in own:
        with urllib.request.urlopen(link.replace(base, site), timeout=30) as answer:
            assert answer.status == 200, link
