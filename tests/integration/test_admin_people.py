"""The admins' pages of people: found, exported, looked at, changed, erased."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client, document
from core_support import JULY, address_of
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.audience import Consent, Profile, State, Subscriber
from digest_mailer.core.delivery import Accepted, Fate, HandOff
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.mailing import Result, Status
from digest_mailer.core.move import Move
from digest_mailer.core.people_search import PAGE, Search
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.topic import union, words_of
from digest_mailer.services import library
from digest_mailer.services.subscriptions import mark
from publication_support import EVERYTHING, NOW, ONE_TOPIC, FixedClock, freeze, make_publication, person, table_rows

LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])
ACTOR = "local:tests"
ADHERANCE, EMPATHY = TopicKey("adherance"), TopicKey("empathy")
BOOTH = Consent("conference booth", date(2022, 5, 20))


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """Signed in at the machine."""
    return admin_client(app)


def path(app: App, address: str = ONE_TOPIC) -> str:
    """Somebody's page."""
    return f"/admin/people/{person(app, address).id}/"


def listed(text: str) -> list[str]:
    """The addresses on a page of the list."""
    return re.findall(r'<th scope="row"><a href="/admin/people/[0-9]+/">([^<]+)</a>', text)


def many(app: App, count: int) -> list[str]:
    """So many more people; answers the addresses of all."""
    for number in range(count):
        address = address_of(f"reader{number:03}@clinic.example.org")
        app.subscriptions.add(Profile(address, f"Reader {number}", all_topics=True), BOOTH, "tests")
    return [one.address.typed for one in app.people.listing(EVERYBODY)]


def form_of(who: Subscriber, **changes: object) -> dict[str, object]:
    """The form of somebody's values as a browser would send it."""
    form: dict[str, object] = {
        "seen": mark(who.profile),
        "address": who.address.typed,
        "name": who.name,
        "language": who.language,
        "scope": "all" if who.all_topics else "some",
        "topic": ["adherance"],
        "attributes": "role=clinician",
    }
    return form | changes


# -- the list


def test_the_list_is_paged_through_and_back(app: App, client: TestClient) -> None:
    everybody = many(app, 2 * PAGE)
    assert len(everybody) > 2 * PAGE
    text = client.get("/admin/people/").text
    assert f"<strong>{len(everybody)}</strong> people" in text
    pages, links = [listed(text)], ["/admin/people/"]
    while found := re.search(r'rel="next" href="([^"]+)"', text):
        links.append(found[1].replace("&amp;", "&"))
        text = client.get(links[-1]).text
        pages.append(listed(text))
    assert [address for page in pages for address in page] == everybody
    for page in reversed(pages[:-1]):
        back = re.search(r'rel="prev" href="([^"]+)"', text)
        assert back
        text = client.get(back[1].replace("&amp;", "&")).text
        assert listed(text) == page
    assert not any("%40" in link or "@" in link for link in links)


def test_a_page_that_ends_with_somebody_who_is_gone_is_the_first(app: App, client: TestClient) -> None:
    many(app, PAGE)
    first = listed(client.get("/admin/people/").text)
    for query in ("behind=77", "before=77", "behind=x", "before=99999999999999999999999"):
        assert listed(client.get(f"/admin/people/?{query}").text) == first
    second = app.people.page(Search(), behind=first[1]).people[0]
    assert listed(client.get(f"/admin/people/?before={second.id}").text) == first


def test_who_is_erased_at_the_edge_of_a_page_loses_nobody_their_place(app: App, client: TestClient) -> None:
    everybody = many(app, 2 * PAGE)
    text = client.get("/admin/people/").text
    (link,) = re.findall(r'rel="next" href="([^"]+)"', text)
    for gone in everybody[PAGE - 3 : PAGE]:
        app.subscriptions.erase(person(app, gone), "tests")
    second = client.get(link).text
    assert listed(second) == everybody[PAGE : 2 * PAGE]
    (link,) = re.findall(r'rel="prev" href="([^"]+)"', second)
    for gone in everybody[PAGE : PAGE + 3]:
        app.subscriptions.erase(person(app, gone), "tests")
    assert listed(client.get(link).text) == [*everybody[: PAGE - 3], *everybody[PAGE + 3 : PAGE + 6]]


def test_somebody_is_found_by_the_beginning_of_the_address_or_anywhere(client: TestClient) -> None:
    begins = client.get("/admin/people/?text=AMELIE").text
    assert listed(begins) == [EVERYTHING]
    assert "inside=1" in begins
    for text in ("Amélie Trem", "tremblay", "trémblay", "lie.trem"):
        answer = client.get("/admin/people/", params={"text": text})
        assert listed(answer.text) == [EVERYTHING]
        assert "found anywhere" in answer.text
    everywhere = client.get("/admin/people/?text=a&inside=1").text
    assert len(listed(everywhere)) > len(listed(client.get("/admin/people/?text=a").text)) > 1
    assert "Nobody is found." in client.get("/admin/people/?text=zzzz").text


def test_filters_hold_together(app: App, client: TestClient) -> None:
    app.segments.add(Segment("clinicians", attributes={"role": ("clinician",)}), "tests", NOW)
    everybody = [*app.people.listing(EVERYBODY)]
    clinicians = [one for one in everybody if one.attributes.get("role") == "clinician"]
    french = [one.address.typed for one in clinicians if one.language == "fr" and one.state is State.ACTIVE]
    assert 0 < len(french) < len(clinicians) < len(everybody)
    query = "segment=clinicians&state=active&language=fr"
    assert listed(client.get(f"/admin/people/?{query}").text) == french
    topic = client.get("/admin/people/?topic=adherance").text
    ordinal = app.library.vocabulary.catalogue.words([ADHERANCE])
    follow = [one for one in everybody if one.all_topics or one.topics[0] & ordinal[0]]
    assert listed(topic) == [one.address.typed for one in follow]
    assert f"<strong>{len(follow)}</strong> people" in topic


def test_two_that_exclude_each_other_find_nobody(app: App, client: TestClient) -> None:
    app.segments.add(Segment("gone", states=(State.BOUNCED,)), "tests", NOW)
    answer = client.get("/admin/people/?segment=gone&state=active")
    assert (answer.status_code, listed(answer.text)) == (200, [])
    assert "Nobody is found." in answer.text


@pytest.mark.parametrize("query", ["state=happy", "topic=astrology", "segment=nobody-knows", "segment=any:astrology"])
def test_a_filter_that_there_is_not_is_told_of(client: TestClient, query: str) -> None:
    answer = client.get(f"/admin/people/?{query}")
    assert (answer.status_code, listed(answer.text)) == (400, [])
    assert 'role="alert"' in answer.text


def test_names_of_strangers_are_escaped(app: App, client: TestClient) -> None:
    profile = Profile(address_of("x@clinic.example.org"), '<script>"x"', attributes={"<b>": "<i>"})
    added = app.subscriptions.add(profile, replace(BOOTH, source="<u>"), "tests")
    for where in ("/admin/people/", f"/admin/people/{added.id}/", f"/admin/people/{added.id}/edit/"):
        text = client.get(where).text
        assert "&lt;script&gt;" in text
        assert not re.search("<script|<b>|<i>|<u>", text)


def test_looking_changes_nothing(app: App, client: TestClient) -> None:
    freeze(app)
    own, before = path(app), table_rows(app)
    for where in ("/admin/people/", "/admin/people/?text=a&inside=1", "/admin/people/new/", "/admin/people/export/",
                  own, f"{own}edit/", f"{own}erase/", f"{own}?do=unsubscribe"):  # fmt: skip
        assert client.get(where).status_code in (200, 303)
    assert table_rows(app) == before


def test_authors_see_nobody(app: App) -> None:
    author = admin_client(app, Role.AUTHOR)
    before = table_rows(app)
    own = path(app)
    for where in ("/admin/people/", "/admin/people/new/", own, f"{own}edit/", f"{own}erase/"):
        answer = author.get(where)
        assert (answer.status_code, ONE_TOPIC in answer.text) == (403, False)
        assert author.post(where, data={"do": "unsubscribe"}).status_code in (403, 405)
    assert author.post("/admin/people/export/", data={"format": "csv"}).status_code == 403
    assert table_rows(app) == before


# -- the export


def test_the_export_is_what_the_filter_names(app: App, client: TestClient) -> None:
    many(app, PAGE + 1)  # more than a page
    form = {"text": "reader0", "state": "active", "format": "csv"}
    answer = client.post("/admin/people/export/", data=form)
    assert answer.headers["content-disposition"] == 'attachment; filename="people-2024-01-31.csv"'
    rows = [*csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))]
    assert [row["email"] for row in rows] == [f"reader{number:03}@clinic.example.org" for number in range(PAGE + 1)]
    note = next(app.trail.records(limit=1))
    assert (note.action, note.actor, note.facts) == ("export", ACTOR, {"what": "subscribers", "rows": PAGE + 1})
    found = client.post("/admin/people/export/", data={"text": "tremblay", "inside": "1", "format": "json"})
    assert [one["email"] for one in json.loads(found.text)["people"]] == [EVERYTHING]
    everybody = client.post("/admin/people/export/", data={"format": "json"})
    assert len(json.loads(everybody.text)["people"]) == len([*app.people.listing(EVERYBODY)])


def test_a_spreadsheet_reads_the_export_as_what_it_is_and_an_import_takes_it_back(app: App, client: TestClient) -> None:
    answer = client.post("/admin/people/export/", data={"format": "csv"})
    assert answer.content.startswith(b"\xef\xbb\xbfemail,")
    assert "Amélie" in answer.content.decode("utf-8-sig")
    assert not client.post("/admin/people/export/", data={"format": "json"}).content.startswith(b"\xef")
    app.uploads.spawn = lambda work: work()
    page = client.post("/admin/import/", files={"file": ("people.csv", answer.content)}).headers["location"]
    numbers = [one.text_content() for one in document(client.get(page).text).cssselect(".figures dd")]
    assert numbers == ["0", "0", "45", "5", "0"], "five have left"


def test_an_export_of_nobody_has_a_head(app: App, client: TestClient) -> None:
    app.segments.add(Segment("gone", states=(State.BOUNCED,)), "tests", NOW)
    answer = client.post("/admin/people/export/", data={"segment": "gone", "state": "active", "format": "csv"})
    assert answer.text.startswith("\ufeffemail,")
    assert answer.text.count("\n") == 1


def test_an_export_of_what_is_not_writes_nothing(app: App, client: TestClient) -> None:
    before = table_rows(app)
    assert client.post("/admin/people/export/", data={"state": "happy", "format": "csv"}).status_code == 400
    assert client.post("/admin/people/export/", data={"segment": "no", "format": "csv"}).status_code == 404
    assert client.post("/admin/people/export/", data={"format": "xml"}).status_code == 303
    assert client.get("/admin/people/export/?format=csv").status_code == 303
    assert table_rows(app) == before


# -- one person


def test_a_page_tells_who_they_are_and_what_was_done(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    app.subscriptions.pause(who, date(2024, 4, 1), "admin:9", "on leave")
    text = client.get(path(app)).text
    profile = (ONE_TOPIC, "Oluwaseun Adeyemi", "Adherance", "clinician", "1 April 2024", "Gets no mail today: paused.")
    for words in (*profile, "on leave", "admin:9", "Active → Paused", "Import of a list", "subscribers.example.csv"):
        assert words in text, words
    assert who.consent
    assert who.consent.source in text


def test_consents_are_told_in_full(app: App, client: TestClient) -> None:
    profile = Profile(address_of("new@clinic.example.org"), all_topics=True)
    given = Consent("sign-up page", NOW.date(), "I want the mail", "3", "192.0.2.0/24")
    app.subscriptions.changes.add(profile, given, Move.SIGN_UP, "reader", NOW)
    text = client.get(path(app, "new@clinic.example.org")).text
    for words in ("sign-up page", "I want the mail", "version 3", "192.0.2.0/24", "not confirmed yet", "Sign-up"):
        assert words in text, words


def test_what_they_got_of_each_issue_is_told(app: App, client: TestClient) -> None:
    freeze(app)
    who = person(app, ONE_TOPIC)
    row = next(app.oversight.deliveries(None, person=who.id))
    lease = app.ledger.lease(JULY, "sandbox:", "tests", 100, NOW)
    claims = lease.turn((), 100, NOW).claims
    before = next(claim.attempts for claim in claims if claim.row == row.row)
    reply = Accepted("250 2.0.0 queued as <X1>")
    result = Result(row.row, reply, HandOff.ACCEPTED, None, NOW, NOW, "1 to mx", b"d" * 32, before)
    lease.turn([result], 0, NOW)
    lease.release(Status.SENDING, "", (), (), NOW)
    lease.close()
    app.oversight.note_fates({row.row: Fate.DELIVERED}, NOW)
    text = client.get(path(app)).text
    assert re.search(r"Sent,\s+delivered", text)
    for words in ("July 2023", "250 2.0.0 queued as &lt;X1&gt;", "Adherance"):
        assert words in text, words
    shown = re.search(r'<ul class="terms">(.*?)</ul>', text, re.DOTALL)
    assert shown
    assert 0 < shown[1].count("<li>") < 3  # of three articles, those on the topic
    assert "were never sent by mail" in text


def test_why_an_issue_did_not_come_is_told(app: App, client: TestClient) -> None:
    nothing = app.subscriptions.add(Profile(address_of("nothing@clinic.example.org")), BOOTH, "tests")
    freeze(app)
    late = app.subscriptions.add(Profile(address_of("late@clinic.example.org"), all_topics=True), BOOTH, "tests")
    assert "Nothing: follows no topic." in client.get(f"/admin/people/{nothing.id}/").text
    assert "Nothing: they were not in its audience" in client.get(f"/admin/people/{late.id}/").text
    app.subscriptions.leave(person(app, ONE_TOPIC), "moved away", actor="tests")
    text = client.get(path(app)).text
    assert re.search(r"Not sent\s+<div.*?</div>\s+<div class=\"meta\">unsubscribed</div>", text)
    assert "moved away" in text


@pytest.mark.parametrize("number", ["77", "0", "-1", "abc", "9" * 18, "9" * 40, "1e3", "%00"])
def test_a_number_that_nobody_has(client: TestClient, number: str) -> None:
    for end in ("", "edit/", "erase/"):
        answer = client.get(f"/admin/people/{number}/{end}")
        assert (answer.status_code, "nobody has this number" in answer.text) == (404, True)


# -- what is done for them


def done(client: TestClient, where: str, **form: str) -> str:
    """The page after a form that must go well."""
    answer = client.post(where, data=form)
    assert answer.status_code == 303, answer.text
    return client.get(answer.headers["location"]).text


def test_a_pause_and_its_end(app: App, client: TestClient) -> None:
    where = path(app)
    text = done(client, where, do="pause", until="2024-06-01", reason="on leave")
    assert "Paused." in text
    assert (person(app, ONE_TOPIC).state, person(app, ONE_TOPIC).paused_until) == (State.PAUSED, date(2024, 6, 1))
    event = app.subscriptions.history(person(app, ONE_TOPIC))[-1]
    assert (event.actor, event.reason) == (ACTOR, "on leave")
    assert "The pause is over." in done(client, where, do="resume")
    before = table_rows(app)
    assert "It was like that already." in done(client, where, do="resume")
    assert (person(app, ONE_TOPIC).state, table_rows(app)) == (State.ACTIVE, before)


def test_looking_again_parses_no_issue_and_asks_for_no_mailing_by_itself(
    app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise AssertionError

    freeze(app)
    before = client.get(path(app)).text
    assert "published issues were never sent by mail" in before
    monkeypatch.setattr(library, "examine_issue", broken)
    assert client.get(path(app)).text == before
    for where in ("/admin/", "/admin/topics/", "/admin/topics/empathy/"):
        assert client.get(where).status_code == 200
    assert app.ledger.mailed() == {JULY}


def test_who_left_has_no_pause_to_end(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app, ONE_TOPIC), "", actor="tests")
    told = client.post(path(app), data={"do": "resume"})
    assert (told.status_code, "signing up again" in told.text) == (400, True)


def test_leaving_takes_them_out_of_a_mailing(app: App, client: TestClient) -> None:
    freeze(app)
    assert "Unsubscribed." in done(client, path(app), do="unsubscribe", reason="wrote a letter")
    who = person(app, ONE_TOPIC)
    assert who.state is State.UNSUBSCRIBED
    assert [row.state for row in app.oversight.deliveries(None, person=who.id)] == ["suppressed"]
    assert app.subscriptions.history(who)[-1].reason == "wrote a letter"
    assert "like that already" in done(client, path(app), do="unsubscribe")


@pytest.mark.parametrize(("move", "state"), [(Move.BOUNCE, State.ACTIVE), (Move.COMPLAIN, State.UNSUBSCRIBED)])
def test_a_report_is_taken_back_with_a_reason(app: App, client: TestClient, move: Move, state: State) -> None:
    who = person(app, ONE_TOPIC)
    assert app.subscriptions.changes.move(who.id, move, "tests", "550", NOW)
    where = path(app)
    assert "The report was wrong" in client.get(where).text
    assert client.post(where, data={"do": "reinstate", "reason": " "}).status_code == 400
    assert "The report is taken back." in done(client, where, do="reinstate", reason="the server was misconfigured")
    assert person(app, ONE_TOPIC).state is state


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": "erase"},
        {"do": "reinstate", "reason": "x"},
        {"do": "pause"},
        {"do": "pause", "until": "tomorrow"},
        {"do": "pause", "until": "2024-01-31"},
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(app: App, client: TestClient, form: dict[str, str]) -> None:
    where, before = path(app), table_rows(app)
    answer = client.post(where, data=form)
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert table_rows(app) == before


def test_who_has_left_is_offered_nothing_that_brings_them_back(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app, ONE_TOPIC), "link")
    text = client.get(path(app)).text
    assert re.findall(r'name="do" value="([a-z]+)"', text) == []
    assert "erase/" in text


# -- editing


def test_every_value_is_edited(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    own = {"address": "New.Name@Clinic.example.org", "name": " New   Name ", "language": "fr", "reason": "by phone"}
    rest = {"topic": ["empathy", "attachment"], "attributes": 'role=student\r\n"odd = name"=a=b\r\n'}
    answer = client.post(f"/admin/people/{who.id}/edit/", data=form_of(who, **own, **rest))
    assert answer.headers["location"] == f"/admin/people/{who.id}/?said=saved"
    found = app.people.get(who.id)
    assert found
    topics = {topic.key for topic in app.library.vocabulary.catalogue.in_words(found.topics)}
    assert (found.address.typed, found.name, found.language) == ("New.Name@clinic.example.org", "New Name", "fr")
    assert (topics, found.all_topics) == ({"empathy", "attachment"}, False)
    assert dict(found.attributes) == {"role": "student", "odd = name": "a=b"}
    event = app.subscriptions.history(found)[-1]
    assert (event.what, event.actor, event.reason) == ("edit", ACTOR, "by phone")


def test_the_form_as_it_stands_changes_nothing(app: App, client: TestClient) -> None:
    for address in (ONE_TOPIC, EVERYTHING):
        who = person(app, address)
        text = client.get(f"/admin/people/{who.id}/edit/").text
        ticked = re.findall(r'name="topic" value="([a-z-]+)" id="[^"]+" checked', text)
        lines = re.search(r'<textarea name="attributes"[^>]*>(.*?)</textarea>', text, re.DOTALL)
        assert lines
        before = table_rows(app)
        form = form_of(who, topic=ticked, attributes=lines[1])
        answer = client.post(f"/admin/people/{who.id}/edit/", data=form)
        assert answer.headers["location"].endswith("said=same")
        assert table_rows(app) == before


def test_the_second_of_two_windows_is_told_and_changes_nothing(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    where = f"/admin/people/{who.id}/edit/"
    assert client.post(where, data=form_of(who, name="First")).status_code == 303
    before = table_rows(app)
    answer = client.post(where, data=form_of(who, name="Second"))
    assert (answer.status_code, "Nothing was saved" in answer.text) == (409, True)
    assert "<dd>First</dd>" in answer.text
    assert 'value="Second"' in answer.text
    assert table_rows(app) == before
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', answer.text)
    assert seen
    assert client.post(where, data=form_of(who, name="Second", seen=seen[1])).status_code == 303
    assert person(app, ONE_TOPIC).name == "Second"


@pytest.mark.parametrize(
    "change",
    [
        {"address": "nobody"},
        {"address": EVERYTHING},
        {"language": "tlh"},
        {"topic": ["astrology"]},
        {"attributes": "role"},
        {"attributes": "role=a\nrole=b"},
        {"attributes": "role=" + "x" * 1001},
        {"attributes": "role=a\x07b"},
        {"name": "x" * 201},
        {"name": "bad\u202ename"},
    ],
)
def test_a_mistake_in_the_form_comes_back_as_it_was_typed(
    app: App, client: TestClient, change: dict[str, object]
) -> None:
    who, before = person(app, ONE_TOPIC), table_rows(app)
    answer = client.post(f"/admin/people/{who.id}/edit/", data=form_of(who, **change))
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    for value in change.values():
        if isinstance(value, str) and "\n" not in value and value != "tlh":
            assert value in answer.text
    assert table_rows(app) == before


def test_a_suppressed_address_is_refused_in_the_form(app: App, client: TestClient) -> None:
    gone = app.subscriptions.add(Profile(address_of("gone@clinic.example.org")), BOOTH, "tests")
    app.subscriptions.erase(gone, "tests")
    who = person(app, ONE_TOPIC)
    answer = client.post(f"/admin/people/{who.id}/edit/", data=form_of(who, address="gone@clinic.example.org"))
    assert (answer.status_code, "suppression list" in answer.text) == (400, True)


def test_a_retired_topic_stays_until_its_box_is_cleared(app: App, client: TestClient) -> None:
    topics = app.root / "newsletters" / "topics.toml"
    text = topics.read_text(encoding="utf-8")
    topics.write_text(text.replace('key = "adherance"\n', 'key = "adherance"\nretired = true\n'), encoding="utf-8")
    who = person(app, ONE_TOPIC)
    where = f"/admin/people/{who.id}/edit/"
    assert 'value="adherance" id="topic-adherance" checked' in client.get(where).text
    assert 'value="adherance"' not in client.get(f"/admin/people/{person(app, EVERYTHING).id}/edit/").text
    client.post(where, data=form_of(who, topic=["adherance", "empathy"]))
    keys = {topic.key for topic in app.library.vocabulary.catalogue.in_words(person(app, ONE_TOPIC).topics)}
    assert keys == {"adherance", "empathy"}
    client.post(where, data=form_of(person(app, ONE_TOPIC), topic=["empathy"]))
    keys = {topic.key for topic in app.library.vocabulary.catalogue.in_words(person(app, ONE_TOPIC).topics)}
    assert keys == {"empathy"}


def test_a_topic_that_the_file_has_no_longer_stays_followed(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    lost = words_of((200,))
    app.subscriptions.edit(who, replace(who.profile, topics=lost), "tests", "")
    where = f"/admin/people/{who.id}/edit/"
    client.post(where, data=form_of(person(app, ONE_TOPIC), topic=["empathy"]))
    assert person(app, ONE_TOPIC).topics == union((lost, app.library.vocabulary.catalogue.words([EMPATHY])))


# -- adding


NEW = {"address": "New@Clinic.example.org", "name": "New", "language": "fr", "scope": "all", "attributes": "role=x",
       "source": "spring  booth", "day": "2023-05-01"}  # fmt: skip


def test_somebody_is_added_with_their_consent(app: App, client: TestClient) -> None:
    assert "They are on the list." in done(client, "/admin/people/new/", **NEW)
    found = person(app, "new@clinic.example.org")
    assert (found.name, found.language, found.all_topics, found.state) == ("New", "fr", True, State.ACTIVE)
    assert dict(found.attributes) == {"role": "x"}
    assert found.consent == Consent("spring booth", date(2023, 5, 1))
    assert next(app.trail.records(limit=1)).actor == ACTOR


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"address": ONE_TOPIC}, "somebody subscribes as"),
        ({"address": "x"}, "is not an address"),
        ({"source": ""}, "where they asked"),
        ({"day": ""}, "is not a day"),
        ({"day": "2024-02-01"}, "a day to come"),
        ({"day": "0001-01-01"}, "before 1970"),
        ({"source": "a\u202eb"}, "control character U+202E"),
        ({"source": "a" * 1001}, "is too long"),
        ({"language": "de"}, "not a language"),
        ({"address": "gone@clinic.example.org"}, "suppression list"),
    ],
)
def test_who_cannot_be_added_is_told_in_the_form(
    app: App, client: TestClient, change: dict[str, str], words: str
) -> None:
    gone = app.subscriptions.add(Profile(address_of("gone@clinic.example.org")), BOOTH, "tests")
    app.subscriptions.erase(gone, "tests")
    before = table_rows(app)
    answer = client.post("/admin/people/new/", data=NEW | change)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert 'value="New"' in answer.text
    assert table_rows(app) == before


def test_the_reason_of_an_edit_is_kept_to_the_length_of_the_others(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    form = form_of(who, name="Other") | {"reason": "r" * 60_000}
    assert client.post(f"/admin/people/{who.id}/edit/", data=form).status_code == 303
    assert next(app.trail.records(who.id)).content["reason"] == "r" * 500


def test_a_pause_and_a_consent_are_of_the_day_where_the_publication_is(app: App) -> None:
    assert isinstance(app.clock, FixedClock)
    app.clock.instant = datetime(2024, 2, 1, 1, tzinfo=UTC)  # the day before, in Toronto
    client, where = admin_client(app), path(app)
    [first] = re.findall(r'name="until".*?min="(.*?)"', client.get(where).text)
    assert first == "2024-02-01"
    assert client.post(where, data={"do": "pause", "until": "2024-01-31"}).status_code == 400
    assert client.post(where, data={"do": "pause", "until": first}).status_code == 303
    assert app.explainer().entitled(person(app, ONE_TOPIC)) == "paused"
    app.clock.instant = datetime(2024, 2, 1, 5, tzinfo=UTC)
    assert app.explainer().entitled(person(app, ONE_TOPIC)) == ""


# -- erasing


def test_somebody_is_erased_after_a_plan(app: App, client: TestClient) -> None:
    freeze(app)
    where, who = path(app), person(app, ONE_TOPIC)
    plan = client.get(f"{where}erase/").text
    assert "What 1 mail said to them" in plan
    assert "What stays" in plan
    assert app.people.get(who.id) == who
    answer = client.post(f"{where}erase/")
    assert answer.headers["location"] == f"{where}?said=erased"
    assert app.people.get(who.id) is None
    gone = client.get(answer.headers["location"])
    assert (gone.status_code, "This person was erased" in gone.text) == (404, True)
    assert not re.search("oluwaseun|adeyemi", gone.text, re.IGNORECASE)
    assert next(app.trail.records(limit=1)).actor == ACTOR
    assert str(next(app.trail.records(who.id)).number) in gone.text
    for end in ("edit/", "erase/"):
        again = client.post(f"{where}{end}")
        assert (again.status_code, "This person was erased" in again.text) == (404, True)
        assert client.post(f"/admin/people/77/{end}").status_code == 404
    assert client.post(where, data={"do": "unsubscribe"}).status_code == 404


def test_a_form_of_another_page_erases_nobody(app: App, client: TestClient) -> None:
    before = table_rows(app)
    answer = client.post(f"{path(app)}erase/", headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert table_rows(app) == before


# -- on a screen


@LANGUAGES
def test_the_list_on_a_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, language=language)
    many(app, PAGE)
    app.segments.add(Segment("a-segment-with-a-very-long-name-that-says-much"), "tests", NOW)
    long = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example.org"
    app.subscriptions.add(Profile(address_of(long), "N" * 200), BOOTH, "tests")
    for query in ("", "?text=aaa", "?text=aaa&inside=1", "?text=zzzz", "?state=happy", "?segment=any:empathy"):
        answer = client.get(f"/admin/people/{query}")
        assert f'<html lang="{language}"' in answer.text
        assert flaws(browser, client, answer.text) == [], query


@LANGUAGES
def test_a_person_on_a_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, language=language)
    freeze(app)
    where = path(app)
    app.subscriptions.pause(person(app, ONE_TOPIC), date(2024, 4, 1), ACTOR, "w" * 100)
    assert flaws(browser, client, client.get(where).text) == []
    refused = client.post(where, data={"do": "pause", "until": "2020-01-01"})
    assert flaws(browser, client, refused.text) == []
    assert flaws(browser, client, client.get(f"{where}erase/").text) == []
    assert client.post(f"{where}erase/").status_code == 303
    assert flaws(browser, client, client.get(f"{where}?said=erased").text) == []


@LANGUAGES
def test_the_forms_on_a_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, language=language)
    who = person(app, ONE_TOPIC)
    where = f"/admin/people/{who.id}/edit/"
    assert flaws(browser, client, client.get(where).text) == []
    assert flaws(browser, client, client.post(where, data=form_of(who, address="nobody")).text) == []
    assert flaws(browser, client, client.post(where, data=form_of(who, seen="x", name="y")).text) == []
    assert flaws(browser, client, client.get("/admin/people/new/").text) == []
    assert flaws(browser, client, client.post("/admin/people/new/", data=NEW | {"day": ""}).text) == []
