"""For authors: lint, and the shapes that its diagnostics are shown in."""

from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Command, Session
from digest_mailer.core.errors import Diagnostic, ExitCode, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.core.identity import IssueId
    from digest_mailer.services.library import Library


@click.command("lint", cls=Command)
@click.argument("issues", nargs=-1, metavar="[ISSUE]...")
@click.option("--all", "every", is_flag=True, help="Every issue.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--fix", is_flag=True, help="First change what can be changed safely, and say what that was.")
@click.option("--browser", is_flag=True, help="Look at every edition in Chromium too: accessibility, width.")
@click.option("--online", is_flag=True, help="Ask every address whether it answers; nothing else uses the network.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.pass_obj
def lint_command(
    session: Session,
    issues: tuple[str, ...],
    every: bool,
    strict: bool,
    fix: bool,
    browser: bool,
    online: bool,
    form: str,
) -> None:
    """Check issues (the newest when none is named) and every edition of them, and say everything that is wrong."""
    app = session.app()
    named = _named(app.library, issues, every)
    if fix:
        for line in app.fixer(app.library).fix(named):
            session.say(line)
    library = app.library
    found = set(_lint(app, library, named, browser=browser, online=online))
    if every:
        found |= set(library.strays())
    errors = sum(one.severity is Severity.ERROR for one in found)
    warnings = len(found) - errors
    session.json = session.json or form == "json"

    def show(console: "Console") -> None:
        for one in sorted(found):
            click.echo(_github(one) if form == "github" else _text(one))
        counted = ((len(named), "issue"), (errors, "error"), (warnings, "warning"))
        session.say(", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted))
        del console

    data = {
        "issues": named,
        "errors": errors,
        "warnings": warnings,
        "diagnostics": [as_data(one) for one in sorted(found)],
    }
    bad = errors or (strict and warnings)
    session.finish("lint", data, show, ExitCode.CONTENT if bad else ExitCode.DONE)


def _named(library: "Library", issues: tuple[str, ...], every: bool) -> tuple["IssueId", ...]:
    if every:
        return library.source.ids()
    return tuple(library.named(one) for one in issues) or (library.newest(),)


def _lint(
    app: "App", library: "Library", named: tuple["IssueId", ...], *, browser: bool, online: bool
) -> "Iterator[Diagnostic]":
    linter = app.linter(library)
    yield from linter.lint_words()
    for issue in named:
        yield from linter.lint(issue)
    if browser:
        with app.browser() as eye:
            for issue in named:
                yield from linter.look(issue, eye)
    if online:
        yield from linter.ask(named, app.link_probe())


def as_data(one: Diagnostic) -> dict[str, Any]:
    """A diagnostic for a JSON result."""
    return {
        "path": one.path,
        "line": one.line,
        "col": one.col,
        "code": one.code,
        "severity": one.severity,
        "message": one.message,
        "hint": one.hint,
    }


def _text(one: Diagnostic) -> str:
    mark = " (warning)" if one.severity is Severity.WARNING else ""
    return f"{one}{mark}\n    {one.hint}" if one.hint else f"{one}{mark}"


def _github(one: Diagnostic) -> str:
    """GitHub's workflow command; its message may not hold a bare percent sign or line end."""
    message = f"{one.code} {one.message}; {one.hint}".replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{one.severity} file={one.path},line={one.line},col={one.col}::{message}"
