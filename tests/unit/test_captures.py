"""Page captures in: every case of tests/corpus/captures, how captures join, and what holds for any bytes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, lines, vocabulary
from digest_mailer.adapters.capture_lines import looks_like_citation, looks_like_title, month_of
from digest_mailer.adapters.captures import Imported, read_captures
from digest_mailer.adapters.plain_markdown import escape_paragraph, to_markdown
from digest_mailer.core.errors import Diagnostic, IssueError, Severity
from digest_mailer.core.identity import MAX_KEY, is_key
from digest_mailer.core.issue import Article
from digest_mailer.core.issue_file import IMPLICATIONS, inline_text, markdown_reader, parse_issue
from digest_mailer.core.issue_writer import serialise_issue

CAPTURES = CORPUS / "captures"
CASES = sorted(CAPTURES.glob("*.txt"))
BODY = "What was found in a study that nobody made, told in one sentence."
CARE = "What follows for care, in another."


def read(*captures: str) -> Imported:
    """Captures named a, b, c ... in this order."""
    return read_captures([(f"{name}.txt", text.encode()) for name, text in zip("abcdefgh", captures, strict=False)])


def capture(month: str, *titles: str, body: str = BODY, care: str = CARE) -> str:
    """A capture of one month's articles."""
    return "\n".join([month, *(f"{title}\n{body}\n{IMPLICATIONS}\n{care}" for title in titles)])


def paragraphs(markdown: str) -> list[str]:
    """The words of Markdown that should hold nothing but paragraphs."""
    tokens = markdown_reader().parse(markdown)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    return [inline_text(token) for token in tokens if token.type == "inline"]


def titles(imported: Imported) -> list[str]:
    return [article.title for issue in imported.issues for article in issue.articles]


def codes(imported: Imported) -> list[str]:
    return [warning.code for warning in imported.warnings]


def errors(*captures: str) -> list[tuple[int, str]]:
    with pytest.raises(IssueError) as caught:
        read(*captures)
    assert all(found.severity is Severity.ERROR and found.hint for found in caught.value.diagnostics)
    return [(found.line, found.code) for found in caught.value.diagnostics]


def assert_stands(imported: Imported) -> None:
    """Every issue can be written and read back, and every key is one."""
    for issue in imported.issues:
        text = serialise_issue(issue, vocabulary())
        assert parse_issue(text.encode(), f"{issue.id}.md", vocabulary()) == issue
    keys = [article.key for issue in imported.issues for article in issue.articles]
    assert len(set(keys)) == len(keys)
    assert all(map(is_key, keys))


# -- the corpus


def as_expected(article: Article) -> dict[str, Any]:
    return {
        "key": article.key,
        "title": article.title,
        "citation": article.citation.text if article.citation else None,
        "doi": article.citation.doi if article.citation else None,
        "body": paragraphs(article.body),
        "implications": paragraphs(article.implications),
    }


def check_case(data: bytes, expected: dict[str, Any]) -> None:
    if "errors" in expected:
        assert [list(found) for found in errors(data.decode())] == expected["errors"]
        return
    imported = read_captures([("a.txt", data)])
    found = [{"month": issue.id, "articles": list(map(as_expected, issue.articles))} for issue in imported.issues]
    assert found == expected["issues"]
    assert codes(imported) == expected["warnings"]
    assert_stands(imported)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    check_case(path.read_bytes(), json.loads(path.with_suffix(".json").read_text("utf-8")))


def test_corpus_names_every_oddity() -> None:
    numbered = [path.stem[:2] for path in CASES if path.stem[0].isdigit()]
    assert numbered == [f"{number:02d}" for number in range(1, 19)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("old", "new"), [("\n", "\r\n"), ("\n", "\r"), ("\n", "  \n\n \t"), ("\n", "\u00a0\n"), ("", "\ufeff")]
)
def test_line_ends_and_spaces_change_nothing(path: Path, old: str, new: str) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if "errors" in expected and "\n\n" in new:
        expected["errors"] = [[2 * line - 1, code] for line, code in expected["errors"]]
    text = path.read_text("utf-8")
    check_case((text.replace(old, new) if old else new + text).encode(), expected)


# -- several captures


@pytest.mark.parametrize(
    "views",
    [
        [["One", "Two", "Three"], ["Two"], ["One", "Three"]],
        [["Two", "Three"], ["One", "Two"]],
        [["One"], ["Two", "Three"], ["One", "Two"]],
    ],
)
def test_order_within_a_month_comes_from_all_captures(views: Sequence[Sequence[str]]) -> None:
    pages = [(f"{n}.txt", capture("May 2031", *view).encode()) for n, view in enumerate(views)]
    for order in permutations(pages):
        imported = read_captures(order)
        assert titles(imported) == ["One", "Two", "Three"]
        assert imported.warnings == ()
        assert_stands(imported)


def test_months_come_newest_first() -> None:
    imported = read(capture("May 2030", "Old"), capture("April 2031", "New"))
    assert [issue.id for issue in imported.issues] == ["2031-04", "2030-05"]


@pytest.mark.parametrize("turned", [False, True])
def test_unknown_order_is_told_and_does_not_depend_on_the_files_order(turned: bool) -> None:
    pages = [("a.txt", capture("May 2031", "Zebra").encode()), ("b.txt", capture("May 2031", "Ant").encode())]
    imported = read_captures(pages[::-1] if turned else pages)
    assert titles(imported) == ["Zebra", "Ant"]
    assert codes(imported) == ["DM214"]


def test_contradicting_orders_follow_the_fuller_capture() -> None:
    imported = read(capture("May 2031", "Two", "One"), capture("May 2031", "One", "Two", "Three"))
    assert titles(imported) == ["One", "Two", "Three"]
    assert [(warning.path, warning.code) for warning in imported.warnings] == [("a.txt", "DM213")]


def test_a_repeat_is_one_article_and_space_and_case_do_not_count() -> None:
    spaced = capture("May 2031", "A  Title\u00a0of Four", body=BODY.replace(" ", "\u00a0"))
    imported = read(capture("May 2031", "A Title of Four"), spaced)
    assert titles(imported) == ["A Title of Four"]
    assert imported.warnings == ()


def test_a_repeat_that_reads_differently_is_told() -> None:
    fuller = capture("May 2031", "Two", "One")
    imported = read(capture("May 2031", "One", body="Another sentence was here."), fuller)
    assert titles(imported) == ["Two", "One"]
    assert imported.issues[0].articles[1].body == BODY
    assert [(warning.path, warning.line, warning.code) for warning in imported.warnings] == [("a.txt", 2, "DM212")]
    assert "b.txt:6" in imported.warnings[0].message


def test_one_page_that_shows_a_title_twice_with_other_words_is_told() -> None:
    second = capture("", "One", body="Another sentence was here.").lstrip("\n")
    imported = read(f"{capture('May 2031', 'One', 'Two')}\n{second}")
    assert titles(imported) == ["One", "Two"]
    assert codes(imported) == ["DM212"]


def test_keys_are_unique_in_the_whole_import_and_older_issues_come_first() -> None:
    long = "word " * 30
    imported = read(
        capture("May 2031", "Same", f"{long}a", f"{long}b", "Тишина", "Тень"),
        capture("May 2030", "Same!", "Same, 2", "?"),
    )
    keys = [article.key for issue in imported.issues for article in issue.articles]
    assert keys[0] == "same-3"
    assert keys[3:] == ["article-2031-05", "article-2031-05-2", "same", "same-2", "article-2030-05"]
    assert keys[1][:70] == keys[2][:70]
    assert max(map(len, keys)) <= MAX_KEY
    assert_stands(imported)


def test_nothing_but_title_citation_and_text_is_imported() -> None:
    (issue,) = read(capture("May 2031", "One")).issues
    assert (issue.subject, issue.preheader, issue.teaser, issue.title, issue.published) == ("", "", (), "", None)
    (article,) = issue.articles
    assert replace(article, title="", body=article.body) == replace(article, title="")
    assert (article.topics, article.research_type, article.citation, article.figures) == ((), "", None, ())


# -- mistakes


def test_every_mistake_of_every_capture_is_reported_at_once() -> None:
    with pytest.raises(IssueError) as caught:
        read_captures([("b.txt", b"May 2031\n\xff"), ("a.txt", b" \n"), ("c.txt", b"no month"), ("d.txt", b"May 2031")])
    found = [(one.path, one.line, one.col, one.code) for one in caught.value.diagnostics]
    assert found == [
        ("a.txt", 1, 1, "DM202"),
        ("b.txt", 2, 1, "DM201"),
        ("c.txt", 1, 1, "DM203"),
        ("d.txt", 1, 1, "DM203"),
    ]


def test_no_captures_are_no_issues() -> None:
    assert read() == Imported(())


def test_a_title_below_the_last_implications_is_told() -> None:
    imported = read(f"{capture('May 2031', 'One')}\nA Title Where the Capture Was Cut")
    assert codes(imported) == ["DM215"]


def test_a_lost_heading_never_hides_an_article() -> None:
    whole = capture("May 2031", "The First Title of Three", "The Second Title of Three", "The Third Title of Three")
    parts = whole.split(IMPLICATIONS + "\n")
    for lost in range(3):
        text = "".join(part + ("" if n in (lost, 3) else IMPLICATIONS + "\n") for n, part in enumerate(parts))
        assert {code for _, code in errors(text)} == {"DM205"}


# -- single lines


@pytest.mark.parametrize("text", ["May 2031", "MAY\u00a02031", " may 2031 ", "May 2031\u200b"])
def test_month_headings(text: str) -> None:
    assert month_of(text) == "2031-05"


@pytest.mark.parametrize("text", ["May 31", "Maybe 2031", "May 1999", "May 2031.", "In May 2031", "May ２０３１", ""])
def test_no_month_headings(text: str) -> None:
    assert month_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Tester, A. (2021).",
        "Tester, A., & Sample, B.-C. (2021, May 3). More.",
        "Del Tester, A-M.,\u00a0Sample,\u00a0B. et al. (2021). More.",
        "Invented Council for the Arts. (2021). More.",
        "Invented Council (2021). More.",
        "Council. (n.d.). More.",
    ],
)
def test_citations(text: str) -> None:
    assert looks_like_citation(text)


@pytest.mark.parametrize(
    "text",
    [
        "In 2020, a team (2021). wrote.",
        "Tester (2021) found that rooms differ.",
        "Tester (2021). That is how the account begins.",
        "Two trials by Tester and Sample (2021). More follow.",
        "Tester, A. wrote about it in 2021.",
        f"Tester, A. {'x' * 260} (2021). Too late.",
        f"Tester, A. (2021). {'x' * 700}",
    ],
)
def test_no_citations(text: str) -> None:
    assert not looks_like_citation(text)


@pytest.mark.parametrize("text", ["- item", "• item", "2. item", "(a) item", "A sentence.", "So he said.”", "As here:"])
def test_no_titles(text: str) -> None:
    assert not looks_like_title(text)


# -- any text


@given(lines(1))
@example("1. x")
@example("12) x")
@example("    x")
@example("~~~ x")
@example("&amp; &#42; &")
@example("<https://example.org> <b>")
@example("[x]: https://example.org")
@example("a_b_ _c_ __d__ *e* ** f")
@example("\\* \\\\ \\")
@example("=")
@example("---")
@example("| a | b |")
@example("![x](y) `z`` `")
def test_escaped_text_reads_as_the_same_words(text: str) -> None:
    html = markdown_reader().render(escape_paragraph(text.strip()))
    assert html.startswith("<p>")
    assert unescape(html.removeprefix("<p>").removesuffix("</p>\n")) == unescape(text.strip().replace("&", "&amp;"))


@given(st.lists(lines(1), min_size=1, max_size=5))
def test_paragraphs_stay_apart(texts: list[str]) -> None:
    assert paragraphs(to_markdown(texts)) == texts


@pytest.mark.parametrize("text", ["95% CI [.2, .4], p < .05", "5 * 3 + 2", "snake_case", "a | b", "Q & A", "C. & D."])
def test_what_is_not_active_is_not_escaped(text: str) -> None:
    assert escape_paragraph(text) == text


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for prefix in (b"", b"May 2031\nA\n"):
        try:
            imported = read_captures([("a.txt", prefix + data)])
        except IssueError:
            continue
        assert_stands(imported)


PIECES = st.sampled_from(
    [
        *("May 2031", "June 2031", IMPLICATIONS, "Practice implications: so", "A Title of Four Words", BODY, CARE),
        *("Tester, A. (2031). One. doi:10.5555/x.", "- item", "Short", "# x", "It Depends.", ""),
    ]
)


def read_or_refuse(files: Sequence[tuple[str, bytes]]) -> Imported | tuple[Diagnostic, ...]:
    try:
        return read_captures(files)
    except IssueError as problem:
        return problem.diagnostics


@given(st.lists(st.lists(PIECES | lines(), max_size=16), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_any_lines_are_read_or_refused_in_whatever_order(pages: list[list[str]], shuffle: Random) -> None:
    files = [(f"{n}.txt", "\n".join(page).encode()) for n, page in enumerate(pages)]
    result = read_or_refuse(files)
    assert result == read_or_refuse(shuffle.sample(files, len(files)))
    if isinstance(result, Imported):
        assert_stands(result)
