"""Who would get an issue, in which edition, who is left out and why: the truth before a send."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest_mailer.core.audience import AudienceGroup, Exclusion, eligible
from digest_mailer.core.edition import EditionKey, ReaderGroup, article_topics, plan
from digest_mailer.core.identity import Language
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.publication import Publication
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import Catalogue, union
from digest_mailer.ports import Subscribers


@dataclass(frozen=True, slots=True)
class SendPlan:
    """The people of a send."""

    issue: Issue
    segment: Segment
    readers: Mapping[EditionKey, int]
    excluded: Mapping[Exclusion, int]
    already: int  # people whom the ledger has for this issue
    languages: Mapping[Language, int]  # the readers' own, whatever edition they get
    sequence: int  # how often the list was changed before they were counted

    @property
    def people(self) -> int:
        """How many would get a mail now."""
        return sum(self.readers.values())

    def articles(self, edition: EditionKey) -> tuple[Article, ...]:
        """The articles of an edition."""
        return tuple(self.issue.articles[position - 1] for position in edition.positions)


def make_plan(
    issue: Issue, segment: Segment, people: Subscribers, catalogue: Catalogue, publication: Publication, today: date
) -> SendPlan:
    """Count who would get the issue today."""
    topics = union(article_topics(issue, catalogue))
    sequence = people.sequence()
    entitled, excluded, already = _sort(people.groups(issue.id, topics, segment), today)
    readers = [ReaderGroup(g.topics, g.all_topics, g.language, g.people) for g in entitled]
    planned = plan(issue, catalogue, readers, publication.languages, publication.no_match)
    if planned.unmatched:
        excluded[Exclusion.NO_TOPIC] = planned.unmatched
    languages = Counter[Language]()
    for group in entitled:
        languages[group.language] += group.people
    return SendPlan(issue, segment, planned.readers, dict(excluded), already, dict(languages), sequence)


def _sort(groups: Sequence[AudienceGroup], today: date) -> tuple[list[AudienceGroup], Counter[Exclusion], int]:
    """Groups that may get mail now, people who may not by reason, and people who are in the ledger already."""
    entitled: list[AudienceGroup] = []
    excluded: Counter[Exclusion] = Counter()
    already = 0
    for group in groups:
        why_not = eligible(group.state, group.paused_until, suppressed=group.suppressed, today=today)
        if not why_not and not group.follows:
            why_not = Exclusion.FOLLOWS_NOTHING
        if group.already:
            already += group.people
        elif why_not:
            excluded[why_not] += group.people
        else:
            entitled.append(group)
    return entitled, excluded, already
