"""Markdown as HTML and as text, from the same tokens."""

import pytest

from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.issue import Markdown
from digest_mailer.rendering.markdown import Block, render_block
from digest_mailer.rendering.plain import QUOTE, hard, wrap
from digest_mailer.rendering.typography import plain_spaces, typeset, typeset_value
from rendering_support import overlong, words


def block(source: str, heading: int = 4) -> Block:
    return render_block(Markdown(source), heading=heading)


def text(source: str) -> str:
    return hard(plain_spaces(block(source).text)).replace(QUOTE, ">")


# -- statistics

TOGETHER = [
    "d = .58",
    "p < .001",
    "n = 288",
    "r = −.30",
    "95% CI [.20, .40]",
    "95 % CI [.20, .40]",
    "95% CI: [−.36, −.05]",
    "IC à 95 % [.20, .40]",
    "F(2, 120) = 4.1",
    "χ²(1, N = 90) = 3.3",
    "> 300",
]


@pytest.mark.parametrize("statistic", TOGETHER)
def test_a_statistic_holds_no_space_that_a_line_may_break_at(statistic: str) -> None:
    sentence = typeset(f"They found ({statistic}) in all.", ENGLISH)
    assert statistic.replace(" ", "\u00a0") in sentence
    assert sentence.count(" ") == 4


@pytest.mark.parametrize(
    "sentence", ["a = b", "x, y and z", "see (Smith, 2020) there", "about 5 of 10 people", "< see"]
)
def test_other_text_keeps_its_spaces(sentence: str) -> None:
    assert typeset(sentence, ENGLISH) == sentence


def test_a_statistic_with_an_emphasised_symbol_stays_on_one_line() -> None:
    assert "<em>p</em>&nbsp;&lt;&nbsp;.001" in block("It fell (*p* < .001).").html


def test_code_keeps_its_spaces() -> None:
    assert "<code>d = .58</code>" in block("`d = .58`").html


def test_a_figure_too_long_for_a_phone_may_break() -> None:
    assert " " not in typeset_value("> 30,000 patients", ENGLISH)
    assert " " in typeset_value("between one and two thirds of all patients", ENGLISH)


@pytest.mark.parametrize("shift", range(12))
def test_the_text_part_never_breaks_a_statistic(shift: int) -> None:
    shown = text(f"{'x' * (58 + shift)} d = .58, 95% CI [.20, .40] and so on")
    assert "d = .58" in shown
    assert "95% CI [.20, .40]" in shown
    assert "\u00a0" not in shown


# -- headings


def test_headings_begin_at_the_given_level_and_skip_none() -> None:
    html = block("##### Deep\n\n### Shallow\n\n##### Below\n\n###### Lowest", heading=4).html
    assert [line[:4] for line in html.split("\n")] == ["<h4>", "<h4>", "<h5>", "<h6>"]


def test_no_heading_is_deeper_than_six() -> None:
    html = block("### a\n\n#### b\n\n##### c\n\n###### d", heading=5).html
    assert [line[:4] for line in html.split("\n")] == ["<h5>", "<h6>", "<h6>", "<h6>"]


def test_a_heading_of_the_text_has_a_rule() -> None:
    assert text("### What was done\n\nMuch.") == "What was done\n-------------\n\nMuch."


# -- links and images


def test_links_in_prose_are_numbered_and_listed_below() -> None:
    shown = text(
        "See [one](https://a.example.net/x) and [two](https://b.example.net/).\n\nAgain [one](https://a.example.net/x)."
    )
    assert (
        shown == "See one [1] and two [2].\n\nAgain one [1].\n\n[1] https://a.example.net/x\n[2] https://b.example.net/"
    )


def test_a_link_that_is_its_own_address_stands_as_it_is() -> None:
    assert text("<https://a.example.net/x>") == "https://a.example.net/x"
    assert text("Write to <editor@example.org>.") == "Write to editor@example.org."


@pytest.mark.parametrize("length", range(60, 73))
def test_a_link_number_does_not_begin_a_line(length: int) -> None:
    shown = text(f"{'x' * (length - 5)} [here](https://a.example.net/) and there")
    assert "here [1]" in shown


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "/topics/", "#part", "ftp://example.org/x", "data:text/html,x", "https://", "//x.org"],
)
def test_an_address_that_a_mail_cannot_have_is_no_link(address: str) -> None:
    rendered = block(f"See [this]({address}).")
    assert "<a" not in rendered.html
    assert "this" in rendered.html
    assert "[1]" not in rendered.text


def test_a_link_without_words_shows_its_address() -> None:
    assert ">https://a.example.net/</a>" in block("[](https://a.example.net/)").html


def test_an_image_gets_its_size_from_its_title() -> None:
    html = block('![Bar chart](https://a.example.net/c.png "300x200")').html
    assert html == '<p><img src="https://a.example.net/c.png" alt="Bar chart" width="300" height="200"></p>'


def test_an_image_is_no_wider_than_the_text() -> None:
    assert 'width="520" height="347"' in block('![x](https://a.example.net/c.png "600x400")').html


@pytest.mark.parametrize(
    "image",
    [
        '![words](http://a.example.net/c.png "300x200")',
        "![words](https://a.example.net/c.png)",
        '![words](data:image/png;base64,AA "3x2")',
    ],
)
def test_an_image_that_a_mail_cannot_show_is_its_words(image: str) -> None:
    rendered = block(image)
    assert "<img" not in rendered.html
    assert "words" in rendered.html


def test_an_image_in_the_text_is_its_words_and_its_address_alone() -> None:
    assert (
        text('![Bar chart](https://a.example.net/c.png "300x200")') == "Image: Bar chart\nhttps://a.example.net/c.png"
    )


# -- blocks of the text


def test_lists_hang_and_nest() -> None:
    source = "- one\n- two\n  1. inner\n  2. other\n\n5. five\n6. six"
    assert text(source) == "- one\n- two\n  1. inner\n  2. other\n\n5. five\n6. six"


def test_the_second_line_of_an_item_is_indented() -> None:
    lines = text("- " + "word " * 30).split("\n")
    assert len(lines) > 1
    assert all(line.startswith("  word") for line in lines[1:])


def test_a_quotation_is_marked_on_every_line() -> None:
    lines = text("> " + "word " * 30 + "\n>\n> - last").split("\n")
    assert all(line.startswith(">") for line in lines)
    assert lines[-1] == "> - last"


def test_code_is_indented_and_keeps_its_lines() -> None:
    assert text("```\na  b\n\n  c\n```") == "    a  b\n\n      c"


def test_a_table_is_a_line_a_row() -> None:
    assert text("| A | B |\n|---|--:|\n| 1 | two |") == "A | B\n-----\n1 | two"


def test_a_table_keeps_its_alignment_and_its_mark() -> None:
    html = block("| A | B |\n|---|--:|\n| 1 | 2 |").html
    assert '<table class="data">' in html
    assert '<td align="right">2</td>' in html


def test_emphasis_leaves_no_sign_in_the_text() -> None:
    assert text("*one* **two** ~~three~~ `four`\\\nfive") == "one two three four\nfive"


def test_lines_are_at_most_72_long_but_for_words_that_cannot_break() -> None:
    url = "https://a.example.net/" + "long-path/" * 9
    prose, quoted, item, code = "Some words of prose. " * 30, "qq " * 60, "nested words " * 20, "c " * 90
    shown = text(f"{prose}\n\n> {quoted}\n>\n> - {item}\n\n<{url}>\n\n```\n{code}\n```")
    assert overlong(shown) == []
    assert url in shown.split("\n")


def test_wrap_keeps_the_line_breaks_that_a_text_has() -> None:
    assert wrap("one\ntwo", first="- ", rest="  ") == "- one\n  two"


def test_html_and_text_have_the_same_words() -> None:
    rendered = block("A *b* c.\n\n- d `e`\n- f\n\n> g")
    assert words(rendered.html.striptags()) == words(rendered.text.replace("- ", "").replace(f"{QUOTE} ", ""))


def test_nothing_renders_as_nothing() -> None:
    assert block("") == Block(block("").html, "")
    assert str(block("").html) == ""


# -- hostile


@pytest.mark.parametrize(
    "source",
    ["<script>alert(1)</script>", "</mj-text></mj-column>", '<img src=x onerror="x">', "<!-- x -->", '"><script>'],
)
def test_raw_html_is_shown_as_text(source: str) -> None:
    rendered = block(source)
    assert "<" + source.lstrip('">')[1:4] not in rendered.html
    assert words(rendered.html.striptags()) == source
    assert rendered.text == source


def test_a_link_title_cannot_leave_its_attribute() -> None:
    html = block("[x](https://a.example.net/ '\" onclick=\"alert(1)')").html
    assert 'title="&quot; onclick=&quot;alert(1)"' in html


@pytest.mark.parametrize("source", [r"\_\_DM_WHY\_\_", "&#95;&#95;DM_WHY&#95;_", r"a &lowbar;\_DM_X", "`__DM_`"])
def test_a_slot_mark_hidden_from_the_parser_is_refused(source: str) -> None:
    with pytest.raises(ContentError, match="__DM_"):
        block(source)
