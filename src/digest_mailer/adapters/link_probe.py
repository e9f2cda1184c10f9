"""Asks web addresses whether they answer, for `lint --online`; `services.link_check` judges what they say.

A polite guest: HEAD, and GET only where HEAD is refused; one request at a time to a host, a second between two,
up to eight hosts at once; answers are kept (`link_cache`). It reads no page, stays on http and https, and asks
nothing of this machine or its network, whatever an issue links to or a server redirects to.
"""

import ipaddress
import socket
import string
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urldefrag, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, Request, build_opener

from digest_mailer.adapters.link_cache import LinkCache
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer
from digest_mailer.ports import Clock

AGENT = "digest-mailer (link check)"
HOSTS_AT_ONCE = 8
PAUSE = 1.0  # seconds between two requests to a host
MOST_REDIRECTS = 5

_PERMANENT = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
_REDIRECTS = (*_PERMANENT, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT)
_TOO_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class LinkProbe:
    """Asks, and remembers in the file `cache`. `loopback` lets it ask this machine, for tests."""

    def __init__(
        self,
        cache: Path,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 10,
        loopback: bool = False,
    ) -> None:
        self._cache = LinkCache(cache, clock)
        self._turns = _Turns(clock, sleep)
        self._timeout = timeout
        self._loopback = loopback
        self._stop = threading.Event()

    def __call__(self, urls: Iterable[str]) -> dict[str, LinkAnswer]:
        """The answer of each address. When it is interrupted, the answers so far are kept for the next time."""
        answers = {url: self._cache.get(url) for url in urls}
        by_host: dict[str, list[str]] = {}
        for url in (url for url, answer in answers.items() if not answer):
            by_host.setdefault(_host(url), []).append(url)
        self._stop.clear()
        pool = ThreadPoolExecutor(HOSTS_AT_ONCE, thread_name_prefix="links")
        try:
            fresh = {answer.url: answer for some in pool.map(self._ask_all, by_host.values()) for answer in some}
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            self._cache.save()
        return {url: answer or fresh[url] for url, answer in answers.items()}

    def _ask_all(self, urls: Sequence[str]) -> list[LinkAnswer]:
        """The addresses of one host, one after the other."""
        answers = []
        for url in urls:
            if self._stop.is_set():
                break
            answers.append(self._ask(url))
            self._cache.put(answers[-1])
        return answers

    def _ask(self, url: str) -> LinkAnswer:
        """Follow an address to its end."""
        # Some publishers send whoever brings no cookie back round in a circle.
        opener = build_opener(_NoRedirects, HTTPCookieProcessor())
        here, moved_to, for_good = url, "", True
        for _ in range(MOST_REDIRECTS + 1):
            reply = self._request(opener, here)
            if reply.status not in _REDIRECTS or reply.problem:
                return LinkAnswer(url, reply.status, moved_to, reply.problem)
            here = reply.location
            for_good = for_good and reply.status in _PERMANENT
            if for_good and here != url:
                moved_to = here
        return LinkAnswer(url, reply.status, moved_to, f"it redirects more than {MOST_REDIRECTS} times")

    def _request(self, opener: OpenerDirector, url: str) -> "_Reply":
        """HEAD, or GET where that is refused: some servers know no HEAD, and then say that nothing is there."""
        reply = self._once(opener, "HEAD", url)
        refused = reply.status >= HTTPStatus.BAD_REQUEST and reply.status not in _TOO_BUSY
        return self._once(opener, "GET", url) if refused else reply

    def _once(self, opener: OpenerDirector, method: str, url: str) -> "_Reply":
        if not url.startswith(("https://", "http://")):
            return _Reply(problem=f"{url} is not a web address")
        try:
            with self._turns.of(_host(url)):
                self._refuse_private(url)
                request = Request(_wired(url), method=method, headers={"User-Agent": AGENT, "Accept": "*/*"})  # noqa: S310
                with opener.open(request, timeout=self._timeout) as answer:
                    return _Reply(answer.status)
        except HTTPError as refusal:
            with refusal:
                return _reply_of(refusal, url)
        except (OSError, ValueError, HTTPException) as problem:
            return _Reply(problem=_words(problem))

    def _refuse_private(self, url: str) -> None:
        """Raises OSError for an address of this machine or its network. A proxy looks names up by itself."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
            return
        for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            number = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if not number.is_global and not (self._loopback and number.is_loopback):
                raise OSError("it is an address within this machine or its network; readers cannot reach it")


@dataclass(frozen=True, slots=True)
class _Reply:
    """One reply: a status, for a redirect where to; or why there is none."""

    status: int = 0
    location: str = ""
    problem: str = ""


@dataclass(slots=True)
class _Turn:
    """A host's: held while it is asked."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: datetime | None = None


class _Turns:
    """One request at a time to a host, and a pause between two."""

    def __init__(self, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._hosts: dict[str, _Turn] = {}

    @contextmanager
    def of(self, host: str) -> Iterator[None]:
        """Wait for the host's turn and hold it."""
        with self._lock:
            turn = self._hosts.setdefault(host, _Turn())
        with turn.lock:
            if turn.ended:
                passed = (self._clock.now() - turn.ended).total_seconds()
                if passed < PAUSE:
                    self._sleep(min(PAUSE - passed, PAUSE))  # the clock may have been set back
            try:
                yield
            finally:
                turn.ended = self._clock.now()


class _NoRedirects(HTTPRedirectHandler):
    """Every redirect becomes an HTTPError: each hop waits for its host's turn, and is judged by itself."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _reply_of(refusal: HTTPError, url: str) -> _Reply:
    if refusal.code not in _REDIRECTS:
        return _Reply(refusal.code)
    # Headers are read as Latin-1, whatever they are; percent-encoded, they are the server's own octets again.
    location = quote(refusal.headers.get("Location", ""), safe=string.punctuation, encoding="latin-1")
    if not location:
        return _Reply(refusal.code, problem="it redirects to nowhere")
    target, fragment = urldefrag(urljoin(url, location))
    fragment = fragment or urldefrag(url).fragment  # as browsers do (RFC 9110 section 10.2.2)
    return _Reply(refusal.code, f"{target}#{fragment}" if fragment else target)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _wired(url: str) -> str:
    """The address as it is written on the wire: ASCII, no spaces."""
    parts = urlsplit(url)
    return quote(parts._replace(netloc=parts.netloc.encode("idna").decode()).geturl(), safe=string.punctuation)


def _words(problem: Exception) -> str:
    """Why there is no reply."""
    reason = getattr(problem, "reason", problem)
    if isinstance(reason, socket.gaierror) and reason.errno in _NO_SUCH_NAME:
        return NO_HOST
    return str(reason) or type(reason).__name__
