"""The pages of segments: a form that means what an expression does, counts, two windows, and a script that may miss."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from lxml import html
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import BASE, admin_client
from components import require
from core_support import catalogue
from digest_mailer.adapters.browser import Browser, find_program
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.identity import IssueId
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.segment_text import parse, write
from digest_mailer.services.segmenting import from_words, in_words
from digest_mailer.web.admin import segments as segments_page
from publication_support import EVERYTHING, ONE_TOPIC, freeze, make_publication, person, table_rows
from segment_support import segments

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

LINE = "any:attachment,empathy none:training state:active language:fr role=clinician joined>=2020-01-01"
NAME = "clinicians-fr"
PAGE = f"/admin/segments/{NAME}/"
LIVE = "script-src 'self'; connect-src 'self'"
FRAME = "() => new Promise(requestAnimationFrame)"
FORM = {"content-type": "application/x-www-form-urlencoded"}
FEW = settings(max_examples=settings().max_examples // 3)  # each asks for several pages


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication with one kept segment."""
    app = make_publication(tmp_path)
    keep(app, LINE)
    return app


@pytest.fixture
def client(app: App) -> TestClient:
    return admin_client(app)


def meaning(line: str, name: str = NAME) -> Segment:
    return parse(line, catalogue(), name)


def keep(app: App, line: str, name: str = NAME) -> None:
    assert app.segments.add(meaning(line, name), "tests", app.clock.now())


def kept(app: App, name: str = NAME) -> str:
    """What a kept segment means, as an expression."""
    found = app.segments.get(name)
    assert found is not None
    return write(found, catalogue())


def parts(page: str, path: str) -> Any:
    """What stands at an XPath in a page, or in a piece of one."""
    return html.fromstring(f"<div>{page}</div>" if "<html" not in page else page).xpath(path)


def sent(page: str, do: str, **changes: Any) -> dict[str, Any]:
    """What a browser sends when a button of the page's form is pressed, with some fields filled in anew."""
    (form,) = parts(page, '//form[@id="conditions"]')
    fields: dict[str, Any] = {"do": do}
    for name, value in form.form_values():
        fields.setdefault(name, []).append(value.replace("\n", "\r\n"))
    return {**fields, **changes}


def answer(page: str) -> tuple[int, str]:
    """The count of a page or of a piece of one, and the expression beside it."""
    people = re.findall(r'class="count">([0-9,]+) (?:person|people)<', page)
    lines = parts(page, '//code[@class="expression"]')
    return int(people[0].replace(",", "")), str(lines[0].text)


def ordered(segment: Segment) -> Segment:
    """The same with every list of words in one order."""
    lists = {
        name: tuple(sorted(getattr(segment, name))) for name in ("states", "languages", "received", "not_received")
    }
    attributes = {name: tuple(sorted(values)) for name, values in sorted(segment.attributes.items())}
    return replace(segment, name="", attributes=attributes, **lists)  # type: ignore[arg-type]


# -- the form


@pytest.fixture(scope="module")
def much_used(tmp_path_factory: pytest.TempPathFactory) -> tuple[App, TestClient]:
    """A publication whose one segment is given one meaning after the other."""
    app = make_publication(tmp_path_factory.mktemp("segments"))
    keep(app, "")
    return app, admin_client(app)


@FEW
@given(segment=segments)
def test_a_form_means_what_was_kept_and_what_its_expression_says(
    much_used: tuple[App, TestClient], segment: Segment
) -> None:
    app, client = much_used
    app.segments.edit(replace(segment, name=NAME), "tests", app.clock.now())
    first = client.get(PAGE).text
    counted = client.post(PAGE, data=sent(first, "count")).text
    people, line = answer(counted)
    assert ordered(meaning(line)) == ordered(segment)
    assert people == sum(app.people.count(segment).values())
    assert sent(counted, "count") == sent(first, "count")
    assert client.post(PAGE, data=sent(counted, "save")).status_code == 303
    saved = app.segments.get(NAME)
    assert saved is not None
    assert ordered(saved) == ordered(segment)


@given(segments)
def test_words_of_a_form_are_the_segment(segment: Segment) -> None:
    assert from_words(in_words(segment, catalogue()), catalogue(), segment.name) == segment


def test_what_is_ticked_and_typed_is_the_expression(app: App, client: TestClient) -> None:
    fields = {
        "name": "some", "any": ["empathy", "attachment"], "none": "training", "state": "active", "language": "fr",
        "attribute": 'Role = clinician\r\n\r\nrole=student\r\n"Work Place"="A \\"B\\""',
        "joined_from": "2020-01-01", "joined_before": "2024-01-01", "received": "2023-05",
        "not_received": ["2023-07", "2023-06"],
    }  # fmt: skip
    line = (
        'any:attachment,empathy none:training state:active language:fr role=clinician,student "Work Place"="A \\"B\\"" '
        "joined>=2020-01-01 joined<2024-01-01 received:2023-05 not:received:2023-07,2023-06"
    )
    people, shown = answer(client.post("/admin/segments/count/", data=fields).text)
    assert (people, shown) == (sum(app.people.count(meaning(line)).values()), line)
    assert client.post("/admin/segments/new/", data={**fields, "do": "save"}).status_code == 303
    assert kept(app, "some") == line


def test_an_expression_that_is_typed_fills_the_form_and_saves_nothing(app: App, client: TestClient) -> None:
    before = table_rows(app)
    seen = sent(client.get(PAGE).text, "type")["seen"]
    filled = client.post(PAGE, data={"do": "type", "seen": seen, "expression": "topic:empathy and joined:2023"})
    assert filled.status_code == 200
    fields = sent(filled.text, "save")
    assert (fields["any"], fields["joined_from"], "language" in fields) == (["empathy"], ["2023-01-01"], False)
    assert table_rows(app) == before
    client.post(PAGE, data=fields)
    assert kept(app) == "any:empathy joined>=2023-01-01 joined<2024-01-01"


def test_an_expression_that_cannot_be_read_is_told_and_stays(app: App, client: TestClient) -> None:
    told = client.post(PAGE, data={"do": "type", "expression": 'any:atachment,"<b>"'})
    assert told.status_code == 400
    assert "column 5 of the segment: unknown topic &#34;atachment&#34;" in told.text
    assert 'value="any:atachment,&#34;&lt;b&gt;&#34;"' in told.text
    assert sent(told.text, "count")["any"] == ["attachment", "empathy"]


def test_a_mistake_in_a_field_is_told_and_what_was_typed_stays(app: App, client: TestClient) -> None:
    told = client.post(PAGE, data={"do": "save", "any": "empathy", "attribute": "role"})
    assert (told.status_code, "NAME=VALUE" in told.text) == (400, True)
    fields = sent(told.text, "save")
    assert (fields["any"], fields["attribute"]) == (["empathy"], ["role"])
    assert kept(app) == LINE
    piece = client.post("/admin/segments/count/", data={"attribute": "role"})
    assert (piece.status_code, "NAME=VALUE" in piece.text, "<html" in piece.text) == (200, True, False)


def test_topics_that_are_gone_or_retired_can_still_be_seen_and_taken_out(app: App, client: TestClient) -> None:
    topics = app.topics(app.library)
    topics.carry_out(topics.retire("empathy"), "tests")
    keep(app, "any:empathy,#200", "odd")
    page = client.get("/admin/segments/odd/").text
    assert "(retired)" in page
    assert sent(page, "count")["any"] == ["empathy", "#200"]
    client.post("/admin/segments/odd/", data=sent(page, "save", any=["empathy"]))
    assert kept(app, "odd") == "any:empathy"


# -- kept ones


def test_segments_are_listed_in_words_and_counted(app: App, client: TestClient) -> None:
    keep(app, "", "everyone")
    found = parts(client.get("/admin/segments/").text, "//tbody/tr")
    rows = {row.xpath("string(th)").strip(): row for row in found}
    assert sorted(rows) == [NAME, "everyone"]
    told = " ".join(rows[NAME].text_content().split())
    topics = "Follows at least one of these topics: Attachment, Empathy"
    for words in (topics, "State: Active", "role: clinician", "1 January 2020"):
        assert words in told
    assert rows["everyone"].xpath("td")[-1].text == str(sum(app.people.count(EVERYBODY).values()))
    french = admin_client(app, Role.ADMIN, "fr").get("/admin/segments/").text
    assert "Suit au moins un de ces thèmes\u00a0: Attachement, Empathie" in french


def test_a_segment_that_is_too_large_for_the_database_is_shown_and_can_be_removed(app: App, client: TestClient) -> None:
    pairs = "\r\n".join(f"a{number}=1" for number in range(1100))
    told = client.post("/admin/segments/new/", data={"do": "save", "name": "big", "attribute": pairs})
    assert (told.status_code, "100 values of attributes at most" in told.text) == (400, True)
    assert "100 values of attributes" in client.post("/admin/segments/count/", data={"attribute": pairs}).text
    stored = Segment("big", attributes={f"a{number}": ("1",) for number in range(1100)})
    app.segments.add(stored, "tests", app.clock.now())  # as older versions did
    (row,) = parts(client.get("/admin/segments/").text, '//tbody/tr[th/a="big"]')
    assert row.xpath("td")[-1].text == "cannot be counted"
    page = client.get("/admin/segments/big/")
    assert (page.status_code, "100 values of attributes at most" in page.text) == (400, True)
    people = client.get("/admin/people/?segment=big")
    assert (people.status_code, "too much to be counted" in people.text) == (400, True)
    asked = client.get("/admin/segments/big/remove/").text
    assert "too much to be counted" in asked
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', asked)
    assert client.post("/admin/segments/big/remove/", data={"seen": seen}).status_code == 303
    assert app.segments.get("big") is None


def test_of_many_people_those_of_attributes_are_counted_on_the_page_of_the_segment(
    app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(app, "any:empathy", "warm")
    keep(app, "received:2023-07", "july")
    monkeypatch.setattr(segments_page, "_MANY", sum(app.people.count(EVERYBODY).values()) - 1)
    found = parts(client.get("/admin/segments/").text, "//tbody/tr/td[last()]")
    assert [cell.xpath("string(a/@href)") for cell in found] == [PAGE, "/admin/segments/july/", ""]
    assert found[2].text == str(sum(app.people.count(meaning("any:empathy")).values()))
    monkeypatch.undo()
    assert '/admin/segments/july/">Count' not in client.get("/admin/segments/").text


def test_a_new_segment_is_kept_under_its_name_by_who_made_it(app: App, client: TestClient) -> None:
    done = client.post("/admin/segments/new/", data={"do": "save", "name": "french", "language": "fr"})
    assert (done.status_code, done.headers["location"]) == (303, "/admin/segments/french/?said=added")
    assert "The segment is kept." in client.get(done.headers["location"]).text
    assert kept(app, "french") == "language:fr"
    (entry, *_) = app.trail.records(action="segment-add")
    assert (entry.actor, entry.facts["name"]) == ("local:tests", "french")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (NAME, "there is a segment"),
        ("", "cannot name a segment"),
        ("Trauma FR", "cannot name a segment"),
        ("everybody", "cannot name a segment"),
        ("new", "cannot name a segment"),
        ("count", "cannot name a segment"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_the_form_stays(
    app: App, client: TestClient, name: str, words: str
) -> None:
    told = client.post("/admin/segments/new/", data={"do": "save", "name": name, "language": "fr"})
    assert (told.status_code, words in told.text) == (400, True)
    fields = sent(told.text, "save")
    assert (fields["name"], fields["language"]) == ([name], ["fr"])
    assert [one.name for one in app.segments.all()] == [NAME]
    assert kept(app) == LINE


def test_of_two_windows_the_second_is_told_and_changes_nothing(app: App, client: TestClient) -> None:
    first, second = (sent(client.get(PAGE).text, "save", language=tongue) for tongue in ("en", ["en", "fr"]))
    assert client.post(PAGE, data=first).headers["location"] == f"{PAGE}?said=saved"
    after = kept(app)
    told = client.post(PAGE, data=second)
    assert (told.status_code, "changed in another window" in told.text) == (409, True)
    assert "Language: English</li>" in told.text
    assert kept(app) == after
    again = sent(told.text, "save")
    assert again["language"] == ["en", "fr"]
    assert client.post(PAGE, data=again).status_code == 303
    assert "language:en,fr" in kept(app)
    assert client.post(PAGE, data={"do": "save", "language": "en"}).status_code == 409, "it says not what it saw"


@pytest.mark.parametrize(
    "fields", [{"do": "count"}, {"do": "type", "expression": "language:fr"}], ids=["count", "type"]
)
def test_what_was_seen_goes_along_until_it_is_saved(app: App, client: TestClient, fields: dict[str, str]) -> None:
    first = client.get(PAGE).text
    (seen,) = set(re.findall(r'name="seen" value="([0-9a-f]+)"', first))
    app.segments.edit(meaning("state:paused"), "tests", app.clock.now())
    later = client.post(PAGE, data={**fields, "seen": seen})
    assert client.post(PAGE, data=sent(later.text, "save")).status_code == 409
    assert kept(app) == "state:paused"


def test_a_segment_is_removed_when_that_is_confirmed(app: App, client: TestClient) -> None:
    before = table_rows(app)
    asked = client.get(f"{PAGE}remove/").text
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', asked)
    assert "Follows none of these topics: Training" in asked
    assert table_rows(app) == before
    app.segments.edit(meaning("language:fr"), "tests", app.clock.now())
    told = client.post(f"{PAGE}remove/", data={"seen": seen})
    assert (told.status_code, "Nothing was removed" in told.text) == (409, True)
    assert client.post(f"{PAGE}remove/").status_code == 409
    assert kept(app) == "language:fr"
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', told.text)
    done = client.post(f"{PAGE}remove/", data={"seen": seen})
    assert done.headers["location"] == "/admin/segments/?said=removed"
    assert app.segments.get(NAME) is None
    assert [client.get(path).status_code for path in (PAGE, f"{PAGE}remove/")] == [404, 404]


# -- what a form comes to


def test_counting_and_asking_change_nothing(app: App, client: TestClient) -> None:
    before = table_rows(app)
    fields = {"any": "empathy", "issue": "2023-07", "address": EVERYTHING, "name": "x"}
    for path in (PAGE, "/admin/segments/new/", "/admin/segments/count/"):
        for do in ("count", "editions", "explain"):
            assert client.post(path, data={**fields, "do": do}).status_code == 200
    for path in (PAGE, "/admin/segments/new/", "/admin/segments/", f"{PAGE}remove/", "/admin/live.js"):
        assert client.get(path).status_code == 200
    assert table_rows(app) == before


def test_the_button_counts_by_state(app: App, client: TestClient) -> None:
    counts = app.people.count(meaning("any:empathy"))
    page = client.post("/admin/segments/new/", data={"do": "count", "any": "empathy"}).text
    assert answer(page) == (sum(counts.values()), "any:empathy")
    shown = parts(page, '//output//span[@class="state"]/span/text()')
    assert sorted(map(int, shown)) == sorted(counts.values())
    assert answer(client.post("/admin/segments/count/", data={"any": "empathy"}).text) == answer(page)


def test_the_editions_of_an_issue_are_those_of_its_plan(app: App, client: TestClient) -> None:
    library = app.library
    plan = app.launcher(library).plan(library.load(IssueId("2023-07")), meaning("language:en"))
    page = client.post(PAGE, data={"do": "editions", "language": "en", "issue": "2023-07"}).text
    (part,) = parts(page, '//section[@id="editions"]')
    rows = [row.xpath("td/text()")[-1] for row in part.xpath(".//tbody/tr")]
    assert rows == [str(count) for count in plan.readers.values()] != []
    told = " ".join(part.text_content().split())
    assert f"{plan.people} people would get it now." in told
    assert f"unsubscribed {next(n for why, n in plan.excluded.items() if why == 'unsubscribed')}" in told
    freeze(app)
    later = client.post(PAGE, data={"do": "editions", "language": "en", "issue": "2023-07"}).text
    assert f"{plan.people} people have it already." in " ".join(later.split())
    for issue, words in (("2031-01", "there is no issue 2031-01"), ("soon", "is not an issue")):
        wrong = client.post(PAGE, data={"do": "editions", "issue": issue})
        assert (wrong.status_code, words in wrong.text) == (400, True)


def test_why_somebody_is_in_it_or_not(app: App, client: TestClient) -> None:
    line = {"any": "empathy", "language": "fr", "attribute": "role=x", "received": "2023-06"}
    told = client.post(PAGE, data={"do": "explain", "address": EVERYTHING, **line})
    (part,) = parts(told.text, '//section[@id="explain"]')
    rows = [[" ".join(cell.text_content().split()) for cell in row] for row in part.xpath(".//tbody/tr")]
    assert rows == [
        ["Follows at least one of these topics: Empathy", "yes", "all topics"],
        ["Language: Français", "yes", "Français"],
        ["role: x", "no", person(app).attributes["role"]],
        ["Got at least one of these issues: June 2023", "no", "none of them"],
    ]
    assert "is not in it." in told.text
    assert EVERYTHING not in str(told.url)
    inside = client.post(
        PAGE, data={"do": "explain", "address": ONE_TOPIC, "state": "active", "joined_before": "2031-01-01"}
    )
    assert " is in it." in " ".join(inside.text.split())
    for address, words in (("nobody@example.org", "nobody subscribes as"), ("nobody", "an address")):
        wrong = client.post(PAGE, data={"do": "explain", "address": address})
        assert (wrong.status_code, words in wrong.text) == (400, True)


def test_authors_count_and_save_but_see_nobody(app: App) -> None:
    author = admin_client(app, Role.AUTHOR)
    page = author.get(PAGE).text
    assert "/admin/people/" not in page
    assert 'name="address"' not in page
    told = author.post(PAGE, data={"do": "explain", "address": EVERYTHING, "any": "empathy"}).text
    assert answer(told)[0] == sum(app.people.count(meaning("any:empathy")).values())
    assert "is in it" not in told
    assert EVERYTHING not in told
    stranger = author.post(PAGE, data={"do": "explain", "address": "nobody@example.org"})
    assert stranger.status_code == 200, "nor do they learn who is there"
    assert author.post(PAGE, data=sent(page, "save", language="en")).status_code == 303
    assert "/admin/people/?segment=clinicians-fr" in admin_client(app).get(PAGE).text


def test_nobody_comes_in_without_a_session(app: App, client: TestClient) -> None:
    client.cookies.clear()
    for path in ("/admin/segments/", "/admin/segments/new/", PAGE, f"{PAGE}remove/"):
        assert client.get(path).headers["location"].startswith("/admin/sign-in/")
    assert client.post("/admin/segments/count/", data={"any": "empathy"}).status_code == 303
    assert client.post(f"{PAGE}remove/", data={"seen": "x"}).status_code == 303
    assert kept(app) == LINE


# -- the script


def test_only_these_pages_may_run_our_script(client: TestClient) -> None:
    script = client.get("/admin/live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.text.splitlines()) <= 40
    for path in (PAGE, "/admin/segments/new/"):
        page = client.get(path)
        assert page.headers["content-security-policy"].endswith(LIVE)
        assert re.findall(r"<script[^>]*>", page.text) == ['<script src="/admin/live.js" defer>']
    for path in ("/admin/", "/admin/segments/", f"{PAGE}remove/", "/admin/topics/", "/issues/"):
        page = client.get(path)
        assert "script-src" not in page.headers["content-security-policy"]
        assert "<script" not in page.text


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def screen(request: pytest.FixtureRequest, client: TestClient) -> "Iterator[tuple[Page, bool, list[str]]]":
    """A browser whose every request the client answers; whether scripts run; what its console says."""
    require("chromium", "playwright")
    from playwright.sync_api import sync_playwright

    def fulfil(route: "Route") -> None:
        asked = route.request
        kind = {"content-type": asked.headers.get("content-type", "")} if asked.method == "POST" else {}
        path = urlsplit(asked.url).path
        found = client.request(asked.method, path, content=asked.post_data_buffer, headers=kind)
        route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    with sync_playwright() as driver:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=find_program(), args=arguments)
        page = browser.new_page(viewport={"width": 375, "height": 800}, java_script_enabled=request.param)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.route("**/*", fulfil)
        yield page, request.param, said
        browser.close()


def test_the_count_follows_the_form(app: App, screen: "tuple[Page, bool, list[str]]") -> None:
    page, scripts, said = screen
    page.goto(f"{BASE}{PAGE}")
    before = page.locator("output .count").inner_text()
    page.locator("summary", has_text="Follows at least one of").click()
    page.get_by_role("checkbox", name="French", exact=False).or_(page.get_by_label("Français")).first.uncheck()
    page.get_by_label("Training").locator("visible=true").first.check()
    wanted = meaning(LINE.replace("language:fr ", "").replace("attachment,empathy", "attachment,empathy,training"))
    count = sum(app.people.count(wanted).values())
    if not scripts:
        assert page.locator("output .count").inner_text() == before
        page.get_by_role("button", name="Count").click()
    line = write(wanted, catalogue())
    page.locator("output .expression", has_text=line).wait_for()
    assert page.locator("output .count").inner_text().split()[0] == str(count)
    page.get_by_label("Attributes").fill("role")
    if scripts:
        page.locator("output", has_text="NAME=VALUE").wait_for()
    assert said == []
    assert kept(app) == LINE


@pytest.mark.parametrize("screen", [True], indirect=True, ids=["with scripts"])
def test_a_count_that_cannot_be_had_is_told(client: TestClient, screen: "tuple[Page, bool, list[str]]") -> None:
    page, _, _ = screen
    page.goto(f"{BASE}{PAGE}")
    client.cookies.clear()  # as when the session is over
    page.get_by_label("Paused").check()
    page.locator("output", has_text="It cannot be counted now.").wait_for()
    assert page.locator("output .count").count() == 0


@pytest.mark.parametrize("screen", [True], indirect=True, ids=["with scripts"])
def test_of_two_answers_that_overtake_each_other_the_last_question_wins(
    client: TestClient, screen: "tuple[Page, bool, list[str]]"
) -> None:
    page, _, _ = screen
    held: list[Route] = []
    page.route("**/count/", lambda route: held.append(route))  # the driver cannot take a method of a list
    page.goto(f"{BASE}/admin/segments/new/")
    page.get_by_label("Address").fill(EVERYTHING)
    for number, label in enumerate(("English", "Paused"), 1):
        page.get_by_label(label).check()
        until = time.monotonic() + 60
        while len(held) < number and time.monotonic() < until:
            page.evaluate(FRAME)
    for route in reversed(held):
        body = client.post("/admin/segments/count/", content=route.request.post_data, headers=FORM).text
        with page.expect_event("requestfinished"):
            route.fulfill(body=body, content_type="text/html")
        page.evaluate(FRAME)
    assert page.locator("output .expression").inner_text() == "state:paused language:en"
    assert not any("address" in str(route.request.post_data) for route in held), "the script needs none"


# -- on a screen


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_readable(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, Role.ADMIN, language)
    asked = {"any": "empathy", "issue": "2023-07", "address": EVERYTHING, "attribute": "role=clinician"}
    keep(app, "", "everyone")
    pages = [
        client.get("/admin/segments/"),
        client.get(PAGE),
        client.get(f"{PAGE}?said=saved"),
        client.get("/admin/segments/new/"),
        client.get(f"{PAGE}remove/"),
        client.post(f"{PAGE}remove/"),
        client.post(PAGE, data={"do": "count", **asked}),
        client.post(PAGE, data={"do": "count", **asked, "issue": "soon", "address": "nobody"}),
        client.post(PAGE, data={"do": "type", "expression": "x"}),
        client.post(PAGE, data={"do": "save", **asked}),
        client.post(PAGE, data={"do": "save", "attribute": "role"}),
    ]
    for number, page in enumerate(pages):
        assert flaws(browser, client, page.text.replace("<details", "<details open")) == [], number
