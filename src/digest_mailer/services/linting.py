"""Lint: everything that is wrong with an issue, in its files and in every edition that would be sent.

What the parser and the rules of `core.lint` say of the files comes first. Then each edition is made as `approve`
would make it, and its MJML, its HTML and its text are checked; a mistake is shown once, at the line of the file
that a person has to open, with the editions that have it when not all do. `approve` refuses an issue with errors.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from digest_mailer.core.audience import EVERYBODY
from digest_mailer.core.edition import Edition, EditionKey, Pieces, Slot
from digest_mailer.core.errors import ContentError, Diagnostic, Severity
from digest_mailer.core.identity import FRENCH, IssueId, TopicKey
from digest_mailer.core.issue import Issue
from digest_mailer.core.topic import Catalogue, has_ordinal
from digest_mailer.ports import Subscribers
from digest_mailer.rendering.compile import Rendering, html_size
from digest_mailer.rendering.edition_rules import check_edition
from digest_mailer.rendering.finding import Finding
from digest_mailer.rendering.mjml_rules import check_mjml
from digest_mailer.rendering.phrases import untranslated
from digest_mailer.rendering.templates import TemplateMistake
from digest_mailer.services.compose import Composer
from digest_mailer.services.locating import TEMPLATES, Locator

COMPLETE = FRENCH  # the language whose words come with the program, all of them


@dataclass(frozen=True, slots=True)
class Linter:
    """Checks issues. Without `people` nothing is said of who follows what, and no selection of theirs is made."""

    composer: Composer
    people: Subscribers | None

    def lint(self, issue_id: IssueId) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with an issue, by place. Raises NothingMatched when there is none."""
        library = self.composer.library
        examined = library.examine(issue_id)
        if examined.issue is None or not library.is_readable(issue_id):
            return examined.diagnostics
        found = [*examined.diagnostics, *self._strangers(examined.issue), *self._editions(examined.issue)]
        return tuple(sorted(set(found)))

    def lint_words(self) -> Iterator[Diagnostic]:
        """What the mail's own words lack in the publication's languages."""
        sources = self.composer.library.templates.sources
        for language in self.composer.publication.languages:
            for message in untranslated(sources, language, COMPLETE):
                path = f"{TEMPLATES}translations/{language}.po"
                hint = "readers get it in English until it is there"
                yield Diagnostic(path, 1, 1, "DM133", f'"{message}" is not translated', hint, Severity.WARNING)

    def _strangers(self, issue: Issue) -> Iterator[Diagnostic]:
        """Translations into a language that the publication does not have."""
        languages = self.composer.publication.languages
        for one in issue.translations:
            if one.language not in languages:
                hint = f'add "{one.language}" to [publication] languages in digest.toml'
                message = f"nobody gets this translation: the publication has no {one.language}"
                yield Diagnostic(one.path, 1, 1, "DM132", message, hint, Severity.WARNING)

    # -- editions

    def _editions(self, issue: Issue) -> Iterator[Diagnostic]:
        keys = self.composer.keys(issue, self.people)
        seen: dict[Diagnostic, list[EditionKey]] = {}
        for rendering in self.composer.renderings(issue, keys):
            locate = Locator.of(self.composer.library, issue, rendering.key.language)
            for diagnostic in _check(rendering, self.composer, locate):
                seen.setdefault(diagnostic, []).append(rendering.key)
        for diagnostic, having in seen.items():
            yield diagnostic if len(having) == len(keys) else _naming(diagnostic, having)


def _check(rendering: Rendering, composer: Composer, locate: Locator) -> Iterator[Diagnostic]:
    """The diagnostics of one edition."""
    try:
        mistakes = list(_mjml(rendering, locate))
        if not mistakes:  # else what MJML makes of it could be anything
            edition = rendering.edition()
            mistakes = list(_mjml(rendering, locate, shortened=True)) if edition.shortened else []
    except TemplateMistake as problem:
        yield Diagnostic(TEMPLATES + problem.template, problem.line, 1, "DM320", problem.message, problem.hint)
    except ContentError as problem:
        yield locate.diagnostic(Finding("DM321", problem.what, problem.hint))
    else:
        yield from mistakes or map(locate.diagnostic, _findings(edition, composer))


def _mjml(rendering: Rendering, locate: Locator, *, shortened: bool = False) -> Iterator[Diagnostic]:
    """What is wrong with an edition's MJML, at the lines of the templates that wrote it."""
    found = check_mjml(rendering.mjml(shortened=shortened))
    if found:
        trace = rendering.trace(shortened=shortened)
        yield from (locate.in_template(one, trace.place(one.line, one.col)) for one in found)


def _findings(edition: Edition, composer: Composer) -> Iterable[Finding]:
    html, text = marked(edition.html), marked(edition.text)
    if edition.shortened:
        budget = composer.publication.html_budget
        message = f"an edition would be over {budget:,} bytes, so it shows takeaways and {html_size(html):,} bytes"
        hint = "shorten the articles, or move one to another issue, to have them in the mail in full"
        yield Finding("DM402", message, hint, Severity.WARNING)
    yield from check_edition(html, text, composer.publication.postal_address)


def count_followers(people: Subscribers, issue: IssueId, catalogue: Catalogue) -> Mapping[TopicKey, int]:
    """How many people follow each topic by name; those who follow everything follow none by name."""
    groups = people.groups(issue, catalogue.words(topic.key for topic in catalogue), EVERYBODY)
    return {topic.key: sum(g.people for g in groups if has_ordinal(g.topics, topic.ordinal)) for topic in catalogue}


def marked(pieces: Pieces) -> str:
    """A part of an edition with its slots as templates mark them."""
    return "".join(piece.mark if isinstance(piece, Slot) else piece for piece in pieces)


def _naming(diagnostic: Diagnostic, having: list[EditionKey]) -> Diagnostic:
    others = f" and {len(having) - 1} more" if len(having) > 1 else ""
    return replace(diagnostic, message=f"{diagnostic.message} (edition {having[0]}{others})")
