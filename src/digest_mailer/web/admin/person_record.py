"""Everything on record of one person, as their page shows it: standing, values, consents, mail, history.

Mail is told by issue, newest first: of every issue that was sent, what they got, or why they did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.identity import ArticleKey, IssueId
from digest_mailer.rendering.phrases import Phrases
from digest_mailer.services.library import Library
from digest_mailer.services.why import Explainer, NotSent, Sent

_NEWEST = 12  # issues that are told of unasked: each is looked up in the ledger and decoded


@dataclass(frozen=True, slots=True)
class Mail:
    """An issue and a person: what was sent to them, or why nothing was."""

    issue: IssueId
    month: str
    sent: Sent | None
    not_sent: NotSent | None
    articles: Sequence[str]  # titles

    @property
    def reply(self) -> str:
        """What the server said last, or why there is nothing of it."""
        if self.sent is None:
            return ""
        attempts = self.sent.attempts
        return attempts[-1].reply if attempts else self.sent.delivery.detail

    @property
    def arrived(self) -> bool:
        """Whether a server took it."""
        return self.sent is not None and self.sent.delivery.state is HandOff.ACCEPTED


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of somebody, told in a language."""

    app: App
    person: Subscriber
    phrases: Phrases

    def values(self, *, everything: bool) -> dict[str, Any]:
        """What the page of a person takes; of all issues, or of the newest."""
        app, person, library = self.app, self.person, self.app.library
        explainer = app.explainer()
        sent, never = self._issues(library)
        shown = sent if everything else sent[:_NEWEST]
        return {
            **self.profile(),
            "entitled": explainer.entitled(person),
            "suppression": app.people.suppression(person.id),
            "consents": app.people.consents(person.id),
            "history": app.subscriptions.history(person),
            "mails": self._mails(explainer, library, shown),
            "hidden": len(sent) - len(shown),
            "never": [self.phrases.month_title(issue) for issue in never],
        }

    def profile(self) -> dict[str, Any]:
        """Their values, in words."""
        topics = self.app.library.vocabulary.catalogue.in_words(self.person.topics)
        followed = [topic.display(self.phrases.language) for topic in topics]
        return {"profile": self.person.profile, "followed": followed}

    def _issues(self, library: Library) -> tuple[list[IssueId], list[IssueId]]:
        """The issues that were sent to somebody, and those that were published and not sent; newest first."""
        mine = {delivery.issue for delivery in self.app.oversight.deliveries(None, person=self.person.id)}
        sent = mine | self.app.ledger.mailed()
        published = {entry.issue for entry in library.archive()}
        return sorted(sent, reverse=True), sorted(published - sent, reverse=True)

    def _mails(self, explainer: Explainer, library: Library, issues: Sequence[IssueId]) -> list[Mail]:
        titles = {one.key: one.title for entry in library.archive(self.phrases.language) for one in entry.articles}
        found: dict[IssueId, list[Sent]] = {}
        rows = explainer.sent(self.person)
        for sent in takewhile(lambda one: bool(issues) and one.delivery.issue >= issues[-1], rows):
            found.setdefault(sent.delivery.issue, []).append(sent)
        mails = []
        for issue in issues:
            month = self.phrases.month_title(issue)
            for one in found.get(issue, ()):
                articles = [titles.get(ArticleKey(key), key) for key in one.edition.articles]
                mails.append(Mail(issue, month, one, None, articles))
            if issue not in found:
                mails.append(Mail(issue, month, None, explainer.not_sent(self.person, issue), ()))
        return mails
