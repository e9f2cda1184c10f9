"""For authors: new, which begins an issue, and feed check, which says what a feed would give."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.lint import as_data
from digest_mailer.cli.session import Command, Group, Session, table
from digest_mailer.core.draft import Proposal, Reason
from digest_mailer.core.errors import ExitCode, UsageError
from digest_mailer.core.issue import Issue

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.services.drafting import Draft, Surveyed

_NO_FEED = "name a feed with --from-feed"


@click.command("new", cls=Command)
@click.argument("words", nargs=-1, metavar="[ISSUE]")
@click.option("--from-feed", "feeds", multiple=True, metavar="URL|FILE",
              help="The month's entries of a feed (RSS, Atom, RDF, JSON Feed); several may be given.")  # fmt: skip
@click.option("--undated", is_flag=True, help="Take entries without a date too.")
@click.option("--doi", "dois", multiple=True, metavar="DOI",
              help="An article on this paper; may be given several times.")  # fmt: skip
@click.option("--csl", "references", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Citations out of a CSL-JSON file, as reference managers export it.")  # fmt: skip
@click.option("--online", is_flag=True, help="Citations from doi.org.")
@click.option("--from-capture", "captures", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A page capture of past issues; may be given several times.")  # fmt: skip
@click.option("-o", "output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where to write; the publication's newsletters/ when left out.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite issue files that are there.")
@click.pass_obj
def new_command(
    session: Session,
    words: tuple[str, ...],
    feeds: tuple[str, ...],
    undated: bool,
    dois: tuple[str, ...],
    references: tuple[Path, ...],
    online: bool,
    captures: tuple[Path, ...],
    output: Path | None,
    force: bool,
) -> None:
    """Begin an issue: the month after the newest one, unless you name another.

    From a feed, the month's entries become articles, without those that an issue has already. What is left to write
    stands there as TODO, and lint names it. With --from-capture, months come from the captures.
    """
    app = session.app()
    folder = output or app.files.folder
    if captures:
        if feeds or dois or references or undated or online:
            raise UsageError("captures have everything that there is of them", "leave the other options out")
        _from_captures(session, app, (*captures, *map(Path, words)), folder, force=force)
    if words[1:]:
        raise UsageError("one issue is begun at a time", "several files are given with --from-capture")
    if (references or online) and not (dois or feeds):
        raise UsageError("no paper is named", "name its DOI with --doi, or a feed with --from-feed")
    if undated and not feeds:
        raise UsageError("--undated is about entries of a feed", _NO_FEED)
    library = app.library
    drafter = app.drafter(library, references, online=online)
    issue = library.named(words[0]) if words else drafter.next_issue()
    _require_free([folder / f"{issue}.md"], force=force)
    draft = drafter.draft(issue, feeds, dois, undated=undated)
    rows = _write(app, [draft.issue], folder)
    for sentence in _told(draft):
        session.say(sentence)

    def show(console: "Console") -> None:
        _show_files(console, rows)
        session.say(f"next: write what stands there as TODO; digest-mailer lint {issue} says where")

    data = {"issues": rows, "feeds": [_feed_data(one) for one in draft.surveyed], "unresolved": draft.unresolved}
    session.finish("new", data | {"warnings": []}, show)


@click.group("feed", cls=Group)
def feed_command() -> None:
    """Feeds that an issue can be begun from."""


@feed_command.command("check")
@click.argument("sources", nargs=-1, required=True, metavar="URL|FILE...")
@click.option("--issue", metavar="ISSUE", help="Say what would become of this issue, and not of each month.")
@click.pass_obj
def check_command(session: Session, sources: tuple[str, ...], issue: str | None) -> None:
    """Say what a feed would give: entries by month, their topics, what is cleaned away, what is left out and why."""
    app = session.app()
    library = app.library
    drafter = app.drafter(library)
    surveyed = drafter.survey(sources, library.named(issue) if issue else None)
    listed = [_feed_data(one, [drafter.words(each.entry).removed for each in one.proposals]) for one in surveyed]

    def show(console: "Console") -> None:
        for one in listed:
            _show_feed(console, one)
        for sentence in _problems(surveyed):
            session.say(sentence)

    broken = any(one.feed.broken for one in surveyed)
    found = ExitCode.DONE if any(one.feed.entries for one in surveyed) else ExitCode.NOTHING
    session.finish("feed-check", {"feeds": listed}, show, ExitCode.CONTENT if broken else found)


def _from_captures(session: Session, app: "App", paths: Sequence[Path], folder: Path, *, force: bool) -> None:
    from digest_mailer.bootstrap import read_captures

    imported = read_captures([(str(path), _read(path)) for path in paths])
    _require_free([folder / f"{issue.id}.md" for issue in imported.issues], force=force)
    rows = _write(app, imported.issues, folder)
    for warning in imported.warnings:
        session.say(f"{warning}\n    {warning.hint}")

    def show(console: "Console") -> None:
        _show_files(console, rows)
        session.say("next: choose topics and types; digest-mailer lint --all says where")

    session.finish("new", {"issues": rows, "warnings": [as_data(one) for one in imported.warnings]}, show)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}", "check the path") from problem


def _require_free(paths: Iterable[Path], *, force: bool) -> None:
    """Raises UsageError when a file is there that would be lost."""
    taken = next((path for path in paths if path.exists()), None)
    if taken and not force:
        raise UsageError(f"{taken} is there already; nothing was written", "overwrite with --force, or use -o DIR")


def _write(app: "App", issues: Iterable[Issue], folder: Path) -> list[dict[str, Any]]:
    from digest_mailer.core.issue_writer import serialise_issue

    vocabulary, rows = app.library.vocabulary, []
    for issue in issues:
        path = folder / f"{issue.id}.md"
        app.files.write(path, serialise_issue(issue, vocabulary))
        rows.append({"issue": issue.id, "articles": len(issue.articles), "file": str(path)})
    return rows


def _show_files(console: "Console", rows: Iterable[dict[str, Any]]) -> None:
    listing = table("issue", "#articles", "file")
    for row in rows:
        listing.add_row(row["issue"], str(row["articles"]), row["file"])
    console.print(listing)


def _told(draft: "Draft") -> list[str]:
    """What an author should know of a draft: problems, what was left out of the month, what needs a look."""
    told = _problems(draft.surveyed)
    for one in draft.surveyed:
        for proposal in one.proposals:
            if proposal.reason not in (None, Reason.OTHER_MONTH):
                told.append(f"left out: {_named(proposal)}: {proposal.why}")
    for proposal, words in draft.made:
        told += [f"{_named(proposal)}: no topic is called {_with_hint(*one)}" for one in proposal.unmatched]
        if words.removed:
            told.append(f"{_named(proposal)}: taken out: {', '.join(words.removed)}")
        if proposal.entry.excerpt:
            told.append(f"{_named(proposal)}: the feed seems to have only the beginning of it")
    return told + [f"no citation: {why}" for why in draft.unresolved]


def _problems(surveyed: Iterable["Surveyed"]) -> list[str]:
    return [f"{one.feed.source}: {problem}" for one in surveyed for problem in one.feed.problems]


def _named(proposal: Proposal) -> str:
    entry = proposal.entry
    return f'"{entry.title}"' if entry.title else entry.link or "an entry without a title"


def _with_hint(category: str, hint: str) -> str:
    return f'"{category}"' + (f" ({hint})" if hint else "")


def _feed_data(one: "Surveyed", removed: Sequence[Sequence[str]] | None = None) -> dict[str, Any]:
    feed = one.feed
    entries = [_entry_data(proposal) for proposal in one.proposals]
    for entry, gone in zip(entries, removed or (), strict=removed is not None):
        entry["removed"] = list(gone)
    return {
        "source": feed.source,
        "title": feed.title,
        "broken": feed.broken,
        "problems": list(feed.problems),
        "entries": entries,
    }


def _entry_data(proposal: Proposal) -> dict[str, Any]:
    entry = proposal.entry
    return {
        "title": entry.title,
        "link": entry.link,
        "month": proposal.month,
        "published": entry.published.isoformat() if entry.published else None,
        "doi": entry.doi,
        "topics": list(proposal.topics),
        "unmatched": [{"category": category, "hint": hint} for category, hint in proposal.unmatched],
        "excerpt": entry.excerpt,
        "left_out": proposal.reason.value if proposal.reason else None,
        "why": proposal.why,
    }


def _show_feed(console: "Console", feed: dict[str, Any]) -> None:
    listing = table("month", "title", "DOI", "topics", "notes", title=_plain(feed["title"] or feed["source"]))
    for column in listing.columns:
        column.overflow = "fold"  # nothing of a DOI is left out
    for entry in feed["entries"]:
        notes = [f"left out: {entry['why']}"] if entry["left_out"] else []
        notes += [f"no topic: {_with_hint(one['category'], one['hint'])}" for one in entry["unmatched"]]
        notes += [f"taken out: {', '.join(entry['removed'])}"] if entry["removed"] else []
        notes += ["only the beginning of it"] if entry["excerpt"] else []
        cells = (entry["month"] or "", entry["title"], entry["doi"] or "", ", ".join(entry["topics"]), "; ".join(notes))
        listing.add_row(*map(_plain, cells))
    console.print(listing)


def _plain(text: str) -> str:
    """Words of others, without what rich would take for its marks."""
    from rich.markup import escape

    return escape(text)
