"""Each rule for a finished text: what it finds by itself and beside the HTML, and what it leaves alone."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.page import read_page
from digest_mailer.rendering.rules.text_rules import MISSING_WORDS, WIDTH, check_text
from finished_support import HTML, PLACE, TEXT, replaced, told, with_body

URL = "https://digest.example.org/x"
BODY = "Body words stand here."


def check(text: str = TEXT, html: str = HTML) -> list[Finding]:
    return check_text(text, read_page(html))


def with_words(words: str) -> str:
    """The text with something in the place of its article's words."""
    return replaced(BODY, words, TEXT)


def both(words: str, html: str) -> list[Finding]:
    """What is found when the text has these words and the HTML that paragraph beside."""
    return check(with_words(f"{BODY}\n\n{words}"), with_body(f"{PLACE}{html}"))


def test_a_right_text_has_no_finding() -> None:
    assert check() == []


# -- headings


@pytest.mark.parametrize(
    ("heading", "near"),
    [
        ("<h2>Missing here</h2>", "Missing here"),
        ("<h3>Missing <em>d\u00a0=\u00a0.58</em></h3>", "Missing d = .58"),
        ("<h2>Empathy\nhurts</h2>", "Empathy hurts"),
    ],
)
def test_a_heading_that_the_text_lacks(heading: str, near: str) -> None:
    assert told(check(html=with_body(f"{PLACE}{heading}"))) == [("DM430", near)]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("A study of d\u00a0=\u00a0.58", "A STUDY OF d\n= .58\n---"),
        ("A study of many words", "2. A study \nof many words"),  # flowed: one line goes on in the next
        ("From here &gt; there", " From here\n > there"),  # and these are stuffed
        ("As <a href='https://digest.example.org/issues/2023-07/'>shown</a> before", "As shown [1] before"),
        ("One<br>two", "One two"),
        ("Größe", "GRÖSSE"),
    ],
)
def test_a_heading_that_the_text_writes_in_its_way(heading: str, words: str) -> None:
    assert both(words, f"<h2>{heading}</h2>") == []


def test_a_heading_that_nobody_sees_need_not_be_there() -> None:
    assert check(html=with_body(f'{PLACE}<h2 style="display:none">Hidden words</h2>')) == []


# -- addresses


@pytest.mark.parametrize(
    ("href", "words"),
    [
        (URL, "nothing"),
        (URL, f"{URL}/longer"),
        (URL, f"{URL}?a=1"),
        (URL, "https://digest.example.org/\nx"),
        ("mailto:editor@example.org", "chief-editor@example.org"),
        ("http://localhost:8400/a", "http://localhost:8400/"),
    ],
)
def test_an_address_that_the_text_lacks(href: str, words: str) -> None:
    assert told(both(f"study {words}", f'<p><a href="{href}">study</a></p>')) == [("DM431", href)]


@pytest.mark.parametrize(
    ("href", "words"),
    [
        (URL, URL),
        (URL, f"[1] {URL}"),
        (URL, f"(see {URL}), then"),
        (URL, f"<{URL}>."),
        (f"{URL}?a=1&amp;b=2", f"{URL}?a=1&b=2"),
        ("https://doi.org/10.1234/a;b(c)", "https://doi.org/10.1234/a;b(c)"),
        ("mailto:editor@example.org", "Write to editor@example.org."),
        ("mailto:editor@example.org?subject=x", "editor@example.org"),
        ("mailto:editor@example.org", "mailto:editor@example.org"),
        ("#a1", "nothing"),
        ("javascript:x", "nothing"),  # that is DM408
    ],
)
def test_an_address_that_the_text_has(href: str, words: str) -> None:
    assert both(f"study {words}", f'<p><a href="{href}">study</a></p>') == []


def test_personal_addresses() -> None:
    assert told(check(replaced("__DM_UNSUBSCRIBE__", "", TEXT))) == [("DM431", "__DM_UNSUBSCRIBE__")]
    assert check(replaced("__DM_PREFERENCES__#pause", "the same", TEXT)) == []  # the bare mark leads there too
    only_pause = replaced("topics:\n__DM_PREFERENCES__", "topics:", TEXT)
    assert told(check(only_pause)) == [("DM431", "__DM_PREFERENCES__")]


def test_an_address_that_nobody_sees_need_not_be_there() -> None:
    assert check(html=with_body(f'{PLACE}<div style="display:none"><a href="{URL}">x</a></div>')) == []


# -- words


def test_too_many_words_are_missing() -> None:
    found = check(html=with_body(f"{PLACE}<p>Several “further” sentences appear solely within this other version.</p>"))
    assert told(found) == [("DM432", "Several")]
    assert found[0].severity is Severity.WARNING
    assert "8 of the" in found[0].message


@pytest.mark.parametrize("share", [MISSING_WORDS - 0.02, MISSING_WORDS + 0.02])
def test_a_few_words_may_be_missing(share: float) -> None:
    words = [f"word{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}" for n in range(100)]
    kept = words[round(share * 100) :]
    html = f"<html><body><p>{' '.join(words)}</p></body></html>"
    assert told(check("\n".join(kept), html)) == ([("DM432", "wordaa")] if share > MISSING_WORDS else [])


@pytest.mark.parametrize("word", ["{}", "{}{}{}", "1{}{}{}{}", "https://{}{}{}{}.example.org", "({}{}{})"])
def test_short_words_numbers_and_addresses_do_not_count(word: str) -> None:
    """They may all be missing; in words of four letters it would be told."""
    many = [word.replace("{}", sign) for sign in "abcdefghijklmnopqrst"]
    assert check("", f"<html><body><p>{' '.join(many)}</p></body></html>") == []


def test_words_of_four_letters_count() -> None:
    many = [sign * 4 for sign in "abcdefghijklmnopqrst"]
    assert told(check("", f"<html><body><p>({' '.join(many)})</p></body></html>")) == [("DM432", "aaaa")]
    assert WIDTH == 78


def test_words_that_do_not_count() -> None:
    html = with_body(f"{PLACE}<p>1,535 12345 a bc def https://x.example.org/abc “stand”, __DM_WHY__</p>")
    assert check(html=html) == []
    hidden = '<div style="display:none">Several further hidden sentences appear</div>'
    assert check(html=with_body(PLACE + hidden)) == []


# -- lines


@pytest.mark.parametrize(
    "line",
    [
        "words " * 14,
        "x" * (WIDTH + 1),
        f"See {URL}/{'x' * WIDTH}",
        f"- see {URL}/{'x' * WIDTH}",
        f"{URL}/{'x' * WIDTH} and on",
    ],
)
def test_a_line_too_long(line: str) -> None:
    assert told(check(with_words(f"{BODY}\n{line}"))) == [("DM433", line.strip())]


@pytest.mark.parametrize(
    "line",
    [
        "x" * WIDTH,
        "x" * WIDTH + " ",  # flowed
        f"{URL}/{'x' * WIDTH}",
        f"[12] {URL}/{'x' * WIDTH}",
        f"  - {URL}/{'x' * WIDTH}",
        f"> 3. <{URL}/{'x' * WIDTH}>",
        f"__DM_WHY__{'x' * WIDTH}",
        f"10.1234/{'x' * WIDTH}",
        f"{'x' * WIDTH}@example.org",
    ],
)
def test_a_line_long_enough(line: str) -> None:
    assert check(with_words(f"{BODY}\n{line}")) == []


# -- markup


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("<p>Words</p>", "<p>"),
        ("Words<br/>", "<br/>"),
        ('<a href="x">', '<a href="x">'),
        ("</td>", "</td>"),
        ("<STRONG>", "<STRONG>"),
        ("<mj-text>", "<mj-text>"),
        ("a &amp; b", "&amp;"),
        ("a&nbsp;b", "&nbsp;"),
        ("it&#39;s", "&#39;"),
        ("it&#x27;s", "&#x27;"),
        ("[study](https://digest.example.org/x)", "](https:"),
        ("[us](mailto:editor@example.org)", "](mailto:"),
        ("a **bold** word", "**bold**"),
        ("**Bold words**:", "**Bold words**"),
    ],
)
def test_markup_that_was_left(words: str, near: str) -> None:
    assert ("DM434", near) in told(check(with_words(f"{BODY} {words}")))


@pytest.mark.parametrize(
    ("words", "html"),
    [
        ("p <.05 and b> .1", ""),
        ("x<y and z>w; 3 < 4 > 2; <- ->; <3", ""),
        ("AT&T; R&D; a &b; c & d; a &bogus; b", ""),
        ("<editor@example.org>", ""),
        ("* p < .05, ** p < .01, *** p < .001", ""),
        ("2**3**4 and a ** b ** c", ""),
        ("[1] (https://digest.example.org/x)", ""),
        ("* * *", ""),
        ("write <b> and &amp; for it", "<p>write &lt;b&gt; and &amp;amp; for it</p>"),
        ("write <a\nhref> so", "<p>write &lt;a href&gt; so</p>"),
        ("    print(**kwargs, **more)", "<pre>print(**kwargs, **more)</pre>"),
        ("`**bold**`", "<p><code>**bold**</code></p>"),
    ],
)
def test_what_only_looks_like_markup(words: str, html: str) -> None:
    assert both(words, html) == []


def test_markdown_is_left_over_in_both_parts_alike() -> None:
    """A field that takes no Markdown shows its signs everywhere; an author can take them out."""
    assert told(both("a **bold** word", "<p>a **bold** word</p>")) == [("DM434", "**bold**")]


# -- characters


@pytest.mark.parametrize("sign", ["\u200b", "\u200c", "\u034f", "\ufeff", "\u2007", "\u00ad"])
def test_a_character_that_nobody_sees(sign: str) -> None:
    found = check(with_words(f"{BODY} {sign} here"))
    assert told(found) == [("DM435", sign)]
    assert f"U+{ord(sign):04X}" in found[0].message


def test_characters_that_languages_are_written_with() -> None:
    assert check(with_words(f"{BODY} می\u200cخواهم 👩\u200d👧 a\u00a0b\u202fc")) == []
    assert told(check(with_words(f"{BODY} می\u200c خواهم"))) == [("DM435", "\u200c")]


@pytest.mark.parametrize(("words", "near"), [("__DM_NAME__", "__DM_NAME__"), ("a\u0085b", "\u0085")])
def test_leftovers_of_a_program(words: str, near: str) -> None:
    found = check(with_words(f"{BODY} {words}"))
    assert told(found) == [("DM405", near)]
    assert "plain text" in found[0].message


# -- whatever comes


def test_every_finding_says_what_to_do_and_names_things_briefly() -> None:
    long = "x" * 300
    words = " ".join(f"{long}{sign}" for sign in "abcdefghij")
    html = with_body(f'<h2>{long}</h2><p>{words} <a href="https://{long}">x</a></p>')
    found = check(f"{long} <b {long}> \u200b __DM_{long}", html)
    assert {finding.code for finding in found} >= {"DM405", "DM430", "DM431", "DM432", "DM433", "DM434", "DM435"}
    for finding in found:
        assert finding.hint
        assert "x" * 61 not in finding.message + finding.hint
        assert (finding.severity is Severity.WARNING) == (finding.code == "DM432")


@given(st.text(), st.text())
def test_no_text_is_too_much(text: str, html: str) -> None:
    check(text, html)
    check(with_words(text), with_body(html))


@given(st.lists(st.text(st.characters(categories=("L", "Nd")), min_size=1), min_size=1), st.integers(10, WIDTH))
def test_however_a_heading_is_wrapped_it_is_found(words: list[str], width: int) -> None:
    heading = " ".join(words)
    wrapped = " \n".join(textwrap.wrap(heading, width, break_long_words=False, break_on_hyphens=False))
    assert "DM430" not in {finding.code for finding in both(wrapped, f"<h2>{heading}</h2>")}
