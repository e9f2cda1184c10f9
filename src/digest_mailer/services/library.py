"""The publication's issues as the rest of the program sees them: read, examined, indexed."""

from dataclasses import dataclass, field

from digest_mailer.core.archive import ArchiveEntry, index
from digest_mailer.core.errors import Diagnostic, IssueError, NothingMatched, Severity, UsageError
from digest_mailer.core.identity import ArticleKey, IssueId, parse_issue_id
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import Vocabulary, examine_issue
from digest_mailer.core.lint import check_issue, keys_of
from digest_mailer.ports import IssueSource


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
class Library:
    """Reads each file once; make a new one to see later changes."""

    source: IssueSource
    _examined: dict[IssueId, Examined] = field(default_factory=dict)
    _parsed: dict[IssueId, tuple[Issue | None, list[Diagnostic]]] = field(default_factory=dict)
    _vocabulary: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """Topics and research types."""
        self._vocabulary = self._vocabulary or self.source.vocabulary()
        return self._vocabulary

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
                others = keys_of(self.all(), but=issue)
                found = [*found, *check_issue(parsed, self.vocabulary.catalogue, self._earlier(parsed, others))]
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

    def all(self) -> tuple[Issue, ...]:
        """Every issue that can be read, newest first."""
        parsed = (self._parse(issue)[0] for issue in self.source.ids())
        return tuple(issue for issue in parsed if issue)

    def archive(self) -> tuple[ArchiveEntry, ...]:
        """The published issues, newest first."""
        return index(self.all())

    def strays(self) -> tuple[Diagnostic, ...]:
        """Markdown files beside the issues whose name is no month."""
        return tuple(
            Diagnostic(
                path, 1, 1, "DM003", "the file's name is not a month", "name it after its month, like 2023-07.md"
            )
            for path in self.source.strays()
        )

    def _parse(self, issue: IssueId) -> tuple[Issue | None, list[Diagnostic]]:
        if issue not in self._parsed:
            data = self.source.read(issue)
            self._parsed[issue] = examine_issue(data, self.source.path(issue), self.vocabulary)
        return self._parsed[issue]

    @staticmethod
    def _earlier(issue: Issue, others: dict[ArticleKey, IssueId]) -> dict[ArticleKey, IssueId]:
        """A key belongs to the issue that had it first, so the later one is wrong."""
        return {key: other for key, other in others.items() if other < issue.id}
