"""The strict check of MJML: every case of tests/corpus/mjml, the real templates, and what MRML itself does."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mjml import mjml2html

from core_support import CORPUS, ROOT, sample_issue
from digest_mailer.core.archive import before, index
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import ENGLISH
from digest_mailer.rendering.assemble import build_model
from digest_mailer.rendering.html import render_mjml
from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, PARENTS, Content
from digest_mailer.rendering.rules.mjml_rules import check_mjml
from digest_mailer.rendering.rules.mjml_values import Choice, Colour, Css, Lengths, Padding, Pattern, Words
from rendering_support import CONTEXT, marked_issue

CASES = sorted((CORPUS / "mjml").glob("*.mjml"))
GOOD = (CORPUS / "mjml" / "good.mjml").read_text("utf-8")
SAMPLES = sorted(path.stem for path in (ROOT / "newsletters").glob("????-??.md"))


def expected(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.with_suffix(".json").read_text("utf-8")))


def codes(source: str) -> list[str]:
    return [one.code for one in check_mjml(source)]


def document(body: str = "", head: str = "") -> str:
    head = f"<mj-title>A title</mj-title>{head}"
    return f'<mjml lang="en" dir="ltr"><mj-head>{head}</mj-head><mj-body>{body}</mj-body></mjml>'


def in_column(content: str) -> str:
    return document(f"<mj-section><mj-column>{content}</mj-column></mj-section>")


# -- the corpus


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_has_exactly_the_mistakes_of_its_sidecar(path: Path) -> None:
    found = [vars_of(one) for one in check_mjml(path.read_text("utf-8"))]
    wanted = expected(path)
    assert [(one["line"], one["col"], one["code"]) for one in found] == [
        (one["line"], one["col"], one["code"]) for one in wanted
    ]
    assert [{name: told[name] for name in one} for told, one in zip(found, wanted, strict=True)] == wanted


def vars_of(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in ("line", "col", "code", "message", "hint", "near")}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_finding_names_what_stands_at_its_place(path: Path) -> None:
    lines = path.read_text("utf-8").split("\n")
    for one in check_mjml("\n".join(lines)):
        assert lines[one.line - 1][one.col - 1 :].startswith(one.near)
        assert (bool(one.message), bool(one.hint), one.severity) == (True, True, Severity.ERROR)


def test_every_code_has_a_case() -> None:
    modules = (ROOT / "src/digest_mailer/rendering/rules").glob("mjml_*.py")
    known = set(re.findall(r'"(DM3\d\d)"', "".join(path.read_text() for path in modules)))
    assert {one["code"] for path in CASES for one in expected(path)} == known
    assert known == {f"DM{number}" for number in range(301, 315)}


def test_the_corpus_has_a_sidecar_for_each_case() -> None:
    assert {path.stem for path in CASES} == {path.stem for path in (CORPUS / "mjml").glob("*.json")}


@pytest.mark.parametrize("path", [one for one in CASES if one.stem.startswith("good")], ids=lambda path: path.stem)
def test_a_good_case_is_one_for_mrml(path: Path) -> None:
    assert mjml2html(path.read_text("utf-8"), fonts={})


@pytest.mark.parametrize(
    ("attribute", "near"), [('colr="red"', "colr="), ('colr = "red"', "colr ="), ("colr", "colr"), ("colr=''", "colr=")]
)
def test_an_attribute_is_named_as_it_is_spelled(attribute: str, near: str) -> None:
    assert [one.near for one in check_mjml(in_column(f"<mj-text {attribute}>One</mj-text>"))] == [near]


@pytest.mark.parametrize(
    ("misplaced", "hint"),
    [
        ("<mj-text>One</mj-text>", "it can stand in mj-column, mj-hero"),
        ('<mj-class name="a" />', "it can stand in mj-attributes"),
    ],
)
def test_a_misplaced_element_is_told_where_it_can_stand(misplaced: str, hint: str) -> None:
    assert [one.hint for one in check_mjml(document(misplaced))] == [hint]


@pytest.mark.parametrize("around", ["", " ", "\n", "\r\n", " \n "])
def test_space_around_the_document_is_fine(around: str) -> None:
    assert mjml2html(around + document() + around, fonts={})
    assert codes(around + document() + around) == []
    assert codes("<!-- one -->" + around + document()) == []


def test_a_mistake_at_the_beginning_has_its_place_behind_a_byte_order_mark() -> None:
    assert [(one.line, one.col) for one in check_mjml("\ufeff" + in_column("").replace(' dir="ltr"', ""))] == [(1, 1)]


def test_line_ends_of_windows_are_told_where_mrml_refuses_them() -> None:
    source = GOOD.replace("\n", "\r\n")
    assert {one.code for one in check_mjml(source)} == {"DM308"}
    with pytest.raises(ValueError, match="unexpected token"):
        mjml2html(source, fonts={})


def test_the_size_of_all_stylesheets_counts_together() -> None:
    third = f"<mj-style>{'.a { color: red } ' * 350}</mj-style>\n"
    assert codes(document(head=third * 2)) == []
    assert [(one.code, one.line) for one in check_mjml(document(head=third * 4))] == [("DM314", 3)]
    assert codes(document(head=f"<mj-style>/* {'é' * 8_190} */</mj-style>")) == ["DM314"], "bytes, not characters"


# -- the real templates


def sample_mjml(name: str, *positions: int) -> str:
    issue = sample_issue(name)
    past = before(index([sample_issue(one) for one in SAMPLES]), issue.id)
    model = build_model(issue, EditionKey(ENGLISH, positions), past, CONTEXT)
    return render_mjml(model, CONTEXT.templates, CONTEXT.publication.theme)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_edition_of_the_sample_has_a_mistake(name: str) -> None:
    numbers = range(1, len(sample_issue(name).articles) + 1)
    for positions in (chosen for size in numbers for chosen in combinations(numbers, size)):
        assert check_mjml(sample_mjml(name, *positions)) == []


def test_an_issue_with_every_field_has_no_mistake() -> None:
    model = build_model(marked_issue(), EditionKey(ENGLISH, (1, 2, 3)), (), CONTEXT)
    assert check_mjml(render_mjml(model, CONTEXT.templates, CONTEXT.publication.theme)) == []


@cache
def july() -> str:
    return sample_mjml("2023-07", 1, 2, 3)


MUTATIONS = [
    ("<mj-column padding", "<mj-colum padding", "DM301"),
    ("</li>", "", "DM301"),
    ("</mj-text>", "", "DM301"),
    ("<h1>", "<h1>p < .05 ", "DM301"),
    ('<p class="lead">', "<p class=lead>", "DM301"),
    ("<mj-divider", "<mj-dvider", "DM302"),
    ("mj-class=", "mjclass=", "DM303"),
    (' css-class="page"', ' colr="red"', "DM303"),
    ('font-size="17px"', 'font-size="huge"', "DM304"),
    ("<mj-section>", "<mj-section>loose", "DM305"),
    ("</mj-column>", "<mj-section></mj-section></mj-column>", "DM305"),
    ('padding="0px 40px"', 'padding="0 40px"', "DM306"),
    ('name="card" background-color="#ffffff"', 'name="card" background-color="#fff"', "DM307"),
    ("<mj-title>", "<mj-preview>One</mj-preview><mj-title>", "DM308"),
    (' dir="ltr"', "", "DM309"),
    ("<mj-divider", '<mj-image src="x.png" /><mj-divider', "DM310"),
    ('mj-class="small"', 'mj-class="smal"', "DM311"),
    ('css-class="page"', "css-class='a \"b\"'", "DM312"),
    ('css-class="page"', 'css-class="{{ page }}"', "DM313"),
    ("<mj-style>", "<mj-style>a{", "DM314"),
]


@pytest.mark.parametrize(("old", "new", "code"), MUTATIONS, ids=[f"{code} {new}" for _, new, code in MUTATIONS])
def test_a_slip_in_the_real_templates_is_found_in_its_line(old: str, new: str, code: str) -> None:
    place = july().index(old)
    found = check_mjml(july()[:place] + new + july()[place + len(old) :])
    assert found[0].code == code
    assert found[0].line == july().count("\n", 0, place) + 1


@given(st.data())
def test_a_slip_anywhere_in_the_real_templates_is_found_in_its_line(data: st.DataObject) -> None:
    old, new, code = data.draw(st.sampled_from([one for one in MUTATIONS if one[2] not in ("DM301", "DM309")]))
    places = [found.start() for found in re.finditer(re.escape(old), july())]
    place = data.draw(st.sampled_from(places))
    found = check_mjml(july()[:place] + new + july()[place + len(old) :])
    assert (code, july().count("\n", 0, place) + 1) in [(one.code, one.line) for one in found]


# -- arbitrary texts, and MRML


FRAGMENTS = [
    "<p>", "</p>", "<p", ">", "<", "<br>", "<BR>", "<b/>", "</", "<mj-text>", "</mj-text>", "<mj-text ", "<mj-raw>",
    "</mj-raw>", "<mj-section>", "</mj-section>", "<mj-style>", "</mj-style>", "<mj-class name='a'/>", "<mj-txt>",
    "<mj-image ", "/>", "</mjml>", "<mjml>", "<mj-attributes>", "</mj-attributes>", ' padding="0 1px"', " a='\"'",
    ' mj-class="x y"', ' color="#ccc"', ' width=""', " =", '"', "'", "<!--", "-->", "<!--[if mso]>", "<![endif]-->",
    "<![CDATA[", "]]>", "<?x?>", "<!DOCTYPE x>", "{{", "{%", "{", "}", "@media x", "/*", "*/", ";", "words", "&nbsp;",
    "&", "\n", "\r", "\u2028", "\x00", "é", "<é>", "→", "→>", "\U0001f600", " ", "\t", "<mj-table>", "</mj-table>",
    "<mj-title>", "</mj-title>", "<mj-social>", "</mj-social>", "<mj-divider/>", "<!-- x -->", "<a:b c:d='e'>",
    "</a:b>", "<td nowrap>", "</td>", "<mj-body>", "</mj-body>", "<mj-head>", "</mj-head>", "<!--[if !mso]><!-->",
]  # fmt: skip


def holds(source: str) -> list[Finding]:
    """The findings, each of which has a place in the source; sorted, and each once."""
    found = check_mjml(source)
    lines = source.split("\n")
    assert all(1 <= one.line <= len(lines) and 1 <= one.col <= len(lines[one.line - 1]) + 1 for one in found)
    assert [(one.line, one.col) for one in found] == sorted((one.line, one.col) for one in found)
    assert len(set(found)) == len(found)
    return found


@given(st.text(max_size=300))
@example("")
@example("\ufeff")
@example("<")
@example("<mjml")
@example("<mj-style>\ud800</mj-style>")
@example("<mj-title/>")
@example("<mjml><mj-style>")
@example("<mj-attributes><br></mj-attributes>")
def test_no_text_crashes_the_check(source: str) -> None:
    assert holds(source)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_no_pieces_of_a_document_crash_the_check(source: str) -> None:
    assert holds(source)


@given(st.integers(0, len(GOOD)), st.sampled_from(FRAGMENTS))
def test_a_slip_of_the_pen_that_is_not_found_does_not_matter_to_mrml(place: int, fragment: str) -> None:
    source = GOOD[:place] + fragment + GOOD[place:]
    if not holds(source):
        mjml2html(source, fonts={})


@given(
    st.sampled_from(["mj-text", "mj-raw", "mj-button", "mj-table", "mj-column", "mj-section", "mj-social"]),
    st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join),
)
def test_whatever_has_no_mistake_is_read_by_mrml_and_leaves_no_mjml(holder: str, content: str) -> None:
    inside = f"<{holder}>{content}</{holder}>"
    parent = PARENTS[holder][0]
    source = document(inside) if parent == "mj-body" else document(f"<mj-section>{inside}</mj-section>")
    source = source if parent in ("mj-body", "mj-section") else in_column(inside)
    if not holds(source):
        assert not re.search(r"</?mj-", mjml2html(source, fonts={}))


def test_a_hostile_document_takes_no_longer_than_its_size_asks() -> None:
    for hostile in ("<p>" * 20_000, "<mj-section>" * 5_000, "<p a='" * 20_000, "<!--" * 20_000, "<p" + " " * 50_000,
                    "<p" + " a" * 20_000, "</p>" * 20_000, "]]>" * 20_000, "<mj-style>" + "/*" * 20_000, "{" * 50_000,
                    "<mj-style>" + "{{" * 20_000, "<mj-style>" + "a{" * 20_000, "<!--[if " * 20_000):  # fmt: skip
        check_mjml(in_column(hostile))
        check_mjml(hostile)
        check_mjml(document(head=f"{hostile}</mj-style>"))


# -- what MRML does: should a later one do better, a rule can go


def html_of(source: str) -> str:
    """The HTML, without the names that MRML draws anew each time."""
    return re.sub(r"(?<=[-\"'])[0-9a-f]{16}|[0-9A-Za-z]{16}", "", mjml2html(source, fonts={}))


def width_of(source: str) -> str:
    return str(re.search(r'<img[^>]*width="(\d+)"', mjml2html(source, fonts={}))[1])  # type: ignore[index]


def pictured(padding: str) -> str:
    return in_column(f'<mj-image src="x.png" alt="" {padding} />')


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ('padding="0px 40px"', 'padding="0 40px"', "DM306"),
        ('padding-left="0px"', 'padding-left="0"', "DM306"),
        ('padding="0px 40px"', 'padding="0px  40px"', "DM304"),
        ('padding="0px 60px"', 'padding="0px 10%"', "DM308"),
    ],
)
def test_mrml_gets_the_widths_wrong(good: str, bad: str, code: str) -> None:
    assert (codes(pictured(good)), codes(pictured(bad))) == ([], [code])
    assert width_of(pictured(good)) != width_of(pictured(bad))


IGNORED = [(name, attribute) for name, type_ in ELEMENTS.items() for attribute in sorted(type_.ignored)]
WITHIN = {"mj-social-element": "mj-social", "mj-accordion-title": "mj-accordion-element"}


def values(kind: object) -> Iterator[str]:
    """Good values of a kind."""
    if isinstance(kind, Choice):
        yield from kind.words
    else:
        given = {Lengths: "37px", Padding: "37px", Colour: "#123456", Css: "3px", Words: "words", Pattern: "7"}
        yield given[type(kind)]


def full(name: str, attribute: str) -> str:
    """A document with the element, with the attribute or without."""
    content = {Content.HTML: "words", Content.TEXT: "words", Content.CSS: "a { color: red }"}.get(
        ELEMENTS[name].content, ""
    )
    element = f"<{name} {attribute}>{content}</{name}>"
    if name == "mj-body":
        return document().replace("<mj-body></mj-body>", element)
    while name not in ("mj-style", "mj-section", "mj-wrapper", "mj-hero"):
        name = PARENTS[name][-1] if name in WITHIN else PARENTS[name][0]
        if name in ("mj-head", "mj-body"):
            break
        element = f"<{name}>{element}</{name}>"
    return document(head=element) if name in ("mj-style", "mj-head") else document(element)


@pytest.mark.parametrize(("name", "attribute"), IGNORED, ids=lambda one: one)
def test_mrml_does_nothing_with_an_ignored_attribute(name: str, attribute: str) -> None:
    bare = full(name, "")
    assert codes(bare) in ([], ["DM310"])
    for value in values(ELEMENTS[name].attributes[attribute]):
        source = full(name, f'{attribute}="{value}"')
        assert codes(source) in (["DM308"], ["DM308", "DM310"], ["DM310", "DM308"])
        if (name, attribute) != ("mj-raw", "position"):  # refused without a place
            assert html_of(source) == html_of(bare)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("mj-text", "color"), ("mj-section", "border"), ("mj-image", "border-left"), ("mj-column", "padding-top")],
)
def test_mrml_does_something_with_another(name: str, attribute: str) -> None:
    (value, *_) = values(ELEMENTS[name].attributes[attribute])
    assert html_of(full(name, f'{attribute}="{value}"')) != html_of(full(name, ""))
