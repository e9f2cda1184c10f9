"""The archive: issues, articles and topics, plainly. Any mail ever sent links here (contract 7).

Only what is published by now is shown; everything else is answered alike, with 404. Another language's
addresses lead to the English page until there is one of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest_mailer.core.errors import ContentError
from digest_mailer.core.urls import issues_url, topic_url
from digest_mailer.web.pages import Pages
from digest_mailer.web.shelf import Shelf

AREAS = ("issues", "articles", "topics")


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive's pages."""

    shelf: Shelf
    pages: Pages

    def home(self, _request: Request) -> Response:
        """`/`: the list of issues is the front page for now."""
        return RedirectResponse(issues_url(self.pages.site), 307)

    def issues(self, _request: Request) -> Response:
        """All issues by month, newest first."""
        return self.pages.show("issues", {"issues": self.shelf.now().issues})

    def issue(self, request: Request) -> Response:
        """One issue with everything in it."""
        published = self.shelf.now()
        issue = published.issue(request.path_params["month"])
        if issue is None:
            raise HTTPException(404)
        older, newer = published.neighbours(issue.id)
        values = {"issue": issue, "older": older, "newer": newer, "vocabulary": published.vocabulary}
        return self._readable("issue", values)

    def article(self, request: Request) -> Response:
        """One article, and what past issues have beside it."""
        published = self.shelf.now()
        found = published.article(request.path_params["key"])
        if found is None:
            raise HTTPException(404)
        issue, article = found
        past = published.related(issue, article)
        values = {"issue": issue, "article": article, "related": past, "vocabulary": published.vocabulary}
        return self._readable("article", values)

    def topics(self, _request: Request) -> Response:
        """All topics with the number of their articles."""
        return self.pages.show("topics", {"topics": self.shelf.now().counted_topics()})

    def topic(self, request: Request) -> Response:
        """The articles of a topic, newest first. Another name of the topic leads to its key for good."""
        published = self.shelf.now()
        name = request.path_params["slug"]
        topic = published.topic(name)
        if topic is None:
            raise HTTPException(404)
        if name != topic.key:
            return RedirectResponse(topic_url(self.pages.site, topic.key), 308)
        return self.pages.show("topic", {"topic": topic, "found": published.of_topic(topic.key)})

    def without_language(self, request: Request) -> Response:
        """`/fr/…`: the address without the language, for as long as there is no page in it."""
        rest = request.path_params["rest"]
        if rest.split("/")[0] not in AREAS:
            raise HTTPException(404)
        return RedirectResponse(f"{self.pages.site}/{quote(rest, errors='replace')}", 307)

    def _readable(self, name: str, values: Mapping[str, object]) -> Response:
        """A page of an issue's texts; 404 when they hold what cannot be shown, which `lint` tells the author."""
        try:
            return self.pages.show(name, values)
        except ContentError as problem:
            raise HTTPException(404) from problem
