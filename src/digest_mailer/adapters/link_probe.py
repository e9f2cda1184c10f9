"""Asks web addresses whether they answer, for `lint --online`; `services.link_check` judges what they say.

A polite guest: HEAD, and GET only where HEAD is refused; one request at a time to a host, a second between two,
up to eight hosts at once; answers are kept (`link_cache`). It reads no page, stays on http and https, and asks
nothing of this machine or its network, whatever an issue links to or a server redirects to.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, Request

from digest_mailer.adapters.link_cache import LinkCache
from digest_mailer.adapters.public_web import MOST_REDIRECTS, PERMANENT, REDIRECTS, opener_for, target_of, wired
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer
from digest_mailer.ports import Clock

AGENT = "digest-mailer (link check)"
HOSTS_AT_ONCE = 8
PAUSE = 1.0  # seconds between two requests to a host

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
        cookies = CookieJar()
        here, moved_to, for_good = url, "", True
        for _ in range(MOST_REDIRECTS + 1):
            reply = self._request(cookies, here)
            if reply.status not in REDIRECTS or reply.problem:
                return LinkAnswer(url, reply.status, moved_to, reply.problem)
            here = reply.location
            for_good = for_good and reply.status in PERMANENT
            if for_good and here != url:
                moved_to = here
        return LinkAnswer(url, reply.status, moved_to, f"it redirects more than {MOST_REDIRECTS} times")

    def _request(self, cookies: CookieJar, url: str) -> "_Reply":
        """HEAD, or GET where that is refused: some servers know no HEAD, and then say that nothing is there."""
        reply = self._once(cookies, "HEAD", url)
        refused = reply.status >= HTTPStatus.BAD_REQUEST and reply.status not in _TOO_BUSY
        return self._once(cookies, "GET", url) if refused else reply

    def _once(self, cookies: CookieJar, method: str, url: str) -> "_Reply":
        if not url.startswith(("https://", "http://")):
            return _Reply(problem=f"{url} is not a web address")
        try:
            with self._turns.of(_host(url)):
                opener = opener_for(url, HTTPCookieProcessor(cookies), loopback=self._loopback)
                request = Request(wired(url), method=method, headers={"User-Agent": AGENT, "Accept": "*/*"})  # noqa: S310
                with opener.open(request, timeout=self._timeout) as answer:
                    return _Reply(answer.status)
        except HTTPError as refusal:
            with refusal:
                return _reply_of(refusal, url)
        except (OSError, ValueError, HTTPException) as problem:
            return _Reply(problem=_words(problem))


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


def _reply_of(refusal: HTTPError, url: str) -> _Reply:
    if refusal.code not in REDIRECTS:
        return _Reply(refusal.code)
    location = refusal.headers.get("Location", "")
    if not location:
        return _Reply(refusal.code, problem="it redirects to nowhere")
    return _Reply(refusal.code, target_of(location, url))


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _words(problem: Exception) -> str:
    """Why there is no reply."""
    reason = getattr(problem, "reason", problem)
    if isinstance(reason, socket.gaierror) and reason.errno in _NO_SUCH_NAME:
        return NO_HOST
    return str(reason) or type(reason).__name__
