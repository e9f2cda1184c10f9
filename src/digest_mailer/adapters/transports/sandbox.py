"""The sandbox: a whole SMTP server inside the process, which files what it gets and passes nothing on.

`SandboxTransport` starts one for each delivery, on 127.0.0.1 and a free port, and delivers to it by real SMTP;
`SandboxServer` alone is the server behind the `inbox` command. Nothing can reach people. For a rehearsal the server
misbehaves: `sandbox:?fail=4xx=5%,drop=1%,seed=7`, see `core.rehearsal`. Then the client is impatient, because nobody
wants to rehearse ten minutes of silence.
"""

from pathlib import Path
from urllib.parse import unquote

from digest_mailer.adapters.transports.sandbox_server import HOST, Mischief, SandboxServer
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Timeouts, Tls
from digest_mailer.adapters.transports.waiting import waiting
from digest_mailer.core.delivery import Deferred, Scope
from digest_mailer.core.errors import ConfigError, did_you_mean
from digest_mailer.core.rehearsal import Fault, Faults, parse_faults
from digest_mailer.ports import Work

__all__ = ["Mischief", "SandboxServer", "SandboxTransport", "parse_sandbox"]

_IMPATIENT = Timeouts(connect=5, command=5, final_dot=5)
_SHAPE = "write sandbox: or, for a rehearsal, sandbox:?fail=4xx=5%,drop=1%"


class SandboxTransport:
    """Fulfils `ports.Transport` with a server of its own."""

    def __init__(
        self, maildir: Path, connections: int = 4, faults: Faults | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._maildir = maildir
        self._connections = connections
        self._faults = faults or Faults()
        if self._faults.rate(Fault.TLS):
            raise ConfigError(
                "the fault tls means nothing to sandbox:, which asks itself for no TLS",
                "use it with `digest-mailer inbox --fail tls=100%` and smtp://127.0.0.1:1025?tls=starttls",
            )
        self._mischief = Mischief(self._faults)  # goes on from delivery to delivery
        self._timeouts = timeouts or (_IMPATIENT if self._faults.any else Timeouts())

    @property
    def url(self) -> str:
        return f"sandbox:?fail={self._faults}" if self._faults.any else "sandbox:"

    @property
    def live(self) -> bool:
        return False

    @property
    def connections(self) -> int:
        return self._connections

    async def deliver(self, work: Work) -> None:
        """See `ports.Transport.deliver`."""
        server = SandboxServer(self._maildir, mischief=self._mischief)
        try:
            await server.start()
        except OSError as problem:
            trouble = Deferred(Scope.TRANSPORT, f"the sandbox could not start: {problem.strerror or problem}")
            async for row, _ in waiting(work):
                work.settle(row, trouble)
            return
        settings = SmtpSettings(HOST, server.port, tls=Tls.NONE, connections=self._connections, timeouts=self._timeouts)
        try:
            await SmtpTransport(settings).deliver(work)
        finally:
            await server.stop()


def parse_sandbox(query: str, seed: int) -> Faults | None:
    """What follows `sandbox:` in a URL: nothing, or `?fail=` and faults, whose percent signs may be written as %25.
    `seed` is for faults that name none. Raises ConfigError."""
    if not query:
        return None
    key, _, text = query.removeprefix("?").partition("=")
    if key != "fail":
        raise ConfigError(f"unknown key {key!r} in the transport URL", did_you_mean(key, ["fail"]) or _SHAPE)
    return parse_faults(unquote(text), seed)
