"""Content and templates that try to break a mail."""

import warnings
from typing import Any

import pytest

from core_support import issue_of
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import ContentError, ExitCode
from digest_mailer.core.issue import Figure, Issue, Markdown
from digest_mailer.rendering.assemble import BRIEF_WORDS
from digest_mailer.rendering.compile import html_size
from digest_mailer.rendering.links import safe_url, spell
from digest_mailer.rendering.rules.edition_rules import check_edition
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.typography import plain_spaces
from rendering_support import (
    BASE,
    CONTEXT,
    SOURCES,
    Parts,
    compiled,
    context_of,
    marked,
    marked_article,
    marked_issue,
    overlong,
    parts_of,
    rendered,
    words,
)

HOSTILE = [
    "</mj-text></mj-column>",
    "<mj-text>",
    "{{ 7*7 }}",
    "{% if x %}",
    "{# not a comment #}",
    '"><script>alert(1)</script>',
    "<!--[if mso]>",
    "<![CDATA[x]]>",
    "Ben & Jerry &amp; sons",
    "p < .05 > q",
    "don't “quote”",
    "\N{BRAIN}\N{VARIATION SELECTOR-16} émotion \N{FAMILY}",
    "None",
    "%7B%7B __ * ** `",
]


def with_everywhere(text: str) -> Parts:
    """An issue that says this text in every plain field that has one."""
    article = marked_article(
        1,
        title=text,
        takeaway=text,
        figures=(Figure(text, text),),
        citation=Citation(text, Doi("10.1234/x")),
    )
    return rendered(issue_of(article, marked_article(2), subject=text, preheader=text, title=text, author=text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_plain_text_reads_in_the_mail_as_it_was_typed(text: str) -> None:
    parts = with_everywhere(text)
    heading = parts.document.find(".//h1").text_content()
    assert plain_spaces(heading) == text
    assert plain_spaces(parts.document.find(".//title").text_content()).endswith(text)
    assert words(parts.document.find(".//h3").text_content()) == words(text)
    assert words(text) in words(parts.text)
    assert parts.seen.count(words(text)) >= 6  # nothing is escaped twice
    assert not parts.document.xpath("//script")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_body_cannot_leave_its_place(text: str) -> None:
    harmless = marked_article(1, body=Markdown("x"), implications=Markdown("y"))
    hostile = marked_article(1, body=Markdown(text), implications=Markdown(f"- {text}\n- y"))
    before, after = rendered(issue_of(harmless)), rendered(issue_of(hostile))
    assert len(after.document.xpath("//td")) == len(before.document.xpath("//td"))
    assert not after.document.xpath("//script")
    assert "49" not in after.seen.replace("2049", "")


def test_none_is_never_printed() -> None:
    bare = marked_article(
        1,
        citation=None,
        takeaway="",
        figures=(),
        open_access_url="",
        call_to_action=Markdown(""),
        research_type="",
    )
    parts = rendered(issue_of(bare, teaser=(), preheader="", subject=""), context=context_of(author=""))
    assert "None" not in parts.html + parts.text
    assert "By " not in parts.text
    for label in ("In numbers", "Call to action", "Source", "Free to read"):
        assert label not in parts.html + parts.text


def test_a_word_of_5000_characters_is_kept_whole_and_breaks_no_other_line() -> None:
    word = "x" * 5000
    article = marked_article(1, title=word, takeaway=word, body=Markdown(f"before {word} after\n\n- {word}"))
    parts = rendered(issue_of(article))
    assert word in parts.html
    assert word in parts.text
    assert overlong(parts.text) == []
    assert parts.html.count("word-break:break-word") > 5


@pytest.mark.parametrize(
    ("doi", "url"),
    [
        (
            "10.1002/(SICI)1097(199901)55:1<1::AID-X1>3.0.CO;2-X",
            "https://doi.org/10.1002/(SICI)1097(199901)55:1%3C1::AID-X1%3E3.0.CO;2-X",
        ),
        ("10.1234/a;b(c)", "https://doi.org/10.1234/a;b(c)"),
        ('10.1234/"x"', "https://doi.org/10.1234/%22x%22"),
        ("10.1234/é", "https://doi.org/10.1234/%C3%A9"),
    ],
)
def test_a_doi_of_odd_characters_is_one_address_in_both_parts(doi: str, url: str) -> None:
    parts = rendered(issue_of(marked_article(1, citation=Citation("Reference.", Doi(doi)))))
    assert url in parts.links
    assert url in parts.text.split("\n")


def test_a_citation_that_is_only_a_doi_is_shown() -> None:
    parts = rendered(issue_of(marked_article(1, citation=Citation("", Doi("10.1234/x")))))
    assert "https://doi.org/10.1234/x" in parts.links
    assert "https://doi.org/10.1234/x" in parts.text


# -- addresses


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "http://example.org/",
        "http://localhost.example.org/",
        "//example.org/",
        "https://",
        "https:///path",
        "https://[broken/",
        "mailto:",
        "mailto:a@example.org?bcc=b@example.org",
        "#",
        "# x",
        "",
        "__DM_OTHER__",
        "x__DM_WHY__",
    ],
)
def test_an_address_that_a_mail_cannot_have_is_refused(url: str) -> None:
    with pytest.raises(ContentError, match="cannot stand in a mail"):
        safe_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a?b=c&d=%20#e",
        "http://localhost:8400/issues/",
        "http://127.0.0.1:8400/",
        "http://[::1]:8400/",
        "mailto:editor@example.org",
        "#a1",
        *(slot.mark for slot in Slot),
    ],
)
def test_an_address_that_a_mail_can_have_stays_as_it_is(url: str) -> None:
    assert safe_url(url) == url


def test_spelling_an_address_twice_changes_nothing_more() -> None:
    once = spell('https://example.org/é "<>|`{}\\^')
    assert spell(once) == once
    assert not set(once) & set(' "<>|`{}\\^')


def test_an_unsafe_open_access_address_is_refused_by_name() -> None:
    with pytest.raises(ContentError, match="javascript:alert"):
        rendered(issue_of(marked_article(1, open_access_url="javascript:alert(1)")))


# -- templates


def refused(name: str, source: str, match: str) -> ContentError:
    with pytest.raises(ContentError, match=match) as caught:
        rendered(marked_issue(), context=context_of({name: source}))
    assert caught.value.exit_code is ExitCode.CONTENT
    assert caught.value.hint
    return caught.value


def edited(name: str, old: str, new: str) -> str:
    """A template with one place changed."""
    assert old in SOURCES[name]
    return SOURCES[name].replace(old, new, 1)


@pytest.mark.parametrize("name", ["digest.mjml.j2", "digest.txt.j2", "article.mjml.j2", "digest.css", "dark.css"])
def test_a_name_that_does_not_exist_is_refused_with_template_and_line(name: str) -> None:
    refused(name, "\n{{ no_such_name }}" + SOURCES[name], rf"template {name}, line 2: .*no_such_name")


@pytest.mark.parametrize(
    "wrong", ["{% if edition.tpyo %}x{% endif %}", "{{ edition.titel }}", "{% for x in nothing %}{% endfor %}"]
)
def test_a_misspelt_field_is_refused_wherever_it_stands(wrong: str) -> None:
    refused("digest.txt.j2", f"\n\n{wrong}", "template digest.txt.j2, line 3")


def test_a_syntax_error_is_refused_with_template_and_line() -> None:
    refused("article.mjml.j2", "\n{% if %}", "template article.mjml.j2, line 2")
    refused("digest.txt.j2", "{{ 'x' | nofilter }}", "template digest.txt.j2, line 1: .*nofilter")


def test_a_missing_template_is_refused() -> None:
    sources = {name: source for name, source in SOURCES.items() if name != "digest.txt.j2"}
    with pytest.raises(ContentError, match=r"there is no template digest\.txt\.j2"):
        Templates(sources).text("digest.txt.j2")


def test_a_none_is_refused() -> None:
    refused("digest.txt.j2", "{{ none }}", "template digest.txt.j2, line 1: .*None")


def test_an_error_inside_an_expression_is_refused() -> None:
    refused("digest.txt.j2", "{{ 1 / 0 }}", "template digest.txt.j2, line 1")


def test_an_unsafe_address_in_a_template_is_refused() -> None:
    source = edited("digest.mjml.j2", "{{ edition.web_url | safe_url }}", "{{ 'javascript:x' | safe_url }}")
    refused("digest.mjml.j2", source, "javascript:x")


def test_mjml_that_cannot_be_read_is_refused() -> None:
    refused("digest.mjml.j2", edited("digest.mjml.j2", "</mj-body>", ""), "MJML cannot read it")


def test_mjml_that_makes_its_reader_panic_is_refused() -> None:
    refused("digest.mjml.j2", edited("digest.mjml.j2", "<h1", "<p>é ></p><h1"), "MJML cannot read it")


def test_a_stylesheet_may_name_ids_but_hold_no_tag() -> None:
    parts = rendered(marked_issue(), context=context_of({"responsive.css": "@media print{#outlook a{padding:0}}"}))
    assert "@media print{#outlook a{padding:0}}" in parts.html
    refused("responsive.css", "</style><script>", "stylesheet")
    refused("digest.css", "p { color: red } <", "stylesheet")


def test_a_publication_may_replace_one_template() -> None:
    parts = rendered(marked_issue(), context=context_of({"article.mjml.j2": ""}))
    assert "Title1" in parts.seen  # in the contents
    assert "Takeaway1" not in parts.seen
    assert "Takeaway1" in parts.text


def faults(replaced: dict[str, str] | None = None, **publication: Any) -> list[str]:
    """The codes of what is wrong with an edition."""
    context = context_of(replaced, **publication)
    edition = compiled(marked_issue(), context=context)
    found = check_edition(marked(edition.html), marked(edition.text), context.publication.postal_address)
    return [one.code for one in found]


@pytest.mark.parametrize("name", ["digest.mjml.j2", "digest.txt.j2"])
@pytest.mark.parametrize("field", ["why", "unsubscribe_url", "preferences_url"])
def test_a_template_without_a_slot_is_found(name: str, field: str) -> None:
    source = SOURCES[name]
    for one in (field, "pause_url"):
        source = source.replace(f"edition.{one}", "edition.web_url")
    assert "DM406" in faults({name: source})


@pytest.mark.parametrize("name", ["digest.mjml.j2", "digest.txt.j2"])
def test_a_template_without_the_postal_address_is_found(name: str) -> None:
    assert "DM407" in faults({name: SOURCES[name].replace("edition.postal_address", "edition.month")})


def test_a_publication_without_a_postal_address_is_found() -> None:
    assert "DM407" in faults(postal_address="")


def test_the_templates_as_they_are_have_no_faults() -> None:
    assert faults() == []


@pytest.mark.parametrize("address", ["1 Rue d'Or & <Fils>, " + "Ville " * 30, "Line one\nLine two\nCanada"])
def test_a_postal_address_is_found_however_it_is_escaped_or_wrapped(address: str) -> None:
    parts = rendered(marked_issue(), context=context_of(postal_address=address))
    assert words(address) in parts.seen
    assert words(address) in words(parts.text)


def long_issue(count: int, sentences: int) -> Issue:
    body = Markdown("Some words of prose here. " * sentences)
    return issue_of(*(marked_article(number, body=body) for number in range(1, count + 1)))


def test_an_edition_too_long_for_a_mail_turns_to_takeaways() -> None:
    edition = compiled(long_issue(30, 200))
    parts = parts_of(edition)
    assert edition.shortened
    assert html_size(parts.html) < CONTEXT.publication.html_budget
    for number in range(1, 31):
        assert f"Takeaway{number} in one sentence" in parts.seen
        assert f"{BASE}/articles/study-{number}/" in parts.text.split("\n")
        assert f"Read “Title{number} of a study” on the web" in words(parts.text)
    assert "Some words of prose" not in parts.html + parts.text
    assert "stands on the web in full" in parts.seen
    assert not compiled(long_issue(3, 20)).shortened


def test_the_budget_is_in_bytes_of_utf_8_and_the_publication_s() -> None:
    issue = long_issue(3, 20)
    size = html_size(marked(compiled(issue).html))
    assert not compiled(issue, context=context_of(html_budget=size)).shortened
    assert compiled(issue, context=context_of(html_budget=size - 1)).shortened
    assert html_size("é") == 2


def test_an_article_without_a_takeaway_shows_how_it_begins() -> None:
    article = marked_article(1, takeaway="", body=Markdown("one " * 100))
    seen = parts_of(compiled(issue_of(article), context=context_of(html_budget=1000))).seen
    assert " ".join(["one"] * BRIEF_WORDS) + " …" in seen
    assert " ".join(["one"] * (BRIEF_WORDS + 1)) not in seen


@pytest.mark.parametrize("css", ["", "p { colour: rgb(0 0 0 / 50%); margin: }", "p { } } q {"])
def test_rendering_is_quiet(css: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(marked_issue(), context=context_of({"digest.css": SOURCES["digest.css"] + css}))
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
