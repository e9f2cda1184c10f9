"""The way out: `/u/TOKEN` to leave, `/p/TOKEN` to see what one follows.

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
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.token import Scope, sign
from digest_mailer.core.urls import unsubscribe_url
from digest_mailer.web.forms import is_one_click, read_body
from digest_mailer.web.pages import Pages

ONE_CLICK_REASON = "one-click"
PAGE_REASON = "unsubscribe page"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The pages of a reader's own links."""

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
            return await run_in_threadpool(self._ask, text)
        body = await read_body(request)
        reason = ONE_CLICK_REASON if await is_one_click(request, body) else PAGE_REASON
        return await run_in_threadpool(self._leave, text, reason)

    def preferences(self, request: Request) -> Response:
        """`/p/TOKEN`: what the person follows, and the way out."""
        found = self.app.subscriptions.by_token(request.path_params["token"], Scope.PREFERENCES)
        if not found:
            return self._no_such_link()
        token, person = found
        keys = self.app.secrets.keys.tokens
        leave = sign(Scope.UNSUBSCRIBE, person.id, token.issue, person.generation, keys)
        topics = self.app.files.vocabulary().catalogue.in_words(person.topics)
        values = {"all_topics": person.all_topics, "topics": topics}
        return self.pages.show("preferences", {**values, **self._way_out(person, leave)})

    def _ask(self, text: str) -> Response:
        found = self.app.subscriptions.by_token(text, Scope.UNSUBSCRIBE)
        if not found:
            return self._no_such_link()
        return self.pages.show("leave", self._way_out(found[1], text))

    def _leave(self, text: str, reason: str) -> Response:
        subscriptions = self.app.subscriptions
        found = subscriptions.by_token(text, Scope.UNSUBSCRIBE)
        if not found:
            return self._no_such_link()
        token, person = found
        if subscriptions.leave(person, reason, token):
            logger.info("somebody left (%s)", reason)
        publication = self.app.publication
        sentences = (
            f"{masked(person.address)} gets no more mail from {publication.name}. This holds from now on.",
            f"If that was a mistake, write to {publication.contact}.",
        )
        return self.pages.notice(200, "You are unsubscribed", sentences)

    def _way_out(self, person: Subscriber, token: str) -> dict[str, object]:
        return {
            "who": masked(person.address),
            "left": person.state is State.UNSUBSCRIBED,
            "action": unsubscribe_url(self.pages.site, token),
        }

    def _no_such_link(self) -> Response:
        contact = self.app.publication.contact
        sentences = (
            "The link may have been cut off on its way here, or it is no longer good. Nothing was changed.",
            f"To leave or to change what you get, write to {contact} from the address that the mail came to: "
            "a person will do it for you.",
        )
        return self.pages.notice(404, "This link does not work", sentences)


def masked(address: EmailAddress) -> str:
    """An address as its owner recognises it and nobody else can use it: `a…@clinic.example.org`."""
    local, _, domain = address.typed.rpartition("@")
    return f"{local[0]}…@{domain}"
