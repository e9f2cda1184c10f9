"""People out: as CSV that `subscribers import` takes back, or as JSON.

A spreadsheet runs a cell that begins with = + - or @ as a formula, and names and attributes are written by strangers.
So such a cell gets an apostrophe in front, which spreadsheets take for "this is text" and an import takes off again; a
cell that has that form already gets one more. Topics stand by their names, attributes in columns `attribute:NAME`,
which an import takes for nothing else.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from digest_mailer.core.audience import Subscriber
from digest_mailer.core.errors import TemporaryProblem
from digest_mailer.core.spreadsheet import guarded
from digest_mailer.core.topic import Catalogue

COLUMNS = (
    "email", "name", "language", "topics", "state", "paused_until", "consent_source", "consent_date", "joined",
)  # fmt: skip
PREFIX = "attribute:"

_SEPARATORS = re.compile("[;|]")


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes people as they are listed; `people` is asked twice, once for the attributes that there are."""

    people: Callable[[], Iterable[Subscriber]]
    catalogue: Catalogue

    def csv(self, file: IO[str]) -> int:
        """Write CSV; answers how many people. Raises TemporaryProblem when somebody gets a new attribute meanwhile."""
        names = sorted({name for person in self.people() for name in person.attributes})
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *(PREFIX + name for name in names)])
        count = 0
        for person in self.people():
            if not person.attributes.keys() <= set(names):
                raise TemporaryProblem("people were changed meanwhile", "run it again")
            values = [*self._values(person).values(), *(person.attributes.get(name, "") for name in names)]
            writer.writerow([guarded(value) for value in values])
            count += 1
        return count

    def json(self, file: IO[str]) -> int:
        """Write one JSON document, a person a line; answers how many."""
        file.write('{"schema": "digest-mailer/people/1", "people": [')
        count = 0
        for count, data in enumerate(self._documents(), 1):
            file.write((",\n" if count > 1 else "\n") + json.dumps(data, ensure_ascii=False))
        file.write("\n]}\n")
        return count

    def _documents(self) -> Iterator[dict[str, object]]:
        for person in self.people():
            topics = [topic.name for topic in self.catalogue.in_words(person.topics)]
            told: dict[str, object] = {name: value or None for name, value in self._values(person).items()}
            told |= {"name": person.name, "topics": "all" if person.all_topics else topics}
            yield told | {"attributes": dict(person.attributes)}

    def _values(self, person: Subscriber) -> Mapping[str, str]:
        given = person.consent
        topics = (topic.key if _SEPARATORS.search(topic.name) else topic.name
                  for topic in self.catalogue.in_words(person.topics))  # fmt: skip
        values = (
            person.address.typed,
            person.name,
            person.language,
            "ALL" if person.all_topics else "; ".join(topics),
            str(person.state),
            str(person.paused_until or ""),
            given.source if given else "",
            given.given_on.isoformat() if given else "",
            str(person.joined_on or ""),
        )
        return dict(zip(COLUMNS, values, strict=True))
