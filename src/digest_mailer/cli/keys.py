"""For whoever keeps it running: keys dkim new, show, rotate. No command prints a private key."""

from typing import TYPE_CHECKING, Any, NoReturn

import click

from digest_mailer.cli.session import Group, Session
from digest_mailer.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.core.dkim import Record

_PUBLISH = "publish what this shows, then set sign = true under [dkim]: digest-mailer keys dkim show"
_WAIT = "publish its records, wait a day, then: digest-mailer keys dkim rotate --activate"
_SHOWN = """\
{selector}: {algorithm}, {bits} bits, {state}
  for a form, name and value:
{name}
{value}
  for a zone file:
{name}. IN TXT ( {quoted} )
"""


@click.group("keys", cls=Group)
def keys_command() -> None:
    """Make, show and change the keys that sign mail."""


@keys_command.group("dkim", cls=Group)
def dkim_command() -> None:
    """Keys for DKIM signatures, and what to publish of them in the DNS."""


@dkim_command.command("new")
@click.option("--selector", metavar="S", help="Name of the pair; a letter comes behind it. Default: dm and the month.")
@click.option("--no-ed25519", is_flag=True, help="An RSA key only.")
@click.pass_obj
def new_command(session: Session, selector: str | None, no_ed25519: bool) -> None:
    """Make the first pair of keys, an RSA key and an ed25519 one."""
    app = session.app()
    pair = app.dkim_keys.new(selector or app.next_selector, ed25519=not no_ed25519)
    _finish(session, app, "dkim-new", pair, _PUBLISH)


@dkim_command.command("show")
@click.pass_obj
def show_command(session: Session) -> None:
    """Show the TXT records to publish, for a web form and for a zone file."""
    app = session.app()
    ring, domain = app.dkim_keys.ring(), app.dkim_domain
    rows = [
        {
            "selector": key.selector,
            "algorithm": str(key.algorithm),
            "bits": key.bits,
            "state": ring.state(pair),
            **_published(key.record(domain)),
        }
        for pair in ring.pairs
        for key in app.dkim_keys.keys(pair)
    ]

    def show(console: "Console") -> None:
        for row in rows:
            quoted = " ".join(f'"{string}"' for string in row["strings"])
            console.print(_SHOWN.format(**row, quoted=quoted), markup=False, soft_wrap=True)  # to be copied whole

    session.finish("dkim-show", {"domain": domain, "keys": rows}, show)


@dkim_command.command("rotate")
@click.option("--activate", is_flag=True, help="Let the newest pair sign from now on.")
@click.option("--retire", is_flag=True, help="Remove the oldest pair.")
@click.pass_obj
def rotate_command(session: Session, activate: bool, retire: bool) -> None:
    """Make the next pair beside the present one; then let it sign, then remove the one before."""
    if activate and retire:
        raise UsageError("--activate and --retire are two steps", "wait some days between them")
    app = session.app()
    if activate:
        pair = app.dkim_keys.activate()
        _finish(session, app, "dkim-activate", pair, "when a week has passed: digest-mailer keys dkim rotate --retire")
    if retire:
        pair = app.dkim_keys.retire()
        _finish(session, app, "dkim-retire", pair, "remove their records from the DNS too")
    pair = app.dkim_keys.rotate(app.next_selector)
    _finish(session, app, "dkim-rotate", pair, _WAIT)


def _published(record: "Record") -> dict[str, Any]:
    return {"name": record.name, "type": "TXT", "value": record.value, "strings": list(record.strings)}


def _finish(session: Session, app: "App", schema: str, pair: tuple[str, ...], next_step: str) -> NoReturn:
    rows = [{"selector": selector, "path": str(app.dkim_keys.path(selector))} for selector in pair]

    def show(console: "Console") -> None:
        for row in rows:
            console.print(f"{row['selector']}  {row['path']}", markup=False, soft_wrap=True)
        session.say(next_step)

    session.finish(schema, {"keys": rows}, show)
