"""What somebody looks at in the preview: an issue as it stands, one edition, for the sample reader or a subscriber.

?edition=en-1.3   the edition; the whole issue in the first language where none is named, or it is gone
?as=NUMBER        the edition and the words of this subscriber; for admins
?segment=S        readers are counted of this part of the list: a name or an expression
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from digest_mailer.core.audience import Subscriber
from digest_mailer.core.edition import Assignment, EditionKey, article_topics, keys_to_build
from digest_mailer.core.errors import DigestError, NothingMatched
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.issue import Issue
from digest_mailer.core.message import Message
from digest_mailer.services.planning import SendPlan
from digest_mailer.services.preview import sample_message
from digest_mailer.services.proofs import Proof, Source, place_of
from digest_mailer.services.segmenting import find_segment
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.forms import whole_number

NOBODY = NothingMatched("there is no such person", "they may have been erased in the meantime")


@dataclass(frozen=True, slots=True)
class Sight:
    """One edition of an issue. Without a proof there is only what is wrong."""

    source: Source
    keys: tuple[EditionKey, ...]
    plan: SendPlan
    key: EditionKey | None
    proof: Proof | None
    trouble: tuple[Mapping[str, object], ...]
    person: Subscriber | None

    @property
    def issue(self) -> Issue:
        """The issue, as far as it can be shown."""
        return self.source.issue

    def message(self) -> Message:
        """What its reader would get. Raises NothingMatched without a proof."""
        if self.proof is None:
            raise NothingMatched("there is nothing to show yet", "see what is wrong on the issue's page")
        if self.person is None:
            return self.proof.sample
        timezone = self.source.composer.publication.timezone
        return sample_message(self.proof.edition, self.issue, timezone, self.person)


def look(gate: Gate, visit: Visit, source: Source, named: str) -> Sight:
    """What a visit asks to see of an issue; `named` is the edition. Raises DigestError for a person or a segment that
    is none."""
    app = gate.app
    issue, composer = source.issue, source.composer
    person = _person(gate, visit)
    segment = find_segment(app.segments, visit.asked("segment"), composer.library)
    plan = app.readers.plan(issue, composer, segment)
    languages = composer.publication.languages
    keys = keys_to_build(len(issue.articles), languages, plan.readers) if issue.articles else ()
    problems = list(source.trouble)
    if person:
        assignment = Assignment(
            article_topics(issue, composer.library.vocabulary.catalogue), languages, composer.publication.no_match
        )
        key = assignment.key(person.topics, person.language, all_topics=person.all_topics)
        if key is None:
            problems.append(NothingMatched("this subscriber would get nothing: no article is on their topics"))
    else:
        whole = EditionKey(languages[0], tuple(range(1, len(issue.articles) + 1)))
        key = next((one for one in keys if str(one) == named), whole if keys else None)
        if key is None:
            problems.append(NothingMatched("the issue has no article yet", "write one"))
    proof = None
    if key:
        proof, problem = app.proofs.proof(source, key)
        problems += [problem] if problem else []
    return Sight(source, keys, plan, key, proof, tuple(map(place_of, problems)), person)


def wanted(visit: Visit, **more: str) -> str:
    """The query of the address of what belongs to the same sight: its person and segment, and more."""
    kept = {name: visit.asked(name) for name in ("as", "segment")}
    return urlencode({name: value for name, value in (kept | more).items() if value})


def is_live(gate: Gate) -> bool:
    """Whether a send would reach people, as the settings are now. What cannot be told is taken for live."""
    try:
        return gate.app.transport(gate.app.reread().delivery.transport).live
    except DigestError:
        return True


def month_of(gate: Gate, visit: Visit) -> IssueId:
    """The issue in the address. Raises UsageError when it is no month."""
    return gate.app.library.named(visit.part("month"))


def _person(gate: Gate, visit: Visit) -> Subscriber | None:
    asked = visit.asked("as")
    if not asked:
        return None
    number = whole_number(asked)
    person = gate.app.people.get(SubscriberId(number)) if number else None
    if person is None:
        raise NOBODY
    return person
