"""For whoever keeps it running: admins list, add, edit, remove, password, link."""

import sys
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.account import Role
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.core.account import Account

_ROLE = click.Choice([role.value for role in Role])


@click.group("admins", cls=Group)
def admins_command() -> None:
    """Who may work on the pages under /admin/, and how they get in."""


@admins_command.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List the accounts."""
    accounts = session.app().admission.accounts.all()

    def show(console: "Console") -> None:
        listing = table("#", "address", "role", "password")
        for one in accounts:
            listing.add_row(str(one.number), one.address.typed, one.role, "set" if one.has_password else "")
        console.print(listing, markup=False)

    data = {"accounts": [_data(one) for one in accounts]}
    session.finish("admins", data, show, ExitCode.DONE if accounts else ExitCode.NOTHING)


@admins_command.command("add")
@click.argument("address", metavar="EMAIL")
@click.option("--role", type=_ROLE, default=Role.AUTHOR.value, show_default=True)
@click.pass_obj
def add_command(session: Session, address: str, role: str) -> None:
    """Give somebody an account. They sign in by having a link mailed to them."""
    app = session.app()
    account = app.admission.add(address, Role(role), session.actor)
    _finish(
        session, account, f"{account.address} is {account.role}; the sign-in page: {app.publication.base_url}/admin/"
    )


@admins_command.command("edit")
@click.argument("address", metavar="EMAIL")
@click.option("--role", type=_ROLE, required=True)
@click.pass_obj
def edit_command(session: Session, address: str, role: str) -> None:
    """Give an account another role."""
    admission = session.app().admission
    account = admission.by_address(address)
    changed = admission.set_role(account, Role(role), session.actor)
    _finish(session, admission.by_address(address), f"{account.address} is {role}{'' if changed else ' already'}")


@admins_command.command("remove")
@click.argument("address", metavar="EMAIL")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove_command(session: Session, address: str, yes: bool) -> None:
    """Take an account away; whoever is signed in with it is out at once."""
    admission = session.app().admission
    account = admission.by_address(address)
    if not yes and not session.asks:
        raise UsageError(f"nobody said that the account of {account.address} shall go", "say --yes")
    if not yes:
        click.confirm(f"Remove the account of {account.address}", abort=True, err=True)
    admission.remove(account, session.actor)
    _finish(session, account, f"{account.address} has no account any more")


@admins_command.command("password")
@click.argument("address", metavar="EMAIL")
@click.pass_obj
def password_command(session: Session, address: str) -> None:
    """Set somebody's password: typed twice, or the first line of standard input. All their sessions end."""
    admission = session.app().admission
    account = admission.by_address(address)
    if session.asks:
        password = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    admission.set_password(account, password, session.actor)
    _finish(session, admission.by_address(address), f"{account.address} can sign in with the new password")


@admins_command.command("link")
@click.argument("address", metavar="EMAIL", required=False)
@click.option("--port", type=click.IntRange(1, 65535), default=8400, show_default=True, help="Of serve, without EMAIL.")
@click.pass_obj
def link_command(session: Session, address: str | None, port: int) -> None:
    """Print a link that signs in once: of an account, or for a browser on this machine."""
    from digest_mailer.core.urls import sign_in_url

    app = session.app()
    if address is None:
        url = sign_in_url(f"http://127.0.0.1:{port}", app.admission.local_link(session.user))
    else:
        account = app.admission.by_address(address)
        url = sign_in_url(app.publication.base_url, app.admission.new_link(account, session.actor))
    session.finish("admins-link", {"url": url}, lambda console: console.print(url, markup=False, soft_wrap=True))


def _finish(session: Session, account: "Account", told: str) -> None:
    data = {"account": _data(account)}
    session.finish("admin", data, lambda console: console.print(told, markup=False, soft_wrap=True))


def _data(account: "Account") -> dict[str, Any]:
    return {
        "number": account.number,
        "address": account.address.typed,
        "role": account.role,
        "password": account.has_password,
    }
