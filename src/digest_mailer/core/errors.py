"""Every failure that a person can act on.

A `DigestError` says what went wrong, where, and what to do next, and maps to one exit code of the
command line. A `Diagnostic` is one mistake in a file of the author's, with its line and column.
Anything else that is raised is a defect of the program (exit code 1).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum, StrEnum

# a hint that names a command or one of its options
_COMMAND = re.compile(r"digest-mailer|\bsee (?:segments|topics|subscribers|suppressions|admins) [a-z]+|(?<!\w)--?[a-z]")


class ExitCode(IntEnum):
    """What the command line returns; scripts rely on these numbers."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    CONTENT = 3  # content not acceptable: a diagnostic of severity error, rejected rows
    INTERLOCK = 4  # refused for safety; nothing was sent
    PARTIAL = 5  # partly delivered, a retry is possible
    NOTHING = 6  # nothing matched
    TEMPORARY = 7  # transport or network, temporary
    LOCKED = 8  # another send holds the lock
    CONFIG = 9  # configuration or secret missing or wrong
    INTERRUPTED = 130  # Ctrl-C; state is saved


class Severity(StrEnum):
    """How much a diagnostic weighs."""

    ERROR = "error"  # blocks a send
    WARNING = "warning"  # shown; blocks only under --strict


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a file; both counted from 1."""

    line: int = 1
    col: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One mistake in a file: `path:line:col: CODE message`, lines and columns counted from 1."""

    path: str
    line: int
    col: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.col}: {self.code} {self.message}"


class DigestError(Exception):
    """A failure with a sentence for the person: `what`, and `hint`, what to do next."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    @property
    def page_hint(self) -> str:
        """What to do next, for somebody on a page; empty when it is a command that would help."""
        return "" if _COMMAND.search(self.hint) else self.hint

    @property
    def sentence(self) -> str:
        """Both in a line, for where a form on a page shows what is wrong with it."""
        return f"{self.what}: {self.page_hint}" if self.page_hint else self.what


class IssueError(DigestError):
    """An issue file (or another file the author writes) has mistakes; carries all of them."""

    exit_code = ExitCode.CONTENT

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        count = len(self.diagnostics)
        paths = sorted({diagnostic.path for diagnostic in self.diagnostics})
        where = paths[0] if len(paths) == 1 else f"{len(paths)} files"
        super().__init__(
            f"{count} mistake{'s' if count != 1 else ''} in {where}",
            "correct the lines named above and run the command again",
        )


class ContentError(DigestError):
    """Content that cannot be used: a theme, a template, an import with rejected rows."""

    exit_code = ExitCode.CONTENT


class UsageError(DigestError):
    """The command line or a value given on it makes no sense."""

    exit_code = ExitCode.USAGE


class InterlockError(DigestError):
    """A send that was refused for safety. Nothing was sent."""

    exit_code = ExitCode.INTERLOCK


class ChangedMeanwhileError(InterlockError):
    """What was to be changed is no longer as it was when somebody looked at it. Nothing was changed."""


class NothingMatched(DigestError):  # noqa: N818 - it is an answer more than a fault
    """The name, segment or issue asked for does not exist, or holds nobody."""

    exit_code = ExitCode.NOTHING


class TemporaryProblem(DigestError):  # noqa: N818
    """The server or the network would not do it now; trying again later may help."""

    exit_code = ExitCode.TEMPORARY


class Locked(DigestError):  # noqa: N818
    """Another process is sending."""

    exit_code = ExitCode.LOCKED


class ConfigError(DigestError):
    """Configuration, database or secret missing, wrong or out of date."""

    exit_code = ExitCode.CONFIG


def did_you_mean(word: str, candidates: Sequence[str]) -> str:
    """`did you mean "X"?` for the closest candidate, compared without case; empty when none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}  # of two alike the first
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f'did you mean "{by_folded[close[0]]}"?' if close else ""
