"""What Chromium says of signing in, of accounts, and of the first page: in both languages, light and dark."""

from pathlib import Path

import pytest

from accessible_support import flaws
from admin_support import BASE, admin_client, at_the_machine
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from publication_support import make_publication

LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@LANGUAGES
def test_the_pages_to_sign_in_on(app: App, browser: Browser, language: str) -> None:
    headers = {"origin": BASE, "accept-language": language}
    client = at_the_machine(app, headers)
    first = client.get("/admin/sign-in/")
    assert f'<html lang="{language}"' in first.text
    assert flaws(browser, client, first.text) == []
    for form in ({"email": "x@y.example", "do": "mail"}, {"email": "x@y.example", "password": "x", "do": "password"}):
        assert flaws(browser, client, client.post("/admin/sign-in/", data=form).text) == []
    assert flaws(browser, client, client.get(f"/admin/in/{app.admission.local_link('root')}/").text) == []
    assert flaws(browser, client, client.get("/admin/in/used/").text) == []


@LANGUAGES
@pytest.mark.parametrize("role", [None, Role.AUTHOR, Role.ADMIN])
def test_the_first_page_and_accounts(app: App, browser: Browser, language: str, role: Role | None) -> None:
    other = app.admission.add("somebody.with.a.long.name@a-long-domain.office.example.org", Role.AUTHOR, "tests")
    client = admin_client(app, role, language)
    paths = ["/admin/", "/admin/account/", "/admin/accounts/", f"/admin/accounts/{other.number}/remove/"]
    for path in paths:
        page = client.get(path)
        assert page.status_code == (403 if role is Role.AUTHOR and "accounts" in path else 200)
        assert f'<html lang="{language}"' in page.text
        assert flaws(browser, client, page.text) == [], path
    refused = client.post("/admin/accounts/", data={"email": "no address", "role": "admin"})
    assert flaws(browser, client, refused.text) == []
