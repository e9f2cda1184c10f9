"""What is kept of somebody, for themselves: `/d/TOKEN` shows it, `/e/TOKEN` has it forgotten.

Both links come by letter only, are good for two days, and do one thing: whoever holds a mail that was forwarded has
neither. The page of the first shows nothing before its button is pressed, because programs follow the links of mails.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.audit import READER
from digest_mailer.core.token import Scope
from digest_mailer.core.urls import data_url, erase_url
from digest_mailer.web.forms import field, read_form
from digest_mailer.web.leaving import masked, no_such_link
from digest_mailer.web.pages import Pages

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnData:
    """The pages of one's data."""

    app: App
    pages: Pages

    async def data(self, request: Request) -> Response:
        """`/d/TOKEN`: GET asks, POST shows, or gives the file."""
        form = await read_form(request) if request.method == "POST" else None
        wanted = "" if form is None else field(form, "do") or "show"
        return await run_in_threadpool(self._data, request, wanted)

    async def erase(self, request: Request) -> Response:
        """`/e/TOKEN`: GET says what it means, POST does it."""
        return await run_in_threadpool(self._erase, request)

    def _data(self, request: Request, wanted: str) -> Response:
        text = request.path_params["token"]
        person = self._person(text, Scope.DATA)
        if person is None:
            return no_such_link(self.pages, request)
        if wanted == "file":
            document = json.dumps(kept_of(self.app, person), ensure_ascii=False, indent=2, default=str)
            headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
            return Response(document.encode(), media_type="application/json", headers=headers)
        values: dict[str, Any] = {"who": masked(person.address), "action": data_url(self.pages.site, text)}
        values["kept"] = kept_of(self.app, person) if wanted else None
        return self.pages.show("data", values, language=person.language)

    def _erase(self, request: Request) -> Response:
        text = request.path_params["token"]
        person = self._person(text, Scope.ERASE)
        if person is None:
            return no_such_link(self.pages, request)
        _ = self.pages.phrases(person.language).gettext
        if request.method != "POST":
            values = {"who": masked(person.address), "action": erase_url(self.pages.site, text)}
            return self.pages.show("erase", values, language=person.language)
        receipt = self.app.subscriptions.erase(person, READER)
        logger.info("somebody was erased")
        sentences = (
            _("Your address, your name and your choices are deleted, and so is what your mails said to you."),
            _("A fingerprint of the address stays, from which nobody can read it, so that no list brings you back."),
            _("If you ever want to know what was done, this is its number in our records: {number}.").format(
                number=receipt
            ),
        )
        return self.pages.notice(200, _("You are forgotten"), sentences, language=person.language)

    def _person(self, text: str, scope: Scope) -> Subscriber | None:
        """Whose link it is, if it is still good."""
        found = self.app.subscriptions.by_token(text, scope)
        return found[1] if found and found[0].is_good_on(self.app.today) else None


def kept_of(app: App, person: Subscriber) -> dict[str, Any]:
    """Everything that is kept of a person, as data."""
    catalogue = app.library.vocabulary.catalogue
    topics = [topic.display(person.language) for topic in catalogue.in_words(person.topics)]
    consents = [
        {"source": one.source, "given": one.given_on, "wording": one.wording, "from": one.place,
         "confirmed": one.confirmed_at}
        for one in app.people.consents(person.id)
    ]  # fmt: skip
    history = [
        {"at": one.at, "what": one.what, "by": one.actor, "from": one.before, "to": one.after, "why": one.reason}
        for one in app.subscriptions.history(person)
    ]
    mails = [
        {"issue": one.issue, "state": one.state, "changed": one.changed, "what came of it": one.fate}
        for one in app.oversight.deliveries(None, person=person.id)
    ]
    return {
        "address": person.address.typed,
        "name": person.name,
        "language": person.language,
        "state": str(person.state),
        "paused_until": person.paused_until,
        "joined": person.joined_on,
        "all_topics": person.all_topics,
        "topics": topics,
        "attributes": dict(person.attributes),
        "consents": consents,
        "history": history,
        "mails": mails,
    }
