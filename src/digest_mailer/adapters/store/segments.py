"""Named segments: definitions that are kept, counted afresh whenever they are used."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import segment as segments
from digest_mailer.core.audience import Segment
from digest_mailer.core.identity import Language
from digest_mailer.core.topic import ordinals_of, words_of


class SegmentStore:
    """The port `Segments` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, segment: Segment, now: datetime) -> bool:
        """Keep a segment; False when the name is taken."""
        with self._database.write() as connection:
            if connection.execute(select(segments.c.name).where(segments.c.name == segment.name)).first():
                return False
            values = {"name": segment.name, "definition": segment_to_json(segment), "created_at": now}
            connection.execute(insert(segments).values(**values))
            return True

    def get(self, name: str) -> Segment | None:
        """The segment of this name."""
        query = select(segments.c.definition).where(segments.c.name == name)
        with self._database.read() as connection:
            definition = connection.execute(query).scalar()
            return segment_from_json(name, definition) if definition else None

    def all(self) -> Sequence[Segment]:
        """All segments by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(segments).order_by(segments.c.name))
            return [segment_from_json(row.name, row.definition) for row in rows]


def segment_to_json(segment: Segment) -> str:
    """A definition as it is stored: topics by their permanent ordinals."""
    document: dict[str, Any] = {
        "any": ordinals_of(segment.any_topics),
        "all": ordinals_of(segment.all_topics),
        "none": ordinals_of(segment.no_topics),
        "languages": segment.languages,
        "attributes": dict(segment.attributes),
    }
    return json.dumps({name: value for name, value in document.items() if value}, ensure_ascii=False)


def segment_from_json(name: str, definition: str) -> Segment:
    """The inverse of `segment_to_json`."""
    document = json.loads(definition)
    return Segment(
        name=name,
        any_topics=words_of(document.get("any", ())),
        all_topics=words_of(document.get("all", ())),
        no_topics=words_of(document.get("none", ())),
        languages=tuple(Language(one) for one in document.get("languages", ())),
        attributes=document.get("attributes", {}),
    )
