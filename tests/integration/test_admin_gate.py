"""The gate before the admins' pages: nobody comes in who may not, and no other page can press a button here."""

import mailbox
import re
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from admin_support import BASE, admin_client, at_the_machine, quick_passwords
from digest_mailer.bootstrap import App
from digest_mailer.core.account import SESSION_LIFE, Role
from digest_mailer.web.app import build_site
from publication_support import FixedClock, make_publication, table_rows

PASSWORD = "a sentence that is long"
SITE = "https://digest.example.org"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    app = make_publication(tmp_path)
    quick_passwords(app)
    return app


@pytest.fixture
def stranger(app: App) -> TestClient:
    """A browser that nobody is signed in with, at the machine."""
    return at_the_machine(app, {"origin": BASE})


@pytest.fixture
def remote(app: App) -> TestClient:
    """A browser elsewhere."""
    base = app.publication.base_url
    return TestClient(build_site(app, inbox=False), base_url=base, follow_redirects=False, headers={"origin": base})


def admin_paths(client: TestClient) -> list[str]:
    """The addresses of the admins' pages, their holes filled."""
    routes = client.app.routes  # type: ignore[attr-defined]
    paths = {
        route.path for route in routes if isinstance(route, Route) and re.fullmatch("/admin/.*/|/admin/", route.path)
    }
    return sorted(re.sub(r"\{[^}]+\}", "1", path) for path in paths)


def letters(app: App) -> list[str]:
    """The texts of the letters in the sandbox."""
    if not app.maildir.is_dir():
        return []
    box = mailbox.Maildir(app.maildir)
    found = []
    for key in box.iterkeys():
        body = BytesParser(policy=policy.default).parsebytes(box.get_bytes(key)).get_body(("plain",))
        found.append(body.get_content() if body else "")
    return found


def test_no_page_shows_anything_to_strangers(app: App, stranger: TestClient) -> None:
    open_to_all = ("/admin/sign-in/", "/admin/in/1/")
    paths = [path for path in admin_paths(stranger) if path not in open_to_all]
    assert len(paths) >= 5
    before = table_rows(app)
    for path in paths:
        for method in ("GET", "HEAD", "POST"):
            answer = stranger.request(method, path)
            if answer.status_code == 405:
                continue
            assert (answer.status_code, answer.headers["location"][:15]) == (303, "/admin/sign-in/"), (method, path)
    assert table_rows(app) == before


def test_every_page_is_kept_out_of_caches_and_search(stranger: TestClient) -> None:
    for path in admin_paths(stranger):
        headers = stranger.get(path).headers
        assert headers["x-robots-tag"] == "noindex", path
        assert headers["cache-control"] == "no-store", path


def test_no_other_page_can_send_a_form(app: App) -> None:
    client, before = admin_client(app), table_rows(app)
    form = {"email": "new@office.example.org", "role": "admin"}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9"},
        {"origin": BASE, "sec-fetch-site": "cross-site"},
        {"origin": BASE, "sec-fetch-site": "same-site"},
        {"origin": BASE, "sec-fetch-site": "none"},
    ):
        for path in admin_paths(client):
            assert client.post(path, data=form, headers=headers).status_code in (403, 405), (headers, path)
    assert table_rows(app) == before
    own = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert client.post("/admin/accounts/", data=form, headers=own).status_code == 303


def test_a_foreign_name_of_this_machine_gets_nothing(app: App) -> None:
    client = admin_client(app)
    for path in admin_paths(client):
        code = client.get(path, headers={"host": "rebound.example"}).status_code
        assert code == 421, path


def test_the_machine_s_link_signs_in_once_by_a_button(app: App, stranger: TestClient) -> None:
    secret = app.admission.local_link("root")
    before = table_rows(app)
    for _ in range(3):
        shown = stranger.get(f"/admin/in/{secret}/")
        assert shown.status_code == 200
        assert "set-cookie" not in shown.headers
    assert table_rows(app) == before
    answer = stranger.post(f"/admin/in/{secret}/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"max-age={int(SESSION_LIFE.total_seconds())}" in cookie
    assert stranger.get("/admin/").status_code == 200
    used = stranger.post(f"/admin/in/{secret}/")
    assert (used.status_code, "used up" in used.text) == (403, True)


def test_the_machine_s_link_is_no_good_elsewhere(app: App, remote: TestClient, stranger: TestClient) -> None:
    secret = app.admission.local_link("root")
    assert remote.post(f"/admin/in/{secret}/").status_code == 403
    passed_on = {"x-forwarded-for": "203.0.113.9"}
    assert stranger.post(f"/admin/in/{secret}/", headers=passed_on).status_code == 403
    assert stranger.post(f"/admin/in/{secret}/").status_code == 303


def test_who_calls_the_machine_by_its_name_from_elsewhere_is_elsewhere(app: App, stranger: TestClient) -> None:
    secret = app.admission.local_link("root")
    for host in ("203.0.113.9", "192.168.1.7", "testclient"):
        other = TestClient(stranger.app, base_url=BASE, headers={"origin": BASE}, client=(host, 50_000))
        assert other.post(f"/admin/in/{secret}/").status_code == 403, host
        assert "<form" not in other.get("/admin/sign-in/").text
    six = TestClient(stranger.app, base_url="http://[::1]", headers={"origin": "http://[::1]"}, client=("::1", 50_000))
    assert six.post(f"/admin/in/{secret}/").status_code == 200


def test_over_a_network_only_by_https(app: App, remote: TestClient) -> None:
    app.admission.set_password(app.admission.add("anna@office.example.org", Role.ADMIN, "t"), PASSWORD, "t")
    host = {"host": "digest.example.org", "origin": "http://digest.example.org"}
    plain = TestClient(remote.app, base_url="http://digest.example.org", follow_redirects=False, headers=host)
    form = {"email": "anna@office.example.org", "password": PASSWORD, "do": "password"}
    asked = plain.get("/admin/sign-in/")
    assert (asked.status_code, "<form" in asked.text) == (403, False)
    assert plain.post("/admin/sign-in/", data=form).status_code == 403
    answer = remote.post("/admin/sign-in/", data=form)
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-admin=")
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_mailed_link_signs_in(app: App, remote: TestClient, stranger: TestClient) -> None:
    app.admission.add("anna@office.example.org", Role.AUTHOR, "tests")
    known = remote.post("/admin/sign-in/", data={"email": "anna@office.example.org", "do": "mail"})
    unknown = remote.post("/admin/sign-in/", data={"email": "nobody@office.example.org", "do": "mail"})
    assert known.text.replace("anna@", "nobody@") == unknown.text
    (text,) = letters(app)
    path = re.findall(rf"{SITE}(/admin/in/[A-Za-z0-9_-]+/)", text)[0]
    assert remote.get(path).status_code == 200
    assert remote.post(path).headers["location"] == "/admin/"
    page = remote.get("/admin/")
    assert "anna@office.example.org" in page.text
    assert "/admin/people/" not in page.text


def test_a_password_is_tried_ten_times(app: App, stranger: TestClient) -> None:
    app.admission.set_password(app.admission.add("anna@office.example.org", Role.ADMIN, "t"), PASSWORD, "t")
    form = {"email": "anna@office.example.org", "do": "password", "next": "/admin/accounts/"}
    codes = [stranger.post("/admin/sign-in/", data=form | {"password": "wrong"}).status_code for _ in range(10)]
    assert set(codes) == {403}
    assert stranger.post("/admin/sign-in/", data=form | {"password": PASSWORD}).status_code == 429
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(timedelta(minutes=10))
    wrong = stranger.post("/admin/sign-in/", data=form | {"password": "wrong"})
    assert 'name="next" value="/admin/accounts/"' in wrong.text
    entered = stranger.post("/admin/sign-in/", data=form | {"password": PASSWORD})
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin/accounts/")


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/admin/../u/x", "/issues/", "/admin/\n"]
)
def test_signing_in_leads_nowhere_else(app: App, stranger: TestClient, target: str) -> None:
    app.admission.set_password(app.admission.add("anna@office.example.org", Role.ADMIN, "t"), PASSWORD, "t")
    form = {"email": "anna@office.example.org", "password": PASSWORD, "next": target}
    assert stranger.post("/admin/sign-in/", data=form).headers["location"] == "/admin/"


def test_one_comes_back_to_where_one_wanted_to_go(app: App, stranger: TestClient) -> None:
    asked = stranger.get("/admin/accounts/").headers["location"]
    assert 'name="next" value="/admin/accounts/"' in stranger.get(asked).text


def test_a_session_ends_by_signing_out_and_by_itself(app: App) -> None:
    client = admin_client(app)
    assert client.get("/admin/sign-out/").status_code == 303
    assert client.get("/admin/").status_code == 200
    answer = client.post("/admin/sign-out/")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert client.get("/admin/").status_code == 303
    client = admin_client(app)
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(SESSION_LIFE)
    assert client.get("/admin/").status_code == 303
    lost = client.post("/admin/accounts/", data={"email": "bo@office.example.org", "role": "author"})
    assert "nothing was saved" in client.get(lost.headers["location"]).text


def test_authors_see_no_addresses_and_add_nobody(app: App) -> None:
    client, before = admin_client(app, Role.AUTHOR), None
    page = client.get("/admin/")
    assert page.status_code == 200
    assert "Done lately" not in page.text
    before = table_rows(app)
    for path in ("/admin/accounts/", "/admin/accounts/1/remove/"):
        assert client.get(path).status_code == 403
        assert client.post(path, data={"email": "x@office.example.org", "role": "admin"}).status_code == 403
    assert table_rows(app) == before


def test_accounts_are_added_changed_and_removed(app: App) -> None:
    client = admin_client(app, Role.ADMIN)
    added = client.post("/admin/accounts/", data={"email": "bo@office.example.org", "role": "author"})
    assert added.headers["location"] == "/admin/accounts/?said=added"
    again = client.post("/admin/accounts/", data={"email": "bo@office.example.org", "role": "author"})
    assert (again.status_code, "has an account already" in again.text) == (400, True)
    assert 'value="bo@office.example.org"' in again.text
    number = app.admission.by_address("bo@office.example.org").number
    assert client.post("/admin/accounts/", data={"number": str(number), "role": "admin"}).status_code == 303
    assert app.admission.by_address("bo@office.example.org").role is Role.ADMIN
    asked = client.get(f"/admin/accounts/{number}/remove/")
    assert "bo@office.example.org" in asked.text
    assert client.post(f"/admin/accounts/{number}/remove/").status_code == 303
    assert [one.address.typed for one in app.admission.accounts.all()] == ["admin@office.example.org"]
    assert client.get(f"/admin/accounts/{number}/remove/").status_code == 404
    assert client.get("/admin/accounts/x/remove/").status_code == 404


def test_a_form_that_says_no_role_changes_none(app: App) -> None:
    client = admin_client(app)
    number = app.admission.add("bo@office.example.org", Role.ADMIN, "tests").number
    for form in ({"number": str(number)}, {"number": str(number), "role": "king"}, {"email": "x@office.example.org"}):
        assert client.post("/admin/accounts/", data=form).status_code == 400, form
    assert [one.role for one in app.admission.accounts.all()] == [Role.ADMIN]


def test_half_a_character_is_refused(stranger: TestClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n\\ud800\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape"}
    assert stranger.post("/admin/sign-in/", content=body, headers=kind).status_code == 400


def test_nobody_locks_themselves_out(app: App) -> None:
    client = admin_client(app, Role.ADMIN)
    number = app.admission.by_address("admin@office.example.org").number
    assert client.post(f"/admin/accounts/{number}/remove/").status_code == 400
    assert client.post("/admin/accounts/", data={"number": str(number), "role": "author"}).status_code == 400
    assert client.get("/admin/accounts/").status_code == 200


def test_ones_own_password_and_language(app: App) -> None:
    client = admin_client(app, Role.AUTHOR)
    assert client.post("/admin/account/", data={"do": "language", "language": "fr"}).status_code == 303
    assert '<html lang="fr"' in client.get("/admin/account/").text
    assert client.post("/admin/account/", data={"do": "language", "language": "xx"}).status_code == 400
    short = client.post("/admin/account/", data={"do": "password", "password": "short"})
    assert (short.status_code, 'role="alert"' in short.text) == (400, True)
    changed = client.post("/admin/account/", data={"do": "password", "password": PASSWORD})
    assert changed.headers["location"] == "/admin/sign-in/?said=changed"
    assert client.get("/admin/").status_code == 303
    entered = client.post("/admin/sign-in/", data={"email": "author@office.example.org", "password": PASSWORD})
    assert entered.headers["location"] == "/admin/"
    assert 'name="present"' in client.get("/admin/account/").text
    other = {"do": "password", "password": "a sentence of somebody else"}
    assert client.post("/admin/account/", data=other).status_code == 400
    assert client.post("/admin/account/", data=other | {"present": PASSWORD}).status_code == 303


def test_at_the_machine_there_is_no_account_to_change(app: App) -> None:
    client = admin_client(app)
    assert "no account is needed" in client.get("/admin/account/").text
    assert client.post("/admin/account/", data={"do": "password", "password": PASSWORD}).status_code == 400


def test_looking_changes_nothing(app: App) -> None:
    client = admin_client(app)
    before = table_rows(app)
    for path in admin_paths(client):
        assert client.get(f"{path}?do=mail&email=x@office.example.org&role=admin").status_code < 500
        client.head(path)
    assert table_rows(app) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(app: App, method: str) -> None:
    client = admin_client(app)
    assert client.request(method, "/admin/accounts/").status_code == 405
