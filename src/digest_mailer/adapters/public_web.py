"""The way to addresses that others wrote: to the public web, and never into this machine or its network.

Whoever writes an issue or a feed, and whoever a server redirects to, must not make this program ask the machines
around it. So a host's addresses are looked up once, each must be public, and the connection goes to the very
one that was looked at: a name that means another address a moment later leads nowhere else. Redirects are not
followed but handed over, so that each is judged by itself. Where a proxy is set up, it looks names up.
"""

import ipaddress
import socket
import ssl
import string
import urllib.request
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit
from urllib.request import (
    BaseHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

MOST_REDIRECTS = 5
PERMANENT = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
REDIRECTS = (*PERMANENT, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT)


class PrivateAddress(OSError):  # noqa: N818 - it is an answer more than a fault
    """It is an address within this machine or its network."""


def opener_for(url: str, *more: BaseHandler, loopback: bool = False) -> OpenerDirector:
    """Opens an address, and no other than public ones; `loopback` lets it ask this machine, for tests.

    What is opened may raise PrivateAddress, which urllib wraps into a URLError as its reason.
    """
    parts = urlsplit(url)
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.hostname or ""):
        return build_opener(_NoRedirects, *more)
    return build_opener(_NoRedirects, ProxyHandler({}), _Plain(loopback), _Secure(loopback), *more)


def target_of(location: str, url: str) -> str:
    """Where a redirect leads. Headers are read as Latin-1, whatever they are; percent-encoded, they are the server's
    own octets again."""
    target, fragment = urldefrag(urljoin(url, quote(location, safe=string.punctuation, encoding="latin-1")))
    fragment = fragment or urldefrag(url).fragment  # as browsers do (RFC 9110 section 10.2.2)
    return f"{target}#{fragment}" if fragment else target


def wired(url: str) -> str:
    """The address as it is written on the wire: ASCII, no spaces. Raises ValueError when it cannot be."""
    parts = urlsplit(url)
    return quote(parts._replace(netloc=parts.netloc.encode("idna").decode()).geturl(), safe=string.punctuation)


def public_addresses(host: str, port: int | None, *, loopback: bool = False) -> list[tuple[str, int]]:
    """The addresses of a host. Raises PrivateAddress when one of them is not public, OSError when there is none."""
    found = []
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        number = ipaddress.ip_address(str(address[0]).partition("%")[0])
        inner = getattr(number, "ipv4_mapped", None) or number
        if (not inner.is_global or inner.is_multicast) and not (loopback and inner.is_loopback):
            raise PrivateAddress("it is an address within this machine or its network; readers cannot reach it")
        found.append((str(address[0]), int(address[1])))
    return found


def _dial(host: str, port: int, timeout: float | None, *, loopback: bool) -> socket.socket:
    """A connection to one of the addresses that were looked at."""
    problem: OSError | None = None
    for address in public_addresses(host, port, loopback=loopback):
        try:
            return socket.create_connection(address, timeout)
        except OSError as refusal:
            problem = refusal
    raise problem or OSError(f"{host} has no address")


class _PlainConnection(HTTPConnection):
    def __init__(self, *args: Any, loopback: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loopback = loopback

    def connect(self) -> None:
        self.sock = _dial(self.host, self.port, self.timeout, loopback=self._loopback)


class _SecureConnection(HTTPSConnection):
    def __init__(self, *args: Any, loopback: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loopback = loopback

    def connect(self) -> None:
        plain = _dial(self.host, self.port, self.timeout, loopback=self._loopback)
        try:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


class _Plain(HTTPHandler):
    def __init__(self, loopback: bool) -> None:
        super().__init__()
        self._connection = partial(_PlainConnection, loopback=loopback)

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Secure(HTTPSHandler):
    def __init__(self, loopback: bool) -> None:
        super().__init__()
        self._connection = partial(_SecureConnection, loopback=loopback)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _NoRedirects(HTTPRedirectHandler):
    """Every redirect becomes an HTTPError."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
