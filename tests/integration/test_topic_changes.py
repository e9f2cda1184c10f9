"""Topics are added, renamed, retired and merged in a publication, and its issues, readers and archive go with them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from core_support import JULY
from digest_mailer.adapters.store.tables import segment
from digest_mailer.bootstrap import App
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.identity import IssueId, TopicKey
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, Merged, Topic
from digest_mailer.services.coverage import Coverage, cover
from digest_mailer.services.standing import stated
from digest_mailer.services.topics import Change, Topics
from digest_mailer.web.app import build_site
from publication_support import make_publication, table_rows

EMPATHY, ALLIANCE = TopicKey("empathy"), TopicKey("alliance")


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_publication(tmp_path)


def topics_of(app: App) -> Topics:
    """Planned on what is on disk now."""
    return app.topics(app.library)


def catalogue_of(app: App) -> Catalogue:
    return app.library.vocabulary.catalogue


def file_of(app: App) -> str:
    return (app.root / "newsletters" / "topics.toml").read_text("utf-8")


def do(app: App, change: Change) -> Merged:
    return topics_of(app).carry_out(change, "cli:anne")


def stands(app: App, issue: IssueId = JULY) -> bool:
    library = app.library
    return app.standing(library).of(library.load(issue))[1]


def followers(app: App, *keys: TopicKey) -> Sequence[set[int]]:
    """The ids of the followers of each topic, whatever their state."""
    catalogue = catalogue_of(app)
    everybody = list(app.people.listing(Segment()))
    wanted = [catalogue.by_key(key) for key in keys]
    return [{p.id for p in everybody if topic in catalogue.in_words(p.topics)} for topic in wanted]


# -- names


def test_a_new_topic_gets_the_next_ordinal(app: App) -> None:
    do(app, topics_of(app).add("hope", " Hope  and Trust", "Espoir", ["Optimism", "hope and trust", "optimism"]))
    assert catalogue_of(app).topics[-1] == Topic(36, TopicKey("hope"), "Hope and Trust", "Espoir", ("Optimism",))


def test_an_ordinal_that_somebody_follows_is_not_given_again(app: App) -> None:
    do(app, topics_of(app).add("hope", "Hope"))
    person = next(app.people.listing(Segment()))
    with app.database.write() as connection:
        connection.exec_driver_sql("UPDATE subscriber SET topics_0 = 1 << 36 WHERE id = ?", (person.id,))
    path = app.root / "newsletters" / "topics.toml"
    path.write_text(path.read_text("utf-8").partition("[[topic]]\nordinal = 36")[0], "utf-8")
    assert topics_of(app).add("hope", "Hope").after.ordinal == 37


@pytest.mark.parametrize(
    ("key", "name", "more", "words"),
    [
        ("Hope!", "Hope", {}, '"Hope!" is no key'),
        ("empathy", "Hope", {}, '"empathy" names the topic empathy already'),
        ("hope", "EMPATHIE", {}, '"EMPATHIE" names the topic empathy already'),
        ("hope", "Hope", {"french": "Empathy"}, '"Empathy" names the topic empathy already'),
        ("hope", "Hope", {"aliases": ["Luck", "ptsd"]}, '"ptsd" names the topic trauma-and-ptsd already'),
        ("hope", "Hope; Trust", {}, "has a semicolon"),
        ("hope", "  ", {}, "is empty"),
        ("hope", "Ho\u202epe", {}, "control characters"),
    ],
)
def test_a_name_that_cannot_be_a_topic_is_refused(app: App, key: str, name: str, more: object, words: str) -> None:
    before = file_of(app)
    with pytest.raises(UsageError, match=words) as caught:
        topics_of(app).add(key, name, **more)  # type: ignore[arg-type]
    assert caught.value.hint
    assert file_of(app) == before


def test_there_are_no_more_topics_than_words_have_bits(app: App) -> None:
    app.topics(app.library).editor.put(Topic(MAX_TOPICS - 1, TopicKey("last"), "Last"))
    with pytest.raises(UsageError, match="252 topics are all"):
        topics_of(app).add("hope", "Hope")


def test_a_topic_that_is_not_there_is_suggested(app: App) -> None:
    with pytest.raises(NothingMatched) as caught:
        topics_of(app).find("Emphaty")
    assert caught.value.hint == 'did you mean "empathy"?'


def test_the_old_name_of_a_renamed_topic_becomes_an_alias(app: App) -> None:
    change = topics_of(app).rename("Empathy", "Warmth")
    assert change.outdated == (JULY,)
    do(app, change)
    found = catalogue_of(app).by_key(EMPATHY)
    assert (found.ordinal, found.name, found.name_fr, found.aliases) == (13, "Warmth", "Empathie", ("Empathy",))
    assert not stands(app)
    do(app, topics_of(app).rename("empathy", french="Chaleur"))
    found = catalogue_of(app).by_key(EMPATHY)
    assert (found.name, found.name_fr, found.aliases) == ("Warmth", "Chaleur", ("Empathy", "Empathie"))
    do(app, topics_of(app).rename("empathy", "EMPATHY", french="Empathie"))
    found = catalogue_of(app).by_key(EMPATHY)
    assert (found.name, found.name_fr, found.aliases) == ("EMPATHY", "Empathie", ("Warmth", "Chaleur"))


def test_a_name_or_alias_of_another_topic_is_refused(app: App) -> None:
    for name in ("PTSD", "trauma and/or  PTSD"):
        with pytest.raises(UsageError, match="names the topic trauma-and-ptsd already"):
            topics_of(app).rename("empathy", name)
        with pytest.raises(UsageError, match="names the topic trauma-and-ptsd already"):
            topics_of(app).alias("empathy", ["Warmth", name])


def test_an_alias_is_added_once(app: App) -> None:
    nothing = topics_of(app).alias("empathy", ["Empathie"])
    assert (nothing.after, nothing.outdated) == (nothing.before, ())
    assert topics_of(app).alias("empathy", ["Warmth"]).outdated == (JULY,)
    do(app, topics_of(app).alias("empathy", ["Warmth", "warmth"]))
    assert catalogue_of(app).by_key(EMPATHY).aliases == ("Warmth",)
    again = topics_of(app).alias("empathy", ["WARMTH"])
    assert again.after == again.before


# -- retired


def test_a_retired_topic_is_planned_with_who_would_get_nothing(app: App) -> None:
    before, rows = file_of(app), table_rows(app)
    change = topics_of(app).retire("empathy")
    catalogue, people = catalogue_of(app), list(app.people.listing(Segment()))
    mine = [p for p in people if catalogue.by_key(EMPATHY) in catalogue.in_words(p.topics)]
    reading = [p for p in mine if p.state in ("active", "paused")]
    only = [p for p in reading if len(catalogue.in_words(p.topics)) == 1]
    counted = change.followers
    assert (counted.people, counted.reading, counted.only) == (len(mine), len(reading), len(only)) == (6, 4, 1)
    assert [use.issue for use in change.articles if use.issue == JULY] == [JULY] * 2
    assert change.outdated == (JULY,)
    assert (file_of(app), table_rows(app)) == (before, rows)


def test_a_retired_topic_is_harmless(app: App) -> None:
    before = followers(app, EMPATHY)
    do(app, topics_of(app).retire("empathy"))
    assert catalogue_of(app).by_key(EMPATHY) not in catalogue_of(app).offered
    assert followers(app, EMPATHY) == before
    assert app.library.load(JULY).id == JULY
    client = TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)
    assert client.get("/topics/empathy/").status_code == 200
    again = topics_of(app).retire("empathy")
    assert again.after == again.before


# -- merged


def test_a_merge_is_planned_with_all_it_touches_and_changes_nothing(app: App) -> None:
    with app.database.write() as connection:
        values = insert(segment).values(name="warm", definition='{"any": [13]}', created_at=app.clock.now())
        connection.execute(values)
    before, rows = file_of(app), table_rows(app)
    change = topics_of(app).merge("empathy", "Working Alliance")
    mine, others = followers(app, EMPATHY, ALLIANCE)
    assert (change.followers.people, change.followers.both) == (len(mine), len(mine & others)) == (6, 1)
    assert (change.segments, change.outdated) == (("warm",), (JULY,))
    assert {use.issue for use in change.articles} == {"2023-07", "2023-01", "2022-10", "2020-07"}
    assert (file_of(app), table_rows(app)) == (before, rows)


def test_after_a_merge_readers_articles_and_addresses_go_to_the_other_topic(app: App) -> None:
    mine, others = followers(app, EMPATHY, ALLIANCE)
    said = {issue.id: [set(one.topics) for one in issue.articles] for issue in app.library.all()}
    assert do(app, topics_of(app).merge("empathy", "alliance")) == Merged(len(mine), ())
    assert followers(app, EMPATHY, ALLIANCE) == [set(), mine | others]
    assert catalogue_of(app).find("Empathie") == catalogue_of(app).by_key(ALLIANCE)
    for issue in app.library.all():
        moved = [{ALLIANCE if key == EMPATHY else key for key in topics} for topics in said[issue.id]]
        assert [set(one.topics) for one in issue.articles] == moved
        assert app.library.examine(issue.id).acceptable
    assert not stands(app)
    client = TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)
    for old in ("empathy", "Empathie"):
        answer = client.get(f"/topics/{old}/")
        assert (answer.status_code, answer.headers["location"]) == (308, "/topics/alliance/")
    assert "relationship-factors-that-work" in client.get("/topics/alliance/").text
    assert "/topics/empathy/" not in client.get("/topics/").text


def test_a_merge_that_ended_after_the_file_was_written_goes_on_when_it_is_run_again(app: App) -> None:
    mine, others = followers(app, EMPATHY, ALLIANCE)
    change = topics_of(app).merge("empathy", "alliance")
    topics_of(app).editor.put(change.after)
    written = file_of(app)
    assert cover(app.library, app.following).topics[13].followers == 4
    again = topics_of(app).merge("empathy", "alliance")
    assert again.after == again.before
    assert do(app, again).people == len(mine)
    assert followers(app, EMPATHY, ALLIANCE) == [set(), mine | others]
    assert do(app, topics_of(app).merge("empathy", "alliance")) == Merged(0, ())
    assert file_of(app) == written


def test_merged_topics_may_be_merged_on(app: App) -> None:
    (mine,) = followers(app, EMPATHY)
    topics_of(app).editor.put(topics_of(app).merge("empathy", "alliance").after)
    do(app, topics_of(app).merge("alliance", "training"))
    assert catalogue_of(app).find("Empathie") == catalogue_of(app).by_key(TopicKey("training"))
    assert do(app, topics_of(app).merge("empathy", "training")).people == len(mine)
    assert catalogue_of(app).by_key(EMPATHY).merged_into == "alliance"


@pytest.mark.parametrize(
    ("old", "into", "words"),
    [
        ("empathy", "Empathie", "empathy is the same topic"),
        ("training", "empathy", "empathy is retired"),
        ("empathy", "training", "empathy was merged into alliance"),
    ],
)
def test_a_merge_that_leads_nowhere_is_refused(app: App, old: str, into: str, words: str) -> None:
    if "same" not in words:
        do(app, topics_of(app).merge("empathy", "alliance"))
    with pytest.raises(UsageError, match=words):
        topics_of(app).merge(old, into)


def test_a_merged_topic_has_no_names_of_its_own_to_change(app: App) -> None:
    do(app, topics_of(app).merge("empathy", "alliance"))
    with pytest.raises(UsageError, match="empathy was merged into alliance"):
        topics_of(app).rename("empathy", "New")
    with pytest.raises(UsageError, match="empathy was merged into alliance"):
        topics_of(app).alias("empathy", ["New"])


def test_an_approval_of_an_issue_without_the_topic_stands_as_before(tmp_path: Path) -> None:
    app = make_publication(tmp_path, approved=("2023-06",))
    do(app, topics_of(app).merge("empathy", "alliance"))
    assert stands(app, IssueId("2023-06"))


def test_approvals_from_before_topics_could_be_merged_stand(app: App) -> None:
    assert set(stated(catalogue_of(app).topics[0])) == {"ordinal", "key", "name", "name_fr", "aliases", "retired"}


# -- coverage


def _coverage(app: App) -> Coverage:
    return cover(app.library, app.following)


def test_the_articles_of_every_year_are_counted(app: App) -> None:
    found, issues = _coverage(app), app.library.all()
    assert found.newest == JULY
    assert found.years == tuple(sorted({int(issue.id[:4]) for issue in issues}))
    assert sum(one.articles for one in found.topics) == sum(len(a.topics) for i in issues for a in i.articles)
    empathy = found.topics[13]
    assert (dict(empathy.years), empathy.last) == ({2020: 1, 2022: 1, 2023: 3}, JULY)
    assert (empathy.followers, empathy.articles, empathy.waiting) == (4, 5, False)


def test_a_topic_waits_when_it_is_followed_and_had_no_article_for_twelve_months(app: App) -> None:
    by_key = {one.topic.key: one for one in _coverage(app).topics}
    assert by_key[TopicKey("attachment")].waiting
    assert by_key[TopicKey("attachment")].last is None
    followed, none = by_key[TopicKey("practice-based-research")], by_key[TopicKey("cognitive-therapy-and-cbt")]
    assert (followed.last, followed.waiting) == ("2022-12", False)
    assert (none.last, none.waiting) == ("2023-06", False)
    path = app.root / "newsletters" / "2023-07.md"
    path.rename(path.with_name("2023-11.md"))
    assert not _waits(app, "practice-based-research")
    path.with_name("2023-11.md").rename(path.with_name("2023-12.md"))
    assert _waits(app, "practice-based-research")


def test_a_topic_that_nobody_follows_or_that_is_retired_does_not_wait(app: App) -> None:
    assert not any(one.waiting for one in cover(app.library, None).topics)
    do(app, topics_of(app).retire("attachment"))
    assert not _waits(app, "attachment")


def _waits(app: App, key: str) -> bool:
    return next(one.waiting for one in _coverage(app).topics if one.topic.key == key)
