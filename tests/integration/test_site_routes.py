"""Whatever is asked of any address of the site in any way: an answer, and never an excuse of the server (5xx)."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.testclient import TestClient

from admin_support import admin_client
from core_support import ROOT
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.segment_text import parse
from digest_mailer.core.token import LIFE, Scope, sign_dated
from digest_mailer.web.app import build_site
from publication_support import EVERYTHING, ONE_TOPIC, link_token, make_publication, person

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
FORM = "application/x-www-form-urlencoded"
KINDS = (FORM, "multipart/form-data; boundary=x", "application/json", "", "text/plain; charset=x")
BODIES = (b"do=save&scope=all", b"do=pause-1", b"email=a@b.ca&at=1-2")
TEMPLATES = (ROOT / "templates" / "web").rglob("*.j2")
FIELDS = sorted({one for path in TEMPLATES for one in re.findall(r'name="(\w+)"', path.read_text("utf-8"))} | {"said"})
VALUES = st.text(max_size=30) | st.sampled_from(
    ("", "all", "save", "count", "apply", "erase", "pause", "2024-02-30", "2024-06-01", "-1", "0", "9" * 30, "empathy",
     "any:empathy", "fr", "admin", "active", "csv", "json", "x=y", "2023-07", "\x00", "a@b.example", "‮")
)  # fmt: skip
WORDS = st.text(max_size=40).map(lambda text: quote(text, safe="")) | st.sampled_from(
    ("2023-07", "empathy", "..", "alliance", "2023-7", "__DM_WHY__", "fr", "x" * 5000, "%FF%FE", "%00")
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A publication that anything may happen to."""
    return make_publication(tmp_path_factory.mktemp("routes"))


@pytest.fixture(scope="module")
def client(app: App) -> TestClient:
    """Its site, with the inbox; what goes wrong inside is raised here."""
    return TestClient(build_site(app, inbox=True), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture(scope="module")
def admin(app: App) -> TestClient:
    """Somebody who is signed in."""
    return admin_client(app)


@pytest.fixture(scope="module")
def ids(app: App) -> list[str]:
    """What stands in the addresses of admins' pages."""
    segment = parse("any:empathy language:fr", app.library.vocabulary.catalogue, "french")
    app.segments.add(segment, "tests", app.clock.now())
    app.admission.add("anna@office.example.org", Role.AUTHOR, "tests")
    people = [str(person(app, address).id) for address in (EVERYTHING, ONE_TOPIC)]
    return [*people, "french", "empathy", "alliance-and-therapeutic-relationship", "1", "2023-07", EVERYTHING]


@pytest.fixture(scope="module")
def tokens(app: App) -> list[str]:
    """Genuine links of every kind, of two people."""
    return list(_tokens(app))


def _tokens(app: App) -> Iterator[str]:
    for address in (EVERYTHING, ONE_TOPIC):
        who = person(app, address)
        for scope in Scope:
            if scope in LIFE:
                yield sign_dated(scope, who.id, app.today, who.generation, app.secrets.keys.tokens)
            else:
                yield link_token(app, scope, address)


def paths(client: TestClient) -> list[str]:
    """The addresses of the route table, with holes."""
    routes = client.app.routes  # type: ignore[attr-defined]
    return sorted({route.path for route in routes if isinstance(route, Route)})


@given(data=st.data())
def test_no_request_breaks_the_site(client: TestClient, tokens: list[str], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(client)))
    words = st.sampled_from(tokens) | WORDS if "{token}" in path else WORDS
    address = re.sub(r"\{[^}]+\}", lambda _: data.draw(words), path)
    method, kind = data.draw(st.sampled_from(METHODS)), data.draw(st.sampled_from(KINDS))
    body = data.draw(st.binary(max_size=120) | st.sampled_from(BODIES))
    query = data.draw(st.sampled_from(("", "?page=x", "?page=-1", "?edition=%00", "?do=save")))
    headers = {"content-type": kind, "accept-language": data.draw(st.sampled_from(("fr", "x;q=y", "")))}
    answer = client.request(method, f"{address}{query}", content=body, headers=headers)
    assert answer.status_code < 500, (method, address, kind, body)


@given(data=st.data())
def test_no_request_of_an_admin_breaks_the_site(
    app: App, admin: TestClient, ids: list[str], data: st.DataObject
) -> None:
    if admin.get("/admin/account/").status_code != 200:  # an example has signed out
        admin.post(f"/admin/in/{app.admission.local_link('tests')}/")
    path = data.draw(st.sampled_from([path for path in paths(admin) if path.startswith("/admin/")]))
    words = st.sampled_from(ids) | WORDS
    address = re.sub(r"\{[^}]+\}", lambda _: data.draw(words), path)
    form = data.draw(st.dictionaries(st.sampled_from(FIELDS), VALUES | st.sampled_from(ids), max_size=8))
    query = data.draw(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
    if data.draw(st.booleans()):
        answer = admin.get(address, params=query)
    elif data.draw(st.booleans()):
        answer = admin.post(address, params=query, data=form)
    else:
        upload = {"file": (data.draw(VALUES), data.draw(st.binary(max_size=200)))}
        answer = admin.post(address, params=query, data=form, files=upload)
    assert answer.status_code < 500, (address, query, form)


def test_the_table_has_every_page(client: TestClient) -> None:
    known = set(paths(client))
    assert {"/issues/", "/u/{token}", "/p/{token}", "/c/{token}", "/d/{token}", "/e/{token}", "/subscribe/"} <= known
