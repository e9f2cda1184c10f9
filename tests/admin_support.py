"""A browser that is signed in to the admins' pages, without scripts and without a screen."""

from dataclasses import replace
from typing import Any

from argon2 import PasswordHasher
from lxml import html
from starlette.testclient import TestClient

from digest_mailer.adapters.passwords import Argon2Passwords
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.web.app import build_site

BASE = "http://127.0.0.1"


def admin_client(app: App, role: Role | None = None, language: str = "en") -> TestClient:
    """Signed in at the machine, or with an account of a role. Its POSTs say that they come from these pages."""
    headers = {"origin": BASE, "accept-language": language}
    client = at_the_machine(app, headers)
    admission = app.admission
    if role is None:
        secret = admission.local_link("tests")
    else:
        secret = admission.new_link(admission.add(f"{role}@office.example.org", role, "tests"), "tests")
    answer = client.post(f"/admin/in/{secret}/")
    assert answer.status_code == 303
    return client


def at_the_machine(app: App, headers: dict[str, str]) -> TestClient:
    """A browser on the machine itself, that nobody is signed in with."""
    site, here = build_site(app, inbox=False), ("127.0.0.1", 50_000)
    return TestClient(site, base_url=BASE, follow_redirects=False, headers=headers, client=here)


def quick_passwords(app: App) -> None:
    """Hash passwords at the least cost, so that many tries take no time."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    app.admission = replace(app.admission, passwords=Argon2Passwords(hasher))


def document(text: str) -> Any:
    """A page, to be asked for its parts."""
    return html.fromstring(text)
