"""Who follows which topic; and two topics' followers made one."""

import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_support import JULY
from digest_mailer.adapters.store.audience import write_all
from digest_mailer.adapters.store.audit import AuditStore
from digest_mailer.adapters.store.following import FollowingStore
from digest_mailer.adapters.store.joining import JoiningStore
from digest_mailer.adapters.store.segments import segment_to_json
from digest_mailer.core.address import parse_address
from digest_mailer.core.audience import Consent, Profile, State
from digest_mailer.core.audit import READER
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import MAX_TOPICS, Followers, Merged, Topic, ordinals_of, words_of
from store_support import NOW, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 4)  # each with a database of its own
OLD, INTO, FAR = (Topic(ordinal, TopicKey(f"t{ordinal}"), f"T{ordinal}") for ordinal in (3, 5, 200))
LATER = NOW.replace(day=1, month=2)
sets = st.frozensets(st.sampled_from([0, 3, 5, 62, 63, 125, 126, 200, 251]), min_size=1)
two_topics = st.lists(
    st.integers(0, MAX_TOPICS - 1) | st.sampled_from([3, 62, 63, 251]), min_size=2, max_size=2, unique=True
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def follow(store: Store) -> FollowingStore:
    return FollowingStore(store.database)


def keep(store: Store, name: str, **definition: Any) -> None:
    """A segment as it is stored."""
    day = "2024-01-01T00:00:00.000000Z"
    columns = "INSERT INTO segment (name, definition, created_at) VALUES (?, ?, ?)"
    store.sql(columns, name, json.dumps(definition), day)


def people_of(store: Store) -> dict[int, tuple[frozenset[int], bool]]:
    """What everybody follows, by id."""
    rows = store.sql("SELECT id, topics_0, topics_1, topics_2, topics_3, all_topics FROM subscriber")
    return {row[0]: (frozenset(ordinals_of(row[1:5])), bool(row[5])) for row in rows}


def test_followers_are_people_who_get_mail_or_will(store: Store) -> None:
    store.load(
        candidate("a@example.org", [3, 5]),
        candidate("b@example.org", [3], state=State.PAUSED),
        candidate("c@example.org", [3, 251]),
        candidate("gone@example.org", [3], state=State.UNSUBSCRIBED),
        candidate("waits@example.org", [3], state=State.PENDING),
        candidate("all@example.org"),
    )
    found, general = follow(store).by_topic([3, 5, 251, 7])
    assert (found, general) == ({3: 3, 5: 1, 251: 1, 7: 0}, 1)
    assert follow(store).of(3, 5) == Followers(people=5, reading=3, only=1, both=1)
    assert follow(store).of(251) == Followers(people=1, reading=1, only=0, both=0)
    assert follow(store).highest() == 251


def test_of_nobody_nothing_is_followed(store: Store) -> None:
    assert follow(store).by_topic([0, 251]) == ({0: 0, 251: 0}, 0)
    assert follow(store).by_topic([]) == ({}, 0)
    assert follow(store).of(0, 1) == Followers()
    assert follow(store).highest() == -1


@FEW
@given(st.lists(sets, min_size=1, max_size=8), two_topics)
def test_a_merge_moves_everybody_and_touches_nothing_else(followed: list[frozenset[int]], topics: list[int]) -> None:
    old, into = topics
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        chosen = [candidate(f"r{number}@example.org", one) for number, one in enumerate(followed)]
        store.load(*chosen, candidate("all@example.org"))
        before, counted = people_of(store), store.people.sequence()
        one, other = (Topic(ordinal, TopicKey(f"t{ordinal}"), "T") for ordinal in topics)
        done = follow(store).merge(one, other, "cli:anne", LATER)

        def image(mine: frozenset[int]) -> frozenset[int]:
            return mine - {old} | {into} if old in mine else mine

        expected = {who: (image(mine), everything) for who, (mine, everything) in before.items()}
        assert people_of(store) == expected
        moved = {who for who, (mine, _) in before.items() if old in mine}
        assert done == Merged(len(moved), ())
        assert store.people.sequence() == counted + bool(moved)
        touched = store.sql("SELECT id, changed_at FROM subscriber WHERE changed_seq > ?", counted)
        assert touched == [(who, "2024-02-01T12:00:00.000000Z") for who in sorted(moved)]
        assert follow(store).merge(one, other, "cli:anne", LATER) == Merged(0, ())
        assert people_of(store) == expected
        assert store.people.sequence() == counted + bool(moved)


def test_a_merge_stands_in_the_trail_with_keys_and_numbers(store: Store) -> None:
    store.load(candidate("a@example.org", [3]), candidate("b@example.org", [3, 200]))
    keep(store, "some", any=[3])
    follow(store).merge(OLD, FAR, "cli:anne", LATER)
    trail = AuditStore(store.database)
    (entry,) = trail.records(action="topics-merge")
    assert (entry.actor, entry.at, entry.subscriber) == ("cli:anne", LATER, None)
    assert entry.facts == {"from": "t3", "into": "t200", "people": 2, "segments": ["some"]}
    assert trail.verify().faults == ()


def test_segments_that_ask_for_the_old_topic_ask_for_the_other(store: Store) -> None:
    keep(store, "both", all=[3, 5], languages=["fr"])
    keep(store, "none", any=[0], none=[3])
    keep(store, "other", any=[5, 63], attributes={"3": ["3"]})
    keep(store, "some", any=[0, 3, 251])
    assert follow(store).segments(3) == ("both", "none", "some")
    counted = store.people.sequence()
    assert follow(store).merge(OLD, INTO, "cli", LATER) == Merged(0, ("both", "none", "some"))
    assert store.people.sequence() == counted + 1
    kept = {name: json.loads(definition) for name, definition in store.sql("SELECT name, definition FROM segment")}
    assert kept == {
        "both": {"all": [5], "languages": ["fr"]},
        "none": {"any": [0], "none": [5]},
        "other": {"any": [5, 63], "attributes": {"3": ["3"]}},
        "some": {"any": [0, 5, 251]},
    }
    assert follow(store).segments(3) == ()


def test_what_somebody_asked_for_and_has_not_confirmed_is_merged_too(store: Store) -> None:
    store.load(candidate("gone@example.org", [0], state=State.UNSUBSCRIBED))
    joiners, address = JoiningStore(store.database, store.changes), parse_address("gone@example.org")
    asked = Profile(address, topics=words_of([3, 5, 251]))
    who = joiners.ask(asked, Consent("sign-up page", NOW.date()), READER, NOW)
    follow(store).merge(OLD, FAR, "cli", LATER)
    assert joiners.confirm(who, READER, LATER)
    assert people_of(store)[who] == (frozenset({5, 200, 251}), False)


def test_a_segment_is_kept_in_the_form_that_a_merge_reads() -> None:
    topics = Segment(any_topics=words_of([1, 63]), all_topics=words_of([2]), no_topics=words_of([251]))
    stored = json.loads(segment_to_json(topics))
    assert stored == {"any": [1, 63], "all": [2], "none": [251]}


def test_a_wave_that_was_made_before_goes_to_whom_it_was_made_for(store: Store) -> None:
    store.load(
        candidate("only@example.org", [3]),
        candidate("both@example.org", [3, 5]),
        candidate("into@example.org", [5]),
        candidate("else@example.org", [7]),
    )
    approval = store.approve()
    made = store.request(Segment("old", any_topics=words_of([3])))
    assert store.ledger.open_wave(approval, made) == 2
    follow(store).merge(OLD, INTO, "cli", LATER)
    with closing(store.lease()) as lease, store.database.write() as connection:
        write_all(connection, lease.mailing.id, JULY)
    assert store.states() == dict.fromkeys(["only@example.org", "both@example.org"], "planned")
    slots = dict(store.sql("SELECT p.canonical, d.slots FROM delivery d JOIN person p USING (subscriber_id)"))
    kept = {address: tuple(json.loads(values)["topics"]) for address, values in slots.items()}
    assert kept == {"only@example.org": words_of([3]), "both@example.org": words_of([3, 5])}
