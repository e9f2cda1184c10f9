"""What the preview's frames show: `/admin/issues/MONTH/editions/EDITION/?view=...`, one address for every view.

A frame runs no script, sends no form, opens nothing and fetches nothing from another host: by its attribute, by the
header of what is in it, and because such addresses are taken out. It keeps its origin, which without scripts lets it do
nothing, but lets the page around it keep its place when it is loaded again.
"""

from dataclasses import dataclass

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.errors import NothingMatched
from digest_mailer.rendering.views import View, html_view, text_view
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.sight import Sight, look, month_of
from digest_mailer.web.letter import for_frame, read_letter

SANDBOX = "allow-same-origin"
_POLICY = (
    f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Frames:
    """Editions, each in every view."""

    gate: Gate

    def show(self, visit: Visit) -> Response:
        """One view, or with `?save=yes` the whole message as a file."""
        if visit.asked("as") and not visit.session.is_admin:
            return self.gate.forbidden(visit)
        source = self.gate.app.proofs.source(month_of(self.gate, visit))
        sight = look(self.gate, visit, source, visit.part("edition"))
        if sight.key is None or str(sight.key) != visit.part("edition"):
            raise NothingMatched("there is no such edition any more", "go back to the issue")
        if visit.asked("save"):
            name = f"{sight.issue.id}-{sight.key}.eml"
            headers = {
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Security-Policy": _FILE_POLICY,
            }
            return Response(sight.message().content, media_type="message/rfc822", headers=headers)
        view = next((one for one in View if one == visit.asked("view")), View.LIGHT)
        return HTMLResponse(_content(sight, view), headers={"Content-Security-Policy": _POLICY})


def _content(sight: Sight, view: View) -> str:
    message, language = sight.message(), sight.key.language if sight.key else "en"
    match view:
        case View.PLAIN:
            return text_view(message.text, view, language)
        case View.HEADERS:
            return text_view("", view, language, read_letter(message.content).headers)
        case View.RAW:
            return text_view(message.content.decode("utf-8", "replace"), view, "en")
        case View.MJML:
            return text_view(sight.proof.mjml if sight.proof else "", view, "en")
        case _:
            return for_frame(html_view(message.html, view))


def frame_routes(gate: Gate) -> list[Route]:
    """The frames."""
    return gate.page("/issues/{month}/editions/{edition}/", Frames(gate).show, needs=Role.AUTHOR)
