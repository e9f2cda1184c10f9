"""The suppression list: `/admin/suppressions/`.

    /suppressions/             the entries, newest first, all or of one ground
    /suppressions/address/     POST looks an address up; with `do` it puts it on the list, or takes it off
    /suppressions/add/         many addresses at once
    /suppressions/export/      POST answers with the list as CSV

An address never stands in the address of a page: it is looked up by a form. For lists of suppressed addresses see
`suppression_import`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.audience import MAX_VALUE, Ground, SuppressedAddress
from digest_mailer.core.errors import UsageError
from digest_mailer.services.subscriptions import read_address
from digest_mailer.web.admin.files import download
from digest_mailer.web.admin.gate import Gate, Visit

PER_PAGE = 50
_BETWEEN = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class SuppressionPages:
    """The pages of the list."""

    gate: Gate

    def entries(self, visit: Visit) -> Response:
        """`/suppressions/`."""
        store = self.gate.app.suppressions
        ground, behind = _ground(visit.asked("ground")), _place(visit.asked("behind"))
        found = store.page(ground, behind, PER_PAGE + 1)
        counts = store.count()
        values = {
            "entries": found[:PER_PAGE],
            "ground": ground,
            "grounds": [(one, counts.get(one, 0)) for one in Ground],
            "total": sum(counts.values()),
            "first": behind is None,
            "newest": _query(ground),
            "older": _query(ground, found[PER_PAGE - 1]) if len(found) > PER_PAGE else "",
        }
        return self.gate.show(visit, "suppressions", values)

    def address(self, visit: Visit) -> Response:
        """`/suppressions/address/`."""
        if not visit.posted:
            return self.gate.go("/suppressions/")
        address, do = visit.typed("email"), visit.typed("do")
        try:
            if do:
                return self.gate.go("/suppressions/", self._act(do, address, _reason(visit), visit.session.actor))
            return self._look(visit, address)
        except UsageError as problem:
            return self._look(visit, address, problem.sentence)

    def add(self, visit: Visit) -> Response:
        """`/suppressions/add/`."""
        typed, trouble = visit.typed("addresses"), ""
        if visit.posted:
            try:
                added = self.gate.app.suppressing.add(_addresses(typed), _reason(visit), visit.session.actor)
                return self.gate.go("/suppressions/", "added" if added else "same")
            except UsageError as problem:
                trouble = problem.sentence
        values = {"addresses": typed, "reason": visit.typed("reason"), "trouble": trouble, "longest": MAX_VALUE}
        return self.gate.show(visit, "suppressions_add", values, 400 if trouble else 200)

    def export(self, visit: Visit) -> Response:
        """`/suppressions/export/`."""
        app = self.gate.app
        if not visit.posted:
            return self.gate.go("/suppressions/")
        count = 0

        def fill(file: IO[str]) -> None:
            nonlocal count
            count = app.suppressing.write(file)

        answer = download("suppressions.csv", "text/csv", fill)
        app.note_export(visit.session.actor, "suppressions", count)
        return answer

    def _act(self, do: str, address: str, reason: str, actor: str) -> str:
        suppressing = self.gate.app.suppressing
        if do == "add":
            return "added" if suppressing.add([address], reason, actor) else "same"
        if do != "remove":
            raise UsageError("the form does not say what to do", "open the page again")
        suppressing.remove(address, reason, actor)
        return "removed"

    def _look(self, visit: Visit, address: str, trouble: str = "") -> Response:
        """What the list says of an address; with trouble, what was typed again."""
        app = self.gate.app
        values: dict[str, object] = {"address": "", "typed": address, "reason": visit.typed("reason")}
        try:
            parsed = read_address(address)
            values |= {"listed": app.suppressing.find(address), "person": app.people.find(parsed)}
            values["address"] = parsed.typed
        except UsageError as problem:
            trouble = trouble or problem.sentence
        values |= {"trouble": trouble, "longest": MAX_VALUE}
        return self.gate.show(visit, "suppressions_address", values, 400 if trouble else 200)


def suppression_routes(gate: Gate) -> list[Route]:
    """The pages of the list."""
    pages = SuppressionPages(gate)
    return [
        *gate.page("/suppressions/", pages.entries),
        *gate.page("/suppressions/address/", pages.address, post=True),
        *gate.page("/suppressions/add/", pages.add, post=True),
        *gate.page("/suppressions/export/", pages.export, post=True),
    ]


def _addresses(text: str) -> list[str]:
    """Raises UsageError when there is none."""
    found = [one for one in _BETWEEN.split(text) if one]
    if not found:
        raise UsageError("there is no address", "type at least one")
    return found


def _reason(visit: Visit) -> str:
    """Raises UsageError when there is none."""
    reason = visit.typed("reason")
    if not reason:
        raise UsageError("there is no reason", "say why")
    if len(reason) > MAX_VALUE:
        raise UsageError("the reason is too long", "shorten it")
    return reason


def _ground(text: str) -> Ground | None:
    return Ground(text) if text in tuple(Ground) else None


def _place(text: str) -> tuple[datetime, bytes] | None:
    """The end of the page before; none where that cannot be read, which is the first page."""
    at, _, digest = text.partition("_")
    try:
        since = datetime.fromisoformat(at)
        return (since.astimezone(UTC), bytes.fromhex(digest)) if since.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _query(ground: Ground | None, last: SuppressedAddress | None = None) -> str:
    said = {"ground": str(ground)} if ground else {}
    if last:
        said["behind"] = f"{last.entry.since.isoformat()}_{last.entry.digest.hex()}"
    return f"?{urlencode(said)}" if said else ""
