"""Signing in and out: `/admin/sign-in/` by password or with a mailed link, `/admin/in/SECRET/` by a link, once.

A link is redeemed by a POST, because programs follow the links of mails; `?next=` is where it leads to then. Whether an
address has an account is not told: the answer is the same, and the letter is written behind it.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest_mailer.core.account import SESSION_LIFE, Account, Role
from digest_mailer.core.identity import Language
from digest_mailer.core.message import Message
from digest_mailer.core.urls import sign_in_url
from digest_mailer.web.admin.gate import (
    AREA,
    NO_FORM,
    Gate,
    Visit,
    cookie_name,
    is_at_the_machine,
    is_inside,
    is_private,
    set_cookie,
)
from digest_mailer.web.forms import field, read_form, sender_network
from digest_mailer.web.post import Post


@dataclass(frozen=True, slots=True)
class Porch:
    """The pages before one is signed in."""

    gate: Gate
    post: Post

    async def sign_in(self, request: Request) -> Response:
        """`/admin/sign-in/`."""
        self.gate.check(request)
        form = await read_form(request) if request.method == "POST" else NO_FORM
        return await run_in_threadpool(self._sign_in, request, form)

    async def link(self, request: Request) -> Response:
        """`/admin/in/SECRET/`: GET asks, POST signs in."""
        self.gate.check(request)
        return await run_in_threadpool(self._link, request)

    def sign_out(self, visit: Visit) -> Response:
        """`/admin/sign-out/`."""
        if not visit.posted:
            return self.gate.go("/account/")
        admission = self.gate.app.admission
        if visit.typed("where") == "everywhere" and visit.session.account:
            admission.sign_out_everywhere(visit.session.account)
        admission.sign_out(visit.request.cookies.get(cookie_name(visit.request), ""))
        response = self.gate.go("/sign-in/", "out")
        set_cookie(response, visit.request, "", 0)
        return response

    def _sign_in(self, request: Request, form: FormData) -> Response:
        if not is_private(request):
            return self._show(request, "insecure", 403)
        if request.method != "POST":
            if self.gate.session(request):
                return self.gate.go("/")
            return self._show(request, request.query_params.get("said", ""))
        address, network = field(form, "email").strip(), sender_network(request)
        admission, wanted = self.gate.app.admission, field(form, "next")[:200]
        if field(form, "do") == "mail":
            return self._mail(request, address, network)
        if not admission.may_try(address, network):
            return self._show(request, "rationed", 429, address, wanted)
        opened = admission.by_password(address, field(form, "password"))
        return self._enter(request, opened, wanted) if opened else self._show(request, "wrong", 403, address, wanted)

    def _mail(self, request: Request, address: str, network: str) -> Response:
        """The same answer to everybody; the letter behind it."""
        response = self._show(request, "mailed", 200, address)
        language = self.gate.language(request, None)

        def write() -> Message | None:
            due = self.gate.app.admission.mailed_link(address, network)
            return self._letter(*due, language) if due else None

        response.background = BackgroundTask(self.post.hand_over, write)
        return response

    def _letter(self, account: Account, secret: str, language: Language) -> Message:
        app = self.gate.app
        url = sign_in_url(app.publication.base_url, secret)
        return app.letters(app.library).sign_in(account.address, url, account.language or language)

    def _link(self, request: Request) -> Response:
        secret, admission = request.path_params["secret"], self.gate.app.admission
        if not is_private(request):
            return self._show(request, "insecure", 403)
        here = is_at_the_machine(request)
        wanted = request.query_params.get("next", "")
        if request.method == "POST":
            opened = admission.redeem(secret, at_the_machine=here)
            return self._enter(request, opened, wanted) if opened else self._show(request, "used", 403)
        if not admission.is_link(secret, at_the_machine=here):
            return self._show(request, "used", 403)
        query = f"?{urlencode({'next': wanted[:200]})}" if wanted else ""
        values = {"action": f"{self.gate.pages.site}{AREA}/in/{secret}/{query}"}
        return self._page(request, "redeem", values)

    def _enter(self, request: Request, secret: str, wanted: str = "") -> Response:
        target = wanted.removeprefix(self.gate.pages.site) if wanted else f"{AREA}/"
        target = target if is_inside(target) else f"{AREA}/"
        response = RedirectResponse(f"{self.gate.pages.site}{target}", 303)
        set_cookie(response, request, secret, int(SESSION_LIFE.total_seconds()))
        return response

    def _show(self, request: Request, said: str, status: int = 200, address: str = "", wanted: str = "") -> Response:
        values = {"said": said, "email": address[:320], "next": wanted or request.query_params.get("next", "")[:200]}
        return self._page(request, "sign_in", values, status)

    def _page(self, request: Request, name: str, values: dict[str, str], status: int = 200) -> Response:
        own = {"Referrer-Policy": "same-origin"}
        language = self.gate.language(request, None)
        return self.gate.pages.show(f"admin/{name}", {"session": None, **values}, status, own, language)


def sign_in_routes(gate: Gate, post: Post) -> list[Route]:
    """Signing in and out."""
    porch = Porch(gate, post)
    return [
        *gate.routes("/sign-in/", porch.sign_in, post=True),
        *gate.routes("/in/{secret}/", porch.link, post=True),
        *gate.page("/sign-out/", porch.sign_out, post=True, needs=Role.AUTHOR),
    ]
