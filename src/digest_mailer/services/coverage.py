"""How well issues cover what readers follow: articles of each topic by year, followers, and topics that wait.

All issues count that can be read, published or not. A topic waits when somebody follows it by name and the newest
issue and those of the eleven months before it have no article on it: counted from the newest issue and not from today,
so that the report says what was written, whenever it is asked for.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest_mailer.core.identity import IssueId, issue_month, issue_number
from digest_mailer.core.issue import Issue
from digest_mailer.core.topic import Topic
from digest_mailer.ports import Following
from digest_mailer.services.library import Library

WAITING_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Covered:
    """One topic: who follows it, and what was written on it."""

    topic: Topic
    followers: int  # by name, who get mail or will when their pause ends
    years: Mapping[int, int]  # articles by year, of years that have any
    last: IssueId | None  # the newest issue with an article on it
    waiting: bool  # followed, and without an article for twelve months

    @property
    def articles(self) -> int:
        """In all issues."""
        return sum(self.years.values())


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every topic in catalogue order."""

    topics: tuple[Covered, ...]
    all_topics: int  # people who follow all topics, counted with none of them
    newest: IssueId | None  # what is counted back from
    years: tuple[int, ...]  # that any issue is of


def cover(library: Library, following: Following | None) -> Coverage:
    """The coverage of all topics. Without a database nobody follows anything."""
    catalogue, issues = library.vocabulary.catalogue, library.all()
    ordinals = [topic.ordinal for topic in catalogue]
    followers, general = following.by_topic(ordinals) if following else (dict.fromkeys(ordinals, 0), 0)
    newest = issues[0].id if issues else None
    topics = tuple(_covered(topic, followers[topic.ordinal], issues) for topic in catalogue)
    years = sorted({issue_month(issue.id).year for issue in issues})
    return Coverage(topics, general, newest, tuple(years))


def _covered(topic: Topic, followers: int, issues: Sequence[Issue]) -> Covered:
    """`issues` newest first."""
    found = [issue.id for issue in issues for article in issue.articles if topic.key in article.topics]
    years = Counter(issue_month(issue).year for issue in found)
    last = found[0] if found else None
    waits = bool(issues) and (not last or issue_number(issues[0].id) - issue_number(last) >= WAITING_MONTHS)
    return Covered(topic, followers, years, last, waits and followers > 0 and not topic.retired)
