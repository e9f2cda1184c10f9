"""The issues, and how far each has come: `/admin/issues/`."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.services.report import issue_states
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.sight import is_live


@dataclass(frozen=True, slots=True)
class IssuePages:
    """The list of issues."""

    gate: Gate

    def all(self, visit: Visit) -> Response:
        """`/issues/`."""
        app = self.gate.app
        library, month = app.library, self.gate.phrases(visit).month_title
        states = issue_states(library, app.standing(library), app.ledger)
        values = {"issues": [(one, month(one.id)) for one in states], "live": is_live(self.gate)}
        return self.gate.show(visit, "issues", values)


def issue_routes(gate: Gate) -> list[Route]:
    """The list."""
    return gate.page("/issues/", IssuePages(gate).all, needs=Role.AUTHOR)
