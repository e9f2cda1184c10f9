"""Entries of feeds: when they were published, and where; DOIs; addresses that may stand in Markdown."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.feed import (
    AHEAD,
    Entry,
    as_html,
    dated,
    month_of,
    months_of,
    read_date,
    stated_doi,
    web_address,
)
from digest_mailer.core.issue_file import markdown_reader
from digest_mailer.core.links import is_link

OTTAWA = ZoneInfo("America/Toronto")
NOW = datetime(2023, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Wed, 12 Jul 2023 19:00:00 +0000", "2023-07-12T19:00:00+00:00"),
        ("Wed, 12 Jul 2023 19:00:00 GMT", "2023-07-12T19:00:00+00:00"),
        ("12 Jul 2023 19:00 EST", "2023-07-13T00:00:00+00:00"),
        ("Wed, 12 Jul 2023 19:00:00", "2023-07-12T23:00:00+00:00"),
        ("2023-07-12T19:00:00Z", "2023-07-12T19:00:00+00:00"),
        ("2023-07-12T19:00:00.123+02:00", "2023-07-12T17:00:00.123000+00:00"),
        (" 2023-07-12 19:00 ", "2023-07-12T23:00:00+00:00"),
        ("2023-07-12", "2023-07-12T04:00:00+00:00"),
        ("2023-07", "2023-07-01T04:00:00+00:00"),
        ("2024-08-14", "2024-08-14T04:00:00+00:00"),
    ],
)
def test_dates(text: str, instant: str) -> None:
    assert read_date(text, OTTAWA, NOW).isoformat() == instant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no date"),
        ("yesterday", '"yesterday" is not a date'),
        ("2023-13-45", '"2023-13-45" is not a date'),
        ("2023-02-29", '"2023-02-29" is not a date'),
        ("2023-13", '"2023-13" is not a date'),
        ("Wed, 45 Jul 2023 19:00:00 GMT", '"Wed, 45 Jul 2023 19:00:00 GMT" is not a date'),
        ("Wed, 12 Jul 2023 25:00:00 GMT", '"Wed, 12 Jul 2023 25:00:00 GMT" is not a date'),
        ("1970-01-01T00:00:00Z", '"1970-01-01T00:00:00Z" cannot be its date'),
        ("2024-08-17", '"2024-08-17" cannot be its date'),
        ("0001-01-01T00:00:00+14:00", '"0001-01-01T00:00:00+14:00" is not a date'),
    ],
)
def test_what_is_no_date_says_so(text: str, why: str) -> None:
    assert dated(text, OTTAWA, NOW) == (None, why)


@given(st.text())
def test_any_text_is_a_date_or_words_why_not(text: str) -> None:
    published, why = dated(text, OTTAWA, NOW)
    assert (published is None) == bool(why)
    assert published is None or published <= NOW + AHEAD


def test_the_month_is_that_of_the_publication() -> None:
    late = Entry("a", published=datetime(2023, 8, 1, 3, 59, tzinfo=UTC))
    later = Entry("b", published=datetime(2023, 8, 1, 4, tzinfo=UTC))
    assert (month_of(late, OTTAWA), month_of(later, OTTAWA), month_of(Entry("c"), OTTAWA)) == (
        "2023-07",
        "2023-08",
        None,
    )
    assert month_of(late, ZoneInfo("UTC")) == "2023-08"
    assert list(months_of([late, later, late, Entry("c")], OTTAWA).items()) == [("2023-08", 1), ("2023-07", 2)]


@pytest.mark.parametrize(
    ("names", "addresses", "text", "doi"),
    [
        (["10.5555/a"], ["https://doi.org/10.5555/b"], "doi:10.5555/c", "10.5555/a"),
        (["tag:x", "doi:10.5555/a"], [], "", "10.5555/a"),
        ([""], ["https://studies.example.org/", "https://dx.doi.org/10.5555%2Fb"], "doi:10.5555/c", "10.5555/b"),
        ([], ["https://journal.example.org/doi/10.5555/b?x=1"], "", "10.5555/b"),
        ([], ["https://journal.example.org/doi/full/10.5555/b.c"], "", "10.5555/b.c"),
        ([], ["https://journal.example.org/10.5555/b"], "see https://doi.org/10.5555/c.", "10.5555/c"),
        ([], [], "10.5555/c alone is not stated", None),
    ],
)
def test_dois(names: list[str], addresses: list[str], text: str, doi: str | None) -> None:
    assert stated_doi(names, addresses, text) == doi


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" https://a.example.org/x ", "https://a.example.org/x"),
        ("https://a.example.org/(a) b[1]", "https://a.example.org/%28a%29%20b%5B1%5D"),
        ("https://a.example.org/__DM_x", "https://a.example.org/%5F%5FDM_x"),
        ("https://a.example.org/\u202ex", "https://a.example.org/%E2%80%AEx"),
        ("mailto:a@clinic.example.org", "mailto:a@clinic.example.org"),
        ("javascript:alert(1)", ""),
        ("/relative", ""),
        ("https://", ""),
        ("https://[", ""),
        ("\ud800", ""),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert web_address(text) == address


@given(
    st.text(st.sampled_from("ab/:.()[]<>\\\"'`_* \n\t|{}^%é\u2028\ud800")).map(
        lambda end: f"https://a.example.org/{end}"
    )
)
def test_an_address_is_one_link_in_markdown(text: str) -> None:
    address = web_address(text)
    assert is_link(address)
    (_, inline, _) = markdown_reader().parse(f"[words]({address})")
    assert [child.type for child in inline.children or ()] == ["link_open", "text", "link_close"]


def test_plain_text_is_html_of_its_paragraphs() -> None:
    assert as_html("a < b\n\n \nc\nd") == "<p>a &lt; b</p><p> \nc\nd</p>"
    assert as_html("") == ""
