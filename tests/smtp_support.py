"""An SMTP transport for tests: to which server, how patient, by which way of speaking."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme

from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Timeouts, Tls
from smtp_server import Action, Close, Hang, Partial, Say, ScriptedServer

LONG = Timeouts(connect=5, command=5, final_dot=5)
SHORT = Timeouts(connect=0.2, command=0.2, final_dot=0.2)

# The ways to carry a message, by what the server offers.
MODES: dict[str, tuple[str, ...]] = {
    "pipelined": ("PIPELINING", "ENHANCEDSTATUSCODES"),
    "chunking": ("PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES"),
    "step by step": ("CHUNKING", "ENHANCEDSTATUSCODES"),  # CHUNKING alone changes nothing
}

ACTIONS: dict[str, Action] = {
    "4xx": Say("451 4.3.0 Later"),
    "5xx": Say("554 5.5.0 Never"),
    "421": Close("421 4.3.2 Closing"),
    "close": Close(),
    "hang": Hang(),
    "partial": Partial("250 half a rep"),
    "not SMTP": Say("HTTP/1.1 400 Bad Request"),
    "wrong class": Say("150 Hm"),
}
NO_ANSWER = ("close", "hang", "partial", "not SMTP", "wrong class")


class Authority:
    """A private certificate authority, one server certificate of it, and the file that trusts it."""

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        self.file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.server)


def plain(server: ScriptedServer, timeouts: Timeouts = LONG, connections: int = 1, **more: Any) -> SmtpTransport:
    settings = SmtpSettings("127.0.0.1", server.port, tls=Tls.NONE, connections=connections, timeouts=timeouts)
    return SmtpTransport(replace(settings, **more))


def protected(
    server: ScriptedServer, authority: Authority, password: str = "", tls: Tls = Tls.STARTTLS, **more: Any
) -> SmtpTransport:
    settings = SmtpSettings(
        "localhost", server.port, "news" if password else "", password, tls, 1, LONG, ca_file=authority.file
    )
    return SmtpTransport(replace(settings, **more))


def patience(stage: str, action: Action) -> Timeouts:
    """Short only where the test waits for the time limit: a busy computer must not fail the others."""
    if not isinstance(action, Hang):
        return LONG
    limit = {"greeting": "connect", "dot": "final_dot", "early": "final_dot"}.get(stage, "command")
    return replace(LONG, **{limit: 0.2})
