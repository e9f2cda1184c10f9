"""Turns values into pages: the templates in `web/`, the stylesheet, and the pages that say that something is wrong.

Templates are the publication's own before the packaged ones, read again when they change, and escape every
value. A page never needs JavaScript, and its content policy lets none run.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from digest_mailer.bootstrap import App
from digest_mailer.core.errors import DigestError, TemporaryProblem
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.issue import Markdown
from digest_mailer.rendering.markdown import render_block
from digest_mailer.rendering.phrases import Phrases, name_of_language, read_phrases
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.typography import typeset, typeset_value

CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PRIVATE_AREAS = ("u", "p", "c", "d", "e", "inbox", "admin")  # first part of the addresses of pages about a person
COLUMN_PX = 640

_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("That could not be understood", "What was sent is not what this page asks for. Nothing was changed."),
    404: ("There is no such page", "The address may be mistyped, or what stood here is not published."),
    405: ("That cannot be done here", "This page can be looked at, but it takes nothing in."),
    403: ("Not from here", "This page takes nothing that another page sends. Nothing was changed."),
    413: ("That is too much", "What was sent is larger than this page takes in. Nothing was changed."),
    421: ("Not this address", "This site answers to its own name only. Nothing was changed."),
    503: ("Please try again in a minute", "The site is busy at the moment."),
}
_PO = re.compile(r"web/translations/([a-z]{2,3})\.po")
_FAULT = ("Something went wrong here", "It is not your fault. Please try again later.")
_RETRY_SECONDS = "60"

logger = logging.getLogger(__name__)


@dataclass
class Pages:
    """The pages of one site."""

    app: App
    inbox: bool
    _templates: Templates | None = None

    @property
    def site(self) -> str:
        """The path of the publication's base address, which every address on a page begins with; mostly empty."""
        return urlsplit(self.app.publication.base_url).path.rstrip("/")

    def show(
        self,
        name: str,
        values: Mapping[str, object],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        language: Language = ENGLISH,
    ) -> Response:
        """The page `web/NAME.html.j2` with its words in a language, in English where the site has none in it. Raises
        ContentError when a template or a text cannot be shown."""
        templates = self._current()
        phrases = templates.site_phrases(language)
        common: dict[str, object] = {
            "_": phrases.gettext,
            "ngettext": phrases.ngettext,
            "language": phrases.language,
            "direction": phrases.direction,
            "day": phrases.day,
            "number": phrases.number,
            "moment": lambda at: phrases.moment(at.astimezone(ZoneInfo(self.app.publication.timezone))),
            "name_of": name_of_language,
            "site": self.site,
            "publication": self.app.publication,
            "inbox": self.inbox,
            "prose": _prose,
            "typeset": typeset,
            "typeset_value": typeset_value,
        }
        html = templates.html(f"web/{name}.html.j2", **common, **values)
        return HTMLResponse(html.encode("utf-8", "replace"), status, headers)

    def notice(
        self,
        status: int,
        title: str,
        paragraphs: Sequence[str],
        headers: Mapping[str, str] | None = None,
        language: Language = ENGLISH,
    ) -> Response:
        """A page of a few sentences; as bare text when the templates cannot be used, so that it always answers."""
        try:
            return self.show("notice", {"title": title, "paragraphs": paragraphs}, status, headers, language)
        except DigestError as problem:
            logger.warning("%s", problem.what)
            return PlainTextResponse("\n\n".join((title, *paragraphs)) + "\n", status, headers)

    def spoken(self, language: Language) -> Language:
        """The language of the publication for somebody who wants this one."""
        return self.app.publication.language_for(language)

    def wanted_language(self, request: Request) -> Language:
        """The language of the publication that a browser asks for; its first one where it asks for none of them."""
        return _wanted(request, self.app.publication.languages)

    def known_language(self, request: Request) -> Language:
        """The language that a browser asks for and the site has words in; English where it asks for none of them."""
        return _wanted(request, self.languages())

    def languages(self) -> tuple[Language, ...]:
        """The languages that the site has words in."""
        found = (_PO.fullmatch(name) for name in sorted(self._current().sources))
        return (ENGLISH, *(Language(match[1]) for match in found if match))

    def phrases(self, language: Language) -> Phrases:
        """The site's words in a language; in English where there are none, or they cannot be read."""
        try:
            return self._current().site_phrases(language)
        except DigestError as problem:
            logger.warning("%s", problem.what)
            return read_phrases(ENGLISH, None)

    def problem(self, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """The page of an HTTP error."""
        title, sentence = _PROBLEMS.get(status, _FAULT)
        return self.notice(status, title, (sentence,), headers)

    def stylesheet(self, _request: Request) -> Response:
        """`/site.css`, with the theme's colours."""
        css = self._current().css("web/site.css", theme=self.app.publication.theme)
        return Response(css, media_type="text/css", headers={"Cache-Control": "no-cache"})

    def icon(self, _request: Request) -> Response:
        """`/icon.svg`: what a tab of the browser shows."""
        values = {"theme": self.app.publication.theme, "letter": self.app.publication.name[:1].upper()}
        drawn = self._current().html("web/icon.svg.j2", **values).encode("utf-8", "replace")
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "no-cache"})

    def refused(self, _request: Request, problem: Exception) -> Response:
        """The answer to a request that the route table or an endpoint refused."""
        status, headers = (problem.status_code, problem.headers) if isinstance(problem, HTTPException) else (500, None)
        return self.problem(status, headers)

    def failed(self, _request: Request, problem: Exception) -> Response:
        """The answer when a service could not do it: 503 for what a later try may mend, else 500."""
        logger.error("%s", problem.what if isinstance(problem, DigestError) else type(problem).__name__)
        if isinstance(problem, TemporaryProblem):
            return self.problem(503, {"Retry-After": _RETRY_SECONDS})
        return self.problem(500)

    def _current(self) -> Templates:
        sources = self.app.files.templates()
        if self._templates is None or self._templates.sources != sources:
            self._templates = Templates(sources)
        return self._templates


async def add_slash(request: Request) -> Response:
    """On to a page from its address without the slash at the end."""
    # begins with the path of a route, so it cannot lead to another site
    return RedirectResponse(quote(request.scope["path"], errors="replace") + "/", 308)


def _wanted(request: Request, languages: Sequence[Language]) -> Language:
    """The first of these languages that a browser asks for; the first of all when it asks for none."""
    wanted = _accepted(request.headers.get("accept-language", ""))
    return next((one for tag in wanted for one in languages if tag.split("-")[0] == one), languages[0])


def _accepted(header: str) -> list[str]:
    """Language tags by their weight (RFC 9110 section 12.5.4); what cannot be read weighs nothing."""
    weighed: list[tuple[float, str]] = []
    for part in header.lower().split(",")[:20]:
        tag, _, weight = part.partition(";")
        try:
            weighed.append((float(weight.strip().removeprefix("q=") or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0]


def _prose(source: Markdown, heading: int, language: Language) -> Markup:
    return render_block(source, heading=heading, image_width=COLUMN_PX, language=language).html
