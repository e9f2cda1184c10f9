"""Fetches a document from the public web, for who named its address: a feed, or a reference by its DOI.

Limits hold for the whole: seconds for all redirects together, octets also for what is packed. Each redirect is
judged by itself (`adapters.public_web`). Whatever goes wrong is a DigestError that says what, and what to do.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.cookiejar import CookieJar
from typing import Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, Request

from digest_mailer.adapters.patience import within
from digest_mailer.adapters.public_web import (
    MOST_REDIRECTS,
    REDIRECTS,
    PrivateAddress,
    opener_for,
    target_of,
    wired,
)
from digest_mailer.core.errors import ContentError, DigestError, NothingMatched, TemporaryProblem, UsageError
from digest_mailer.core.fields import clean_text

AGENT = "digest-mailer (drafts; asked for by an author)"
SECONDS = 20.0
MOST_OCTETS = 20 * 1024 * 1024

_CHUNK = 64 * 1024
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_ZIPPED = ("gzip", "x-gzip")


@dataclass(frozen=True, slots=True)
class Document:
    """What an address answered: its content, unpacked, or the word that it has not changed."""

    url: str  # at the end of all redirects
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    unchanged: bool = False


class Headers(Protocol):
    """The headers of a request, which may depend on where a redirect led."""

    def __call__(self, url: str, /) -> Mapping[str, str]:
        """Those of this address."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches. `loopback` lets it ask this machine, for tests."""

    seconds: float = SECONDS
    most_octets: int = MOST_OCTETS
    loopback: bool = False

    def fetch(self, url: str, headers: Headers) -> Document:
        """The document at an address. Raises UsageError for an address that must not be asked, NothingMatched when
        nothing is there, TemporaryProblem when it does not come."""
        try:
            return within(self.seconds, lambda: self._follow(url, headers))
        except TimeoutError as problem:
            what = f"{_named(url)} took longer than {self.seconds:g} seconds"
            raise TemporaryProblem(what, "try again later, or save it to a file and name that") from problem

    def _follow(self, url: str, headers: Headers) -> Document:
        cookies, here = CookieJar(), url
        for _ in range(MOST_REDIRECTS + 1):
            _require_web(here, url)
            try:
                found = self._once(here, headers(here), cookies)
            except DigestError:
                raise
            except (OSError, ValueError, HTTPException, EOFError) as problem:
                raise _trouble(problem, here, url) from problem
            if isinstance(found, Document):
                return found
            here = found
        raise TemporaryProblem(f"{_named(url)} redirects more than {MOST_REDIRECTS} times", "open it in a browser")

    def _once(self, url: str, headers: Mapping[str, str], cookies: CookieJar) -> Document | str:
        """The document, or where to ask instead."""
        opener = opener_for(url, HTTPCookieProcessor(cookies), loopback=self.loopback)
        asked = {"User-Agent": AGENT, "Accept-Encoding": "gzip", **headers}
        request = Request(wired(url), headers=asked)  # noqa: S310 - http and https alone
        try:
            with opener.open(request, timeout=self.seconds) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Document(url, self._content(answer), headers)
        except HTTPError as refusal:
            with refusal:
                location = refusal.headers.get("Location", "")
                if refusal.code in REDIRECTS and location:
                    return target_of(location, url)
                if refusal.code == HTTPStatus.NOT_MODIFIED and any(name.startswith("If-") for name in headers):
                    return Document(url, unchanged=True)
                raise _refused(refusal.code, url) from refusal

    def _content(self, answer: HTTPResponse) -> bytes:
        """The whole of it, unpacked. Raises EOFError when it was cut off."""
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in (*_ZIPPED, "identity", ""):
            raise ValueError(f"it is packed as {encoding[:20]}, which nobody asked for")
        unzip = zlib.decompressobj(wbits=31) if encoding in _ZIPPED else None
        received, parts, size = 0, [], 0
        while octets := answer.read(_CHUNK):
            received += len(octets)
            try:
                part = unzip.decompress(octets, self.most_octets + 1 - size) if unzip else octets
            except zlib.error as problem:
                raise ValueError("it is packed in a way that cannot be unpacked") from problem
            parts.append(part)
            size += len(part)
            if max(size, received) > self.most_octets:
                hint = "a feed need only hold the newest entries; save the part that you need to a file"
                raise ContentError(f"{_named(answer.url)} is larger than {self.most_octets >> 20} MiB", hint)
        if answer.length or (unzip and not unzip.eof):
            raise EOFError(f"it ended after {received:,} octets, before its end")
        return b"".join(parts)


def is_web_address(text: str) -> bool:
    """Whether a text is to be fetched, or else is the name of a file."""
    return text[:8].lower().startswith(("http://", "https://"))


def _require_web(url: str, first: str) -> None:
    """Raises UsageError for an address that cannot be asked."""
    try:
        parts = urlsplit(url)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError as problem:
        raise UsageError(f"{_named(url)} is not a web address", "begin it with https:// and a host") from problem
    if not is_web_address(url) or not host:
        led = "" if url == first else f"{_named(first)} leads to "
        raise UsageError(f"{led}{_named(url)}, which is not a web address", "only http and https are asked")
    if user is not None:
        raise UsageError(f"{host} is named with a user", "save the document to a file and name that")


def _trouble(problem: Exception, url: str, first: str) -> DigestError:
    reason = getattr(problem, "reason", problem)
    words = clean_text(str(reason))[:200] or type(reason).__name__  # a server's words may stand in it
    if isinstance(reason, PrivateAddress):
        led = f"{_named(first)} leads to {_named(url)}" if url != first else _named(url)
        hint = "it is not asked; if you mean it, save it to a file and name that"
        return UsageError(f"{led}, an address within this machine or its network", hint)
    return TemporaryProblem(f"{_named(url)} could not be fetched: {words}", "try again later, or check the address")


def _refused(status: int, url: str) -> DigestError:
    try:
        said = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:  # servers make up numbers
        said = str(status)
    if status in _GONE:
        return NothingMatched(f"there is nothing at {_named(url)}: it answers {said}", "check the address")
    return TemporaryProblem(f"{_named(url)} answers {said}", "try again later, or open it in a browser and save it")


def _named(url: str) -> str:
    """An address as it may be shown: on one line, without a user's password."""
    shown = "".join(char if char.isprintable() else "�" for char in url)
    scheme, slashes, rest = shown.partition("://")
    host, slash, path = rest.partition("/")
    shown = f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"
    return shown if len(shown) <= 120 else f"{shown[:119]}…"
