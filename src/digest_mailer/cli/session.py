"""One call of the command: the global options, and the two ways out.

Standard output is the result, for a person or as one JSON document; standard error is messages and progress.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from digest_mailer.core.errors import ExitCode

if TYPE_CHECKING:  # heavy: loaded when a command needs them
    from rich.console import Console

    from digest_mailer.bootstrap import App

_PIPE_WIDTH = 120  # columns of a table that is not shown on a terminal


@dataclass
class Session:
    """What every command knows."""

    directory: Path
    config: Path | None
    json: bool
    quiet: bool
    verbose: bool
    input: bool
    color: bool
    debug: bool

    def app(self) -> "App":
        """The publication. Raises ConfigError when there is none."""
        from digest_mailer.bootstrap import build_app

        return build_app(self.directory, self.config)

    @property
    def user(self) -> str:
        """Who is at the keyboard, as the system calls them; empty where it does not know."""
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return ""

    @property
    def actor(self) -> str:
        """The same for the audit trail."""
        return f"cli:{self.user}" if self.user else "cli"

    @property
    def asks(self) -> bool:
        """Whether there is a person to ask."""
        return self.input and not self.json and sys.stdin.isatty()

    def say(self, message: str) -> None:
        """A message beside the result."""
        if not self.quiet:
            click.echo(message, err=True)

    def console(self, *, stderr: bool = False) -> "Console":
        """Where tables and progress are drawn: plain text unless it is a terminal."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        plain = not self.color or bool(os.environ.get("NO_COLOR"))
        width = None if stream.isatty() else _PIPE_WIDTH
        return Console(file=stream, no_color=plain, width=width, highlight=False, soft_wrap=False)

    def finish(
        self,
        schema: str,
        data: Mapping[str, Any],
        show: Callable[["Console"], None],
        code: ExitCode = ExitCode.DONE,
    ) -> NoReturn:
        """Give the result and end the command with its exit code."""
        if self.json:
            document = {"schema": f"digest-mailer/{schema}/1", "exit": int(code), **data}
            click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))
        else:
            show(self.console())
        raise click.exceptions.Exit(int(code))


class Command(click.Command):
    """A command that understands the global switches behind its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, hidden=True, expose_value=False, callback=_set("json")),
            click.Option(["--debug"], is_flag=True, hidden=True, expose_value=False, callback=_set("debug")),
            click.Option(["--no-input"], is_flag=True, hidden=True, expose_value=False, callback=_unset("input")),
        ]


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def _set(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def switch(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, Session):
            setattr(ctx.obj, name, True)

    return switch


def _unset(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def switch(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, Session):
            setattr(ctx.obj, name, False)

    return switch


def table(*columns: str, title: str = "") -> Any:
    """A table without ornaments; a column whose name starts with `#` is numbers."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column.removeprefix("#"), justify="right" if column.startswith("#") else "left")
    return made
