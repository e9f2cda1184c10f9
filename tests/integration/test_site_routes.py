"""Whatever is asked of any address of the site in any way: an answer, and never an excuse of the server (5xx)."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.testclient import TestClient

from digest_mailer.bootstrap import App
from digest_mailer.core.token import LIFE, Scope, sign_dated
from digest_mailer.web.app import build_site
from publication_support import EVERYTHING, ONE_TOPIC, link_token, make_publication, person

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
FORM = "application/x-www-form-urlencoded"
KINDS = (FORM, "multipart/form-data; boundary=x", "application/json", "", "text/plain; charset=x")
BODIES = (b"do=save&scope=all", b"do=pause-1", b"email=a@b.ca&at=1-2")
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


def test_the_table_has_every_page(client: TestClient) -> None:
    known = set(paths(client))
    assert {"/issues/", "/u/{token}", "/p/{token}", "/c/{token}", "/d/{token}", "/e/{token}", "/subscribe/"} <= known
