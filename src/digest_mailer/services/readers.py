"""How many readers each edition of an issue has, for pages that are asked again with every save.

Counting a million people takes half a second, so a count is kept until the list, the issue's topics or its mailing
change; an edit of its words changes none of them.
"""

import threading
from collections.abc import Callable
from datetime import date

from digest_mailer.core.edition import article_topics
from digest_mailer.core.issue import Issue
from digest_mailer.core.segment import Segment
from digest_mailer.ports import Ledger, Subscribers
from digest_mailer.services.compose import Composer
from digest_mailer.services.planning import SendPlan, make_plan

_KEPT = 20


class ReaderCounts:
    """Counts, and remembers."""

    def __init__(self, people: Subscribers, ledger: Ledger, today: Callable[[], date]) -> None:
        self._people = people
        self._ledger = ledger
        self._today = today
        self._plans: dict[tuple[object, ...], SendPlan] = {}
        self._one_at_a_time = threading.Lock()

    def plan(self, issue: Issue, composer: Composer, segment: Segment) -> SendPlan:
        """Who of a segment would get the issue today."""
        catalogue, publication, today = composer.library.vocabulary.catalogue, composer.publication, self._today()
        known = (
            issue.id,
            article_topics(issue, catalogue),
            publication.languages,
            publication.no_match,
            repr(segment),
            today,
            self._people.sequence(),
            self._ledger.mailing(issue.id),
        )
        with self._one_at_a_time:
            if known not in self._plans:
                if len(self._plans) >= _KEPT:
                    del self._plans[next(iter(self._plans))]
                self._plans[known] = make_plan(issue, segment, self._people, catalogue, publication, today)
            return self._plans[known]
