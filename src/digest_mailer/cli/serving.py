"""For readers and testers: serve, inbox."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from digest_mailer.cli.session import Command, Session
from digest_mailer.core.errors import ConfigError, ExitCode, UsageError
from digest_mailer.core.rehearsal import Fault, Faults, parse_faults

if TYPE_CHECKING:
    from uvicorn import Server

    from digest_mailer.bootstrap import App

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8400, show_default=True)
@click.pass_obj
def serve_command(session: Session, host: str, port: int) -> None:
    """Serve the archive, the readers' and the admins' pages; on this machine the sandbox inbox too."""
    app = session.app()
    session.say(f"serving {app.publication.name} on http://{_shown(host)}:{port}/ (Ctrl-C ends it)")
    if _shows_inbox(app, host):
        session.say(f"the sandbox inbox: http://{_shown(host)}:{port}/inbox/")
    say_way_in(session, app, host, port)
    run_site(app, host, port)
    raise click.exceptions.Exit(int(ExitCode.DONE))


@click.command("inbox", cls=Command)
@click.option("--port", type=click.IntRange(1, 65535), default=8400, show_default=True, help="Of the page.")
@click.option("--smtp-port", type=click.IntRange(1, 65535), default=1025, show_default=True)
@click.option("--fail", "fail", metavar="FAULTS", help="Misbehave, for a rehearsal: 4xx=5%,5xx=1%,drop=0.1%.")
@click.pass_obj
def inbox_command(session: Session, port: int, smtp_port: int, fail: str | None) -> None:
    """Receive mail over SMTP on this machine, keep it, and show it. Nothing is passed on."""
    app = session.app()
    faults = None if fail is None else _faults(session, fail)
    session.say(f"mail to smtp://127.0.0.1:{smtp_port} is shown on http://127.0.0.1:{port}/inbox/ (Ctrl-C ends it)")
    run_site(app, "127.0.0.1", port, smtp_port, faults)
    raise click.exceptions.Exit(int(ExitCode.DONE))


def _faults(session: Session, text: str) -> Faults:
    """Read them, and say what is rehearsed. Raises UsageError."""
    from digest_mailer.bootstrap import new_seed

    try:
        faults = parse_faults(text, new_seed())
    except ConfigError as problem:
        raise UsageError(problem.what, problem.hint) from problem
    session.say(f"a rehearsal, not a server as it should be: --fail {faults}")
    if faults.rate(Fault.TLS):
        session.say("tls: only who asks for STARTTLS meets this fault, with tls=starttls in the transport URL")
    return faults


def run_site(
    app: "App",
    host: str,
    port: int,
    smtp_port: int | None = None,
    faults: Faults | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve until Ctrl-C, with a standing SMTP server when it has a port; `ready` is called when pages can be asked
    for. Raises UsageError for a port in use."""
    import uvicorn

    from digest_mailer.cli.site_server import SiteServer
    from digest_mailer.web.app import build_site

    site = build_site(app, inbox=_shows_inbox(app, host) or smtp_port is not None)
    # no access log: it would hold the tokens of readers
    settings = uvicorn.Config(site, host=host, port=port, access_log=False, log_level="warning")
    with suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
        asyncio.run(_serve(SiteServer(settings, app.watch, ready), app, smtp_port, faults))


async def _serve(server: "Server", app: "App", smtp_port: int | None, faults: Faults | None) -> None:
    try:
        if smtp_port is None:
            await server.serve()
            return
        async with app.sandbox_server(smtp_port, faults):
            await server.serve()
    except OSError as problem:
        raise UsageError(f"cannot listen: {problem.strerror}", "choose another port") from problem


def say_way_in(session: Session, app: "App", host: str, port: int) -> None:
    """How the admins' pages are entered: on this machine by a link that is good once."""
    from digest_mailer.core.urls import admin_url, sign_in_url

    if host in _LOOPBACK and not sys.stderr.isatty():  # a link in a log would be anybody's who reads the log
        session.say(f"the admins' pages: http://{_shown(host)}:{port}/admin/ (a link: digest-mailer admins link)")
    elif host in _LOOPBACK:
        link = sign_in_url(f"http://{_shown(host)}:{port}", app.admission.local_link(session.user))
        session.say(f"the admins' pages, for you: {link} (good once; another: digest-mailer admins link)")
    elif app.admission.accounts.all():
        session.say(f"the admins' pages: {admin_url(app.publication.base_url)}")
    else:
        session.say("nobody can sign in to the admins' pages yet: digest-mailer admins add EMAIL --role admin")


def _shows_inbox(app: "App", host: str) -> bool:
    """The inbox shows people's mail, so only to this machine, and only where mail goes to the sandbox."""
    return host in _LOOPBACK and app.settings.delivery.transport.startswith("sandbox:")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
