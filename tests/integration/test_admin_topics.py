"""The pages of topics: who looks, who changes, what a change would touch, and what it does on the second button."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client
from core_support import JULY
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.account import Role
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.segment_text import parse
from digest_mailer.core.topic import Topic
from digest_mailer.services.coverage import Coverage, cover
from publication_support import make_publication, table_rows

EMPATHY = "/admin/topics/empathy/"
CHANGE = f"{EMPATHY}change/"
CHANGES = (
    {"do": "rename", "name": "Warmth", "french": "Chaleur"},
    {"do": "alias", "aliases": "Kindness\r\n Warmth "},
    {"do": "retire"},
    {"do": "merge", "into": "attachment"},
)


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication with one segment that asks for empathy."""
    app = make_publication(tmp_path)
    catalogue = app.library.vocabulary.catalogue
    assert app.segments.add(parse("any:empathy", catalogue, "warm"), "tests", app.clock.now())
    return app


@pytest.fixture
def client(app: App) -> TestClient:
    return admin_client(app)


def file_of(app: App) -> bytes:
    return (app.root / "newsletters" / "topics.toml").read_bytes()


def topic(app: App, key: str = "empathy") -> Topic:
    return app.library.vocabulary.catalogue.by_key(TopicKey(key))


def coverage(app: App) -> Coverage:
    return cover(app.library, app.following)


def rows(page: str) -> dict[str, list[str]]:
    """The cells of the tables of a page, by the first word of their row."""
    found: Any = html.fromstring(page).xpath("//tbody/tr")
    return {
        str(row.xpath("string(th/a)")): [" ".join(cell.text_content().split()) for cell in row.xpath("td")]
        for row in found
    }


def facts(page: str) -> dict[str, str]:
    """What a page says of a topic, by what it is."""
    terms: Any = html.fromstring(page).xpath('//dl[@class="facts"]/dt')
    return {term.text: " ".join(term.getnext().text_content().split()) for term in terms}


def confirmed(page: str) -> dict[str, str]:
    """What a browser sends when the button of a plan is pressed."""
    forms: Any = html.fromstring(page).xpath("//main//form")
    assert len(forms) == 1
    return dict(forms[0].form_values())


def made(client: TestClient, path: str, change: dict[str, str]) -> str:
    """Where the plan of a change, and its button, lead to."""
    return client.post(path, data=confirmed(client.post(path, data=change).text)).headers["location"]


# -- looking


def test_topics_are_listed_as_they_are_covered(app: App, client: TestClient) -> None:
    found, page = coverage(app), client.get("/admin/topics/").text
    listed = rows(page)
    assert len(listed) == len(found.topics) == 36
    assert listed["Empathy"] == ["4", "3", "1", "–", "1", "July 2023"]
    for one in found.topics:
        years = [str(one.years.get(year, "–")) for year in (2023, 2022, 2021, 2020)]
        assert listed[one.topic.name][:-1] == [str(one.followers), *years]
    assert page.count("no article for 12 months") == sum(one.waiting for one in found.topics) > 0
    assert f"{found.all_topics} more people follow all topics." in page
    french = admin_client(app, Role.ADMIN, "fr").get("/admin/topics/").text
    assert rows(french)["Empathie"][-1] == "juillet 2023"


def test_a_topic_is_shown_with_what_asks_for_it(app: App, client: TestClient) -> None:
    page = client.get(EMPATHY).text
    assert facts(page) == {
        "Name in English": "Empathy", "Name in French": "Empathie", "Other names": "–", "Key": "empathy",
        "Segments that ask for it": "warm",
    }  # fmt: skip
    assert "5 articles about it" in page
    assert page.count("Therapeutic Relationship Factors that Work") == 1
    assert client.get("/admin/topics/emphaty/").status_code == 404


def test_authors_look_and_change_nothing(app: App) -> None:
    author, before, rows_before = admin_client(app, Role.AUTHOR), file_of(app), table_rows(app)
    for path in ("/admin/topics/", EMPATHY):
        page = author.get(path)
        assert (page.status_code, "<form" in page.text, "/topics/new/" in page.text) == (200, False, False)
    assert author.get("/admin/topics/new/").status_code == 403
    assert author.post("/admin/topics/new/", data={"key": "hope", "name": "Hope"}).status_code == 403
    for change in CHANGES:
        assert author.post(CHANGE, data=change).status_code == 403
        assert author.post(CHANGE, data={**change, "seen": "x"}).status_code == 403
    assert (file_of(app), table_rows(app)) == (before, rows_before)


def test_nobody_comes_in_without_a_session(app: App, client: TestClient) -> None:
    client.cookies.clear()
    before = file_of(app)
    for path in ("/admin/topics/", "/admin/topics/new/", EMPATHY, CHANGE):
        assert client.get(path).headers["location"].startswith("/admin/sign-in/")
    assert client.post(CHANGE, data={**CHANGES[0], "seen": "x"}).status_code == 303
    assert client.post("/admin/topics/new/", data={"key": "hope", "name": "Hope"}).status_code == 303
    assert file_of(app) == before


# -- changing


def test_a_topic_is_added(app: App, client: TestClient) -> None:
    fields = {"key": "hope", "name": "Hope", "french": "Espoir", "aliases": "Trust\r\n\r\n Optimism "}
    done = client.post("/admin/topics/new/", data=fields)
    assert done.headers["location"] == "/admin/topics/hope/?said=added"
    assert topic(app, "hope") == Topic(36, TopicKey("hope"), "Hope", "Espoir", ("Trust", "Optimism"))
    assert "readers can choose it" in client.get(done.headers["location"]).text
    (entry,) = app.trail.records(action="topics-add")
    assert (entry.actor, entry.facts["topic"], entry.facts["before"]) == ("local:tests", "hope", {})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "Hope!", "name": "Hope"}, "is no key"),
        ({"key": "new", "name": "Hope"}, "is no key"),
        ({"key": "hope", "name": "Empathie"}, "names the topic empathy already"),
        ({"key": "hope", "name": ""}, "is empty"),
        ({"key": "hope", "name": "Hope", "aliases": "PTSD"}, "names the topic trauma-and-ptsd already"),
    ],
)
def test_what_cannot_be_a_topic_is_told_and_stays(app: App, client: TestClient, fields: Any, words: str) -> None:
    before = file_of(app)
    told = client.post("/admin/topics/new/", data=fields)
    assert (told.status_code, words in told.text) == (400, True)
    assert f'name="key" id="key" value="{fields["key"]}"' in told.text
    assert fields.get("aliases", "") in told.text
    assert file_of(app) == before


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["do"])
def test_a_plan_changes_nothing_and_says_what_would_be_touched(
    app: App, client: TestClient, change: dict[str, str]
) -> None:
    before, rows_before = file_of(app), table_rows(app)
    told = facts(client.post(CHANGE, data=change).text)
    assert told["Follow it by name"] == "6 people, 4 of them active or paused"
    assert told["Segments that ask for it"] == "warm"
    assert told["Approvals that would not stand"] == "July 2023"
    assert told["Articles about it"].count("Therapeutic Relationship") == 2
    assert client.get(CHANGE).headers["location"] == EMPATHY
    assert (file_of(app), table_rows(app)) == (before, rows_before)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["do"])
def test_the_approvals_that_a_plan_names_fall(app: App, client: TestClient, change: dict[str, str]) -> None:
    library = app.library
    assert app.standing(library).of(library.load(JULY))[1]
    made(client, CHANGE, change)
    library = app.library
    assert not app.standing(library).of(library.readable(JULY))[1]


def test_a_topic_is_renamed_and_found_by_more_names(app: App, client: TestClient) -> None:
    assert made(client, CHANGE, CHANGES[0]) == f"{EMPATHY}?said=renamed"
    found = topic(app)
    assert (found.name, found.name_fr, found.aliases) == ("Warmth", "Chaleur", ("Empathy", "Empathie"))
    assert made(client, CHANGE, {"do": "alias", "aliases": "Kindness\r\n Care "}) == f"{EMPATHY}?said=named"
    assert topic(app).aliases == ("Empathy", "Empathie", "Kindness", "Care")
    (entry,) = app.trail.records(action="topics-rename")
    assert (entry.actor, entry.facts) == (
        "local:tests",
        {
            "topic": "empathy",
            "before": {"name": "Empathy", "name_fr": "Empathie", "aliases": []},
            "after": {"name": "Warmth", "name_fr": "Chaleur", "aliases": ["Empathy", "Empathie"]},
        },
    )
    (entry,) = app.trail.records(action="topics-alias")
    assert entry.facts["after"] == {"aliases": ["Empathy", "Empathie", "Kindness", "Care"]}
    same = client.post(CHANGE, data={"do": "rename", "name": "Warmth", "french": "Chaleur"})
    assert same.headers["location"] == f"{EMPATHY}?said=same"
    wrong = client.post(CHANGE, data={"do": "rename", "name": "Attachment", "french": "Lien"})
    assert (wrong.status_code, "names the topic attachment already" in wrong.text) == (400, True)
    assert 'value="Lien"' in wrong.text


def test_a_french_name_is_taken_away_and_still_finds_the_topic(app: App, client: TestClient) -> None:
    change = {"do": "rename", "name": "Empathy", "french": ""}
    told = client.post(CHANGE, data=change).text
    assert (facts(told)["Then"], facts(told)["Also found by"]) == ("Empathy", "Empathie")
    assert made(client, CHANGE, change) == f"{EMPATHY}?said=renamed"
    assert (topic(app).name_fr, topic(app).aliases) == ("", ("Empathie",))
    assert facts(client.get(EMPATHY).text)["Name in French"] == "–"
    assert made(client, CHANGE, {"do": "rename", "name": "Warmth"}) == f"{EMPATHY}?said=renamed"
    wrong = client.post(CHANGE, data={"do": "rename", "name": "Attachment", "french": ""})
    assert re.findall(r'id="french" value="(.*?)"', wrong.text) == [""]


def test_two_sites_that_add_topics_at_once_lose_none(app: App) -> None:
    clients = [admin_client(app), admin_client(build_app(app.root, clock=app.clock))]

    def add(number: int) -> int:
        fields = {"key": f"k{number}", "name": f"Name {number}"}
        return clients[number % 2].post("/admin/topics/new/", data=fields).status_code

    with ThreadPoolExecutor(6) as pool:
        assert [*pool.map(add, range(12))] == [303] * 12
    added = [one for one in app.library.vocabulary.catalogue if re.fullmatch(r"k\d+", one.key)]
    assert sorted(one.ordinal for one in added) == [*range(36, 48)]


def test_a_topic_is_retired(app: App, client: TestClient) -> None:
    told = facts(client.post(CHANGE, data={"do": "retire"}).text)
    assert told["Follow nothing else, and would get nothing"] == "1 person"
    assert made(client, CHANGE, {"do": "retire"}) == f"{EMPATHY}?said=retired"
    assert topic(app).retired
    (entry,) = app.trail.records(action="topics-retire")
    assert entry.facts == {"topic": "empathy", "before": {"retired": False}, "after": {"retired": True}}
    page = client.get(EMPATHY).text
    assert 'value="retire"' not in page
    assert rows(client.get("/admin/topics/").text)["Empathy"][0] == "retired"


def test_a_topic_is_merged_and_its_followers_go_along(app: App, client: TestClient) -> None:
    followers, both = app.topics(app.library).merge("empathy", "attachment").followers, "1 person"
    told = facts(client.post(CHANGE, data=CHANGES[3]).text)
    assert (told["Goes on as"], told["Follow both"]) == ("Attachment / Attachement", both)
    attachment = app.topics(app.library).touched("attachment").followers.people
    assert made(client, CHANGE, CHANGES[3]) == "/admin/topics/attachment/?said=merged"
    assert topic(app).merged_into == "attachment"
    found = app.topics(app.library)
    assert found.touched("empathy").followers.people == 0
    assert found.touched("attachment").followers.people == attachment + followers.people - followers.both
    (entry,) = app.trail.records(action="topics-merge")
    assert (entry.actor, entry.facts["segments"]) == ("local:tests", ["warm"])
    page = client.get(EMPATHY).text
    assert "goes on as another topic" in page
    assert 'value="rename"' not in page
    assert rows(client.get("/admin/topics/").text)["Empathy"][0] == "goes on as Attachment"
    again = client.post(CHANGE, data={"do": "merge", "into": "empathy"})
    assert (again.status_code, "is retired" in again.text) == (400, True)


def test_of_two_windows_the_second_is_told_and_changes_nothing(app: App, client: TestClient) -> None:
    plans = [confirmed(client.post(CHANGE, data=change).text) for change in CHANGES]
    client.post(CHANGE, data=confirmed(client.post(CHANGE, data={"do": "rename", "name": "Care"}).text))
    before, rows_before = file_of(app), table_rows(app)
    for plan in plans:
        told = client.post(CHANGE, data=plan)
        assert (told.status_code, "changed in another window" in told.text) == (409, True)
        assert (file_of(app), table_rows(app)) == (before, rows_before)
        assert confirmed(told.text) == {**plan, "seen": confirmed(told.text)["seen"]}
    told = client.post(CHANGE, data=plans[0])
    assert client.post(CHANGE, data=confirmed(told.text)).headers["location"] == f"{EMPATHY}?said=renamed"
    assert topic(app).name == "Warmth"


def test_what_was_typed_cannot_become_markup(app: App, client: TestClient) -> None:
    told = client.post(CHANGE, data={"do": "rename", "name": "<b>x", "french": '"><i>'})
    assert re.findall(r"<[bi]>", told.text) == []
    assert confirmed(told.text)["french"] == '"><i>'


# -- on a screen


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_readable(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, Role.ADMIN, language)
    topics = app.topics(app.library)
    topics.carry_out(topics.merge("suicide-and-crisis", "trauma-and-ptsd"), "tests")
    pages = [
        client.get("/admin/topics/"),
        client.get("/admin/topics/new/"),
        client.post("/admin/topics/new/", data={"key": "x!", "name": "x"}),
        client.get(f"{EMPATHY}?said=same"),
        client.get("/admin/topics/suicide-and-crisis/"),
        client.post(CHANGE, data={"do": "rename", "name": "Attachment"}),
        *(client.post(CHANGE, data=change) for change in CHANGES),
        client.post(CHANGE, data={**CHANGES[3], "seen": "nothing"}),
    ]
    for number, page in enumerate(pages):
        assert page.status_code in (200, 400, 409)
        assert flaws(browser, client, page.text.replace("<details", "<details open")) == [], number
