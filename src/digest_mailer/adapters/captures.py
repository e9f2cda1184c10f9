"""Page captures of past issues become `Issue` values, one a month.

A blog that shows past issues by topic, by type or page by page was saved as text. Several captures together hold
an issue: each shows some of a month's articles, and the same article may stand in several. This reader puts
them together; what one capture looks like is the business of `adapters.capture_page`.

- Two entries are one article when month and title agree, space and case apart. Where their texts differ, the text of
  the fuller view of the month is kept and a warning says so.
- The order within a month is the one that all captures agree on. Where they do not, the capture that shows most
  of the month's articles wins, then the one whose name sorts first: never the order in which files were given.
- Title and citation stay exactly as captured; summary and implications become Markdown that reads as the same
  words. Nothing is repaired: a minus sign, a bracket left open or a misspelling is the author's to judge.
- Keys come from titles, oldest issue first; the second article of a name gets `-2`.
- Topics, types of research, subject and preheader are not in a capture, and its teaser belongs to the blog's
  newest month. They stay empty, and `lint` asks for them.

Every mistake in every capture is reported at once, in an IssueError:

| code  | severity | meaning |
| ----- | -------- | ------- |
| DM201 | error    | not UTF-8 |
| DM202 | error    | empty |
| DM203 | error    | no month with an article |
| DM204 | error    | no title, or text stands where a title should |
| DM205 | error    | an article has no Practice Implications |
| DM206 | error    | an article has no summary |
| DM207 | error    | Practice Implications holds no text |
| DM208 | error    | a control character, or the mark of personal slots |
| DM211 | warning  | a month has no article |
| DM212 | warning  | an article reads differently in another capture |
| DM213 | warning  | captures disagree on the order of a month |
| DM214 | warning  | no capture shows the whole order of a month |
| DM215 | warning  | a line looks like a title and was read as text |
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from digest_mailer.adapters.capture_page import Entry, read_page
from digest_mailer.adapters.plain_markdown import to_markdown
from digest_mailer.core.citation import Citation, find_doi
from digest_mailer.core.errors import Diagnostic, IssueError, Severity
from digest_mailer.core.identity import IssueId, free_key, month_title
from digest_mailer.core.issue import Article, Issue

_View = Mapping[str, Entry]  # the articles of one month in one capture: folded title to entry, in page order


@dataclass(frozen=True, slots=True)
class Imported:
    """The issues that the captures hold, newest first, and what a person should look at."""

    issues: tuple[Issue, ...]
    warnings: tuple[Diagnostic, ...] = ()


def read_captures(files: Sequence[tuple[str, bytes]]) -> Imported:
    """Read captures, given as path and content. Raises IssueError with every mistake in any of them."""
    pages = [read_page(path, data) for path, data in files]
    found = {diagnostic for page in pages for diagnostic in page.found}
    errors = [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]
    if errors:
        raise IssueError(errors)
    months: dict[IssueId, list[Entry]] = {}
    for month, entries in _by_month(entry for page in pages for entry in page.entries).items():
        views = _views(entries)
        months[month], noticed = _in_order(views)
        found.update(noticed, _differences(entries, months[month]))
    return Imported(_issues(months), tuple(sorted(found)))


def _by_month(entries: Iterable[Entry]) -> dict[IssueId, list[Entry]]:
    months: dict[IssueId, list[Entry]] = {}
    for entry in entries:
        months.setdefault(entry.month, []).append(entry)
    return months


def _views(entries: Iterable[Entry]) -> list[_View]:
    """What each capture shows of one month: the fullest view first, then by the capture's name."""
    views: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        views.setdefault(entry.path, {}).setdefault(_folded(entry.title), entry)
    return [view for _, view in sorted(views.items(), key=lambda item: (-len(item[1]), item[0]))]


def _folded(title: str) -> str:
    return " ".join(title.split()).casefold()


def _differences(entries: Iterable[Entry], kept: Iterable[Entry]) -> Iterable[Diagnostic]:
    first = {_folded(entry.title): entry for entry in kept}
    for entry in entries:
        other = first[_folded(entry.title)]
        if entry.words != other.words:
            message = f'"{entry.title}" reads differently in {other.path}:{other.line}, which was kept'
            yield _warning(entry, "DM212", message, "compare the two and correct the issue file")


def _in_order(views: Sequence[_View]) -> tuple[list[Entry], list[Diagnostic]]:
    """The articles of one month in the order that the views agree on."""
    noticed: list[Diagnostic] = []
    before: dict[str, set[str]] = {name: set() for view in views for name in view}
    for view in views:
        wanted = {name: set(earlier) for name, earlier in before.items()}
        for earlier, later in pairwise(view):
            wanted[later].add(earlier)
        try:
            TopologicalSorter(wanted).prepare()
            before = wanted
        except CycleError:
            hint = "the fuller capture was followed"
            message = "the articles of the month stand in another order than in other captures"
            noticed.append(_warning(next(iter(view.values())), "DM213", message, hint))
    names, certain = _sorted(before)
    found = {name: entry for view in reversed(views) for name, entry in view.items()}
    if not certain:
        first = found[names[0]]
        message = f"no capture shows the whole order of {month_title(first.month)}"
        noticed.append(_warning(first, "DM214", message, "look at the order of its articles"))
    return [found[name] for name in names], noticed


def _sorted(before: Mapping[str, set[str]]) -> tuple[list[str], bool]:
    """Names so that each comes after those before it, else as they come; and whether there was no choice."""
    sorter = TopologicalSorter(before)
    sorter.prepare()
    rank = {name: number for number, name in enumerate(before)}
    names: list[str] = []
    ready: list[str] = []
    certain = True
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        certain = certain and len(ready) == 1
        names.append(ready.pop(0))
        sorter.done(names[-1])
    return names, certain


def _warning(entry: Entry, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(entry.path, entry.line, 1, code, message, hint, Severity.WARNING)


def _issues(months: Mapping[IssueId, Sequence[Entry]]) -> tuple[Issue, ...]:
    taken: set[str] = set()
    issues = [Issue(month, tuple(_article(entry, taken) for entry in months[month])) for month in sorted(months)]
    return tuple(reversed(issues))


def _article(entry: Entry, taken: set[str]) -> Article:
    key = free_key(entry.title, f"article-{entry.month}", taken)
    taken.add(key)
    return Article(
        key=key,
        title=entry.title,
        body=to_markdown(entry.body),
        implications=to_markdown(entry.implications),
        citation=Citation(entry.citation, find_doi(entry.citation)) if entry.citation else None,
    )
