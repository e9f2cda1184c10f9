"""From an issue to its editions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from digest_mailer.core.archive import before
from digest_mailer.core.edition import Edition, EditionKey, article_topics, keys_to_build, plan
from digest_mailer.core.edition import ReaderGroup as Group
from digest_mailer.core.issue import Issue
from digest_mailer.core.publication import Publication
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.core.topic import union
from digest_mailer.core.translation import in_language
from digest_mailer.ports import Subscribers
from digest_mailer.rendering.compile import Rendering
from digest_mailer.rendering.model import Context
from digest_mailer.services.library import Library


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes editions of the library's issues."""

    library: Library
    publication: Publication

    def editions(self, issue: Issue, keys: Iterable[EditionKey]) -> Mapping[EditionKey, Edition]:
        """Render these editions. Raises ContentError when a template or an edition will not do."""
        return {rendering.key: rendering.edition() for rendering in self.renderings(issue, keys)}

    def renderings(self, issue: Issue, keys: Iterable[EditionKey]) -> Iterator[Rendering]:
        """What makes these editions, for a look at each step; in the order of the keys."""
        context = self.context
        for language, wanted in groupby(sorted(keys), lambda key: key.language):
            words, past = in_language(issue, language), before(self.library.archive(language), issue.id)
            yield from (Rendering(words, key, past, context) for key in wanted)

    @property
    def context(self) -> Context:
        """What every edition is rendered with."""
        vocabulary = self.library.vocabulary
        return Context(self.publication, vocabulary.catalogue, vocabulary.types, self.library.templates)

    def keys(self, issue: Issue, people: Subscribers | None) -> tuple[EditionKey, ...]:
        """The editions to make: all of a small issue, and those that stored subscribers would get of any."""
        languages = self.publication.languages
        wanted = self._wanted(issue, people) if people else ()
        return keys_to_build(len(issue.articles), languages, wanted)

    def _wanted(self, issue: Issue, people: Subscribers) -> tuple[EditionKey, ...]:
        catalogue = self.library.vocabulary.catalogue
        groups = people.groups(issue.id, union(article_topics(issue, catalogue)), EVERYBODY)
        readers = [Group(g.topics, g.all_topics, g.language, g.people) for g in groups if g.follows]
        publication = self.publication
        return tuple(plan(issue, catalogue, readers, publication.languages, publication.no_match).readers)
