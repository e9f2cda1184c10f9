"""The audit trail: `/admin/audit/`.

    /audit/           the entries, newest first; of an action, a person (by id), a day
    /audit/check/     GET tells what a check is, POST walks the whole chain
    /audit/export/    POST answers with the chain as lines of JSON, without anything personal

Looking writes nothing, not even into the trail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.audit import Record, TrailSearch, as_line, is_in_chain, told
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import SubscriberId
from digest_mailer.web.admin.files import download
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.forms import whole_number

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class TrailPages:
    """The pages of the trail."""

    gate: Gate

    def entries(self, visit: Visit) -> Response:
        """`/audit/`."""
        app = self.gate.app
        asked = {name: visit.asked(name) for name in ("action", "person", "day")}
        trouble, found = "", list[Record]()
        try:
            wanted, before = self._wanted(asked), _number(visit.asked("before"))
            found = list(app.trail.page(wanted, before, PER_PAGE + 1))
        except UsageError as problem:
            trouble = problem.sentence
        shown = found[:PER_PAGE]
        values = {
            "action": asked["action"],
            "person": asked["person"],
            "day_typed": asked["day"],
            "trouble": trouble,
            "entries": shown,
            "told": told,
            "actions": app.trail.actions(),
            "names": app.admission.accounts.names(),
            "people": self._people(shown),
            "first": not visit.asked("before"),
            "newest": _query(asked),
            "older": _query(asked | {"before": str(shown[-1].number)}) if len(found) > PER_PAGE else "",
        }
        return self.gate.show(visit, "audit", values, 400 if trouble else 200)

    def check(self, visit: Visit) -> Response:
        """`/audit/check/`."""
        if not visit.posted:
            return self.gate.show(visit, "audit_check", {"checked": None, "head": ""})
        trail, head = self.gate.app.trail, visit.typed("head")
        checked = trail.verify()
        lost = bool(head) and not is_in_chain(trail.links(), head)
        values = {"checked": checked, "head": head, "lost": lost, "whole": not (checked.faults or lost)}
        return self.gate.show(visit, "audit_check", values)

    def export(self, visit: Visit) -> Response:
        """`/audit/export/`."""
        if not visit.posted:
            return self.gate.go("/audit/")

        def fill(file: IO[str]) -> None:
            file.writelines(map(as_line, self.gate.app.trail.links()))

        return download("audit.jsonl", "application/jsonl", fill)

    def _wanted(self, asked: dict[str, str]) -> TrailSearch:
        """Raises UsageError for what is no id or no day."""
        person = SubscriberId(_number(asked["person"])) if asked["person"] else None
        if not asked["day"]:
            return TrailSearch(person, asked["action"])
        try:
            day = date.fromisoformat(asked["day"])
            zone = ZoneInfo(self.gate.app.publication.timezone)
            since, until = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
            return TrailSearch(person, asked["action"], since, until)
        except (ValueError, OverflowError) as problem:
            raise UsageError(f'"{asked["day"]}" is no day', "days are written YYYY-MM-DD") from problem

    def _people(self, entries: list[Record]) -> Mapping[SubscriberId, str]:
        """The addresses of people who are still known."""
        return self.gate.app.people.addresses({one.subscriber for one in entries if one.subscriber is not None})


def audit_routes(gate: Gate) -> list[Route]:
    """The pages of the trail."""
    pages = TrailPages(gate)
    return [
        *gate.page("/audit/", pages.entries),
        *gate.page("/audit/check/", pages.check, post=True),
        *gate.page("/audit/export/", pages.export, post=True),
    ]


def _number(text: str) -> int:
    """A number from 1 on; 0 for nothing. Raises UsageError for what is none."""
    if not text:
        return 0
    number = whole_number(text)
    if number is None:
        raise UsageError(f'"{text}" is no number', "ids and entries have numbers from 1 on")
    return number


def _query(asked: dict[str, str]) -> str:
    said = {name: value for name, value in asked.items() if value}
    return f"?{urlencode(said)}" if said else ""
