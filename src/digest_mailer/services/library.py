"""The publication's issues as the rest of the program sees them: read, examined, indexed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from digest_mailer.core.archive import ArchiveEntry, index
from digest_mailer.core.errors import Diagnostic, IssueError, NothingMatched, Severity, UsageError
from digest_mailer.core.identity import ArticleKey, IssueId, Language, parse_issue_id
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import Vocabulary, examine_issue
from digest_mailer.core.lint import Stated, before, check_issue, dois_of, keys_of
from digest_mailer.core.translation import check_translation, in_language
from digest_mailer.ports import IssueSource

if TYPE_CHECKING:
    from digest_mailer.rendering.templates import Templates

_Reading = tuple[Issue | None, list[Diagnostic]]


@dataclass(frozen=True, slots=True)
class Examined:
    """An issue as far as it can be read, and everything wrong with it."""

    id: IssueId
    issue: Issue | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def acceptable(self) -> bool:
        """Whether nothing stands against sending it."""
        return self.issue is not None and not any(d.severity is Severity.ERROR for d in self.diagnostics)


@dataclass
class Readings:
    """What files said when they were last read. Libraries share it: a file is parsed again when its bytes changed, or
    the vocabulary that it was read with."""

    _kept: dict[tuple[IssueId, Language | None], tuple[bytes, Vocabulary, _Reading]] = field(default_factory=dict)

    def read(self, source: IssueSource, issue: IssueId, language: Language | None, vocabulary: Vocabulary) -> _Reading:
        """An issue's file or its translation's as it is now, and what the parser says of it."""
        data = source.read(issue, language)
        known = self._kept.get((issue, language))
        if known is None or known[:2] != (data, vocabulary):
            known = data, vocabulary, examine_issue(data, source.path(issue, language), vocabulary)
            self._kept[issue, language] = known
        return known[2]


@dataclass
class Library:
    """Reads each file once; make a new one, or one `afresh`, to see later changes."""

    source: IssueSource
    readings: Readings = field(default_factory=Readings)
    _examined: dict[IssueId, Examined] = field(default_factory=dict)
    _parsed: dict[IssueId, tuple[Issue | None, list[Diagnostic]]] = field(default_factory=dict)
    _archives: dict[Language | None, tuple[ArchiveEntry, ...]] = field(default_factory=dict)
    _dois: dict[str, list[Stated]] | None = None
    _vocabulary: Vocabulary | None = None
    _template_sources: Mapping[str, str] | None = None
    _templates: "Templates | None" = None

    def afresh(self) -> "Library":
        """The files as they are now. No issue is parsed, and no template compiled, that is as it was. Raises
        ContentError for topics or templates that cannot be read."""
        fresh = Library(self.source, self.readings)
        _ = fresh.vocabulary
        if fresh.template_sources == self.template_sources:
            fresh._templates = self._templates
        return fresh

    @property
    def vocabulary(self) -> Vocabulary:
        """Topics and research types."""
        self._vocabulary = self._vocabulary or self.source.vocabulary()
        return self._vocabulary

    @property
    def template_sources(self) -> Mapping[str, str]:
        """The publication's templates by name, its own before the packaged ones."""
        self._template_sources = self._template_sources or self.source.templates()
        return self._template_sources

    @property
    def templates(self) -> "Templates":
        """The same, ready to run."""
        from digest_mailer.rendering.templates import Templates

        self._templates = self._templates or Templates(self.template_sources)
        return self._templates

    def named(self, text: str) -> IssueId:
        """The issue that a person named. Raises UsageError when it is no month."""
        issue = parse_issue_id(text)
        if issue is None:
            raise UsageError(f'"{text}" is not an issue', "name the month, like 2023-07")
        return issue

    def newest(self) -> IssueId:
        """The newest issue. Raises NothingMatched when there is none."""
        ids = self.source.ids()
        if not ids:
            raise NothingMatched("there is no issue yet", "write newsletters/YYYY-MM.md")
        return ids[0]

    def examine(self, issue: IssueId) -> Examined:
        """Read an issue and say everything that is wrong with it. Raises NothingMatched when there is none."""
        if issue not in self._examined:
            parsed, found = self._parse(issue)
            if parsed:
                found = [*found, *chain.from_iterable(check_translation(parsed, one) for one in parsed.translations)]
                found = [*found, *self._check(parsed)]
            self._examined[issue] = Examined(issue, parsed, tuple(sorted(found)))
        return self._examined[issue]

    def load(self, issue: IssueId) -> Issue:
        """An issue that can be sent. Raises IssueError with every error in it otherwise."""
        examined = self.examine(issue)
        if examined.issue is None or not examined.acceptable:
            raise IssueError([d for d in examined.diagnostics if d.severity is Severity.ERROR])
        return examined.issue

    def readable(self, issue: IssueId) -> Issue:
        """An issue that can be shown, perhaps not sent yet. Raises IssueError with what the parser says."""
        parsed, found = self._parse(issue)
        if parsed is None or found:
            raise IssueError(found)
        return parsed

    def is_readable(self, issue: IssueId) -> bool:
        """Whether the parser has nothing to say of the issue and its translations."""
        parsed, found = self._parse(issue)
        return parsed is not None and not found

    def all(self) -> tuple[Issue, ...]:
        """Every issue that can be read, newest first."""
        parsed = (self._parse(issue)[0] for issue in self.source.ids())
        return tuple(issue for issue in parsed if issue)

    def archive(self, language: Language | None = None) -> tuple[ArchiveEntry, ...]:
        """The published issues, newest first; in the words of a language where they have them."""
        if language not in self._archives:
            issues = self.all()
            self._archives[language] = index(in_language(one, language) if language else one for one in issues)
        return self._archives[language]

    def strays(self) -> tuple[Diagnostic, ...]:
        """Markdown files beside the issues whose name is no month."""
        return tuple(
            Diagnostic(
                path,
                1,
                1,
                "DM003",
                "the file's name is not a month, or nothing that it translates is there",
                "name it after its month, like 2023-07.md, and its translation 2023-07.fr.md",
            )
            for path in self.source.strays()
        )

    def _check(self, issue: Issue) -> list[Diagnostic]:
        """What lint says of an issue beside all the others."""
        others = keys_of(self.all(), but=issue.id)
        if self._dois is None:
            self._dois = dois_of(self.all())
        return check_issue(
            issue,
            self.vocabulary.catalogue,
            self._earlier(issue, others),
            dois_elsewhere=before(self._dois, issue.id),
        )

    def _parse(self, issue: IssueId) -> tuple[Issue | None, list[Diagnostic]]:
        """An issue with its translations, and what the parser says of all these files."""
        if issue not in self._parsed:
            parsed, found = self._read(issue, None)
            for language in self.source.languages(issue):
                words, more = self._read(issue, language)
                found = [*found, *more]
                if parsed and words:
                    parsed = replace(parsed, translations=(*parsed.translations, words))
            self._parsed[issue] = parsed, found
        return self._parsed[issue]

    def _read(self, issue: IssueId, language: Language | None) -> tuple[Issue | None, list[Diagnostic]]:
        return self.readings.read(self.source, issue, language, self.vocabulary)

    @staticmethod
    def _earlier(issue: Issue, others: dict[ArticleKey, IssueId]) -> dict[ArticleKey, IssueId]:
        """A key belongs to the issue that had it first, so the later one is wrong."""
        return {key: other for key, other in others.items() if other < issue.id}
