"""How an SMTP server is reached: the settings, and the URL that people write them in.

`smtp://user@host:port?tls=starttls|implicit|none&connections=N&auth=xoauth2`. The password never stands in a URL,
because URLs end up in shell histories, process lists and logs; it comes from a secret file or the environment.
With `auth=xoauth2` it is an access token. Certificates are always verified. Plain text is for loopback servers
only, and no password travels in it.
"""

import re
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from digest_mailer.core.errors import ConfigError, did_you_mean
from digest_mailer.core.identity import is_control

_HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MAX_CONNECTIONS = 100
_Choice = TypeVar("_Choice", bound=StrEnum)
_SHAPE = "write it as smtp://user@host:port?tls=starttls, tls=implicit or, for this computer only, tls=none"


class Tls(StrEnum):
    """How the connection is protected."""

    STARTTLS = "starttls"  # required, never opportunistic (RFC 3207)
    IMPLICIT = "implicit"  # from the first octet (RFC 8314 section 3.3)
    NONE = "none"  # loopback only


class Auth(StrEnum):
    """What the password is."""

    PASSWORD = "password"  # noqa: S105 - the best way to prove it that both know
    XOAUTH2 = "xoauth2"  # an access token


_PORTS = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait (RFC 5321 section 4.5.3.2)."""

    connect: float = 30  # the TCP connection, TLS from its start, and the greeting
    command: float = 300  # the reply to each command
    final_dot: float = 600  # the body and the reply to it; a shorter one makes needless unknowns

    @property
    def pulse(self) -> float:
        """How often to look whether one has passed."""
        return min(1.0, self.command / 4, self.final_dot / 4)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One submission server and one account. Raises ConfigError when the parts do not go together."""

    host: str
    port: int
    username: str = field(default="", repr=False)  # with some providers the user name is the secret itself
    password: str = field(default="", repr=False)
    tls: Tls = Tls.STARTTLS
    connections: int = 4
    timeouts: Timeouts = Timeouts()
    local_hostname: str = ""  # said in EHLO; empty: our address literal (RFC 5321 section 4.1.4)
    ca_file: Path | None = None  # trust these certificates instead of the system's
    auth: Auth = Auth.PASSWORD
    max_messages: int = 100  # on one connection; a relay on this computer profits from more
    max_age: float = 300.0  # seconds until a connection is replaced

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= _MAX_CONNECTIONS:
            raise ConfigError(f"{self.connections} connections to an SMTP server", f"give 1 to {_MAX_CONNECTIONS}")
        if self.max_messages < 1:
            raise ConfigError("no message may go over an SMTP connection", "give max_messages of 1 or more")
        if any(is_control(char) or char.isspace() for char in self.local_hostname) or not self.local_hostname.isascii():
            raise ConfigError("the local host name holds a character that EHLO cannot carry", "correct it")
        if self.tls is Tls.NONE and not self.loopback:
            raise ConfigError(
                f"tls=none to {self.host} would send mail unprotected over the network",
                "use tls=starttls or tls=implicit; tls=none is for this computer only",
            )
        if self.tls is Tls.NONE and self.username:
            raise ConfigError("a log-in without TLS would show the password", "use tls=starttls or tls=implicit")

    @property
    def loopback(self) -> bool:
        """Whether the server is this computer, so that nothing leaves it by itself."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The server and the protection; no account, no secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"smtp://{host}:{self.port}?tls={self.tls}"

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that verifies certificate and host name; None for plain text."""
        if self.tls is Tls.NONE:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as problem:
            raise ConfigError(f"{self.ca_file} holds no readable certificates", "give a file in PEM form") from problem


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 (RFC 6890) or localhost (RFC 6761 section 6.3)."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_smtp_url(
    url: str,
    *,
    default_connections: int = 4,
    password: str = "",
    ca_file: Path | None = None,
    local_hostname: str = "",
    timeouts: Timeouts | None = None,
) -> SmtpSettings:
    """Read an `smtp:` URL; what is not in it comes from the other arguments. Raises ConfigError."""
    parts = _split(url)
    host = parts.hostname or ""
    query = _query(parts.query)
    tls = _choice(Tls, "tls", query["tls"]) if "tls" in query else Tls.NONE if is_loopback(host) else Tls.STARTTLS
    return SmtpSettings(
        host=host,
        port=_port(parts) or _PORTS[tls],
        username=unquote(parts.username or ""),
        password=password,
        tls=tls,
        connections=_count(query["connections"]) if "connections" in query else default_connections,
        timeouts=timeouts or Timeouts(),
        local_hostname=local_hostname,
        ca_file=ca_file,
        auth=_choice(Auth, "auth", query["auth"]) if "auth" in query else Auth.PASSWORD,
    )


def _split(url: str) -> SplitResult:
    """The parts of the URL. No message quotes it whole: a password may stand in it."""
    if any(is_control(char) or char.isspace() for char in url):
        raise ConfigError("the transport URL holds a space or control character", _SHAPE)
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may quote the password
        raise ConfigError("the transport URL cannot be read", _SHAPE) from None
    if parts.password is not None:
        raise ConfigError(
            "the transport URL holds a password",
            "take it out of the URL and give it in a secret file or in the environment",
        )
    if parts.scheme != "smtp":
        raise ConfigError("the transport URL does not begin with smtp://", _SHAPE)
    if not parts.hostname or not _is_host(parts.hostname):
        raise ConfigError("the transport URL names no host, or not in ASCII letters, digits and dots", _SHAPE)
    if parts.path not in ("", "/") or parts.fragment:
        raise ConfigError("the transport URL has a path or fragment, which mean nothing for SMTP", _SHAPE)
    return parts


def _is_host(host: str) -> bool:
    """An address, or labels that DNS can carry (RFC 1035 section 2.3.4)."""
    try:
        ip_address(host)
    except ValueError:
        return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))
    return True


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ConfigError("the port in the transport URL is not a number from 1 to 65535", _SHAPE)
    return port


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    except ValueError:
        raise ConfigError("what follows the ? in the transport URL is not key=value&key=value", _SHAPE) from None
    known = ("tls", "connections", "auth")
    for key, _ in pairs:
        if key not in known:
            raise ConfigError(f"unknown key {key!r} in the transport URL", did_you_mean(key, known) or _SHAPE)
    if len(pairs) != len(dict(pairs)):
        raise ConfigError("a key stands twice in the transport URL", "keep one of them")
    return dict(pairs)


def _choice(kind: type[_Choice], key: str, text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(
            f"unknown {key}={text!r} in the transport URL", did_you_mean(text, list(kind)) or _SHAPE
        ) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(f"connections={text!r} in the transport URL is not a number", _SHAPE)
    return int(text)
