"""The first page behind the gate: how the list stands, and what was done lately."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.audience import State
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.coverage import cover
from digest_mailer.web.admin.gate import Gate, Visit

_LATEST = 8  # entries of the trail


@dataclass(frozen=True, slots=True)
class Home:
    """`/admin/`."""

    gate: Gate

    def show(self, visit: Visit) -> Response:
        """Numbers, and the latest of the trail; the trail for admins only."""
        app = self.gate.app
        counts = app.people.count(EVERYBODY)
        covered = cover(app.library, app.following)
        values = {
            "states": [(state, counts.get(state, 0)) for state in State if counts.get(state)],
            "people": sum(counts.values()),
            "segments": len(app.segments.all()),
            "topics": sum(not one.topic.retired for one in covered.topics),
            "waiting": sum(one.waiting for one in covered.topics),
            "entries": list(app.trail.records(limit=_LATEST)) if visit.session.is_admin else [],
            "names": app.admission.accounts.names() if visit.session.is_admin else {},
        }
        return self.gate.show(visit, "home", values)


def home_routes(gate: Gate) -> list[Route]:
    """The first page."""
    return gate.page("/", Home(gate).show, needs=Role.AUTHOR)
