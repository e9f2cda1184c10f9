"""The whole way through a real Postfix and into real Maildirs: STARTTLS, log-in, content, refusals, a sudden end.

What a person has in their Maildir is, behind the trace headers of the servers (RFC 5321 section 4.4), octet for octet
the message that left here.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dkim
import pytest

from command_support import command
from components import require
from core_support import JULY, ROOT
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Timeouts, Tls
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.delivery import HandOff, Outcome
from digest_mailer.core.errors import ConfigError, ExitCode
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.ports import Transport, Work
from digest_mailer.services.send import Ended, Ending
from message_support import run
from postfix_support import PASSWORD, USER, PostOffice, post_office
from publication_support import FixedClock, make_publication
from send_support import keep_one_issue

SERVERS = Timeouts(connect=10, command=10, final_dot=10)
SOMEBODY = "david.cohen@hospital.example.com"
TRACE = {b"return-path", b"delivered-to", b"received"}


def sample_people() -> list[str]:
    """Every address of the sample, whether or not it may get mail."""
    rows = (ROOT / "subscribers.example.csv").read_text("utf-8").splitlines()[1:]
    return sorted({row.partition(",")[0].strip() for row in rows if "@" in row.partition(",")[0]})


@pytest.fixture(scope="module")
def started() -> Iterator[PostOffice]:
    require("postfix")
    with post_office(sample_people()) as office:
        yield office


@pytest.fixture
def office(started: PostOffice) -> Iterator[PostOffice]:
    yield started
    started.forget()


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = make_publication(tmp_path)
    keep_one_issue(made.root)
    return made


class Carbon:
    """A transport that keeps a copy of each message that it passes on."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.url, self.live, self.connections = transport.url, transport.live, transport.connections
        self.copies: dict[str, bytes] = {}
        self._work: Work | None = None

    async def deliver(self, work: Work) -> None:
        self._work = work
        await self._transport.deliver(self)

    def take(self) -> tuple[RowId, Message] | None:
        assert self._work
        if (taken := self._work.take()) is not None:
            self.copies[taken[1].envelope.recipient] = taken[1].content
        return taken

    async def more(self) -> bool:
        assert self._work
        return await self._work.more()

    def begin(self, row: RowId, connection: str = "") -> bool:
        assert self._work
        return self._work.begin(row, connection)

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        assert self._work
        self._work.settle(row, outcome, connection)


def way_to(office: PostOffice, port: str = "scram", password: str = PASSWORD) -> Carbon:
    settings = SmtpSettings("localhost", office.ports[port], USER, password, Tls.STARTTLS, 4, SERVERS)
    return Carbon(SmtpTransport(replace(settings, ca_file=office.authority)))


async def send(app: App, transport: Transport, wait: timedelta = timedelta(0)) -> Ended:
    launcher = app.launcher(app.library)
    launcher.start(launcher.prepare(JULY, EVERYBODY, transport), transport, None)
    return await app.run(transport, lambda _state: None).send(JULY, wait)


def named(app: App, state: HandOff) -> set[str]:
    return {address for address, _ in app.ledger.named(JULY, state)}


def planned(app: App) -> int:
    plan = app.launcher(app.library).plan(app.library.load(JULY), EVERYBODY)
    return plan.people + plan.already


def arrived(office: PostOffice) -> dict[str, bytes]:
    """Each person's one message."""
    mail = office.mail()
    assert {len(messages) for messages in mail.values()} <= {1}
    return {address: messages[0] for address, messages in mail.items()}


def check_octets(delivered: bytes, sent: bytes) -> None:
    assert delivered.endswith(sent)
    trace = re.sub(rb"\r\n[ \t]+", b" ", delivered.removesuffix(sent))
    assert {line.partition(b":")[0].lower() for line in trace.splitlines()} == TRACE


@pytest.mark.parametrize(
    ("port", "method", "carried"),
    [("scram", "SCRAM-SHA-256", "bdat"), ("plain", "PLAIN", "data"), ("login", "LOGIN", "data")],
)
def test_everybody_finds_their_message_in_their_maildir(
    app: App, office: PostOffice, port: str, method: str, carried: str
) -> None:
    before = len(office.log)
    transport = way_to(office, port)
    ended = run(send(app, transport))
    assert (ended.ending, ended.progress[HandOff.ACCEPTED]) == (Ending.COMPLETE, planned(app))
    office.deliver()
    mail = arrived(office)
    assert len(mail) == planned(app) > 20
    assert mail.keys() == {address.lower() for address in named(app, HandOff.ACCEPTED)}
    for address, sent in transport.copies.items():
        check_octets(mail[address.lower()], sent)
    log = office.log[before:]
    log_ins = [line for line in log if "sasl_method=" in line]
    assert len(log_ins) == len(mail)
    assert all(f"sasl_method={method}, sasl_username={USER}" in line for line in log_ins)
    ends = [line for line in log if "disconnect from" in line]
    assert all(re.search(rf" ehlo=2 starttls=1 auth=1 mail=\d+ rcpt=\d+ {carried}=\d+ quit=1 ", line) for line in ends)
    assert 1 <= len(ends) <= transport.connections


def test_another_implementation_verifies_both_signatures_of_what_arrived(app: App, office: PostOffice) -> None:
    root = app.root
    assert command("-C", root, "keys", "dkim", "new").code == ExitCode.DONE
    shown = command("-C", root, "--json", "keys", "dkim", "show").json["keys"]
    records = {f"{row['name']}.".encode(): "".join(row["strings"]).encode() for row in shown}
    app = build_app(root, overrides={"dkim": {"sign": True}}, clock=FixedClock())
    assert run(send(app, way_to(office))).ending is Ending.COMPLETE
    office.deliver()
    mail = arrived(office)
    assert len(mail) == planned(app)
    for content in mail.values():
        assert content.count(b"\r\nDKIM-Signature:") == 2
        signed = dkim.DKIM(content)
        assert [signed.verify(number, lambda name, timeout: records[name]) for number in (0, 1)] == [True, True]


def test_a_wrong_password_is_tried_once_and_nobody_is_skipped(
    app: App, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, known = len(office.log), len(office.dovecot.lines)
    settings = app.root / "digest.toml"
    written = settings.read_text("utf-8").replace("[delivery]\n", f'[delivery]\nca_file = "{office.authority}"\n', 1)
    settings.write_text(written, "utf-8")
    monkeypatch.setenv("DIGEST_DELIVERY__PASSWORD", "another word")
    url = f"smtp://{USER.replace('@', '%40')}@localhost:{office.ports['plain']}?tls=starttls"
    done = command("-C", app.root, "--no-input", "send", JULY, "--transport", url, "--wait", "0")
    assert done.code == ExitCode.TEMPORARY, done.err
    assert "authentication failed" in done.err + done.out
    assert "another word" not in done.err + done.out
    office.dovecot.wait_for_line("ssword mismatch")
    assert len([line for line in office.dovecot.lines[known:] if "ssword mismatch" in line]) == 1
    assert len([line for line in office.log[before:] if "authentication failed" in line]) == 1
    assert app.ledger.progress(JULY)[HandOff.PLANNED] == app.ledger.progress(JULY).total == planned(app)
    assert office.mail() == {}
    assert run(send(app, way_to(office))).progress[HandOff.ACCEPTED] == planned(app)
    office.deliver()
    assert len(arrived(office)) == planned(app)


def test_no_password_is_said_where_there_is_no_tls(app: App, office: PostOffice) -> None:
    before = len(office.log)
    with pytest.raises(ConfigError, match="would show the password"):
        SmtpSettings("localhost", office.ports["bare"], USER, PASSWORD, Tls.NONE)
    ended = run(send(app, way_to(office, "bare")))
    assert (ended.ending, ended.accepted) == (Ending.TROUBLE, 0)
    assert "offers no STARTTLS" in ended.trouble
    office.postfix.wait_for(lambda: any("disconnect from" in line for line in office.log[before:]), "disconnect")
    ends = [line for line in office.log[before:] if "disconnect from" in line]
    assert all(re.search(r"\] ehlo=1 commands=1$", line) for line in ends), ends
    assert app.ledger.progress(JULY)[HandOff.PLANNED] == planned(app)


def test_who_has_no_mailbox_is_refused_and_the_others_get_theirs(app: App) -> None:
    require("postfix")
    with post_office([address for address in sample_people() if address != SOMEBODY]) as office:
        ended = run(send(app, way_to(office)))
        assert ended.ending is Ending.COMPLETE
        ((address, reply),) = app.ledger.named(JULY, HandOff.REFUSED)
        assert address == SOMEBODY
        assert reply == "5.1.1 <(address)>: Recipient address rejected: User unknown in virtual mailbox table"
        office.deliver()
        assert arrived(office).keys() == {one.lower() for one in named(app, HandOff.ACCEPTED)}
        assert len(arrived(office)) == planned(app) - 1


def test_a_postfix_that_is_killed_and_started_again_misses_and_repeats_nobody(app: App) -> None:
    require("postfix")
    with post_office(sample_people()) as office:
        office.kill()
        office.hold()
        office.start()
        transport = way_to(office)
        launcher = app.launcher(app.library)
        launcher.start(launcher.prepare(JULY, EVERYBODY, transport), transport, None)
        accepted = 0

        def kill_at_ten(state: HandOff) -> None:
            nonlocal accepted
            accepted += state is HandOff.ACCEPTED
            if accepted == 10 and state is HandOff.ACCEPTED:
                office.kill()

        first = run(app.run(transport, kill_at_ten).send(JULY, timedelta(0)))
        assert first.ending is Ending.TROUBLE
        unknown = named(app, HandOff.UNKNOWN)
        assert 10 <= first.accepted < planned(app)
        assert len(unknown) <= transport.connections
        assert first.progress.total == planned(app)
        office.hold("")
        office.start()
        ended = run(send(app, transport))
        office.deliver()
        mail = arrived(office)
    assert ended.ending is Ending.COMPLETE
    assert named(app, HandOff.UNKNOWN) == unknown
    believed = {address.lower() for address in named(app, HandOff.ACCEPTED)}
    assert believed <= mail.keys() <= believed | {address.lower() for address in unknown}
    assert len(believed) + len(unknown) == planned(app)
