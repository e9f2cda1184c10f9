"""Markdown taken apart: every piece stands where it is said to stand."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import texts
from digest_mailer.core.markup import count_words, dissect

PIECES = [
    "[a](https://example.org/a)", "[b](  <x y> 'z')", "![c](d.png)", "<https://example.org/e>", "<f@example.org>",
    "`g`", "``h ` h``", "[i]", "[i][]", "[j][i]", "[i]: k", "\n", "\n\n", "> ", "- ", "1. ", "    ", "\t", "```\n",
    "\x00", "| l | m |\n| - | - |\n", "| ", "\\", "*", "_", "# ", "words ", "&amp;", "\u2028", "\u00a0", "[",
    "](", ")", "!",
]  # fmt: skip
soups = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "See [this](HERE).",
        "See [this](  <HERE> 'title').",
        "See [this\nand that](\nHERE) and so on.",
        "> - See [*this* [and] `](that`](HERE)",
        "> lazy\nand [this](HERE)",
        "1. one\n\n   - two [this](HERE)",
        "- one\n\n\t[this](HERE)",
        "## A heading [this](HERE) ##",
        "A heading [this](HERE)\n===",
        "   three spaces [this](HERE)   ",
        "| one | two |\n| --- | --- |\n| this | [this](HERE) |",
        "one | two\n--- | ---\n[this](HERE) | this",
        "See [this][name], [spare].\n\n[spare]: https://example.org\n[name]: HERE",
        "See [name].\n\n[name]:\n  <HERE> 'title'",
        "See [name][].\n\n> [NAME]: HERE",
        "| one |\n| --- |\n| a \\| b [c\\|d](HERE) \\| e |",
        "See ![this](HERE)",
        "See **![*this*](HERE)**",
        "See <mailto:HERE>",
        "\u00a0\n\u2028\nSee\n[this](HERE)\n\u00a0",
        "See [name](no link, but a name.\n\n[name]: HERE",
    ],
)
def test_an_address_stands_where_it_is_typed(text: str) -> None:
    links = [one for one in dissect(text).links if "HERE" in one.address]
    assert len(links) == 1
    (link,) = links
    assert text[link.start :].startswith("mailto:HERE" if "mailto" in text else "HERE")


def test_the_same_link_twice_stands_in_two_places() -> None:
    text = "| a | b |\n| - | - |\n| [x](y) | [x](y) |\n\n[x](y) [x](y)"
    assert [one.start for one in dissect(text).links] == [26, 35, 45, 52]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a `b` c", ["`b`"]),
        ("a ``b ` c`` `d\ne`", ["``b ` c``", "`d\ne`"]),
        ("> - `b` *`c`* [`d`](e)", ["`b`", "`c`", "`d`"]),
        ("a \\`b` c ` d", ["` c `"]),
        ("    b\n\nc", ["    b"]),
        ("```yaml\nb\n```\nc", ["```yaml\nb\n```"]),
        ("- ~~~\n  b\n  ~~~", ["- ~~~\n  b\n  ~~~"]),
        ("a ` b", []),
    ],
)
def test_code_stands_where_it_is_typed(text: str, code: list[str]) -> None:
    assert [text[start:end].rstrip("\n") for start, end in dissect(text).code] == code


def test_prose_is_what_people_read() -> None:
    text = "See [this](https://example.org) and `code`.\n\n    code\n\n[name]: https://example.org 'a name'"
    assert dissect(text).prose.split() == ["See", "[this](", "and", "."]
    assert len(dissect(text).prose) == len(text)


def test_items_of_a_list_are_paragraphs() -> None:
    markup = dissect("# One two\n\nThree.\n\n- four\n  five\n\n  six\n- seven `eight`\n\n| a | b c |\n| - | - |")
    assert [one.words for one in markup.paragraphs] == [2, 1, 2, 1, 2, 1, 2]
    assert markup.words == 11


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("One, two; three.", 3), ("70 % : trois « mots »", 3), ("it's well-known", 2), ("— … !", 0), ("日本", 1)],
)
def test_a_word_holds_a_letter_or_a_digit(text: str, words: int) -> None:
    assert count_words(text) == words


@given(st.one_of(soups, texts()))
@example("[]:\n")
@example("![](\x00)")
def test_every_piece_stands_within_the_text(text: str) -> None:
    markup = dissect(text)
    stretches = [*markup.code, *markup.definitions, *((one.start, one.end) for one in markup.links)]
    assert all(0 <= start <= end <= len(text) for start, end in stretches)
    assert all(0 <= one.start <= len(text) for one in markup.paragraphs)
    assert len(markup.prose) == len(text)
    assert markup.prose.count("\n") == text.count("\n")


@given(soups)
def test_every_address_stands_where_it_is_said_to(text: str) -> None:
    for link in dissect(text).links:
        if not set(text[link.start : link.end]) & set("\\&\x00"):  # which mean something else in an address
            typed = link.address.removeprefix("mailto:")
            assert text[link.start :].startswith(typed), (link, text[link.start :])


def test_a_hostile_text_takes_no_longer_than_its_size_asks() -> None:
    for hostile in ("[" * 3_000, "![" * 3_000, "[a](" * 3_000, "`" * 20_000, "> " * 2_000, "[a](b) " * 2_000):
        dissect(hostile)
