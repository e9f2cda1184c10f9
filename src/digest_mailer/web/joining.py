"""Coming in: `/subscribe/` to sign up, `/c/TOKEN` to confirm, `/links/` to have one's own link mailed again.

Whether an address is known is told by letter only: every form that can be read gets the same answer, and the letter is
written after it. Confirming is a POST, because programs follow the links of mails.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from digest_mailer.bootstrap import App
from digest_mailer.core.address import AddressError, EmailAddress, parse_address
from digest_mailer.core.audience import MAX_NAME, Profile, State
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import Language, is_control
from digest_mailer.core.token import Scope
from digest_mailer.core.urls import confirm_url, sign_up_url
from digest_mailer.services.joining import Errand, is_waiting
from digest_mailer.services.letters import Kind
from digest_mailer.web import trap
from digest_mailer.web.forms import field, read_form, sender_network, ticked
from digest_mailer.web.leaving import masked, no_such_link
from digest_mailer.web.pages import Pages
from digest_mailer.web.post import Post

Task = Callable[[], Errand | None]  # what is done behind the answer, and the letter that it leads to

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """The pages by which people come."""

    app: App
    pages: Pages
    post: Post

    def sign_up_in(self, language: Language) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint `/subscribe/` of a language."""

        async def sign_up(request: Request) -> Response:
            form = await read_form(request) if request.method == "POST" else None
            return await run_in_threadpool(self._sign_up, request, form, language)

        return sign_up

    async def confirm(self, request: Request) -> Response:
        """`/c/TOKEN`: GET asks, POST confirms."""
        return await run_in_threadpool(self._confirm, request)

    async def links(self, request: Request) -> Response:
        """`/links/`: mails the link to one's choices, if there are any."""
        form = await read_form(request)
        return await run_in_threadpool(self._links, request, form)

    def _sign_up(self, request: Request, form: FormData | None, language: Language) -> Response:
        joining = self.app.joining
        _ = self.pages.phrases(language).gettext
        if form is None:
            return self._form(language, FormData(), "")
        if not joining.may_ask(sender_network(request)):
            return self._too_many(language)
        if trap.is_bait_taken(form):
            return self._answer(language, None)
        if not trap.is_patient(form, self.app.clock.now(), self.app.secrets.address):
            return self._form(language, form, _("That was very quick, or long ago. Please send it once more."))
        try:
            profile = self._profile(form, language)
        except AddressError:
            return self._form(language, form, _("This is not an address that mail can go to. Please check it."))
        except UsageError:
            return self._form(language, form, _("Please tick at least one topic, or all of them."))
        wording, network = self._wording(language), sender_network(request)
        return self._answer(language, lambda: joining.sign_up(profile, wording, "/subscribe/", network))

    def _profile(self, form: FormData, language: Language) -> Profile:
        """What somebody asks for. Raises AddressError for the address, UsageError for the topics."""
        address, choosing = parse_address(field(form, "email").strip()), self.app.choosing
        topics = ticked(form, "topic")
        choice = choosing.read(all_topics=field(form, "scope") == "all", topics=topics, language=language)
        if choice.nothing:
            raise UsageError("nothing is chosen", "choose topics")
        words = choosing.catalogue.words(choice.topics)
        return Profile(address, _name(field(form, "name")), language, words, choice.all_topics)

    def _form(self, language: Language, form: FormData, trouble: str) -> Response:
        """The form, with what was typed and what was wrong with it."""
        chosen = set(ticked(form, "topic"))
        choosing = self.app.choosing
        topics = [(one.key, one.display(language), one.key in chosen) for one in choosing.offered]
        values: dict[str, Any] = {
            "trouble": trouble,
            "email": field(form, "email")[:320],
            "called": field(form, "name")[:MAX_NAME],
            "everything": field(form, "scope") != "some",
            "topics": topics,
            "action": sign_up_url(self.pages.site, language),
            "wording": self._wording(language),
            "stamp": trap.stamp(self.app.clock.now(), self.app.secrets.address),
            "others": [(one, sign_up_url(self.pages.site, one)) for one in choosing.languages if one != language],
        }
        return self.pages.show("subscribe", values, 400 if trouble else 200, language=language)

    def _answer(self, language: Language, task: Task | None) -> Response:
        """The same to everybody. What is done for an address is done after it, so that no time tells who is known."""
        _ = self.pages.phrases(language).gettext
        sentences = (
            _("If the address is right, a letter is on its way to it. Nothing else is sent before you press its link."),
            _("Nothing came? Look among the junk mail, or sign up once more."),
        )
        return self._noticed(language, _("Now look into your mailbox"), sentences, task)

    def _confirm(self, request: Request) -> Response:
        text = request.path_params["token"]
        found = self.app.subscriptions.by_token(text, Scope.CONFIRM)
        if not found:
            return no_such_link(self.pages, request)
        token, person = found
        _ = self.pages.phrases(person.language).gettext
        if is_waiting(person) and not token.is_good_on(self.app.today):
            sentences = (_("The link was good for 30 days. Sign up once more, and another letter comes."),)
            return self.pages.notice(410, _("This link is too old"), sentences, language=person.language)
        if request.method == "POST" and is_waiting(person):
            confirmed = self.app.joining.confirm(person)
            person = self.app.people.get(person.id) or person  # another window may have been faster
            if confirmed:
                logger.info("somebody confirmed")
                errand = Errand(Kind.WELCOME, person)
                return self._welcome(person.language, lambda: errand)
        if person.state in (State.ACTIVE, State.PAUSED):
            return self._welcome(person.language, None)
        values = {"who": masked(person.address), "action": confirm_url(self.pages.site, text)}
        return self.pages.show("confirm", values, language=person.language)

    def _welcome(self, language: Language, task: Task | None) -> Response:
        _ = self.pages.phrases(language).gettext
        sentences = (
            _("The next issue comes to you as you chose."),
            _("Each mail has a link to change your topics, to pause, and to leave."),
        )
        return self._noticed(language, _("You are subscribed"), sentences, task)

    def _links(self, request: Request, form: FormData) -> Response:
        language, joining, network = self.pages.wanted_language(request), self.app.joining, sender_network(request)
        if not joining.may_ask(network):
            return self._too_many(language)
        address = None if trap.is_bait_taken(form) else _address(field(form, "email"))
        task = (lambda: joining.lost_link(address, network)) if address else None
        _ = self.pages.phrases(language).gettext
        sentences = (_("If this address gets our mail, a letter with your own link is on its way to it."),)
        return self._noticed(language, _("Now look into your mailbox"), sentences, task)

    def _too_many(self, language: Language) -> Response:
        _ = self.pages.phrases(language).gettext
        sentences = (_("Many forms came from where you are. Please try again in ten minutes. Nothing was changed."),)
        return self.pages.notice(429, _("That was a lot"), sentences, {"Retry-After": "600"}, language)

    def _noticed(self, language: Language, title: str, sentences: tuple[str, ...], task: Task | None) -> Response:
        response = self.pages.notice(200, title, sentences, language=language)
        if task:
            response.background = BackgroundTask(self.post.work, task)
        return response

    def _wording(self, language: Language) -> str:
        """What somebody agrees to by sending the form."""
        _ = self.pages.phrases(language).gettext
        name = self.app.publication.in_language(language).name
        return _(
            "By sending this I ask that {publication} be mailed to this address, about once a month. I can change "
            "what I get, pause, or leave with one click in each mail."
        ).format(publication=name)


def _name(text: str) -> str:
    """A name that can stand in a header."""
    return " ".join("".join(" " if is_control(char) else char for char in text[:MAX_NAME]).split())


def _address(text: str) -> EmailAddress | None:
    try:
        return parse_address(text.strip())
    except AddressError:
        return None
