"""The gate before the admins' pages: who is signed in, whether they may, and whether it was they who pressed a button.

    host      this machine's names, or the publication's own: a foreign name may be one that was made to point here
    session   a cookie with a random secret, out of scripts' reach; over a network by https only
    role      authors see no addresses
    origin    a POST must come from these pages (Sec-Fetch-Site, else Origin); the cookie is SameSite=Lax besides

An endpoint is a plain function of a `Visit`, run in a thread. What a service refuses becomes a page that says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role, Session
from digest_mailer.core.errors import (
    ContentError,
    DigestError,
    InterlockError,
    IssueError,
    Locked,
    NothingMatched,
    UsageError,
)
from digest_mailer.core.identity import Language
from digest_mailer.rendering.phrases import Phrases
from digest_mailer.web import forms
from digest_mailer.web.doorman import LOOPBACK, asked_host, trusted_hosts
from digest_mailer.web.pages import Pages, add_slash

AREA = "/admin"
NO_FORM = FormData()

_MAX_ASKED = 500
_REFUSALS: Mapping[type[DigestError], int] = {
    NothingMatched: 404,
    InterlockError: 409,
    Locked: 409,
    UsageError: 400,
    ContentError: 400,
    IssueError: 400,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who may make it."""

    request: Request
    session: Session
    language: Language
    form: FormData = field(default_factory=lambda: NO_FORM)  # empty for GET
    posted: bool = False

    def asked(self, name: str) -> str:
        """A value of the address behind the question mark; empty when there is none."""
        return self.request.query_params.get(name, "")[:_MAX_ASKED].strip()

    def typed(self, name: str) -> str:
        """A field of the form; empty when there is none."""
        return forms.field(self.form, name).strip()

    def secret(self, name: str) -> str:
        """A field of the form as it is: spaces belong to a password."""
        return forms.field(self.form, name)

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])


Endpoint = Callable[[Visit], Response]
Upload = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Gate:
    """Makes routes whose endpoints only see who may be there."""

    app: App
    pages: Pages

    def page(self, path: str, endpoint: Endpoint, *, post: bool = False, needs: Role = Role.ADMIN) -> list[Route]:
        """The routes of `/admin` and this path, which ends with a slash; with `post` it takes forms too."""

        async def answer(request: Request) -> Response:
            self.check(request)
            form = await forms.read_form(request) if request.method == "POST" else NO_FORM
            return await run_in_threadpool(self._let_in, request, form, endpoint, needs)

        return self.routes(path, answer, post=post)

    def upload(self, path: str, endpoint: Upload, needs: Role = Role.ADMIN) -> list[Route]:
        """A route that takes a large body by POST, which the endpoint reads itself."""

        async def answer(request: Request) -> Response:
            self.check(request)
            visit = await run_in_threadpool(self._visit, request, NO_FORM)
            if visit is None:
                return self.go("/sign-in/", "over")
            if not visit.session.may(needs):
                return self.forbidden(visit)
            try:
                return await endpoint(visit)
            except DigestError as problem:
                return await run_in_threadpool(self._refused, visit, problem)

        return [Route(f"{AREA}{path}", answer, methods=["POST"])]

    def routes(self, path: str, answer: Callable[[Request], Awaitable[Response]], *, post: bool) -> list[Route]:
        """A page that anybody may see, and the redirect to it from its address without the slash."""
        methods = ["GET", "POST"] if post else ["GET"]
        return [Route(f"{AREA}{path}", answer, methods=methods), Route(f"{AREA}{path}".rstrip("/"), add_slash)]

    def check(self, request: Request) -> None:
        """Raise HTTPException 421 for a foreign name, and 403 for a form that another page sends."""
        if asked_host(request.headers) not in trusted_hosts(self.app.publication.base_url):
            raise HTTPException(421)
        if request.method == "POST" and not is_own(request):
            raise HTTPException(403)

    def show(
        self,
        visit: Visit,
        name: str,
        values: Mapping[str, object] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The page `web/admin/NAME.html.j2`."""
        common = {"session": visit.session, "said": visit.asked("said"), "path": visit.request.url.path}
        # with no-referrer, browsers would say "null" for the origin of forms
        own = {"Referrer-Policy": "same-origin", **(headers or {})}
        return self.pages.show(f"admin/{name}", common | dict(values or {}), status, own, visit.language)

    def go(self, path: str, said: str = "") -> Response:
        """On to another page, after a form was done. `said` is a word that its template has a sentence for."""
        query = f"?said={quote(said)}" if said else ""
        return RedirectResponse(f"{self.pages.site}{AREA}{path}{query}", 303)

    def phrases(self, visit: Visit) -> Phrases:
        """The words of their language."""
        return self.pages.phrases(visit.language)

    def session(self, request: Request) -> Session | None:
        """Who is signed in."""
        return self.app.admission.session(request.cookies.get(cookie_name(request), ""))

    def language(self, request: Request, session: Session | None) -> Language:
        """The language of the pages: the account's, else what the browser asks for."""
        chosen = session.account.language if session and session.account else None
        return chosen or self.pages.known_language(request)

    def _visit(self, request: Request, form: FormData) -> Visit | None:
        session = self.session(request)
        if session is None:
            return None
        return Visit(request, session, self.language(request, session), form, request.method == "POST")

    def _let_in(self, request: Request, form: FormData, endpoint: Endpoint, needs: Role) -> Response:
        visit = self._visit(request, form)
        if visit is None:
            if request.method == "POST":
                return self.go("/sign-in/", "over")
            return RedirectResponse(f"{self.pages.site}{AREA}/sign-in/?next={quote(request.url.path)}", 303)
        if not visit.session.may(needs):
            return self.forbidden(visit)
        try:
            return endpoint(visit)
        except DigestError as problem:
            return self._refused(visit, problem)

    def forbidden(self, visit: Visit) -> Response:
        """The answer to an author who wants what only admins may see."""
        _ = self.phrases(visit).gettext
        values = {"title": _("This is for admins"), "what": _("Ask an admin, or sign in as one."), "hint": ""}
        return self.show(visit, "refused", values, 403)

    def _refused(self, visit: Visit, problem: DigestError) -> Response:
        """A page that says what and what to do. Raises the problem again when it is not the visitor's to solve."""
        status = next((code for kind, code in _REFUSALS.items() if isinstance(problem, kind)), 0)
        if not status:
            raise problem
        _ = self.phrases(visit).gettext
        values = {"title": _("That was not done"), "what": problem.what, "hint": problem.page_hint}
        return self.show(visit, "refused", values, status)


def cookie_name(request: Request) -> str:
    """The name of the session's cookie. Browsers keep cookies of one machine together, whatever the port; the prefix
    keeps a neighbouring site from setting ours (RFC 6265bis section 4.1.3.2)."""
    return "__Host-admin" if request.url.scheme == "https" else f"admin-{request.url.port or 80}"


def set_cookie(response: Response, request: Request, secret: str, seconds: int) -> None:
    """Keep the session's secret in the browser; 0 seconds takes it away."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        cookie_name(request), secret, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax"
    )


def is_own(request: Request) -> bool:
    """Whether a POST comes from these pages. All browsers of today say so in Sec-Fetch-Site, or else in Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc.lower() == request.headers.get("host", "").lower()


def is_at_the_machine(request: Request) -> bool:
    """Whether somebody calls this machine by its own name, from it, and no proxy has passed that on."""
    passed_on = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via"))
    return asked_host(request.headers) in LOOPBACK and _is_loopback(request) and not passed_on


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:  # a socket in the file system
        return False


def is_private(request: Request) -> bool:
    """Whether nobody on the way can read along."""
    return request.url.scheme == "https" or is_at_the_machine(request)


def is_inside(address: str) -> bool:
    """Whether a path, perhaps with a query, leads to one of these pages, and nowhere else."""
    path, _, query = address.partition("?")
    known = path.startswith(f"{AREA}/") and all(char.isalnum() or char in "/-_" for char in path)
    return known and all(char.isascii() and (char.isalnum() or char in "=&%+-_.:~") for char in query)
