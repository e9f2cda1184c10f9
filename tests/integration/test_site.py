"""The site's archive and its own manners: every address of contract 7, what is hidden, headers, hosts."""

import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html
from starlette.testclient import TestClient

from core_support import JULY
from digest_mailer.bootstrap import App
from digest_mailer.core.identity import ENGLISH, ArticleKey, IssueId, Language, TopicKey
from digest_mailer.core.token import Scope
from digest_mailer.core.urls import article_url, issue_url, issues_url, topic_url
from digest_mailer.web.app import build_site
from digest_mailer.web.pages import Pages
from publication_support import FixedClock, link_token, make_publication

ARTICLE = "relationship-factors-that-work"
AREAS = ("/", "/issues/", "/articles/", "/topics/", "/fr/", "/u/", "/p/", "/inbox/", "/inbox/x/", "/site.css/")


def client_of(app: App, *, inbox: bool = False, base_url: str = "http://127.0.0.1") -> TestClient:
    return TestClient(build_site(app, inbox=inbox), base_url=base_url, follow_redirects=False)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A publication that no test changes."""
    return make_publication(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def client(shared: App) -> TestClient:
    return client_of(shared)


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


def tree(text: str) -> Any:
    return lxml_html.document_fromstring(text)


def months(client: TestClient) -> list[str]:
    links = tree(client.get("/issues/").text).xpath("//main//h2/a/@href")
    return [str(link).split("/")[2] for link in links]


def rewrite(app: App, month: str, old: str, new: str) -> None:
    path = app.root / "newsletters" / f"{month}.md"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


# -- what is there


def test_the_front_page_leads_to_the_issues(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/issues/")


def test_the_list_has_every_published_issue_newest_first(shared: App, client: TestClient) -> None:
    assert months(client) == [issue.id for issue in shared.library.all()]
    page = client.get("/issues/").text
    for issue in shared.library.all():
        assert issue.subject in tree(page).text_content()
        for article in issue.articles:
            assert f'href="/articles/{article.key}/"' in page


def test_an_issue_shows_everything_of_its_articles(shared: App, client: TestClient) -> None:
    issue = shared.library.load(JULY)
    page = client.get("/issues/2023-07/").text
    words = re.sub(r"[\s\u00a0]+", " ", tree(page).text_content())
    for article in issue.articles:
        assert article.title in words
        assert article.takeaway in words
        assert "Practice implications" in words
        assert all(figure.value in words and figure.meaning in words for figure in article.figures)
        assert all(f'href="/topics/{topic}/"' in page for topic in article.topics)
        assert article.citation
        assert article.citation.reference in words
        assert f'href="{article.citation.url}"' in page
    assert "Review or meta-analysis" in words
    assert 'rel="prev" href="/issues/2023-06/"' in page
    assert 'rel="next"' not in page
    assert 'rel="next" href="/issues/2023-07/"' in client.get("/issues/2023-06/").text


def test_every_article_has_a_page_with_its_month_and_its_relatives(shared: App, client: TestClient) -> None:
    for issue in shared.library.all():
        for article in issue.articles:
            answer = client.get(f"/articles/{article.key}/")
            assert answer.status_code == 200
            assert f'href="/issues/{issue.id}/"' in answer.text
            assert tree(answer.text).xpath("string(//h1)") == article.title
    related = tree(client.get(f"/articles/{ARTICLE}/").text).xpath("//aside//a/@href")
    assert len(related) == 3
    assert all(client.get(str(link)).status_code == 200 for link in related)


def test_topics_are_counted_and_listed(shared: App, client: TestClient) -> None:
    page = tree(client.get("/topics/").text)
    catalogue = shared.library.vocabulary.catalogue
    assert [str(link) for link in page.xpath("//main//li/a/@href")] == [f"/topics/{topic.key}/" for topic in catalogue]
    counts = [int(text.split()[0]) for text in page.xpath("//main//li/span/text()")]
    articles = [article for issue in shared.library.all() for article in issue.articles]
    assert sum(counts) == sum(len(article.topics) for article in articles)
    found = tree(client.get("/topics/empathy/").text).xpath("//h2/a/@href")
    assert f"/articles/{ARTICLE}/" in found


def test_the_articles_of_a_topic_are_newest_first(shared: App, client: TestClient) -> None:
    links = tree(client.get("/topics/alliance/").text).xpath("//article/p/a/@href")
    assert len(links) > 3
    assert links == sorted(links, reverse=True)


def test_a_topic_without_articles_says_so_and_an_unknown_one_is_not_found(client: TestClient) -> None:
    empty = client.get("/topics/attachment/")
    assert empty.status_code == 200
    assert "No published article is about this topic yet" in empty.text
    assert client.get("/topics/astrology/").status_code == 404


@pytest.mark.parametrize("name", ["adherence", "Adherence", "Treatment Fidelity", "treatment-fidelity", "ADHERANCE"])
def test_another_name_of_a_topic_leads_to_its_key_for_good(client: TestClient, name: str) -> None:
    answer = client.get(f"/topics/{quote(name)}/")
    assert (answer.status_code, answer.headers["location"]) == (308, "/topics/adherance/")


def test_no_link_of_the_site_leads_nowhere(client: TestClient) -> None:
    seen: set[str] = set()
    waiting = ["/issues/"]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            page = tree(answer.text)
            found = (str(link).partition("#")[0] for link in page.xpath("//a/@href | //link/@href"))
            waiting += [link for link in found if link.startswith("/")]
            assert len(page.xpath("//h1")) == 1, address
    assert len(seen) > 70


def test_what_core_urls_promises_is_answered(client: TestClient) -> None:
    for language in (ENGLISH, Language("fr")):
        addresses = (
            issues_url("", language),
            issue_url("", IssueId("2023-07"), language),
            article_url("", ArticleKey(ARTICLE), language),
            topic_url("", TopicKey("empathy"), language),
        )
        for address in addresses:
            assert client.get(address, follow_redirects=True).status_code == 200, address


@pytest.mark.parametrize("path", ["/issues", "/issues/2023-07", f"/articles/{ARTICLE}", "/topics", "/topics/empathy"])
def test_the_slash_at_the_end_may_be_forgotten(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, f"{path}/")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/fr/", "/issues/"),
        ("/fr/issues/", "/issues/"),
        ("/fr/issues/2023-07/", "/issues/2023-07/"),
        (f"/fr/articles/{ARTICLE}/", f"/articles/{ARTICLE}/"),
        ("/fr/topics/empathy/", "/topics/empathy/"),
    ],
)
def test_french_addresses_lead_to_the_page_there_is(client: TestClient, path: str, target: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (307, target)


@pytest.mark.parametrize("path", ["/fr//evil.example/", "/fr/https://evil.example/", "/fr/u/token", "/fr/fr/issues/"])
def test_a_language_is_no_way_to_another_site(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


# -- what is not


def test_an_unpublished_or_future_issue_is_hidden_everywhere(app: App) -> None:
    client = client_of(app)
    rewrite(app, "2023-07", "published: 2023-07-01\n", "")
    rewrite(app, "2023-06", "published: 2023-06-01", "published: 2024-02-01")
    assert months(client)[0] == "2023-03"
    for path in ("/issues/2023-07/", "/issues/2023-06/", f"/articles/{ARTICLE}/"):
        assert client.get(path).status_code == 404
    assert ARTICLE not in client.get("/topics/empathy/").text
    assert 'rel="next"' not in client.get("/issues/2023-03/").text


def test_the_day_of_publication_is_the_publications_own(app: App) -> None:
    client = client_of(app)
    clock = app.clock
    assert isinstance(clock, FixedClock)
    rewrite(app, "2023-06", "published: 2023-06-01", "published: 2024-02-01")
    clock.advance(timedelta(hours=16, minutes=59))  # 23:59 in Toronto, past midnight in UTC
    assert client.get("/issues/2023-06/").status_code == 404
    clock.advance(timedelta(minutes=1))
    assert client.get("/issues/2023-06/").status_code == 200


def test_an_edit_shows_on_reload(app: App) -> None:
    client = client_of(app)
    assert "What helps and what harms" in client.get("/issues/2023-07/").text
    rewrite(app, "2023-07", "What helps and what harms in therapy", "A subject of another kind")
    assert "A subject of another kind" in client.get("/issues/2023-07/").text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"---\n- 1\n---\n", b"# Only a title\n", b"---\n" * 50])
def test_a_broken_file_hides_itself_and_nothing_else(app: App, content: bytes) -> None:
    (app.root / "newsletters" / "2023-06.md").write_bytes(content)
    client = client_of(app)
    assert months(client)[:2] == ["2023-07", "2023-03"]
    assert client.get("/issues/2023-06/").status_code == 404
    assert client.get("/issues/2023-07/").status_code == 200


def test_a_file_that_cannot_be_read_hides_itself_and_nothing_else(app: App) -> None:
    (app.root / "newsletters" / "2023-06.md").unlink()
    (app.root / "newsletters" / "2023-06.md").mkdir()
    assert months(client_of(app))[:2] == ["2023-07", "2023-03"]


def test_a_text_that_cannot_be_shown_hides_its_page_only(app: App) -> None:
    rewrite(app, "2023-07", "Some of what therapists do", "&#95;&#95;DM&#95;WHY&#95;&#95; Some")
    client = client_of(app)
    assert client.get("/issues/2023-07/").status_code == 404
    assert client.get("/issues/").status_code == 200


def test_what_an_author_writes_is_escaped(app: App) -> None:
    rewrite(app, "2023-07", "What helps and what harms in therapy", "<script>alert(1)</script> & {{ 7*7 }}")
    rewrite(app, "2023-07", "Some of what therapists do", "<img src=x onerror=alert(1)> do")
    client = client_of(app)
    for path in ("/issues/", "/issues/2023-07/"):
        page = client.get(path).text
        assert "<script" not in page
        assert "<img" not in page
        assert "{{ 7*7 }}" in page


# -- manners


def test_every_answer_has_the_security_headers(shared: App, client: TestClient) -> None:
    leave = link_token(shared, Scope.UNSUBSCRIBE)
    answers = [
        client.get(path) for path in ("/", "/issues/", "/nope", "/site.css", f"/u/{leave}", "/u/x", "/p/x", "/issues")
    ]
    for answer in [*answers, client.post("/issues/"), client.post("/u/x", content=b"x" * 70_000)]:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' https:; form-action 'self'")
        assert "base-uri 'none'; frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nope", 404), ("POST", "/issues/", 405), ("PUT", "/u/x", 405)]
)
def test_errors_have_pages(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    page = tree(answer.text)
    assert len(page.xpath("//h1")) == 1
    assert page.xpath("//footer//a[starts-with(@href, 'mailto:')]")
    assert ("allow" in answer.headers) == (status == 405)


def test_a_defect_says_so_without_a_trace_or_a_token(
    shared: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("who: amelie.tremblay@clinic.example.org")

    monkeypatch.setattr(Pages, "show", fail)
    monkeypatch.setattr(Pages, "notice", lambda pages, status, *rest: _plain(status, rest))
    client = client_of(shared)
    with caplog.at_level(logging.INFO):
        answer = client.get(f"/u/{link_token(shared, Scope.UNSUBSCRIBE)}")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text + caplog.text
    assert "amelie" not in answer.text + caplog.text
    assert answer.headers["cache-control"] == "no-store"


def _plain(status: int, rest: object) -> Any:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(repr(rest), status)


def test_broken_templates_still_let_people_leave(app: App) -> None:
    (app.root / "templates" / "web").mkdir(parents=True)
    (app.root / "templates" / "web" / "base.html.j2").write_text("{{ nothing.here }}", "utf-8")
    app.__dict__.pop("files", None)
    client = client_of(app)
    assert client.get("/issues/").status_code == 500
    answer = client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}")
    assert answer.status_code == 200
    assert "Vous êtes désabonné(e)" in answer.text


def test_a_template_of_the_publications_own_comes_first_and_is_read_again(app: App) -> None:
    own = app.root / "templates" / "web"
    own.mkdir(parents=True)
    (own / "notice.html.j2").write_text("first {{ title }}", "utf-8")
    client = client_of(app)
    assert client.get("/nope").text == "first There is no such page"
    (own / "notice.html.j2").write_text("second {{ title }}", "utf-8")
    assert client.get("/nope").text == "second There is no such page"


def test_the_stylesheet_has_the_themes_colours_and_loads_nothing(app: App) -> None:
    answer = client_of(app).get("/site.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert app.publication.theme.accent in answer.text
    assert app.publication.theme.dark_ink in answer.text
    assert "url(" not in answer.text


def test_the_icon_is_the_publication_s_letter_in_its_colours(app: App) -> None:
    answer = client_of(app).get("/icon.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    drawing = etree.fromstring(answer.content)
    texts = [part.text for part in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [app.publication.name[0]]
    assert app.publication.theme.accent in answer.text


@pytest.mark.parametrize("path", ["/digest/issues/", "/issues/"])
def test_a_base_address_with_a_path_stands_in_every_link(tmp_path: Path, path: str) -> None:
    overrides = {"publication": {"base_url": "https://example.org/digest"}}
    app = make_publication(tmp_path, approved=(), overrides=overrides)
    client = client_of(app)
    page = tree(client.get(path).text)
    assert all(str(link).startswith(("/digest/", "mailto:", "#")) for link in page.xpath("//a/@href"))
    assert client.get("/digest/").headers["location"] == "/digest/issues/"
    token = link_token(app, Scope.UNSUBSCRIBE)
    assert client.post(f"/digest/u/{token}").headers["cache-control"] == "no-store"


# -- hosts


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:8400", "[::1]:8400", "digest.example.org", "DIGEST.example.org."]
)
def test_while_the_inbox_is_shown_known_hosts_are_answered(shared: App, host: str) -> None:
    assert client_of(shared, inbox=True).get("/issues/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "a@localhost", "[::1", "192.0.2.1"]
)
def test_while_the_inbox_is_shown_other_hosts_are_not(shared: App, host: str) -> None:
    token = link_token(shared, Scope.UNSUBSCRIBE)
    client = client_of(shared, inbox=True)
    for path in ("/inbox/", "/issues/", f"/u/{token}"):
        assert client.get(path, headers={"host": host}).status_code == 421
    assert client_of(shared).get("/issues/", headers={"host": host}).status_code == 200


# -- any path


@given(st.sampled_from(AREAS), st.text(max_size=60), st.sampled_from(["GET", "HEAD", "POST", "DELETE"]))
def test_no_path_breaks_the_site(shared: App, client: TestClient, area: str, rest: str, method: str) -> None:
    path = area + quote(rest, safe="/", errors="replace")
    assert client.request(method, path).status_code < 500
    assert _with_inbox(shared).request(method, path).status_code < 500


_SITES: dict[int, TestClient] = {}


def _with_inbox(app: App) -> TestClient:
    return _SITES.setdefault(id(app), client_of(app, inbox=True))


@given(st.binary(max_size=40), st.sampled_from(AREAS))
def test_no_octets_in_a_path_break_the_site(client: TestClient, rest: bytes, area: str) -> None:
    assert client.get(area + quote(rest)).status_code < 500
