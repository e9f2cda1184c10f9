"""Pages of the list: whichever way one goes through them, they are the list; what is looked for is what core says."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_support import FRENCH
from digest_mailer.adapters.store import browsing
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.people_search import PeoplePage, Search, finds, folded, narrowed
from digest_mailer.core.segment import EVERYBODY, Segment, matches
from digest_mailer.core.topic import words_of
from segment_support import segments_of_one, topic_sets
from store_support import Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 4)  # each with a database of its own
LAST = "~"  # behind every address of these tests
CLEAR = Segment(states=(State.BOUNCED,))

LOCALS = st.text("abAB_%-", min_size=1, max_size=3).filter(lambda text: text == text.strip("-"))
NAMES = st.text("aAeEéÉèß_%\\ ŠŻzİı", max_size=5).map(str.strip)
TEXTS = st.text("aAbeEéÉèß_%\\@.-ŠzıI ", max_size=3)
drawn_people = st.lists(
    st.tuples(
        LOCALS,
        NAMES,
        topic_sets,
        st.sampled_from([State.ACTIVE, State.ACTIVE, State.BOUNCED, State.PENDING]),
        st.sampled_from([ENGLISH, FRENCH]),
        st.dictionaries(st.just("a"), st.sampled_from("12")),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda drawn: drawn[0].lower(),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def filled(folder: str, drawn: Sequence[tuple[Any, ...]]) -> Store:
    store = make_store(Path(folder))
    rows = []
    for local, name, topics, state, language, attributes in drawn:
        row = candidate(f"{local}@clinic.ca", name=name, state=state, language=language, attributes=attributes)
        rows.append(replace(row, topics=topics, all_topics=False))
    store.load(*rows)
    return store


def forward(store: Store, search: Search, size: int) -> list[PeoplePage]:
    """Every page, from the first one on."""
    pages = [store.people.page(search, size=size)]
    while pages[-1].later:
        pages.append(store.people.page(search, behind=pages[-1].people[-1].address.canonical, size=size))
    return pages


def backward(store: Store, search: Search, size: int) -> list[PeoplePage]:
    """Every page, from the last one back, in the order of the list."""
    pages = [store.people.page(search, before=LAST, size=size)]
    while pages[0].earlier:
        pages.insert(0, store.people.page(search, before=pages[0].people[0].address.canonical, size=size))
    return pages


def joined(pages: Sequence[PeoplePage]) -> list[Subscriber]:
    return [person for page in pages for person in page.people]


@FEW
@given(drawn_people, st.lists(segments_of_one, min_size=1, max_size=5), TEXTS, st.integers(1, 4), st.integers(1, 5))
def test_the_pages_are_the_list_in_both_directions(
    drawn: list[tuple[Any, ...]], wanted: list[Segment], text: str, size: int, window: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(browsing, "WINDOW", window)
        store = filled(folder, drawn)
        everybody = [*store.people.listing(EVERYBODY)]
        assert len(everybody) == len(drawn)
        for segment in (EVERYBODY, *wanted):
            for search in (Search(segment), Search(segment, text), Search(segment, text, inside=True)):
                found = [one for one in everybody if matches(segment, one) and finds(search, one)]
                assert [*store.people.found(search)] == found
                for pages in (forward(store, search, size), backward(store, search, size)):
                    assert joined(pages) == found
                    assert all(len(page.people) <= size for page in pages)
                assert all(len(page.people) == size for page in forward(store, search, size)[:-1])


def test_one_page_leads_to_the_next_and_back(store: Store) -> None:
    store.load(*(candidate(f"reader{number}@clinic.ca") for number in range(9)))
    pages = forward(store, Search(), 4)
    assert [(len(page.people), page.earlier, page.later) for page in pages] == [
        (4, False, True), (4, True, True), (1, True, False),
    ]  # fmt: skip
    for first, second in pairwise(pages):
        back = store.people.page(Search(), before=second.people[0].address.canonical, size=4)
        assert back.people == first.people
        assert (back.earlier, back.later) == (first.earlier, True)


def test_few_among_many_are_found_wherever_they_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "WINDOW", 3)
    rows = [candidate(f"reader{number:03}@clinic.ca") for number in range(60)]
    few = [replace(rows[number], state=State.BOUNCED, name="Zoë Ångström") for number in (2, 31, 59)]
    store.load(*(row for number, row in enumerate(rows) if number not in (2, 31, 59)), *few)
    addresses = ["reader002@clinic.ca", "reader031@clinic.ca", "reader059@clinic.ca"]
    for search in (Search(CLEAR), Search(text="zoe angstrom", inside=True), Search(CLEAR, "reader0")):
        assert [str(one.address) for one in joined(forward(store, search, 2))] == addresses
        assert [str(one.address) for one in joined(backward(store, search, 2))] == addresses


def test_who_received_an_issue_is_on_the_page(store: Store) -> None:
    from segment_support import ISSUES

    store.load(*(candidate(f"reader{number}@clinic.ca") for number in range(4)))
    store.receive("reader1@clinic.ca", ISSUES[0])
    got, missed = Segment(received=ISSUES[:1]), Segment(not_received=ISSUES[:1])
    assert [str(one.address) for one in store.people.page(Search(got)).people] == ["reader1@clinic.ca"]
    assert len(store.people.page(Search(missed)).people) == 3


@pytest.mark.parametrize("text", ["emilie", "Émilie", "EMILIE CÔ", " émilie  côté ", "cote"])
def test_neither_case_nor_accents_nor_spaces_matter(store: Store, text: str) -> None:
    store.load(candidate("e.c@clinic.ca", name="Émilie Côté"), candidate("bob@clinic.ca", name="Bob"))
    found = store.people.page(Search(text=text, inside=True)).people
    assert [person.name for person in found] == ["Émilie Côté"]


@pytest.mark.parametrize(
    "text", ["kurt@müller.clinic.ca", " KURT@MÜLLER.clinic.ca", "kurt@xn--mller", "kurt@müller.cli"]
)
@pytest.mark.parametrize("inside", [True, False])
def test_an_address_is_found_as_it_is_typed_and_as_it_is_kept(store: Store, text: str, inside: bool) -> None:
    store.load(candidate("kurt@müller.clinic.ca"), candidate("kurt@muller.clinic.ca"), candidate("kurt@clinic.ca"))
    search = Search(text=text, inside=inside)
    found = store.people.page(search).people
    assert "kurt@xn--mller-kva.clinic.ca" in [str(one.address) for one in found]
    assert found == [one for one in store.people.listing(EVERYBODY) if finds(search, one)]
    assert found == [*store.people.found(search)]
    assert len(found) == 1 + (inside and "ü" in text.lower()), "without its accents it is only looked for anywhere"


@pytest.mark.parametrize("text", ["%", "_", "b_b", "bo%"])
def test_what_is_typed_is_no_pattern(store: Store, text: str) -> None:
    store.load(candidate("bob@clinic.ca", name="Bob"))
    assert not store.people.page(Search(text=text, inside=True)).people
    assert not store.people.page(Search(text=text)).people


def test_folded() -> None:
    assert folded("  Zoë\u00a0 ÅNGSTRÖM ") == "zoe angstrom"
    assert folded("e\u0301") == folded("É") == "e"


# -- a filter beside a segment

both_of = st.lists(st.sampled_from([State.ACTIVE, State.BOUNCED, State.PENDING]), unique=True, max_size=2).map(tuple)
tongues = st.lists(st.sampled_from([ENGLISH, FRENCH]), unique=True, max_size=2).map(tuple)
readers = st.builds(
    Subscriber,
    st.just(1),
    st.none(),
    state=st.sampled_from([State.ACTIVE, State.BOUNCED, State.PENDING]),
    language=st.sampled_from([ENGLISH, FRENCH]),
    topics=topic_sets,
    all_topics=st.booleans(),
)


@given(segments_of_one, both_of, tongues, topic_sets, st.lists(readers, min_size=1, max_size=20))
def test_a_narrowed_segment_is_both(
    segment: Segment, states: tuple[State, ...], languages: tuple[str, ...], topics: tuple[int, ...],
    people: list[Subscriber],
) -> None:  # fmt: skip
    narrow = narrowed(segment, states, languages, topics)  # type: ignore[arg-type]
    beside = Segment(states=states, languages=languages, all_topics=topics)  # type: ignore[arg-type]
    for person in people:
        both = matches(segment, person) and matches(beside, person)
        assert both == (narrow is not None and matches(narrow, person))


def test_nothing_asked_narrows_nothing() -> None:
    segment = Segment("some", states=(State.ACTIVE,), all_topics=words_of((3,)))
    assert narrowed(segment) == segment
