"""What lint says of an issue as it stands, beside its files: `/admin/issues/MONTH/lint/`.

Each finding leads to its line in the source below it. The preview fetches the same page a moment after its frames,
which never wait for it.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.errors import Diagnostic, DigestError, NothingMatched, Severity
from digest_mailer.core.identity import IssueId
from digest_mailer.services.compose import Composer
from digest_mailer.services.linting import Linter
from digest_mailer.services.locating import TEMPLATES
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.sight import is_live, month_of


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, and what is wrong with it: "error", "warning" or nothing."""

    number: int
    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that is wrong with an issue, and the files that it is in."""

    found: tuple[Diagnostic, ...]
    files: tuple[tuple[str, tuple[Line, ...]], ...]  # path and lines
    problem: DigestError | None = None  # with the settings, topics or templates: nothing was looked at

    @property
    def errors(self) -> int:
        """How many keep the issue from being approved."""
        return sum(one.severity is Severity.ERROR for one in self.found)


@dataclass
class FindingPages:
    """Lint as a page. What two people ask at a time is looked for once."""

    gate: Gate
    _kept: dict[IssueId, tuple[str, Findings]] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def show(self, visit: Visit) -> Response:
        """`/issues/MONTH/lint/`."""
        issue = month_of(self.gate, visit)
        values = {
            "issue": issue,
            "month": self.gate.phrases(visit).month_title(issue),
            "findings": self._findings(issue),
            "live": is_live(self.gate),
        }
        return self.gate.show(visit, "lint", values)

    def _findings(self, issue: IssueId) -> Findings:
        composer, stamp = self.gate.app.proofs.composer()
        with self._one_at_a_time:
            if self._kept.get(issue, ("",))[0] != stamp:
                self._kept[issue] = stamp, _look(issue, composer, self.gate)
            return self._kept[issue][1]


def _look(issue: IssueId, composer: Composer, gate: Gate) -> Findings:
    try:
        found = Linter(composer, gate.app.people).lint(issue)
        return Findings(found, tuple(_files(issue, composer, found)))
    except NothingMatched:
        raise
    except DigestError as problem:
        return Findings((), (), problem)


def _files(issue: IssueId, composer: Composer, found: Sequence[Diagnostic]) -> Iterable[tuple[str, tuple[Line, ...]]]:
    """The issue's files, then those of others that something was found in."""
    source, templates = composer.library.source, composer.library.template_sources
    texts = {
        source.path(issue, language): source.read(issue, language).decode("utf-8", "replace")
        for language in (None, *source.languages(issue))
    }
    for path in sorted({one.path for one in found}):
        text = templates.get(path.removeprefix(TEMPLATES)) if path.startswith(TEMPLATES) else None
        if text is not None:
            texts[path] = text
    for path, text in texts.items():
        marks: Mapping[int, str] = {
            one.line: one.severity.value for one in sorted(found, key=lambda one: one.severity is Severity.ERROR)
            if one.path == path
        }  # fmt: skip
        lines = text.split("\n")
        yield path, tuple(Line(number, line, marks.get(number, "")) for number, line in enumerate(lines, 1))


def finding_routes(gate: Gate) -> list[Route]:
    """Lint."""
    return gate.page("/issues/{month}/lint/", FindingPages(gate).show, needs=Role.AUTHOR)
