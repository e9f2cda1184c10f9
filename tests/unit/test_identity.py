"""The names by which things are known for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import issue_ids
from digest_mailer.core.identity import (
    MAX_KEY,
    IssueId,
    is_control,
    is_key,
    issue_from_number,
    issue_month,
    issue_number,
    month_from_title,
    month_title,
    parse_issue_id,
    slug,
)


@pytest.mark.parametrize("text", ["2000-01", "2023-07", "2999-12"])
def test_a_month_is_an_issue_id(text: str) -> None:
    assert parse_issue_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "2023-13", "2023-00", "2023-7", "1999-12", "3000-01", "23-07", "2023-07 ", "2023-07\n", "2023-07-01"]
)
def test_anything_else_is_not(text: str) -> None:
    assert parse_issue_id(text) is None


def test_digits_of_other_scripts_are_no_month() -> None:
    assert parse_issue_id("2023-٠٧") is None
    assert parse_issue_id("２０２３-０７") is None


@given(st.text(max_size=12))
def test_an_issue_id_is_always_seven_ascii_characters(text: str) -> None:
    found = parse_issue_id(text)
    assert found is None or (found.isascii() and len(found) == 7)


@given(issue_ids)
def test_a_month_survives_its_number(issue: IssueId) -> None:
    assert issue_from_number(issue_number(issue)) == issue


@given(issue_ids, issue_ids)
def test_ids_numbers_and_months_have_one_order(one: IssueId, two: IssueId) -> None:
    assert (one < two) == (issue_number(one) < issue_number(two)) == (issue_month(one) < issue_month(two))


@given(issue_ids)
def test_a_month_survives_its_title(issue: IssueId) -> None:
    assert month_from_title(month_title(issue)) == issue


@pytest.mark.parametrize("text", ["July", "Juillet 2023", "july 2023", "July 23", "July 2023 ", "2023 July", ""])
def test_other_titles_are_no_month(text: str) -> None:
    assert month_from_title(text) is None


@pytest.mark.parametrize("text", ["a", "relationship-factors", "2023", "a-1-b", "x" * MAX_KEY])
def test_slugs_are_keys(text: str) -> None:
    assert is_key(text)


@pytest.mark.parametrize("text", ["", "-", "a-", "-a", "a--b", "A", "a b", "a_b", "é", "a\n", "x" * (MAX_KEY + 1), "٣"])
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_key(text)


@given(st.text(max_size=200))
def test_a_slug_is_a_key_or_nothing(title: str) -> None:
    assert slug(title) == "" or is_key(slug(title))


@given(st.lists(st.text("abcxyz019", min_size=1, max_size=15), min_size=1, max_size=5).map("-".join))
def test_a_key_is_its_own_slug(key: str) -> None:
    assert slug(key) == key


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Therapists’ Empathy: What Works?", "therapists-empathy-what-works"),
        ("Thérapie à l'école", "therapie-a-lecole"),
        ("d = .58", "d-58"),
        ("王芳", ""),
        ("x" * 200, "x" * MAX_KEY),
        ("a " + "x" * 200, "a"),
    ],
)
def test_a_slug_keeps_whole_words(title: str, key: str) -> None:
    assert slug(title) == key


@pytest.mark.parametrize("char", ["\0", "\t", "\n", "\r", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\ud800"])
def test_what_ends_or_turns_a_line_is_a_control_character(char: str) -> None:
    assert is_control(char)


@pytest.mark.parametrize("char", [" ", "a", "é", "王", "ا", "\u00a0", "\u200d", "\u200f", "😀", "\u0301"])
def test_what_people_write_with_is_none(char: str) -> None:
    assert not is_control(char)
