"""`lint --fix`: changes in issue files that are safe to make without asking, and nothing else of these files."""

from collections.abc import Iterable
from dataclasses import dataclass

from digest_mailer.core.fixes import fix_text
from digest_mailer.core.identity import IssueId
from digest_mailer.services.library import Library


@dataclass(frozen=True, slots=True)
class Fixer:
    """Puts issue files right; `core.fixes` says what is safe."""

    library: Library

    def fix(self, issues: Iterable[IssueId]) -> list[str]:
        """Change the files of these issues and their translations; answers a sentence for each change."""
        source = self.library.source
        files = ((issue, language) for issue in issues for language in (None, *source.languages(issue)))
        said: list[str] = []
        for issue, language in files:
            try:
                text = source.read(issue, language).decode()
            except UnicodeDecodeError:  # lint says so
                continue
            fixed, changes = fix_text(text, self.library.vocabulary.catalogue)
            if fixed != text:
                source.rewrite(issue, language, fixed)
            path = source.path(issue, language)
            said += [
                f"{path}:{one.line}:{one.col}: {one.code} fixed: {one.old!r} is now {one.new!r}" for one in changes
            ]
        return said
