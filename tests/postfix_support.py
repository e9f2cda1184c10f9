"""A mail server as people run it, on loopback and in a directory of its own: Postfix takes mail, Dovecot keeps it.

Postfix listens on four ports, which differ in what they let a client do; log-ins are checked by Dovecot (SASL), and
whatever is taken goes to Dovecot by LMTP, into a Maildir a person. There is no delivery agent that could pass anything
on: other domains end in an error. Both log to a pipe, so a test waits for a line of the log and never for a time, and
the end of the pipe says that no process is left. Postfix wants to be started as root.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from components import COMPONENTS, Component, program

USER, PASSWORD = "news@digest.example.org", "a word that nobody guesses"
PATIENCE = 30.0  # seconds for any step; a machine that is busy needs some
_ADMINISTRATORS = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"

# What each port offers: the way to log in, and how messages may be carried.
PORTS: Mapping[str, Sequence[str]] = {
    "scram": ("smtpd_sasl_mechanism_filter=scram-sha-256",),
    "plain": ("smtpd_sasl_mechanism_filter=plain", "smtpd_discard_ehlo_keywords=chunking"),
    "login": ("smtpd_sasl_mechanism_filter=login", "smtpd_discard_ehlo_keywords=chunking,pipelining"),
    "bare": ("smtpd_tls_security_level=none", "smtpd_tls_auth_only=no"),  # asks for passwords in plain text
}

_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = /dev/stdout
myhostname = relay.example.net
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtputf8_enable = no
alias_maps =
local_recipient_maps =
fast_flush_domains =
lmtp_connection_cache_on_demand = no
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
default_transport = error:5.1.2 nothing leaves this machine
local_transport = $default_transport
relay_transport = $default_transport
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{home}/people
virtual_transport = lmtp:unix:{home}/lmtp
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {home}/sasl
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {home}/server.pem
"""
_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n - 1 tlsmgr
anvil unix - - n - 1 anvil
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
postlog unix-dgram n - n - 1 postlogd
"""
_DOVECOT = """\
base_dir = {home}/dovecot
log_path = /dev/stderr
protocols = lmtp
ssl = no
auth_mechanisms = scram-sha-256 plain login
auth_verbose = yes
auth_failure_delay = 0
recipient_delimiter =
first_valid_uid = 1
mail_location = maildir:{home}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/passwords
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={home}/mail allow_all_users=yes
}}
service auth {{
  unix_listener {home}/sasl {{
    mode = 0600
    user = postfix
  }}
}}
service lmtp {{
  unix_listener {home}/lmtp {{
    mode = 0600
    user = postfix
  }}
}}
"""


def _present() -> bool:
    programs = all(shutil.which(name, path=_ADMINISTRATORS) for name in ("postfix", "dovecot"))
    return programs and Path("/usr/lib/dovecot/lmtp").exists() and os.geteuid() == 0


COMPONENTS.setdefault("postfix", Component(_present, "as root: apt install postfix dovecot-lmtpd"))


class Daemon:
    """A program in the foreground, and every line that it and its children say."""

    def __init__(self, *command: str) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_for(self, there: Callable[[], bool], what: str) -> None:
        """Until it holds; looked at whenever a line was said."""
        with self._news:
            self._news.wait_for(lambda: there() or self._ended, PATIENCE)
            assert there(), f"{what}: " + "\n".join(self.lines[-40:])

    def wait_for_line(self, part: str) -> None:
        self.wait_for(lambda: any(part in line for line in self.lines), part)

    @property
    def pid(self) -> int:
        return self._process.pid

    def join(self) -> None:
        """Until no process is left that could say anything."""
        try:
            self._process.wait(PATIENCE)
            self._listener.join(PATIENCE)
            assert not self._listener.is_alive(), "a process is left"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@dataclass
class PostOffice:
    """The two of them. `start` after `kill` finds the queue as it was."""

    home: Path
    ports: Mapping[str, int]
    authority: Path
    logged: list[str] = field(default_factory=list)  # by Postfix, before it was started last

    def open(self) -> None:
        self.dovecot = Daemon(program("dovecot"), "-F", "-c", str(self.home / "dovecot.conf"))
        self.dovecot.wait_for_line("starting up")
        self.start()

    def start(self) -> None:
        """Postfix, until it listens."""
        self.postfix = Daemon(program("postfix"), "-c", str(self.home / "postfix"), "start-fg")
        self.postfix.wait_for_line("daemon started")

    def kill(self) -> None:
        """Postfix, every process of it at once and without a word."""
        os.killpg(self._master(), signal.SIGKILL)
        self._pid_file.unlink()  # its number may soon be another's
        self.postfix.join()
        self.logged += self.postfix.lines
        (self.home / "queue" / "quick-start").touch()  # without looking at all directories again

    def close(self) -> None:
        """Both, and nothing of them is left."""
        try:
            os.kill(self._master(), signal.SIGTERM)
            self.postfix.join()
        finally:
            os.kill(self.dovecot.pid, signal.SIGTERM)
            self.dovecot.join()
        for port in self.ports.values():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, port

    def _master(self) -> int:
        """Postfix's first process, which leads a session and a group of its own."""
        return int(self._pid_file.read_text())

    @property
    def _pid_file(self) -> Path:
        return self.home / "queue" / "pid" / "master.pid"

    @property
    def log(self) -> list[str]:
        """What Postfix has said."""
        return [*self.logged, *self.postfix.lines]

    def hold(self, held: str = "lmtp") -> None:
        """Before `start`: keep what is taken, or with nothing named let it go. A Postfix that is killed while it
        delivers may deliver again."""
        with (self.home / "postfix" / "main.cf").open("a") as settings:
            settings.write(f"defer_transports = {held}\n")

    def deliver(self) -> None:
        """Wait until everything that Postfix has taken is with Dovecot."""
        self.postfix.wait_for(self._empty, "the queue is empty")

    def _empty(self) -> bool:
        queues = [self.home / "queue" / name for name in ("incoming", "active", "deferred")]
        return not any(_is_message(path) for queue in queues for path in queue.rglob("*"))

    def mail(self) -> dict[str, list[bytes]]:
        """What lies in each person's Maildir, by address, with the line ends of SMTP."""
        found: dict[str, list[bytes]] = {}
        for path in (self.home / "mail").glob("*/*/*"):
            if path.parent.name in ("new", "cur"):
                found.setdefault(path.parts[-3], []).append(path.read_bytes().replace(b"\n", b"\r\n"))
        return found

    def forget(self) -> None:
        """Throw away all mail."""
        for path in (self.home / "mail").iterdir():
            shutil.rmtree(path)


def _is_message(path: Path) -> bool:
    """Postfix makes a file executable when it has all of the message; before, nobody was told that it is taken."""
    try:
        found = path.stat()
    except FileNotFoundError:  # it has just moved on
        return False
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IXUSR)


@contextmanager
def post_office(people: Collection[str]) -> Iterator[PostOffice]:
    """One with mailboxes for these people."""
    home = Path(tempfile.mkdtemp(prefix="digest-mailer-post-"))
    try:
        office = _furnish(home, people)
        try:
            office.open()
            yield office
        finally:
            office.close()
    finally:
        shutil.rmtree(home)


def _furnish(home: Path, people: Collection[str]) -> PostOffice:
    home.chmod(0o711)  # the daemons have users of their own
    for name in ("postfix", "queue", "data", "mail"):
        (home / name).mkdir()
    shutil.chown(home / "data", "postfix")
    shutil.chown(home / "mail", "mail", "mail")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(home / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(home / "server.pem")
    domains = ", ".join(sorted({address.rpartition("@")[2] for address in people}))
    ports = _free_ports()
    master = "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(f"  -o {{ {option} }}\n" for option in PORTS[name])
        for name, port in ports.items()
    )
    (home / "postfix" / "main.cf").write_text(_MAIN.format(home=home, domains=domains))
    (home / "postfix" / "master.cf").write_text(master + _SERVICES)
    (home / "people").write_text("".join(f"{address} there\n" for address in people))
    (home / "dovecot.conf").write_text(_DOVECOT.format(home=home))
    (home / "passwords").write_text(f"{USER}:{PASSWORD}\n")
    (home / "passwords").chmod(0o644)
    return PostOffice(home, ports, home / "ca.pem")


def _free_ports() -> dict[str, int]:
    taken = {name: socket.create_server(("127.0.0.1", 0)) for name in PORTS}
    ports = {name: one.getsockname()[1] for name, one in taken.items()}
    for one in taken.values():
        one.close()
    return ports
