"""The readers' choices: `/p/TOKEN`, to choose topics and language, to pause, and to leave.

As everywhere, GET only shows. A POST says in `do` what is wanted: `save`, `all`, `pause-N` (months), `resume`; `data`
and `erase` have a letter written. It is answered with the page as things stand then, so that sending it twice does
no harm. The link's token is all it needs; who has left can only have the letters written.
"""

from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State, Subscriber, has_left
from digest_mailer.core.errors import ChangedMeanwhileError, UsageError
from digest_mailer.core.token import Scope, Token, sign
from digest_mailer.core.urls import preferences_url, sign_up_url, unsubscribe_url
from digest_mailer.rendering.phrases import name_of_language
from digest_mailer.services.choosing import PAUSES, Choosing, articles_a_month, articles_a_year, mark
from digest_mailer.services.letters import Kind
from digest_mailer.web.forms import field, read_form, ticked
from digest_mailer.web.leaving import masked, no_such_link
from digest_mailer.web.pages import Pages
from digest_mailer.web.post import Post
from digest_mailer.web.shelf import Shelf

_LETTERS = {"data": Kind.DATA, "erase": Kind.ERASE}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of somebody's own link."""

    text: str  # the token
    token: Token
    person: Subscriber
    choosing: Choosing


@dataclass(frozen=True, slots=True)
class Preferences:
    """The page of a reader's choices."""

    app: App
    pages: Pages
    shelf: Shelf
    post: Post

    async def answer(self, request: Request) -> Response:
        """`/p/TOKEN`: GET shows, POST acts."""
        form = await read_form(request) if request.method == "POST" else None
        return await run_in_threadpool(self._answer, request, form)

    def _answer(self, request: Request, form: FormData | None) -> Response:
        text = request.path_params["token"]
        found = self.app.subscriptions.by_token(text, Scope.PREFERENCES)
        if not found:
            return no_such_link(self.pages, request)
        asked = _Asked(text, *found, self.app.choosing)
        wish = _LETTERS.get(field(form, "do")) if form is not None else None
        if wish:
            return self._mail(asked, wish)
        if form is None or has_left(asked.person.state):
            return self._show(asked)
        try:
            return self._act(asked, form)
        except ChangedMeanwhileError:
            return self._show(self._again(asked), said="stale", status=409)
        except UsageError as problem:
            raise HTTPException(400) from problem

    def _act(self, asked: _Asked, form: FormData) -> Response:
        """What the form wants."""
        do, seen, person = field(form, "do"), field(form, "seen"), asked.person
        if do.startswith("pause-"):
            asked.choosing.pause(person, {f"pause-{number}": number for number in PAUSES}.get(do, 0), seen)
            return self._show(self._again(asked), said="paused")
        if do == "resume":
            asked.choosing.resume(person)
            return self._show(self._again(asked), said="resumed")
        if do not in ("save", "all"):
            raise UsageError("the form says nothing", "open the page again")
        choice = asked.choosing.read(
            all_topics=do == "all" or field(form, "scope") == "all",
            topics=ticked(form, "topic"),
            language=field(form, "language") or person.language,
            present=person.language,
        )
        if choice.nothing:
            return self._ask(asked)
        saved = asked.choosing.save(person, choice, seen)
        return self._show(self._again(asked), said="saved" if saved else "unchanged")

    def _mail(self, asked: _Asked, kind: Kind) -> Response:
        """A letter with a link that this page must not hold."""
        errand = self.app.joining.own_wish(asked.person, kind)
        response = self._show(asked, said="mailed" if errand else "rationed")
        if errand:
            response.background = BackgroundTask(self.post.write, errand)
        return response

    def _show(self, asked: _Asked, said: str = "", status: int = 200) -> Response:
        """The form as things stand, and what came of the last one."""
        person, choosing = asked.person, asked.choosing
        choice, today = choosing.of(person), self.app.today
        entries = self.shelf.now().entries
        topics = [
            {"topic": topic, "name": topic.display(person.language), "chosen": topic.key in choice.topics,
             "articles": articles_a_year(entries, topic.key, today)}
            for topic in choosing.offered
        ]  # fmt: skip
        languages = dict.fromkeys((*choosing.languages, person.language))  # one may have a language that is gone
        values = self._common(asked) | {
            "said": said,
            "choice": choice,
            "topics": topics,
            "languages": [(one, name_of_language(one)) for one in languages],
            "months": PAUSES,
            "a_month": round(articles_a_month(entries, choice, today)),
            "paused_until": person.paused_until if person.state is State.PAUSED else None,
            "left": has_left(person.state),
        }
        return self.pages.show("preferences", values, status, language=person.language)

    def _ask(self, asked: _Asked) -> Response:
        """Everything, nothing, or a pause? Nothing is changed yet."""
        values = self._common(asked) | {"months": PAUSES}
        return self.pages.show("everything_or_nothing", values, language=asked.person.language)

    def _common(self, asked: _Asked) -> dict[str, Any]:
        person, keys = asked.person, self.app.secrets.keys.tokens
        assert asked.token.issue  # noqa: S101 - every link of this scope has one
        leave = sign(Scope.UNSUBSCRIBE, person.id, asked.token.issue, person.generation, keys)
        return {
            "who": masked(person.address),
            "seen": mark(person),
            "action": preferences_url(self.pages.site, asked.text),
            "way_out": unsubscribe_url(self.pages.site, leave),
            "sign_up": sign_up_url(self.pages.site, self.pages.spoken(person.language)),
        }

    def _again(self, asked: _Asked) -> _Asked:
        """The person as they are after what was done."""
        found = self.app.people.get(asked.person.id)
        return _Asked(asked.text, asked.token, found or asked.person, asked.choosing)
