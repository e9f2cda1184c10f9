"""The way out: `/u/TOKEN` to leave.

Looking changes nothing: scanners fetch every link of a mail, so GET and HEAD only show a page with a button,
and POST acts (RFC 8058 section 3.2). The POST asks for no cookie, no log-in and no particular body, is never
redirected, and may come twice. When the answer is sent, the departure is on disk. Every link that is not
genuine gets the same answer, whether or not anybody exists.
"""

import logging
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from digest_mailer.bootstrap import App
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import has_left
from digest_mailer.core.token import Scope
from digest_mailer.core.urls import links_url, sign_up_url, unsubscribe_url
from digest_mailer.web.forms import is_one_click, read_body
from digest_mailer.web.pages import Pages

ONE_CLICK_REASON = "one-click"
PAGE_REASON = "unsubscribe page"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The page to leave on."""

    app: App
    pages: Pages

    def __post_init__(self) -> None:
        # Opens the database and the keys now: what is wrong with them is said when the site starts. Each request
        # asks again, because a new key may sign links while this runs.
        _ = self.app.subscriptions

    async def leave(self, request: Request) -> Response:
        """`/u/TOKEN`: GET asks, POST acts."""
        text = request.path_params["token"]
        if request.method != "POST":
            return await run_in_threadpool(self._ask, request, text)
        body = await read_body(request)
        reason = ONE_CLICK_REASON if await is_one_click(request, body) else PAGE_REASON
        return await run_in_threadpool(self._leave, request, text, reason)

    def _ask(self, request: Request, text: str) -> Response:
        found = self.app.subscriptions.by_token(text, Scope.UNSUBSCRIBE)
        if not found:
            return no_such_link(self.pages, request)
        person = found[1]
        values = {
            "who": masked(person.address),
            "left": has_left(person.state),
            "way_out": unsubscribe_url(self.pages.site, text),
            "sign_up": sign_up_url(self.pages.site, self.pages.spoken(person.language)),
        }
        return self.pages.show("leave", values, language=person.language)

    def _leave(self, request: Request, text: str, reason: str) -> Response:
        subscriptions = self.app.subscriptions
        found = subscriptions.by_token(text, Scope.UNSUBSCRIBE)
        if not found:
            return no_such_link(self.pages, request)
        token, person = found
        if subscriptions.leave(person, reason, token):
            logger.info("somebody left (%s)", reason)
        publication, _ = self.app.publication, self.pages.phrases(person.language).gettext
        who = masked(person.address)
        sentences = (
            _("{who} gets no more mail from {publication}. This holds from now on.").format(
                who=who, publication=publication.name
            ),
            _("If that was a mistake, write to {contact}.").format(contact=publication.contact),
        )
        return self.pages.notice(200, _("You are unsubscribed"), sentences, language=person.language)


def no_such_link(pages: Pages, request: Request) -> Response:
    """The same answer to every link that is not genuine, in a language that the browser asks for."""
    return pages.show("no_link", {"action": links_url(pages.site)}, 404, language=pages.wanted_language(request))


def masked(address: EmailAddress) -> str:
    """An address as its owner recognises it and nobody else can use it: `a…@clinic.example.org`."""
    local, _, domain = address.typed.rpartition("@")
    return f"{local[0]}…@{domain}"
