"""For authors: issues, build, approve."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.errors import Diagnostic, ExitCode, IssueError, UsageError
from digest_mailer.core.identity import IssueId

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.services.library import Library
    from digest_mailer.services.preview import Sample


@click.command("issues", cls=Command)
@click.option("--state", type=click.Choice(["broken", "draft", "approved", "changed", "sending", "paused", "complete"]),
              help="Only issues in this state.")  # fmt: skip
@click.pass_obj
def issues_command(session: Session, state: str | None) -> None:
    """List the issues and how far each has come."""
    from digest_mailer.services.report import issue_states

    app = session.app()
    library = app.library
    states = [one for one in issue_states(library, app.standing(library), app.ledger) if state in (None, one.state)]
    rows = [
        {
            "issue": one.id,
            "state": one.state,
            "articles": len(one.examined.issue.articles) if one.examined.issue else 0,
            "published": one.examined.issue.published if one.examined.issue else None,
            "sent": one.sent,
            "subject": one.examined.issue.subject if one.examined.issue else "",
        }
        for one in states
    ]

    def show(console: "Console") -> None:
        listing = table("issue", "state", "#articles", "published", "#sent", "subject")
        for row in rows:
            listing.add_row(*("" if value is None else str(value) for value in row.values()))
        console.print(listing)

    session.finish("issues", {"issues": rows}, show, ExitCode.DONE if rows else ExitCode.NOTHING)


@click.command("build", cls=Command)
@click.argument("issue", required=False)
@click.option("--all", "every", is_flag=True, help="Every issue, each in a folder of its own.")
@click.option("-o", "output", type=click.Path(path_type=Path, file_okay=False), default=Path("build"), metavar="DIR",
              show_default=True, help="Where to write.")  # fmt: skip
@click.pass_obj
def build_command(session: Session, issue: str | None, every: bool, output: Path) -> None:
    """Make every edition of an issue as files to look at: message.eml, index.html, message.txt and build.json."""
    from digest_mailer.services.preview import samples

    if bool(issue) == every:
        raise UsageError("name one issue, or say --all", "for instance: digest-mailer build 2023-07")
    app = session.app()
    library = app.library
    named = library.source.ids() if every else (library.named(issue or ""),)
    broken = _broken(library, named)
    if broken:
        raise IssueError(broken)
    composer, people = app.composer(library), app.people
    built = []
    for one in named:
        folder = output / one if every else output
        built.append(_write_build(folder, one, samples(composer, library.readable(one), people)))

    def show(console: "Console") -> None:
        listing = table("issue", "edition", "#articles", "#HTML bytes", "#text bytes", "folder")
        for document in built:
            for edition in document["editions"]:
                sizes = (str(edition["html_bytes"]), str(edition["text_bytes"]))
                where = str(Path(document["folder"], edition["key"]))
                listing.add_row(document["issue"], edition["key"], str(len(edition["articles"])), *sizes, where)
        console.print(listing)
        for sentence in _shortened(built):
            session.say(sentence)

    session.finish("build", {"builds": built}, show)


@click.command("approve", cls=Command)
@click.argument("issue")
@click.option("-m", "note", default="", metavar="NOTE", help="Why, or who looked at it.")
@click.pass_obj
def approve_command(session: Session, issue: str, note: str) -> None:
    """Approve an issue as it stands. Its editions are kept; a later edit has to be approved again."""
    from digest_mailer.services.approve import to_json

    app = session.app()
    library = app.library
    approval = app.approver(library).approve(library.named(issue), session.user, note)

    def show(console: "Console") -> None:
        count = len(approval.editions)
        console.print(f"{approval.issue} approved: {count} editions kept, digest {approval.source_digest[:8]}")
        session.say(f"next: digest-mailer plan {approval.issue}")

    session.finish("approve", to_json(approval), show)


def _broken(library: "Library", issues: Sequence[IssueId]) -> list[Diagnostic]:
    """What the parser says of these issues, all of it."""
    found: list[Diagnostic] = []
    for issue in issues:
        try:
            library.readable(issue)
        except IssueError as problem:
            found += problem.diagnostics
    return found


def _shortened(built: Sequence[dict[str, Any]]) -> list[str]:
    """A sentence for each issue with editions that were too long for a mail."""
    sentences = []
    for document in built:
        keys = [edition["key"] for edition in document["editions"] if edition["shortened"]]
        if keys:
            which = f"{keys[0]} and {len(keys) - 1} more" if keys[1:] else keys[0]
            sentences.append(f"{document['issue']}: too long for a mail, so takeaways and links to the web in {which}")
    return sentences


def _write_build(folder: Path, issue: IssueId, made: Sequence["Sample"]) -> dict[str, Any]:
    editions = []
    for sample in made:
        place = folder / str(sample.key)
        message = sample.message
        html, text = message.html.encode(), message.text.encode()
        try:
            place.mkdir(parents=True, exist_ok=True)
            for name, content in (("message.eml", message.content), ("index.html", html), ("message.txt", text)):
                (place / name).write_bytes(content)
        except OSError as problem:
            raise UsageError(f"cannot write into {place}: {problem.strerror}", "choose another -o DIR") from problem
        editions.append(
            {
                "key": str(sample.key),
                "language": sample.key.language,
                "articles": sample.edition.articles,
                "hash": sample.hash,
                "shortened": sample.edition.shortened,
                "html_bytes": len(html),
                "text_bytes": len(text),
                "files": [f"{sample.key}/{name}" for name in ("message.eml", "index.html", "message.txt")],
            }
        )
    document = {"issue": issue, "editions": editions}
    written = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (folder / "build.json").write_text(written, encoding="utf-8")
    return document | {"folder": str(folder)}
