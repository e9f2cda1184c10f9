"""The commands by section, loaded when they are used; and the one place where a failure becomes an exit code."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from digest_mailer import __version__
from digest_mailer.cli.session import Session
from digest_mailer.core.errors import DigestError, ExitCode, IssueError

# section -> command -> (module, one line); the module defines the command under its own name
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "init": ("start", "Make the files of a new publication."),
        "demo": ("demo", "Send the sample issue to sample people, in an inbox of your own."),
        "serve": ("serving", "Serve the archive, the readers' pages, the admins' pages and the sandbox inbox."),
    },
    "Write": {
        "new": ("drafting", "Begin an issue: from feeds, from DOIs, from captures, or empty."),
        "feed": ("drafting", "Look at what a feed would give."),
        "issues": ("author", "List the issues and how far each has come."),
        "lint": ("lint", "Check issues, and say everything that is wrong."),
        "preview": ("previewing", "Show an issue as readers will see it, and again whenever you save it."),
        "build": ("author", "Make every edition of an issue as files to look at."),
        "test": ("trial", "Send an issue to yourself, as it would arrive."),
        "approve": ("author", "Approve an issue, and keep its editions as they will be sent."),
    },
    "Send": {
        "plan": ("sending", "Show who would get an issue, who would not, and why."),
        "send": ("sending", "Send an approved issue, or go on sending it."),
        "status": ("sending", "Show how far a mailing has come."),
        "pause": ("oversight", "Stop a mailing for a while."),
        "resume": ("oversight", "Go on with a mailing that was stopped."),
        "cancel": ("oversight", "End a mailing for good."),
        "retry": ("oversight", "Have people tried again."),
        "unknown": ("oversight", "Show and settle who may or may not have got an issue."),
        "deliveries": ("oversight", "List everybody of a mailing, and what was answered."),
        "why": ("oversight", "Tell what somebody got, what not, and why."),
    },
    "People": {
        "subscribers": ("people", "Import, list, show and change people."),
        "topics": ("topics", "List, add, rename, merge and retire what readers can follow."),
        "segments": ("segments", "Name parts of the list, and count them."),
        "suppressions": ("suppressions", "Addresses that get no mail, whoever imports them again."),
        "audit": ("audit", "Show, check and export who did what."),
    },
    "Care": {
        "inbox": ("serving", "Receive mail on this machine, and show it."),
        "db": ("care", "Bring the database up to date."),
        "config": ("care", "Check the settings."),
        "admins": ("admins", "Who may work on the pages, and how they get in."),
        "keys": ("keys", "Make, show and change the keys that sign mail."),
    },
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in their sections' order."""
        del ctx
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        for commands in SECTIONS.values():
            if cmd_name in commands:
                module = import_module(f"digest_mailer.cli.{commands[cmd_name][0]}")
                command: click.Command = getattr(module, f"{cmd_name}_command")
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, by section, without importing a command."""
        del ctx
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digest-mailer")
@click.option("-C", "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="DIR",
              help="The publication's directory.")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Settings instead of DIR/digest.toml; the publication is where the file is.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="No messages but errors.")
@click.option("-v", "--verbose", is_flag=True, help="More messages.")
@click.option("--no-input", is_flag=True, help="Never ask.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@click.option("--debug", is_flag=True, help="Show where in the program an error arose.")
@click.pass_context
def cli(
    ctx: click.Context,
    directory: Path,
    config: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    no_input: bool,
    no_color: bool,
    debug: bool,
) -> None:
    """Turns monthly issue files into each reader's own digest, as HTML and plain text, and sends it.

    Begin with: digest-mailer demo
    """
    ctx.obj = Session(
        directory=directory,
        config=config,
        json=as_json,
        quiet=quiet,
        verbose=verbose,
        input=not no_input,
        color=not no_color,
        debug=debug,
    )


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    words = list(sys.argv[1:] if args is None else args)
    sys.exit(int(run(words)))


def run(words: list[str]) -> int:
    """Run the command; answers its exit code (CLI promises: 0 to 9, and 130)."""
    debug, as_json = "--debug" in words, "--json" in words
    try:
        code = cli.main(words, prog_name="digest-mailer", standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.DONE
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail(ExitCode.INTERRUPTED, "stopped", "", as_json=as_json)
    except click.ClickException as problem:
        return _usage(problem, as_json=as_json)
    except IssueError as problem:
        return _diagnostics(problem, as_json=as_json)
    except DigestError as problem:
        if debug:
            raise
        return _fail(problem.exit_code, problem.what, problem.hint, as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.DONE
    except Exception as problem:  # the last resort: a defect
        if debug:
            raise
        what = f"internal error: {type(problem).__name__}: {problem}"
        return _fail(ExitCode.INTERNAL, what, "run it again with --debug and report what it shows", as_json=as_json)


def _fail(code: int, what: str, hint: str, *, as_json: bool) -> int:
    if as_json:
        error = {"what": what, "hint": hint}
        click.echo(json.dumps({"schema": "digest-mailer/error/1", "exit": int(code), "error": error}))
    click.echo(f"error: {what}", err=True)
    if hint:
        click.echo(f"    {hint}", err=True)
    return int(code)


def _usage(problem: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        error = {"what": problem.format_message(), "hint": "see --help"}
        click.echo(json.dumps({"schema": "digest-mailer/error/1", "exit": int(ExitCode.USAGE), "error": error}))
    problem.show()
    return ExitCode.USAGE


def _diagnostics(problem: IssueError, *, as_json: bool) -> int:
    for diagnostic in problem.diagnostics:
        click.echo(f"{diagnostic}\n    {diagnostic.hint}" if diagnostic.hint else str(diagnostic), err=True)
    return _fail(problem.exit_code, problem.what, problem.hint, as_json=as_json)
