"""The sandbox's inbox: what was sent, as its readers would see it. No message in it ever left this machine.

A mail is somebody's HTML. It is shown in a frame that runs no script, sends no form and has no access to this
site, by the frame's attribute and by the header of what is in it; its links open in another tab.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest_mailer.web.letter import for_frame, read_letter
from digest_mailer.web.mail_folder import MailFolder, Stored
from digest_mailer.web.pages import CONTENT_POLICY, Pages

PER_PAGE = 100
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
_FRAMING = {"Content-Security-Policy": f"{CONTENT_POLICY}; frame-src 'self'"}
_FRAMED = {
    "Content-Security-Policy": f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}
_SOURCE = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}


@dataclass(frozen=True, slots=True)
class Group:
    """The copies of one issue: how many, and of which editions."""

    issue: str
    subject: str
    count: int
    editions: tuple[tuple[str, str, int], ...]  # address, name, copies


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox's pages."""

    folder: MailFolder
    pages: Pages
    timezone: str

    def listing(self, request: Request) -> Response:
        """The messages, newest first, a hundred a page; `?edition=` shows one edition's."""
        stored = self.folder.listing()
        chosen = request.query_params.get("edition", "")
        shown = [one for one in stored if one.group == chosen] if chosen else stored
        last = max(1, -(-len(shown) // PER_PAGE))
        page = _page_number(request.query_params.get("page", ""), last)
        values = {
            "total": len(stored),
            "groups": group(stored),
            "chosen": chosen,
            "found": len(shown),
            "messages": shown[(page - 1) * PER_PAGE : page * PER_PAGE],
            "page": page,
            "last": last,
            "zone": ZoneInfo(self.timezone),
        }
        return self.pages.show("inbox", values)

    def message(self, request: Request) -> Response:
        """One message: as HTML, as text, its headers."""
        stored, data = self._load(request)
        values = {"stored": stored, "letter": read_letter(data), "sandbox": SANDBOX, "zone": ZoneInfo(self.timezone)}
        return self.pages.show("message", values, headers=_FRAMING)

    def html(self, request: Request) -> Response:
        """The HTML part alone, for the frame."""
        letter = read_letter(self._load(request)[1])
        if letter.html is None:
            raise HTTPException(404)
        return HTMLResponse(for_frame(letter.html), headers=_FRAMED)

    def raw(self, request: Request) -> Response:
        """The stored bytes."""
        return Response(self._load(request)[1], media_type="text/plain", headers=_SOURCE)

    def _load(self, request: Request) -> tuple[Stored, bytes]:
        stored = self.folder.find(request.path_params["id"])
        try:
            if stored:
                return stored, stored.path.read_bytes()
        except OSError as problem:
            raise HTTPException(404) from problem
        raise HTTPException(404)


def group(stored: Sequence[Stored]) -> list[Group]:
    """Messages by issue and subject, the newest group first."""
    groups: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for one in stored:
        counter = groups.setdefault((one.head.issue, one.head.subject), Counter())
        counter[(one.group, one.head.edition)] += 1
    return [
        Group(
            issue,
            subject,
            counter.total(),
            tuple((address, name, count) for (address, name), count in sorted(counter.items()) if name),
        )
        for (issue, subject), counter in groups.items()
    ]


def _page_number(text: str, last: int) -> int:
    asked = int(text) if text.isascii() and text.isdecimal() and len(text) < len("100000") else 1
    return min(max(asked, 1), last)
