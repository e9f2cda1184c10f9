"""Letters that the pages have written: made and handed over after the answer has gone out, so that it tells nothing of
them by its time, nor waits for a server."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from digest_mailer.bootstrap import App
from digest_mailer.core.archive import PastArticle
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.errors import DigestError
from digest_mailer.core.message import Message
from digest_mailer.core.urls import article_url
from digest_mailer.rendering.letter import Link
from digest_mailer.services.joining import Errand
from digest_mailer.services.letters import Kind, deliver
from digest_mailer.web.shelf import Shelf

_RECENT = 3  # articles that a welcome names

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """The lane of letters."""

    app: App
    shelf: Shelf

    async def work(self, task: Callable[[], Errand | None]) -> None:
        """Do what belongs behind an answer, and write the letter that it leads to."""
        try:
            errand = await run_in_threadpool(task)
        except DigestError as problem:
            logger.error("what was asked for on a page could not be done: %s", type(problem).__name__)  # noqa: TRY400
            return
        if errand:
            await self.write(errand)

    async def write(self, errand: Errand) -> None:
        """Write a letter and hand it over."""
        await self.hand_over(lambda: self._message(errand))

    async def hand_over(self, write: Callable[[], Message | None]) -> None:
        """Hand over a letter that is written first, if it is. Whoever waits for it asks again when it does not come."""
        try:
            message = await run_in_threadpool(write)
            if message is None:
                return
            await deliver(self.app.express(self.app.transport()), message)
        except Exception as problem:  # noqa: BLE001 - the answer has gone out, so nobody is there to be told
            logger.error("a letter could not be sent: %s", type(problem).__name__)  # noqa: TRY400 - a trace may hold an address

    def _message(self, errand: Errand) -> Message:
        letters = self.app.letters(self.app.library)
        recent = self._recent(errand.person) if errand.kind is Kind.WELCOME else ()
        return letters.message(errand.kind, errand.person, recent)

    def _recent(self, person: Subscriber) -> tuple[Link, ...]:
        """The latest articles on what somebody follows."""
        published = self.shelf.now()
        followed = {topic.key for topic in published.vocabulary.catalogue.in_words(person.topics)}
        found = [
            article
            for entry in published.entries
            for article in entry.articles
            if person.all_topics or article.topics & followed
        ]
        return tuple(self._link(article) for article in found[:_RECENT])

    def _link(self, article: PastArticle) -> Link:
        return Link(article.title, article_url(self.app.publication.base_url, article.key), article.language)
