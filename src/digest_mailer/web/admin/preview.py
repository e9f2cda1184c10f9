"""The preview: `/admin/issues/MONTH/`, one page that shows an issue in every way a reader may see it.

It shows the files as they are now, or the last version of them that could be shown, and then what is wrong. With
`preview.js` it stays up to date by itself; without, it is loaded again by hand. Nothing on it leaves the machine.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.errors import ConfigError, ContentError, IssueError, NothingMatched, UsageError
from digest_mailer.core.translation import in_language
from digest_mailer.rendering.views import View, pictures
from digest_mailer.services.proofs import place_of
from digest_mailer.web.admin.frames import SANDBOX
from digest_mailer.web.admin.gate import AREA, Gate, Visit
from digest_mailer.web.admin.inbox_line import inbox_lines
from digest_mailer.web.admin.sight import Sight, is_live, look, month_of, wanted
from digest_mailer.web.pages import CONTENT_POLICY

GMAIL_LIMIT = 102 * 1024  # octets of HTML, behind which Gmail hides the rest (hteumeuleu/email-bugs 41)
_POLICY = f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'; frame-src 'self'"
_LOOKS = (View.LIGHT, View.NO_IMAGES, View.NO_STYLE)  # that the panes can be switched to


@dataclass(frozen=True, slots=True)
class Preview:
    """The page of one issue."""

    gate: Gate

    def show(self, visit: Visit) -> Response:
        """`/issues/MONTH/`; a POST has the address of the subscriber to look as."""
        if visit.asked("as") and not visit.session.is_admin:
            return self.gate.forbidden(visit)
        if visit.posted:
            return self._find(visit)
        return self._page(visit)

    def _find(self, visit: Visit) -> Response:
        """From an address to a number, so that the address stands in no history and no log."""
        if not visit.session.is_admin:
            return self.gate.forbidden(visit)
        try:
            person = self.gate.app.subscriptions.by_address(visit.typed("email"))
        except (UsageError, NothingMatched) as problem:
            return self._page(visit, problem.sentence)
        month, query = month_of(self.gate, visit), urlencode({"as": person.id})
        return RedirectResponse(f"{self.gate.pages.site}{AREA}/issues/{month}/?{query}", 303)

    def _page(self, visit: Visit, not_found: str = "") -> Response:
        issue = month_of(self.gate, visit)
        look_asked = next((one for one in _LOOKS if one == visit.asked("look")), View.LIGHT)
        values: dict[str, object] = {
            "month": self.gate.phrases(visit).month_title(issue),
            "issue": issue,
            "live": is_live(self.gate),
            "sandbox": SANDBOX,
            "look": look_asked,
            "segment": visit.asked("segment"),
            "not_found": not_found,
            "typed": visit.typed("email")[:320],
            "sight": None,
            "stamp": "",
        }
        source, proofs = None, self.gate.app.proofs
        try:
            values["stamp"] = proofs.composer()[1]
            source = proofs.source(issue)
        except (IssueError, ContentError, ConfigError) as problem:
            mistakes = problem.diagnostics if isinstance(problem, IssueError) else (problem,)
            values["trouble"] = tuple(place_of(one) for one in mistakes)
        if source:
            values |= self._values(visit, look(self.gate, visit, source, visit.asked("edition")))
        headers = {"Content-Security-Policy": _POLICY}
        return self.gate.show(visit, "preview", values, 400 if not_found else 200, headers)

    def _values(self, visit: Visit, sight: Sight) -> dict[str, object]:
        values: dict[str, object] = {"sight": sight, "trouble": sight.trouble, "proof": sight.proof}
        if sight.key is None or sight.proof is None:
            return values
        message, publication = sight.message(), sight.source.composer.publication
        words = in_language(sight.issue, sight.key.language)
        shown = pictures(message.html)
        at = f"{self.gate.pages.site}{AREA}/issues/{sight.issue.id}/editions/{sight.key}/?"
        frames = {view.value: f"{at}{wanted(visit, view=view.value)}" for view in View}
        return values | {
            "frames": frames,
            "file": f"{at}{wanted(visit, save='yes')}",
            "lines": list(inbox_lines(message.subject, words.preheader)),
            "size": len(message.html.encode()),
            "budget": publication.html_budget,
            "gmail": GMAIL_LIMIT,
            "pictures": shown,
        }


def preview_routes(gate: Gate) -> list[Route]:
    """The page."""
    return gate.page("/issues/{month}/", Preview(gate).show, post=True, needs=Role.AUTHOR)
