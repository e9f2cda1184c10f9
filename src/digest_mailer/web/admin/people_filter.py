"""The filter of the list of people, as it was asked for, and what it means."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self
from urllib.parse import urlencode

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import Language
from digest_mailer.core.people_search import Search, narrowed
from digest_mailer.services.library import Library
from digest_mailer.services.segmenting import find_segment


@dataclass(frozen=True, slots=True)
class Filter:
    """The fields of the form, as they were filled in."""

    text: str = ""
    inside: str = ""  # anything: look anywhere in addresses and names
    state: str = ""
    language: str = ""
    topic: str = ""
    segment: str = ""  # by name, or an expression

    @classmethod
    def read(cls, field: Callable[[str], str]) -> Self:
        """Out of an address or a form, whose fields this tells."""
        return cls(**{name: field(name) for name in cls.__slots__})

    @property
    def fields(self) -> dict[str, str]:
        """What is set."""
        return {name: value for name, value in asdict(self).items() if value}

    def query(self, **more: str) -> str:
        """As the end of an address."""
        said = self.fields | more
        return f"?{urlencode(said)}" if said else ""

    def query_inside(self) -> str:
        """The same, looking anywhere in addresses and names."""
        return self.query(inside="1")

    def search(self, app: App, library: Library) -> Search | None:
        """Whom it means; None where that can be nobody. Raises UsageError for what there is not, NothingMatched for a
        segment that there is not."""
        segment = find_segment(app.segments, self.segment, library)
        languages = (Language(self.language),) if self.language else ()
        narrow = narrowed(segment, self._states(), languages, self._topics(library))
        return Search(narrow, self.text, bool(self.inside)) if narrow else None

    def _states(self) -> tuple[State, ...]:
        if not self.state:
            return ()
        try:
            return (State(self.state),)
        except ValueError as problem:
            raise UsageError(f'unknown state "{self.state}"', "choose one of the list") from problem

    def _topics(self, library: Library) -> tuple[int, ...] | None:
        if not self.topic:
            return None
        catalogue = library.vocabulary.catalogue
        topic = catalogue.named(self.topic)
        if topic is None:
            raise UsageError(f'unknown topic "{self.topic}"', "choose one of the list")
        return catalogue.words([topic.key])
