"""What somebody says of a list of people beside what stands in it: the fields of a form, as they were typed.

It is kept as it was typed, so that a slip is corrected where it was made and no file need be uploaded twice for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from starlette.datastructures import FormData

from digest_mailer.bootstrap import FIELDS
from digest_mailer.core.audience import Consent
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.intake import Column
from digest_mailer.core.topic import Catalogue
from digest_mailer.services.importing import Said
from digest_mailer.services.subscriptions import consent_by_hand
from digest_mailer.web import forms

ENCODINGS = ("utf-8", "windows-1252", "iso-8859-15", "windows-1250", "windows-1251", "windows-1253", "mac-roman",
             "utf-16-le", "utf-16-be")  # fmt: skip
ATTRIBUTE = "attribute"  # of the choices for a column
ALL, SOME = "all", "some"  # of the choices for topics


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields."""

    source: str = ""  # of the consent of rows that state none
    day: str = ""
    scope: str = ""  # of topics of rows that state none
    topics: Sequence[str] = ()
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)  # a choice by the name of the column

    @property
    def file(self) -> Said:
        """What is said of the file itself. Raises UsageError for an encoding that there is not."""
        named = {name: name.lower() if choice == ATTRIBUTE else choice for name, choice in self.columns.items()}
        return Said(named, encoding=self.encoding)

    def said(self, catalogue: Catalogue, today: date) -> Said:
        """All of it. Raises UsageError for what makes no sense."""
        file = self.file
        return Said(file.columns, self._consent(today), self._topics(catalogue), file.encoding)

    def _consent(self, today: date) -> Consent | None:
        if not self.source and not self.day:
            return None
        if not self.source or not self.day:
            raise UsageError("a consent needs both a source and a day", "say where people agreed and when, or neither")
        return consent_by_hand(self.source, self.day, today)

    def _topics(self, catalogue: Catalogue) -> str:
        if self.scope == ALL:
            return ALL
        if self.scope != SOME:
            return ""
        chosen = [topic.key for topic in catalogue.offered if topic.key in self.topics]
        if not chosen:
            raise UsageError("no topic is ticked", "tick what these people follow, or choose another answer")
        return "; ".join(chosen)


def read_typed(form: FormData, columns: Sequence[Column] = ()) -> Typed:
    """The fields of a form, with a choice for each of these columns."""
    choices = {one.name: forms.field(form, f"column-{number}") for number, one in enumerate(columns)}
    return Typed(
        source=forms.field(form, "source").strip(),
        day=forms.field(form, "day").strip(),
        scope=forms.field(form, "scope"),
        topics=[TopicKey(one) for one in forms.ticked(form, "topic")],
        encoding=found if (found := forms.field(form, "encoding")) in ENCODINGS else "",
        columns={name: choice for name, choice in choices.items() if choice in (*FIELDS, ATTRIBUTE)},
    )
