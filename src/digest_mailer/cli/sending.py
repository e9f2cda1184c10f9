"""For authors: plan, send, status."""

import asyncio
import json
import re
import signal
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import ExitCode, InterlockError, NothingMatched
from digest_mailer.core.mailing import Progress, Status

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import Console
    from rich.table import Table

    from digest_mailer.bootstrap import App
    from digest_mailer.core.identity import IssueId
    from digest_mailer.ports import Transport
    from digest_mailer.services.launch import Launch
    from digest_mailer.services.planning import SendPlan
    from digest_mailer.services.report import MailingState
    from digest_mailer.services.send import Ended, Run

_WATCH = 1.0  # seconds between two looks
_REDRAW = 0.1  # seconds between two steps of the progress bar
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A time like 90s, 15m, 2h or 1d; 0 for none."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,6})([smhd]?)", str(value))
        if not match:
            self.fail(f"{value!r} is not a time like 90s, 15m or 2h", param, ctx)
        return timedelta(**{_UNITS[match[2] or "s"]: int(match[1])})


@click.command("plan", cls=Command)
@click.argument("issue")
@click.option("--segment", metavar="S", help="Only people of this segment: its name or an expression.")
@click.option("--transport", "url", metavar="URL", help="Another way out than the configured one.")
@click.pass_obj
def plan_command(session: Session, issue: str, segment: str | None, url: str | None) -> None:
    """Show who would get an issue now, in which edition, who would not, and why."""
    from digest_mailer.services.segmenting import find_segment

    app = session.app()
    library = app.library
    loaded = library.load(library.named(issue))
    plan = app.launcher(library).plan(loaded, find_segment(app.segments, segment, library))
    approval, current = app.standing(library).of(loaded)
    standing = "not approved" if approval is None else "approved" if current else "changed since it was approved"
    transport = app.transport(url)
    data = plan_data(plan, transport) | {"approval": standing}

    def show(console: "Console") -> None:
        show_plan(console, plan, transport)
        console.print(f"{loaded.id} is {standing}.")

    session.finish("plan", data, show)


@click.command("send", cls=Command)
@click.argument("issue")
@click.option("--segment", metavar="S", help="Only people of this segment: its name or an expression.")
@click.option("--confirm", type=click.IntRange(0), metavar="N", help="The number of people, instead of typing it.")
@click.option("--canary", type=click.IntRange(1), metavar="N",
              help="Send to N people first, and to the others when nothing bad comes back of that.")  # fmt: skip
@click.option("--wait", type=Duration(), default="15m", show_default=True, metavar="TIME",
              help="How long to stay for people who are due again.")  # fmt: skip
@click.option("--transport", "url", metavar="URL", help="Another way out than the configured one.")
@click.option("--dry-run", is_flag=True, help="Check everything, send nothing.")
@click.pass_obj
def send_command(
    session: Session,
    issue: str,
    segment: str | None,
    confirm: int | None,
    canary: int | None,
    wait: timedelta,
    url: str | None,
    dry_run: bool,
) -> None:
    """Send an approved issue, or go on sending it. Nobody gets an issue twice."""
    from digest_mailer.services.segmenting import find_segment

    app = session.app()
    library = app.library
    named, transport = library.named(issue), app.transport(url)
    with app.lock(named):
        launcher = app.launcher(library)
        launch = launcher.prepare(named, find_segment(app.segments, segment, library), transport)
        if launch.plan:
            show_plan(session.console(stderr=True), launch.plan, transport)
        if launch.waiting:
            session.say(f"{launch.waiting} people of an earlier start are still to be served.")
        if dry_run:
            session.finish("send", _launch_data(launch, transport), lambda c: c.print("Nothing was sent: a dry run."))
        confirmed = _confirm(session, launch, transport, confirm)
        launcher.start(launch, transport, confirmed)
        ended = deliver(session, app, named, transport, wait, canary or 0)
    session.finish("send", ended_data(ended), lambda console: show_ended(console, issue, ended), exit_code(ended))


@click.command("status", cls=Command)
@click.argument("issue", required=False)
@click.option("--watch", is_flag=True, help="Show it again every second until it stops; with --json a line each time.")
@click.pass_obj
def status_command(session: Session, issue: str | None, watch: bool) -> None:
    """Show how far a mailing has come, and who needs a look; the newest issue's when none is named."""
    app = session.app()
    library = app.library
    named = library.named(issue) if issue else library.newest()
    if watch:
        _watch(session, app, named)
    found = _state(app, named)
    session.finish("status", status_data(found), lambda console: show_status(console, found))


def _state(app: "App", named: "IssueId") -> "MailingState":
    from digest_mailer.services.report import mailing_state

    found = mailing_state(app.ledger, named)
    if not found:
        raise NothingMatched(f"{named} was never sent", f"see: digest-mailer plan {named}")
    return found


def _watch(session: Session, app: "App", named: "IssueId") -> None:
    """Until nobody is sending any more; the last state is the command's result."""
    from rich.live import Live

    console = session.console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (found := _state(app, named)).mailing.status is Status.SENDING:
            if session.json:
                line = {"schema": "digest-mailer/status-event/1", **status_data(found)}
                click.echo(json.dumps(line, ensure_ascii=False, default=str))
            elif console.is_terminal:
                live.update(_progress_table(found.progress, f"{named}: {found.mailing.status}"), refresh=True)
            time.sleep(_WATCH)


def status_data(found: "MailingState") -> dict[str, Any]:
    """Where a mailing stands, as data."""
    return {
        "issue": found.mailing.issue,
        "status": found.mailing.status,
        "detail": found.mailing.detail,
        "started": found.mailing.started.isoformat(),
        "expires": found.mailing.expires.isoformat(),
        "transport": found.mailing.transport,
        **progress_data(found.progress),
        "unknown_people": [{"address": a, "detail": d} for a, d in found.unknown],
        "refused_people": [{"address": a, "detail": d} for a, d in found.refused],
    }


def show_status(console: "Console", found: "MailingState") -> None:
    """Where a mailing stands, for a person."""
    mailing = found.mailing
    started = f"{mailing.started:%Y-%m-%d %H:%M} UTC"
    console.print(f"{mailing.issue}: {mailing.status}, started {started}, via {mailing.transport}", markup=False)
    if mailing.detail:
        console.print(f"because: {mailing.detail}", markup=False, soft_wrap=True)
    show_progress(console, found.progress)
    for title, people in (("Unknown, held", found.unknown), ("Refused", found.refused)):
        for address, detail in people:
            console.print(f"{title}: {address}  {detail}", markup=False, soft_wrap=True)


# -- shared with the demo


def deliver(
    session: Session, app: "App", issue: Any, transport: "Transport", wait: timedelta, canaries: int = 0
) -> "Ended":
    """Run a mailing with progress on standard error; Ctrl-C stops it, a second one drops what is in flight."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    if again := app.overseer().follow_policy(issue):
        session.say(f"{again} people who were unknown get it once more, as [delivery] unknown says")
    console = session.console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=session.quiet or not console.is_terminal,
    )  # fmt: skip
    done, shown, total = 0, 0.0, app.ledger.still_open(issue).waiting
    with bar:
        task = bar.add_task(f"sending {issue}", total=total)

        def settled(state: HandOff) -> None:
            nonlocal done, shown
            done += 1
            if (now := time.monotonic()) - shown > _REDRAW:  # to move the bar costs as much as a message
                bar.update(task, completed=done)
                shown = now
            if session.verbose:
                session.say(f"one more is {state}")

        run = app.run(transport, settled, canaries)
        return _loop(_until_done(session, run, issue, wait))


async def _until_done(session: Session, run: "Run", issue: Any, wait: timedelta) -> "Ended":
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if run.stop():
            session.say("stopping: no new message; what is in flight gets 30 seconds (Ctrl-C again drops it)")
        else:
            session.say("dropping what is in flight; whoever it was for is unknown")

    with suppress(NotImplementedError):  # where signals cannot reach a loop, Ctrl-C ends the process as usual
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, interrupted)
    return await run.send(issue, wait)


def _loop(work: "Coroutine[Any, Any, Ended]") -> "Ended":
    """Run a coroutine, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def exit_code(ended: "Ended") -> ExitCode:
    """What `send` returns for how a run ended."""
    from digest_mailer.services.send import Ending

    if ended.ending is Ending.STOPPED:
        return ExitCode.INTERRUPTED
    if ended.ending is Ending.TROUBLE:
        return ExitCode.PARTIAL if _reached_somebody(ended) else ExitCode.TEMPORARY
    return ExitCode.PARTIAL if ended.progress.open else ExitCode.DONE


def _reached_somebody(ended: "Ended") -> bool:
    """Whether anybody's message may have left, now or earlier."""
    return any(ended.progress[state] for state in (HandOff.ACCEPTED, HandOff.UNKNOWN, HandOff.DEFERRED))


def _confirm(session: Session, launch: "Launch", transport: "Transport", confirm: int | None) -> int | None:
    """The number that a person stands for. Practice on a way out that reaches nobody may go without."""
    if confirm is not None or not launch.plan:
        return confirm
    if session.asks:
        prompt = f"Type the number of people to send it now (Ctrl-C stops); this is {_kind(transport)}"
        typed: int = click.prompt(prompt, type=int, err=True)
        return typed
    if transport.live:
        raise InterlockError("nobody confirmed the number of people", f"say --confirm {launch.people}")
    return None


def _kind(transport: "Transport") -> str:
    return "LIVE" if transport.live else "a SANDBOX, mail reaches nobody"


def plan_data(plan: "SendPlan", transport: "Transport") -> dict[str, Any]:
    """A plan as data."""
    return {
        "issue": plan.issue.id,
        "segment": plan.segment.name,
        "people": plan.people,
        "editions": [
            {
                "key": str(key),
                "language": key.language,
                "articles": [article.key for article in plan.articles(key)],
                "people": count,
            }
            for key, count in plan.readers.items()
        ],
        "left_out": {str(why): count for why, count in plan.excluded.items()},
        "already": plan.already,
        "languages": dict(plan.languages),
        "transport": transport.url,
        "live": transport.live,
    }


def show_plan(console: "Console", plan: "SendPlan", transport: "Transport") -> None:
    """A plan as a table."""
    listing = table("edition", "articles", "#people", title=f"{plan.issue.heading}: {plan.issue.subject}")
    for key, count in plan.readers.items():
        listing.add_row(str(key), "\n".join(article.title for article in plan.articles(key)), str(count))
    console.print(listing)
    left_out = ", ".join(f"{count} {why}" for why, count in plan.excluded.items()) or "nobody"
    already = f"; {plan.already} have it already" if plan.already else ""
    console.print(f"{plan.people} people, {len(plan.readers)} editions. Left out: {left_out}{already}.")
    console.print(f"via {transport.url} ({_kind(transport)})", markup=False)


def progress_data(progress: Progress) -> dict[str, Any]:
    """Progress as data."""
    return {"people": progress.total, **{str(state): progress[state] for state in HandOff}}


def show_progress(console: "Console", progress: Progress) -> None:
    """Progress as a table; states without people are left out."""
    console.print(_progress_table(progress))


def _progress_table(progress: Progress, title: str = "") -> "Table":
    listing: Table = table("hand-off", "#people", title=title)
    for state in HandOff:
        if progress[state]:
            listing.add_row(str(state), str(progress[state]))
    return listing


def _launch_data(launch: "Launch", transport: "Transport") -> dict[str, Any]:
    plan = plan_data(launch.plan, transport) if launch.plan else {"issue": launch.issue, "people": 0}
    return plan | {"waiting": launch.waiting, "sent": False}


def ended_data(ended: "Ended") -> dict[str, Any]:
    """How a run ended, as data."""
    return {
        "ending": ended.ending,
        "accepted_now": ended.accepted,
        **progress_data(ended.progress),
        "due": ended.due.isoformat() if ended.due else None,
        "trouble": ended.trouble,
    }


def show_ended(console: "Console", issue: str, ended: "Ended") -> None:
    """How a run ended, for a person."""
    from digest_mailer.services.send import Ending

    show_progress(console, ended.progress)
    again = f"digest-mailer send {issue}"
    match ended.ending:
        case Ending.TROUBLE:
            console.print(f"The way out will not do it: {ended.trouble}", markup=False)
            if not _reached_somebody(ended):
                console.print("Nothing was sent.")
            console.print(f"When that is mended, go on with: {again}")
        case Ending.STOPPED:
            console.print(f"Stopped; everything is saved. Go on with: {again}")
        case Ending.PAUSED:
            console.print(f"Somebody paused or cancelled it. See: digest-mailer status {issue}")
        case Ending.HELD:
            console.print(f"Held: {ended.trouble}", markup=False)
            console.print(f"Go on with everybody else: digest-mailer resume {issue}")
        case Ending.WAITING:
            console.print(f"The next try is due at {ended.due:%Y-%m-%d %H:%M} UTC: {again}")
        case Ending.COMPLETE:
            console.print("Everybody is served." if not ended.progress.open else f"See: digest-mailer status {issue}")
