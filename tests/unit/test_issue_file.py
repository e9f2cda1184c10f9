"""Issue files: every case of tests/corpus/issues, and what the parser makes of a good file."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, ROOT, topics, vocabulary
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.errors import Diagnostic, ExitCode, IssueError, Place
from digest_mailer.core.issue import Figure, Issue
from digest_mailer.core.issue_file import examine_issue, is_https, parse_issue

CASES = sorted((CORPUS / "issues").glob("*.md"))
GOOD = (CORPUS / "issues" / "good.md").read_text("utf-8")


def examine(data: bytes, path: str = "2023-07.md") -> tuple[Issue | None, list[Diagnostic]]:
    return examine_issue(data, path, vocabulary())


def parse(text: str, path: str = "2023-07.md") -> Issue:
    return parse_issue(text.encode(), path, vocabulary())


def expected(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.with_suffix(".json").read_text("utf-8")))


def told(one: Diagnostic) -> dict[str, Any]:
    return {"line": one.line, "col": one.col, "code": one.code, "message": one.message, "hint": one.hint}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_has_exactly_the_mistakes_of_its_sidecar(path: Path) -> None:
    _, found = examine(path.read_bytes(), path.name if path.stem == "not-a-month" else "2023-07.md")
    wanted = expected(path)
    places = [(one.line, one.col, one.code) for one in found]
    assert places == [(one["line"], one["col"], one["code"]) for one in wanted]
    assert [{name: told(one)[name] for name in two} for one, two in zip(found, wanted, strict=True)] == wanted


@pytest.mark.parametrize("path", [one for one in CASES if one.stem.startswith("good")], ids=lambda path: path.stem)
def test_a_good_case_is_an_issue(path: Path) -> None:
    issue, found = examine(path.read_bytes())
    assert (issue is not None, found) == (True, [])


def test_every_code_has_a_case() -> None:
    source = "".join((ROOT / "src/digest_mailer/core" / name).read_text() for name in ("issue_file.py", "fields.py"))
    known = set(re.findall(r'"(DM\d{3})"', source))
    assert {one["code"] for path in CASES for one in expected(path)} == known


def test_the_corpus_has_a_sidecar_for_each_case() -> None:
    assert {path.stem for path in CASES} == {path.stem for path in (CORPUS / "issues").glob("*.json")}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_make_no_difference(line_end: str) -> None:
    assert parse(GOOD.replace("\n", line_end)) == parse(GOOD)


def test_an_issue_has_what_the_file_says() -> None:
    issue = parse(GOOD.replace("subject: What helps", "title: July\nsubject: ' What helps: 1 '\nteaser: [one, two]"))
    assert (issue.id, issue.title, issue.subject, issue.teaser) == ("2023-07", "July", "What helps: 1", ("one", "two"))
    assert (issue.language, issue.published, issue.path) == ("en", None, "2023-07.md")
    (article,) = issue.articles
    assert (article.key, article.title, article.place) == ("a-key", "A Title", Place(8, 1))
    assert (article.body, article.implications, article.call_to_action) == ("What was found.", "What it means.", "")
    assert (article.topics, article.research_type, article.takeaway) == (topics("Empathy"), "survey", "It helps.")


def test_a_date_is_read() -> None:
    assert parse(GOOD.replace("subject: What helps", "published: 2023-07-01")).published == date(2023, 7, 1)


def test_a_doi_comes_from_its_field_or_from_the_citation() -> None:
    citation = '"Norcross (2023). Factors. https://doi.org/10.1037/0000358-006"'
    alone = GOOD.replace(f"citation: {citation}", "doi: https://doi.org/10.1000/x")
    assert parse(GOOD).articles[0].citation == Citation(citation.strip('"'), Doi("10.1037/0000358-006"))
    assert parse(alone).articles[0].citation == Citation("", Doi("10.1000/x"))


def test_figures_are_read() -> None:
    text = GOOD.replace("takeaway: It helps.", "figures:\n  - value: d = .58\n    meaning: empathy; a lot")
    assert parse(text).articles[0].figures == (Figure("d = .58", "empathy; a lot"),)


def test_what_looks_like_a_title_in_code_is_none() -> None:
    issue = parse((CORPUS / "issues" / "good-title-in-code.md").read_text("utf-8"))
    assert [article.title for article in issue.articles] == ["A Title"]
    assert "# not a title" in issue.articles[0].body


def test_a_title_over_two_lines_is_one_title() -> None:
    assert parse(GOOD.replace("# A Title", "A Title\nand *more*\n===")).articles[0].title == "A Title and more"


def test_marks_in_a_title_are_not_part_of_it() -> None:
    title = parse(GOOD.replace("# A Title", r"# A **bold** `d = .5` \*Title\* &amp; more #")).articles[0].title
    assert title == "A bold d = .5 *Title* & more"


def test_a_section_keeps_its_smaller_headings() -> None:
    text = GOOD.replace("What it means.", "### First\n\nOne.\n\n### Second\n\nTwo.")
    assert parse(text).articles[0].implications == "### First\n\nOne.\n\n### Second\n\nTwo."


def test_a_strict_reading_raises_every_mistake() -> None:
    data = (CORPUS / "issues" / "everything-at-once.md").read_bytes()
    with pytest.raises(IssueError, match=r"20 mistakes in 2023-07\.md") as caught:
        parse_issue(data, "2023-07.md", vocabulary())
    assert list(caught.value.diagnostics) == examine(data)[1]
    assert caught.value.exit_code is ExitCode.CONTENT


def test_a_lenient_reading_still_builds_what_it_can() -> None:
    issue, found = examine(GOOD.replace("  - Empathy", "  - Atachment\n  - Training").encode())
    assert issue
    assert issue.articles[0].topics == topics("Training")
    assert [str(one) for one in found] == ['2023-07.md:11:5: DM021 unknown topic "Atachment"']


@pytest.mark.parametrize("path", ["2023-07.md", "newsletters/2023-07.md", r"C:\digest\2023-07.md"])
def test_the_file_name_is_the_month(path: str) -> None:
    assert parse(GOOD, path).id == "2023-07"


def test_a_character_reference_hides_no_control_character() -> None:
    _, found = examine(GOOD.replace("# A Title", "# A&#13;Title").encode())
    assert [(one.line, one.code) for one in found] == [(6, "DM034")]


@pytest.mark.parametrize(
    "url", ["https://example.org", "https://a.example.org:8080/x?y=z#w", "https://example.org/@me"]
)
def test_an_https_address_is_one(url: str) -> None:
    assert is_https(url)


@pytest.mark.parametrize(
    "url",
    ["", "http://example.org", "https://", "https://localhost", "https://example.org/a b", "https://me@example.org",
     "https://example.org@evil.org", 'https://example.org/"x', "javascript:x", " https://example.org", "https://a/.b"],
)  # fmt: skip
def test_other_addresses_are_none(url: str) -> None:
    assert not is_https(url)


@given(st.binary(max_size=300))
@example(b"---\n%\n---\n")
@example(b"---\n!!binary \xff\n---\n")
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    issue, found = examine(data)
    assert found or issue


FRAGMENTS = [
    "---\n", "subject: ", "teaser:\n  - ", "# Title\n", "\n", "```yaml\n", "```\n", "key: a\n", "key: ", "topics: ",
    "- ", "[", "]", "{", "}", "&a ", "*a ", "!x ", "? ", ": ", "|\n", ">\n", '"', "'", "\\U00110000", "%YAML 1.1\n",
    "## Practice Implications\n", "words ", "![a](b)", "<b>", "\t", "===\n", "> ", "\r", "\u2028", "\x00",
    "figures:\n  - value: ", "    meaning: ",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join), st.booleans())
def test_no_pieces_of_an_issue_crash_the_parser(text: str, fronted: bool) -> None:
    issue, found = examine((("---\n---\n# A\n```yaml\n" if fronted else "---\n") + text).encode())
    lines = text.count("\n") + text.count("\r") + text.count("\u2028") + 6
    assert found or issue
    assert all(1 <= one.line <= lines and one.col >= 1 for one in found)


@given(st.integers(0, len(GOOD)), st.sampled_from(FRAGMENTS))
def test_no_slip_of_the_pen_crashes_the_parser(place: int, fragment: str) -> None:
    issue, found = examine((GOOD[:place] + fragment + GOOD[place:]).encode())
    assert found or issue
    assert found == sorted(set(found)), "no mistake is told twice"


def test_a_hostile_file_takes_no_longer_than_its_size_asks() -> None:
    for hostile in ("[" * 5_000, "![" * 5_000, "*a " * 10_000, "> " * 5_000, "- " * 5_000, "`" * 20_000):
        examine(GOOD.replace("What was found.", hostile).encode())
