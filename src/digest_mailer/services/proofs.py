"""Proofs: editions as an author's files are now, kept ready to be looked at, and never in the way.

Each look asks whether a file changed. What an edition is made from decides whether it is made again, so two people who
look at it, or another issue's edit, make nothing twice. A file that cannot be read, or a template that breaks, leaves
the last good proof standing, with what is wrong beside it, until it is mended.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digest_mailer.core.archive import ArchiveEntry
from digest_mailer.core.edition import Edition, EditionKey
from digest_mailer.core.errors import Diagnostic, DigestError, IssueError, NothingMatched
from digest_mailer.core.identity import IssueId
from digest_mailer.core.issue import Issue
from digest_mailer.core.message import Message
from digest_mailer.rendering.compile import Rendering
from digest_mailer.rendering.model import Context
from digest_mailer.rendering.templates import TemplateMistake
from digest_mailer.services.compose import Composer
from digest_mailer.services.locating import TEMPLATES
from digest_mailer.services.preview import sample_message

_KEPT = 60  # editions in memory, some 200 KB each


@dataclass(frozen=True, slots=True)
class Proof:
    """One edition, the MJML that made it, and what the sample reader would get."""

    edition: Edition
    mjml: str
    sample: Message


@dataclass(frozen=True, slots=True)
class Source:
    """An issue that can be shown, and what is wrong with it as it stands now: then it is the last that could be."""

    issue: Issue
    composer: Composer
    trouble: tuple[Diagnostic | DigestError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Made:
    """A rendering: from what, what came of it, and why nothing newer did."""

    inputs: tuple[Issue, tuple[ArchiveEntry, ...], Context]
    proof: Proof | None
    problem: DigestError | None = None


class Proofs:
    """The proofs of one publication. `compose` reads its files again, `stamp` tells whether they changed."""

    def __init__(self, compose: Callable[[Composer | None], Composer], stamp: Callable[[], str]) -> None:
        self._compose = compose
        self._stamp = stamp
        self._seen = ""
        self._composer: Composer | None = None
        self._problem: DigestError | None = None  # with the settings, topics or templates
        self._readable: dict[IssueId, Source] = {}
        self._made: dict[tuple[IssueId, EditionKey], _Made] = {}
        self._one_at_a_time = threading.RLock()

    def composer(self) -> tuple[Composer, str]:
        """What makes editions of the files as they are, and their stamp. Raises DigestError when they cannot be
        read and never could."""
        with self._one_at_a_time:
            stamp = self._stamp()
            if stamp != self._seen:
                try:
                    self._composer, self._problem = self._compose(self._composer), None
                except DigestError as problem:
                    self._problem = problem
                self._seen = stamp
            if self._composer is None:
                self._seen = ""
                raise self._problem or DigestError("nothing was read")
            return self._composer, stamp

    def source(self, issue_id: IssueId) -> Source:
        """An issue as far as it can be shown. Raises IssueError when it never could be, NothingMatched when there is
        none."""
        with self._one_at_a_time:
            composer, _ = self.composer()
            wider: tuple[DigestError, ...] = (self._problem,) if self._problem else ()
            try:
                issue = composer.library.readable(issue_id)
            except (IssueError, NothingMatched) as problem:
                last = self._readable.get(issue_id)
                if last is None:
                    raise
                mistakes = problem.diagnostics if isinstance(problem, IssueError) else (problem,)
                return Source(last.issue, last.composer, (*wider, *mistakes))
            self._readable[issue_id] = Source(issue, composer)
            return Source(issue, composer, wider)

    def proof(self, source: Source, key: EditionKey) -> tuple[Proof | None, DigestError | None]:
        """An edition of it, the last good one when it cannot be made now, and then the reason too."""
        with self._one_at_a_time:
            rendering = next(source.composer.renderings(source.issue, [key]))
            inputs = rendering.issue, tuple(rendering.past), rendering.context
            place = source.issue.id, key
            made = self._made.pop(place, None)
            if made is None or made.inputs != inputs:
                made = _render(rendering, inputs, made.proof if made else None)
            self._made[place] = made
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
            return made.proof, made.problem


def _render(rendering: Rendering, inputs: tuple[Issue, tuple[ArchiveEntry, ...], Context], good: Proof | None) -> _Made:
    try:
        edition = rendering.edition()
        sample = sample_message(edition, rendering.issue, rendering.context.publication.timezone)
        return _Made(inputs, Proof(edition, rendering.mjml(shortened=edition.shortened), sample))
    except DigestError as problem:
        return _Made(inputs, good, problem)


def place_of(problem: Diagnostic | DigestError) -> Mapping[str, object]:
    """What is wrong, and where as far as that is known, in words for a page or a line of JSON."""
    if isinstance(problem, TemplateMistake):
        path = TEMPLATES + problem.template
        problem = Diagnostic(path, problem.line, 1, "DM320", problem.message, problem.hint)
    if isinstance(problem, Diagnostic):
        where = (problem.path, problem.line, problem.col, problem.code, problem.message)
    else:
        where = ("", 0, 0, "", problem.what)
    return dict(zip(("path", "line", "col", "code", "message", "hint"), (*where, problem.hint), strict=True))
