"""The audience of a wave: everybody in a segment who may get the issue, has an edition, and has no row yet."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from digest_mailer.adapters.store.conditions import TOPIC_COLUMNS, follows_any, in_segment
from digest_mailer.adapters.store.tables import delivery, person, subscriber, suppression
from digest_mailer.core.audience import Segment, State, eligible
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.topic import TopicWords, ordinals_of
from digest_mailer.ports import Assign

_PAGE = 2000


def audience(
    connection: Connection, issue: IssueId, segment: Segment, topics: TopicWords, assign: Assign, now: datetime
) -> Iterator[list[dict[str, Any]]]:
    """The ledger rows of everybody who gets the issue and has no row yet, in pages by id."""
    masked = [column.bitwise_and(topics[n]).label(f"t{n}") for n, column in enumerate(TOPIC_COLUMNS)]
    suppressed = exists().where(suppression.c.address_hash == person.c.address_hash)
    already = exists().where(delivery.c.issue == issue, delivery.c.address_hash == person.c.address_hash)
    query = (
        select(subscriber, person.c.address_hash, suppressed.label("suppressed"), *masked)
        .select_from(subscriber.join(person))
        .where(in_segment(segment), follows_any(), ~already)
        .order_by(subscriber.c.id)
        .limit(_PAGE)
    )
    last = -1
    while page := connection.execute(query.where(subscriber.c.id > last)).all():
        last = page[-1].id
        rows = []
        for row in page:
            if eligible(State(row.state), row.paused_until, suppressed=row.suppressed, today=now.date()):
                continue
            words = (row.t0, row.t1, row.t2, row.t3)
            edition = assign(words, row.all_topics, Language(row.language))
            if edition:
                rows.append(_row(row, words, edition))
        if rows:
            yield rows


def _row(row: Row[Any], words: TopicWords, edition: str) -> dict[str, Any]:
    return {
        "address_hash": row.address_hash,
        "subscriber_id": row.id,
        "artefact_hash": edition,
        "slots": json.dumps({"topics": ordinals_of(words), "all": row.all_topics}),
        "state": HandOff.PLANNED,
    }
