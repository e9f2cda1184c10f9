"""The audience of a wave: everybody in its segment who may get the issue, has an edition, and has no row yet.

It is the audience as of one moment, the wave's `audience_seq`, whenever its rows are written. They are written in
parts, by the ids of people, so that the first message need not wait for the last row; whoever was changed since
that moment counts as they were, which triggers have kept in `audience_before`, and whoever came since does not
count. So a freeze that is broken off goes on to the same set. Which edition a reader gets is worked out by
the database, the same as `core.edition.Assignment` says; a property test compares the two.
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Row,
    Subquery,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.conditions import View, follows_any, in_segment, topic_columns
from digest_mailer.adapters.store.segments import segment_from_json
from digest_mailer.adapters.store.tables import (
    approved_edition,
    audience_before,
    delivery,
    lifted_later,
    person,
    received_later,
    subscriber,
    suppression,
    wave,
)
from digest_mailer.core.audience import State
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.edition import Assignment
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.topic import union

_LAST_ID = 2**63 - 1
_OF_SUBSCRIBER = ("id", "paused_until", "language", "all_topics", "generation", "changed_seq")
_OF_PERSON = ("address_hash", "typed", "name", "attributes")


def keep_received(connection: Connection, wave_id: int, issues: Sequence[IssueId]) -> None:
    """Keep what tells, as long as a new wave's rows are written, who had received these issues when it was made. An
    accepted row never becomes another; one that is accepted later, or added, does not count."""
    if not issues:
        return
    newest = select(func.coalesce(func.max(delivery.c.id), 0)).scalar_subquery()
    connection.execute(update(wave).where(wave.c.id == wave_id).values(last_delivery=newest))
    others = select(literal(wave_id), delivery.c.id).where(delivery.c.issue.in_(issues))
    others = others.where(delivery.c.state != HandOff.ACCEPTED)
    connection.execute(insert(received_later).from_select(["wave_id", "delivery_id"], others))


def unwritten(connection: Connection, mailing_id: int) -> Row[Any] | None:
    """A wave of the mailing whose rows are not all written."""
    return connection.execute(select(wave).where(wave.c.mailing_id == mailing_id, ~wave.c.frozen)).first()


def count(connection: Connection, found: Row[Any], issue: IssueId) -> tuple[int, int]:
    """How many people a wave will have, and how many of them need an edition that was not approved."""
    people = _readers(found, issue, literal(found.cursor), literal(_LAST_ID))
    total, lacking = connection.execute(select(func.count(), func.count().filter(people.c.hash.is_(None)))).one()
    return total, lacking


def writing(found: Row[Any], issue: IssueId) -> Insert:
    """The statement that writes a wave's rows for people behind one id, up to another. To build it takes longer than to
    write some hundred rows with it, so it is to be kept."""
    after, last = (bindparam(name, type_=subscriber.c.id.type) for name in ("after", "last"))
    people = _readers(found, issue, after, last)
    values = {
        "mailing_id": literal(found.mailing_id),
        "wave_id": literal(found.id),
        "issue": literal(issue),
        "address_hash": people.c.address_hash,
        "subscriber_id": people.c.id,
        "artefact_hash": people.c.hash,
        "slots": people.c.slots,
        "state": literal(str(HandOff.PLANNED)),
        "changed_at": literal(found.created_at, delivery.c.changed_at.type),
    }
    rows = select(*values.values()).order_by(people.c.id)
    return insert(delivery).from_select(list(values), rows)


def extend(connection: Connection, found: Row[Any], rows: Insert, limit: int) -> None:
    """Write rows for up to `limit` more people of the list. When these were the last, the wave is frozen."""
    ids = select(subscriber.c.id).where(subscriber.c.id > found.cursor).order_by(subscriber.c.id).limit(limit)
    page = ids.subquery()
    number, last = connection.execute(select(func.count(), func.max(page.c.id))).one()
    frozen = bool(number < limit)
    end = _LAST_ID if frozen else last
    added = connection.execute(rows, {"after": found.cursor, "last": end}).rowcount
    values = {"cursor": end, "written": wave.c.written + added, "frozen": frozen}
    connection.execute(update(wave).where(wave.c.id == found.id).values(**values))
    if frozen:
        for kept in (audience_before, received_later, lifted_later):
            connection.execute(delete(kept).where(kept.c.wave_id == found.id))


def write_all(connection: Connection, mailing_id: int, issue: IssueId) -> None:
    """Write all rows of the mailing that are still to be written."""
    while found := unwritten(connection, mailing_id):
        extend(connection, found, writing(found, issue), _LAST_ID)


def _readers(found: Row[Any], issue: IssueId, after: ColumnElement[int], last: ColumnElement[int]) -> Subquery:
    """People behind one id, up to another, who get the issue: their hash, their values, and their edition."""
    assignment = assignment_from_json(found.assignment)
    people = _as_of(found, after, last)
    suppressed = or_(
        exists().where(
            suppression.c.address_hash == people.c.address_hash, suppression.c.changed_seq <= found.audience_seq
        ),
        exists().where(lifted_later.c.wave_id == found.id, lifted_later.c.address_hash == people.c.address_hash),
    )
    already = or_(
        exists().where(delivery.c.issue == issue, delivery.c.address_hash == people.c.address_hash),
        exists().where(delivery.c.issue == issue, delivery.c.subscriber_id == people.c.id),  # has another address now
    )
    selection = _selection(people, assignment)
    edition = and_(
        approved_edition.c.approval_id == found.approval_id,
        approved_edition.c.selection == selection,
        approved_edition.c.language == _language(people, assignment),
    )
    return (
        select(people.c.id, people.c.address_hash, approved_edition.c.hash, _slots(people, assignment).label("slots"))
        .select_from(people.outerjoin(approved_edition, edition))
        .where(
            _entitled(people, found.created_at.date()),
            ~suppressed,
            in_segment(segment_from_json("", found.segment), View(people, people, people.c.all_topics, found)),
            follows_any(people),
            ~already,
            selection != 0,
        )
        .subquery()
    )


def _as_of(found: Row[Any], after: ColumnElement[int], last: ColumnElement[int]) -> Subquery:
    """Everybody as they were when the wave was made."""
    changed = exists().where(audience_before.c.wave_id == found.id, audience_before.c.id == subscriber.c.id)
    names = (*_OF_SUBSCRIBER, *(f"topics_{number}" for number in range(4)))
    state = func.coalesce(subscriber.c.state, "")  # an index of states would be read as a whole for each part
    now = (
        select(
            *(subscriber.c[name] for name in names),
            *(person.c[name] for name in _OF_PERSON),
            state.label("state"),
            subscriber.c.joined_on,
        )
        .select_from(subscriber.join(person))
        .where(subscriber.c.id > after, subscriber.c.id <= last, ~changed)
        .where(subscriber.c.changed_seq <= found.audience_seq)
    )
    joined = select(subscriber.c.joined_on).where(subscriber.c.id == audience_before.c.id)  # it never changes
    before = (
        select(
            *(audience_before.c[name] for name in (*names, *_OF_PERSON)),
            audience_before.c.state,
            joined.scalar_subquery(),
        )
        .where(audience_before.c.wave_id == found.id, audience_before.c.id > after, audience_before.c.id <= last)
        .where(audience_before.c.changed_seq <= found.audience_seq, audience_before.c.address_hash.is_not(None))
    )
    return union_all(now, before).subquery()


def _entitled(people: Subquery, today: date) -> ColumnElement[bool]:
    """`core.audience.eligible`, but for the suppression list."""
    state = people.c.state
    return or_(state == State.ACTIVE, and_(state == State.PAUSED, people.c.paused_until <= today))


def _selection(people: Subquery, assignment: Assignment) -> ColumnElement[int]:
    """`core.edition.select`, as bits."""
    everything = (1 << len(assignment.articles)) - 1
    chosen: ColumnElement[int] = literal(0)
    for number, words in enumerate(assignment.articles):
        shared = [
            column.bitwise_and(word) != 0 for column, word in zip(topic_columns(people), words, strict=True) if word
        ]
        if shared:
            chosen = chosen + case((or_(*shared), 1 << number), else_=0)
    if assignment.no_match is NoMatch.ALL:
        chosen = func.coalesce(func.nullif(chosen, 0), everything)
    return case((people.c.all_topics, everything), else_=chosen)


def _language(people: Subquery, assignment: Assignment) -> ColumnElement[str]:
    known = people.c.language.in_(assignment.languages)
    return case((known, people.c.language), else_=assignment.languages[0])


def _slots(people: Subquery, assignment: Assignment) -> ColumnElement[str]:
    """The reader's values as they are sent, so that a message can be built again whatever becomes of the person."""
    words = zip(topic_columns(people), union(assignment.articles), strict=True)
    topics = func.json_array(*(column.bitwise_and(word) for column, word in words))
    values = {"topics": topics, "all": people.c.all_topics, "name": people.c.name}
    values |= {"to": people.c.typed, "generation": people.c.generation}
    pairs = (part for name, value in values.items() for part in (literal(name), value))
    return func.json_object(*pairs)


def assignment_to_json(assignment: Assignment) -> str:
    """An assignment as it is stored with a wave."""
    document = {"articles": assignment.articles, "languages": assignment.languages, "no_match": assignment.no_match}
    return json.dumps(document)


def assignment_from_json(text: str) -> Assignment:
    """The inverse of `assignment_to_json`."""
    document = json.loads(text)
    return Assignment(
        articles=tuple(tuple(words) for words in document["articles"]),
        languages=tuple(Language(one) for one in document["languages"]),
        no_match=NoMatch(document["no_match"]),
    )
