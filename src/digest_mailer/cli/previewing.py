"""For authors: preview."""

import json
import threading
import webbrowser
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from digest_mailer.cli.serving import run_site
from digest_mailer.cli.session import Command, Session
from digest_mailer.core.errors import DigestError, ExitCode, UsageError
from digest_mailer.core.identity import IssueId

if TYPE_CHECKING:
    from digest_mailer.bootstrap import App

_HOST = "127.0.0.1"


@click.command("preview", cls=Command)
@click.argument("issue", required=False)
@click.option("--as", "reader", metavar="EMAIL", help="The message that this subscriber would get.")
@click.option("--segment", metavar="S", help="Count readers of this segment only: its name or an expression.")
@click.option("--port", type=click.IntRange(1, 65535), default=8400, show_default=True)
@click.option("--no-open", is_flag=True, help="Open no browser.")
@click.pass_obj
def preview_command(
    session: Session, issue: str | None, reader: str | None, segment: str | None, port: int, no_open: bool
) -> None:
    """Show an issue in every way that readers may see it, and again whenever you save it. The newest one when none is
    named.

    The page is served to this machine only, and nothing on it leaves the machine.
    """
    from digest_mailer.core.urls import sign_in_url
    from digest_mailer.services.segmenting import find_segment

    if reader and segment:
        raise UsageError("a reader is one person", "leave --as or --segment out")
    app = session.app()
    library = app.library
    named = library.named(issue) if issue else library.newest()
    library.source.read(named)
    find_segment(app.segments, segment, library)
    query = {"segment": segment} if segment else {}
    if reader:
        query = {"as": str(app.subscriptions.by_address(reader).id)}
    path = f"/admin/issues/{named}/{'?' if query else ''}{urlencode(query)}"
    url = f"http://{_HOST}:{port}"
    link = f"{sign_in_url(url, app.admission.local_link(session.user))}?next={quote(path, safe='')}"

    def ready() -> None:
        if session.json:
            _tell("serving", issue=named, url=url + path, link=link)
        session.say(f"{named} as readers will see it: {link} (good once; Ctrl-C ends it)")
        if not no_open:
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    with ExitStack() as stack:
        if session.json:
            stack.enter_context(app.watch.listening(_Reporter(app, named)))
        run_site(app, _HOST, port, ready=ready)
    if session.json:
        _tell("ended", issue=named)
    raise click.exceptions.Exit(int(ExitCode.DONE))


class _Reporter:
    """Writes a line for every change of the files; the first stamp is none."""

    def __init__(self, app: "App", issue: IssueId) -> None:
        self._app = app
        self._issue = issue
        self._first = True

    def __call__(self, stamp: str) -> None:
        if stamp and not self._first:
            trouble = self._trouble()
            with suppress(BrokenPipeError):  # nobody reads them any more; the page goes on
                _tell("changed", issue=self._issue, readable=not trouble, trouble=trouble)
        self._first = False

    def _trouble(self) -> list[dict[str, Any]]:
        from digest_mailer.services.proofs import place_of

        try:
            return [dict(place_of(one)) for one in self._app.proofs.source(self._issue).trouble]
        except DigestError as problem:
            return [dict(place_of(one)) for one in getattr(problem, "diagnostics", (problem,))]


def _tell(event: str, **facts: object) -> None:
    """One line of JSON."""
    click.echo(json.dumps({"schema": "digest-mailer/preview/1", "event": event, **facts}, ensure_ascii=False))
