"""The chain of the audit trail: whole as it was written, and broken by whatever is done to it afterwards."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.audit import START, Entry, check, content_digest, link, written
from digest_mailer.core.identity import SubscriberId

SALT = bytes(range(16))
AT = "2024-01-31T12:00:00.000000Z"

Contents = list[tuple[int, bytes, str]]


def trail(*words: str) -> tuple[list[Entry], Contents]:
    """An entry for each of these; an empty one has no content."""
    entries: list[Entry] = []
    contents: Contents = []
    head = START
    for number, word in enumerate(words, 1):
        content = written({"reason": word})
        digest = content_digest(SALT, content) if word else None
        entry = Entry(number, AT, "cli:root", "edit", SubscriberId(7), written({"n": number}), digest)
        head = link(head, entry)
        entries.append(replace(entry, chain=head))
        if word:
            contents.append((number, SALT, content))
    return entries, contents


def test_an_empty_trail_is_whole() -> None:
    found = check([], [], frozenset())
    assert (found.entries, found.head, found.faults) == (0, START, ())


@given(st.lists(st.text(max_size=8), max_size=6))
def test_a_trail_is_whole_as_it_was_written(words: list[str]) -> None:
    entries, contents = trail(*words)
    found = check(entries, contents, frozenset())
    assert (found.entries, found.faults) == (len(words), ())
    assert found.head == (entries[-1].chain if entries else START)


@given(
    st.lists(st.text(max_size=4), min_size=2, max_size=5),
    st.integers(0, 9),
    st.sampled_from(["at", "actor", "action", "facts", "subscriber", "digest"]),
)
def test_no_field_of_any_entry_can_be_changed(words: list[str], which: int, name: str) -> None:
    entries, contents = trail(*words)
    place = which % len(entries)
    other: dict[str, Any] = {"subscriber": SubscriberId(8), "digest": bytes(32), "facts": '{"n": 99}'}
    entries[place] = replace(entries[place], **{name: other.get(name, "other")})
    assert any(f"entry {place + 1} " in fault for fault in check(entries, contents, frozenset()).faults)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_entry_can_be_taken_out_but_the_last_ones(place: int) -> None:
    entries, contents = trail("a", "b", "c", "d")
    del entries[place]
    faults = check(entries, contents, frozenset()).faults
    assert faults[0] == f"entry {place + 1} is not there; the next is {place + 2}"


def test_who_takes_away_the_end_changes_the_head() -> None:
    entries, contents = trail("a", "b", "c")
    whole, short = check(entries, contents, frozenset()), check(entries[:2], contents[:2], frozenset())
    assert (short.faults, short.head != whole.head) == ((), True)


def test_two_entries_cannot_change_places() -> None:
    entries, contents = trail("a", "b", "c")
    entries[0], entries[1] = replace(entries[1], number=1), replace(entries[0], number=2)
    assert check(entries, contents, frozenset()).faults


def test_words_can_be_erased_of_who_was_erased_only() -> None:
    entries, contents = trail("a", "", "c")
    assert check(entries, contents[1:], frozenset({1})).faults == ()
    assert check(entries, contents[1:], frozenset({3})).faults == (
        "the words of entry 1 are not there, and nobody was erased",
    )


def test_words_cannot_be_changed() -> None:
    entries, contents = trail("a", "b")
    contents[1] = (2, SALT, json.dumps({"reason": "other"}))
    assert check(entries, contents, frozenset({2})).faults == ("the words of entry 2 were changed",)


def test_the_same_words_have_another_digest_with_another_salt() -> None:
    assert content_digest(SALT, "a") != content_digest(bytes(16), "a")
