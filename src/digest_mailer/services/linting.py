"""Lint: everything that is wrong with an issue, in its files and in every edition that would be sent.

What the parser and the rules of `core.lint` say of the files comes first. Then each edition is made as `approve`
would make it, and its MJML, its HTML and its text are checked; a mistake is shown once, at the line of the file
that a person has to open, with the editions that have it when not all do. `approve` refuses an issue with errors.
A browser and the network are asked only by those who want it: `look` and `ask`.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digest_mailer.core.edition import Edition, EditionKey, Pieces, Slot, article_topics
from digest_mailer.core.errors import ContentError, Diagnostic, Severity
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import FRENCH, IssueId, TopicKey
from digest_mailer.core.issue import Issue
from digest_mailer.core.lint import check_followers
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.core.topic import has_ordinal, union
from digest_mailer.ports import Asker, Eye, Subscribers
from digest_mailer.rendering.compile import Rendering
from digest_mailer.rendering.phrases import untranslated
from digest_mailer.rendering.rules.edition_rules import check_edition
from digest_mailer.rendering.rules.mjml_rules import check_mjml
from digest_mailer.rendering.templates import TemplateMistake
from digest_mailer.services.compose import Composer
from digest_mailer.services.link_check import judge
from digest_mailer.services.locating import TEMPLATES, Locator
from digest_mailer.services.preview import samples

COMPLETE = FRENCH  # the language whose words come with the program, all of them
_LINK = re.compile(r'href="(https?://[^"]+)"')


@dataclass(frozen=True, slots=True)
class Linter:
    """Checks issues. Without `people` nothing is said of who follows what, and no selection of theirs is made."""

    composer: Composer
    people: Subscribers | None

    def lint(self, issue_id: IssueId) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with an issue, by place. Raises NothingMatched when there is none."""
        library = self.composer.library
        examined = library.examine(issue_id)
        issue = examined.issue
        if issue is None or not library.is_readable(issue_id):
            return examined.diagnostics
        found = [*examined.diagnostics, *self._followers(issue), *self._strangers(issue), *self._editions(issue)]
        return tuple(sorted(set(found)))

    def lint_words(self) -> Iterator[Diagnostic]:
        """What the mail's own words lack in the publication's languages."""
        sources = self.composer.library.templates.sources
        for language in self.composer.publication.languages:
            for message in untranslated(sources, language, COMPLETE):
                path = f"{TEMPLATES}translations/{language}.po"
                hint = "readers get it in English until it is there"
                yield Diagnostic(path, 1, 1, "DM133", f'"{message}" is not translated', hint, Severity.WARNING)

    def look(self, issue_id: IssueId, eye: Eye) -> Iterator[Diagnostic]:
        """What is wrong with an issue's editions on a screen. An issue that cannot be rendered is left to `lint`."""
        for issue in self._sound(issue_id):
            seen = (
                (sample.key, map(self._locator(issue, sample.key).diagnostic, eye.look(sample.message.html)))
                for sample in samples(self.composer, issue, self.people)
            )
            yield from _merged(seen, len(self.composer.keys(issue, self.people)))

    def ask(self, issues: Sequence[IssueId], asker: Asker) -> Iterator[Diagnostic]:
        """What the addresses in these issues answer; the publication's own pages are not asked."""
        where: dict[str, Locator] = {}
        for issue in (one for issue_id in issues for one in self._sound(issue_id)):
            for rendering in self.composer.renderings(issue, self.composer.keys(issue, None)):
                for address in _LINK.findall(rendering.html()):
                    where.setdefault(html.unescape(address), self._locator(issue, rendering.key))
        own = self.composer.publication.base_url
        answers = asker(address for address in where if not address.startswith(own))
        for address, answer in answers.items():
            if finding := judge(answer):
                yield where[address].diagnostic(finding)

    # -- files

    def _followers(self, issue: Issue) -> list[Diagnostic]:
        """Topics that nobody follows, where anybody is known at all."""
        if self.people is None:
            return []
        catalogue = self.composer.library.vocabulary.catalogue
        topics = union(article_topics(issue, catalogue))
        groups = self.people.groups(issue.id, topics, EVERYBODY)
        if not any(group.people for group in groups):
            return []
        followers: Mapping[TopicKey, int] = {
            topic.key: sum(g.people for g in groups if has_ordinal(g.topics, topic.ordinal))
            for topic in catalogue.in_words(topics)
        }
        return check_followers(issue, catalogue, followers)

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
        seen = (
            (rendering.key, _check(rendering, self._locator(issue, rendering.key)))
            for rendering in self.composer.renderings(issue, keys)
        )
        return _merged(seen, len(keys))

    def _sound(self, issue_id: IssueId) -> Iterator[Issue]:
        """The issue, when its editions can be made and are worth a further look."""
        if not any(one.severity is Severity.ERROR for one in self.lint(issue_id)):
            yield self.composer.library.readable(issue_id)

    def _locator(self, issue: Issue, key: EditionKey) -> Locator:
        return Locator.of(self.composer.library, issue, key.language)


def _check(rendering: Rendering, locate: Locator) -> Iterator[Diagnostic]:
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
        yield from mistakes or map(locate.diagnostic, _findings(edition, rendering))


def _mjml(rendering: Rendering, locate: Locator, *, shortened: bool = False) -> Iterator[Diagnostic]:
    """What is wrong with an edition's MJML, at the lines of the templates that wrote it."""
    found = check_mjml(rendering.mjml(shortened=shortened))
    if found:
        trace = rendering.trace(shortened=shortened)
        yield from (locate.in_template(one, trace.place(one.line, one.col)) for one in found)


def _findings(edition: Edition, rendering: Rendering) -> Iterable[Finding]:
    publication = rendering.context.publication
    if edition.shortened:
        message = f"the edition would be over {publication.html_budget:,} bytes, so it shows takeaways and links"
        hint = "shorten the articles, or move one to another issue, to have them in the mail in full"
        yield Finding("DM402", message, hint, Severity.WARNING)
    yield from check_edition(marked(edition.html), marked(edition.text), publication.postal_address)


def marked(pieces: Pieces) -> str:
    """A part of an edition with its slots as templates mark them."""
    return "".join(piece.mark if isinstance(piece, Slot) else piece for piece in pieces)


def _merged(found: Iterable[tuple[EditionKey, Iterable[Diagnostic]]], count: int) -> Iterator[Diagnostic]:
    """Each diagnostic once; it names the editions that have it when these are not all of the `count`."""
    seen: dict[Diagnostic, list[EditionKey]] = {}
    for key, diagnostics in found:
        for diagnostic in set(diagnostics):
            seen.setdefault(diagnostic, []).append(key)
    for diagnostic, having in seen.items():
        more = f" and {len(having) - 1} more" if len(having) > 1 else ""
        named = replace(diagnostic, message=f"{diagnostic.message} (edition {having[0]}{more})")
        yield diagnostic if len(having) == count else named
