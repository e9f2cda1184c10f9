"""Rules on words: their limits, and that no text makes them stumble. tests/corpus/lint has their places."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import texts
from digest_mailer.core import prose
from digest_mailer.core.errors import Place, Severity
from digest_mailer.core.links import is_placeholder
from digest_mailer.core.prose import (
    Finding,
    is_plain,
    markdown_findings,
    preheader_findings,
    subject_findings,
    title_findings,
)
from digest_mailer.core.source import Source

HERE = Place(7)
PIECES = [
    "TK", "TODO ", "XXX", "-", "lorem ", "ipsum", "word ", "word " * 89, "\n", "\n\n", " \n", "> ", "- ", "`", "```\n",
    "[a](", "[a]", "[a]: ", ")", "#", "https://", "example.com ", "url", "javascript:x", "|", "<", ">", "&nbsp;", "\\",
    "*", "_", "# ", "\t", "\u2026", "…",
]  # fmt: skip
soups = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def codes(found: object) -> list[str]:
    return [one.code for one in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("length", "found"), [(0, []), (60, []), (61, ["DM110"])])
def test_a_subject_may_have_60_characters(length: int, found: list[str]) -> None:
    assert codes(subject_findings("a" * length, HERE)) == found


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("ABCDEFGH", ["DM119"]), ("ABCDEFG", []), ("ABC 1 DEF. GH", ["DM119"]), ("ABCDEFGHi", []), ("12345678", []),
        ("ÉTÉ À VÉLO!", ["DM119"]), ("NHS العلاج النفسي", []),
        ("ABCDEFGH العلاج", ["DM119"]),
        ("ПСИХОТЕРАПИЯ", ["DM119"]), ("日本語日本語日本語", []),
    ],
)  # fmt: skip
def test_eight_letters_all_capital_shout(subject: str, found: list[str]) -> None:
    assert codes(subject_findings(subject, HERE)) == found


@pytest.mark.parametrize(
    ("length", "found"), [(0, []), (1, ["DM111"]), (39, ["DM111"]), (40, []), (110, []), (111, ["DM111"])]
)
def test_a_preheader_has_40_to_110_characters(length: int, found: list[str]) -> None:
    assert codes(preheader_findings("a" * length, HERE)) == found


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("TODO", [Place(7, 1)]),
        ("one\ntwo *TODO*", [Place(8, 6)]),
        ("   \n\nTODO", [Place(7, 1)]),  # the place of a text is that of its first line with words
        ("TODO\n\n> TODO", [Place(7, 1), Place(9, 3)]),
    ],
)
def test_places_count_from_the_first_line_with_words(text: str, places: list[Place]) -> None:
    assert [one.place for one in markdown_findings(text, HERE)] == places


@pytest.mark.parametrize(
    "word", ["TK", "TKTK", "TKTKTK", "TODO", "FIXME", "XXX", "lorem ipsum", "LOREM  Ipsum", "(TK)", "TK.", "TK's",
             "n=TK", "_TK_", "—TK—", "#TODO", "TODO:", "TK--", "«TK»"],
)  # fmt: skip
def test_what_is_left_to_write_is_told(word: str) -> None:
    (found,) = markdown_findings(f"People {word} stay.", HERE)
    assert (found.code, found.severity) == ("DM114", Severity.ERROR)


@pytest.mark.parametrize(
    "word", ["tk", "todo", "Todo", "fixme", "xxx", "XXXI", "XXXX", "TKO", "ATK", "TK1", "TK-1", "pre-TK", "lorem",
             "ipsum", "loremipsum", "to come", "`TK`", "<https://example.org/TK-1>", "https://example.org/?TK"],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(word: str) -> None:
    assert codes(markdown_findings(f"People {word} stay.", HERE)) == []


@pytest.mark.parametrize(
    "url",
    ["#", "TODO", "url", "Link", "xxx", "tk", "…", "https://…", "https://...", "http://todo", "https://URL/x", "https://xxx.",
     "https://example.com", "HTTPS://WWW.Example.COM/x", "https://a.b.example.com:8080/", "https://example.org/TK",
     "https://doi.org/10.1000/…?x", "mailto:me@example.com", "mailto:me@example.com?subject=x"],
)  # fmt: skip
def test_a_placeholder_is_one(url: str) -> None:
    assert is_placeholder(url)


@pytest.mark.parametrize(
    "url",
    ["", "https://", "https://example.org", "https://example.net/url", "https://notexample.com", "https://example.com.au",
     "https://example.org/todo", "https://example.org/?q=TODO", "https://example.org/#TK", "#anchor", "todo.html",
     "https://[", "mailto:todo@example.org", "https://todo.example.org"],
)  # fmt: skip
def test_another_address_is_none(url: str) -> None:
    assert not is_placeholder(url)


def test_a_title_over_two_lines_is_read_where_it_stands() -> None:
    source = Source(("---", "---", "A title", "with *TODO*", "===", "", "```yaml", "```", "TODO"), 2)
    assert [one.place for one in title_findings("A title with TODO", source, Place(3))] == [Place(4, 7)]
    code = Source(("# A `TODO`", "```yaml", "takeaway: TODO"), 0)
    assert list(title_findings("A TODO", code, Place(1))) == []


@given(st.one_of(soups, texts()), st.sampled_from([None, 3, 350]))
def test_no_text_crashes_a_rule(text: str, most_words: int | None) -> None:
    found = list(markdown_findings(text, HERE, most_words=most_words))
    lines = text.split("\n")
    first = HERE.line - text[: len(text) - len(text.lstrip())].count("\n")
    for one in found:
        assert first <= one.place.line < first + len(lines)
        assert 1 <= one.place.col <= len(lines[one.place.line - first]) + 1
        assert one.hint


@pytest.mark.parametrize(
    "text", ["https://url, then", "(https://url)", "https://url; then", "https://url: it", "https://url."]
)
def test_the_end_of_a_clause_is_no_part_of_an_address(text: str) -> None:
    assert codes(markdown_findings(text, HERE)) == ["DM117"]


def test_an_image_is_the_parser_s_business() -> None:
    assert codes(markdown_findings('![a](a.png) ![b](javascript:b "600x400")', HERE)) == []


@given(st.one_of(soups, texts()), st.sampled_from([None, 3, 350]))
@example("a&nbsp;b c d", 3)
@example("| a|b |\n|-|-|\n|c|d|", 3)
def test_a_text_that_seems_plain_has_nothing_to_find(text: str, most_words: int | None) -> None:
    if is_plain(text, most_words):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prose, "is_plain", lambda *_: False)
            assert list[Finding](markdown_findings(text, HERE, most_words=most_words)) == []


@given(texts())
def test_no_line_crashes_a_rule(text: str) -> None:
    for rule in (subject_findings, preheader_findings):
        assert all(one.place == HERE for one in rule(text, HERE))
    list(title_findings(text, Source((text,)), Place(1)))
