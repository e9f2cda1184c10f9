"""Stands before every page: who may ask, what every answer carries, and what is said when something breaks.

Security headers go on all answers alike, errors included; a page that needs others sets its own, and those
stay. Pages about a person (their address holds a token) are neither stored nor indexed, nor named to other
sites. HSTS is the business of whatever terminates TLS in front.

While the inbox is shown, only requests for the site's own host or this machine's names are answered: a page
elsewhere whose name is made to point at 127.0.0.1 (DNS rebinding) could read the mail otherwise.
"""

import logging
import re
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest_mailer.web.pages import CONTENT_POLICY, PRIVATE_AREAS, Pages

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(?::[0-9]{0,5})?")  # RFC 9110 section 7.2
_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
_PRIVATE = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}

logger = logging.getLogger(__name__)


def trusted_hosts(base_url: str) -> frozenset[str]:
    """The names that a request may be for while the inbox is shown."""
    return LOOPBACK | {(urlsplit(base_url).hostname or "").lower()}


def asked_host(headers: Headers) -> str:
    """The name that a request is for, without its port; empty when it can be none."""
    found = _HOST.fullmatch(headers.get("host", ""))
    return found[1].strip("[]").rstrip(".").lower() if found else ""


class Doorman:
    """ASGI middleware around the whole site. `hosts` is None where every host may ask."""

    def __init__(self, app: ASGIApp, pages: Pages, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._pages = pages
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = self._inside(scope)
        area = scope["path"].removeprefix(self._pages.site).split("/")[1:2]
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(MutableHeaders(scope=message), private=bool(area) and area[0] in PRIVATE_AREAS)
            await send(message)

        try:
            if self._is_welcome(scope):
                await self._app(scope, receive, send_on)
            else:
                await self._say(421, scope, receive, send_on)
        except ClientDisconnect:
            return  # nobody is there to answer
        except Exception as problem:
            if started:
                raise
            # the path may hold a token and the error an address, so neither is logged
            trace = logger.isEnabledFor(logging.DEBUG)
            logger.log(logging.ERROR, "a request failed: %s", type(problem).__name__, exc_info=trace)
            await self._say(500, scope, receive, send_on)

    def _inside(self, scope: Scope) -> Scope:
        """The request with the base address's own path set apart, whether or not a proxy has cut it off."""
        site = self._pages.site
        within = site and (scope["path"] + "/").startswith(site + "/")
        return {**scope, "root_path": site} if within else scope

    def _is_welcome(self, scope: Scope) -> bool:
        if self._hosts is None:
            return True
        return asked_host(Headers(scope=scope)) in self._hosts

    async def _say(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        response = await run_in_threadpool(self._pages.problem, status)
        await response(scope, receive, send)


def _add_headers(headers: MutableHeaders, *, private: bool) -> None:
    for name, value in (_ALL | _PRIVATE if private else _ALL).items():
        headers.setdefault(name, value)
