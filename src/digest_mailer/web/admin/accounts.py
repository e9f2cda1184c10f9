"""Who works here: `/admin/accounts/` for admins, and everybody's own `/admin/account/` with password and language."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import MIN_PASSWORD, Account, Role
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.identity import Language
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.forms import sender_network, whole_number


@dataclass(frozen=True, slots=True)
class AccountPages:
    """The pages of accounts."""

    gate: Gate

    def all(self, visit: Visit) -> Response:
        """`/admin/accounts/`: POST adds, changes a role, or removes."""
        if not visit.posted:
            return self._list(visit)
        try:
            return self.gate.go("/accounts/", self._act(visit))
        except UsageError as problem:
            return self._list(visit, problem.sentence)

    def remove(self, visit: Visit) -> Response:
        """`/admin/accounts/N/remove/`: GET asks, POST does it."""
        account = self._account(visit.part("number"))
        self._refuse_oneself(visit, account)
        if not visit.posted:
            return self.gate.show(visit, "account_remove", {"account": account})
        self.gate.app.admission.remove(account, visit.session.actor)
        return self.gate.go("/accounts/", "removed")

    def own(self, visit: Visit) -> Response:
        """`/admin/account/`: one's password, language and sessions."""
        if not visit.posted:
            return self._own(visit)
        account, admission = visit.session.account, self.gate.app.admission
        if account is None:
            raise UsageError("who is at the machine has no account", "make one: digest-mailer admins add EMAIL")
        if visit.typed("do") == "language":
            language = Language(visit.typed("language"))
            if language not in self.gate.pages.languages():
                raise UsageError(f'there are no words in "{language}"', "choose another language")
            admission.set_language(account, language)
            return self.gate.go("/account/", "saved")
        try:
            network = sender_network(visit.request)
            admission.change_password(account, visit.secret("present"), visit.secret("password"), network)
        except UsageError as problem:
            return self._own(visit, problem.sentence)
        return self.gate.go("/sign-in/", "changed")

    def _act(self, visit: Visit) -> str:
        admission, actor = self.gate.app.admission, visit.session.actor
        if visit.typed("role") not in tuple(Role):
            raise UsageError("no role was chosen", "choose one")
        role = Role(visit.typed("role"))
        if not visit.typed("number"):
            admission.add(visit.typed("email"), role, actor)
            return "added"
        account = self._account(visit.typed("number"))
        self._refuse_oneself(visit, account)
        return "role" if admission.set_role(account, role, actor) else "same"

    def _account(self, number: str) -> Account:
        whole = whole_number(number)
        found = self.gate.app.admission.accounts.get(whole) if whole else None
        if found is None:
            raise NothingMatched("there is no such account", "look at the list of accounts")
        return found

    def _refuse_oneself(self, visit: Visit, account: Account) -> None:
        """Nobody locks themselves out by mistake."""
        if visit.session.account and visit.session.account.number == account.number:
            raise UsageError("this is your own account", "another admin can change it, or: digest-mailer admins")

    def _list(self, visit: Visit, trouble: str = "") -> Response:
        values = {
            "accounts": self.gate.app.admission.accounts.all(),
            "trouble": trouble,
            "email": visit.typed("email"),
            "roles": list(Role),
        }
        return self.gate.show(visit, "accounts", values, 400 if trouble else 200)

    def _own(self, visit: Visit, trouble: str = "") -> Response:
        values = {"trouble": trouble, "shortest": MIN_PASSWORD, "languages": self.gate.pages.languages()}
        return self.gate.show(visit, "account", values, 400 if trouble else 200)


def account_routes(gate: Gate) -> list[Route]:
    """The pages of accounts."""
    pages = AccountPages(gate)
    return [
        *gate.page("/accounts/", pages.all, post=True),
        *gate.page("/accounts/{number}/remove/", pages.remove, post=True),
        *gate.page("/account/", pages.own, post=True, needs=Role.AUTHOR),
    ]
