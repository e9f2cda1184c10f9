"""Where in the author's files stands what a check of an edition found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from digest_mailer.core.errors import Diagnostic
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import Language
from digest_mailer.core.issue import Issue
from digest_mailer.services.library import Library

TEMPLATES = "templates/"


@dataclass(frozen=True, slots=True)
class Locator:
    """Looks for words in the files that an edition was made from; the author's own come first."""

    path: str  # of the issue, where nothing else is known
    files: Mapping[str, str]  # texts by path, in the order of the search

    @classmethod
    def of(cls, library: Library, issue: Issue, language: Language) -> "Locator":
        """The files of one issue in one language, then the templates."""
        source = library.source
        languages = [language] if language in source.languages(issue.id) else []
        files = {
            source.path(issue.id, one): source.read(issue.id, one).decode("utf-8", "replace")
            for one in (*languages, None)
        }
        templates = library.templates.sources
        files |= {f"{TEMPLATES}{name}": text for name, text in templates.items() if not name.startswith("web/")}
        return cls(issue.path, files)

    def diagnostic(self, finding: Finding) -> Diagnostic:
        """The finding at the place where its words stand; at the top of the issue when they stand nowhere."""
        for path, text in self.files.items():
            if finding.near and (place := _find(finding.near, text)):
                return _diagnostic(finding, path, *place)
        return _diagnostic(finding, self.path, 1, 1)

    def in_template(self, finding: Finding, place: tuple[str, int] | None) -> Diagnostic:
        """The finding at the line of a template that wrote it."""
        if place is None:
            return self.diagnostic(finding)
        name, line = place
        if (found := self._in_stylesheet(finding)) is not None:
            return found
        path = f"{TEMPLATES}{name}"
        shown = self.files[path].split("\n")[line - 1]
        return _diagnostic(finding, path, line, shown.find(finding.near) + 1 if finding.near in shown else 1)

    def _in_stylesheet(self, finding: Finding) -> Diagnostic | None:
        """A mistake in CSS stands in a file of its own, which a template only brings in."""
        for path, text in self.files.items():
            if path.endswith(".css") and finding.code == CSS_MISTAKE and (place := _find(finding.near, text)):
                return _diagnostic(finding, path, *place)
        return None


CSS_MISTAKE = "DM314"


def _find(words: str, text: str) -> tuple[int, int] | None:
    """Line and column of these words, not as a part of longer ones."""
    before, after = (r"(?<!\w)" if words[:1].isalnum() else ""), (r"(?!\w)" if words[-1:].isalnum() else "")
    match = re.search(before + re.escape(words) + after, text) if words else None
    if match is None:
        return None
    line = text.count("\n", 0, match.start()) + 1
    return line, match.start() - text.rfind("\n", 0, match.start())


def _diagnostic(finding: Finding, path: str, line: int, col: int) -> Diagnostic:
    return Diagnostic(path, line, col, finding.code, finding.message, finding.hint, finding.severity)
