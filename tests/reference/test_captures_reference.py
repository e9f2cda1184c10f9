"""The five captures of the blog become its fourteen issues, whichever order they are given in."""

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from core_support import vocabulary
from digest_mailer.adapters.capture_lines import looks_like_citation
from digest_mailer.adapters.captures import Imported, read_captures
from digest_mailer.core.errors import IssueError
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import IMPLICATIONS, inline_text, markdown_reader, parse_issue
from digest_mailer.core.issue_writer import serialise_issue

pytestmark = pytest.mark.reference

HEADING = f"\n{IMPLICATIONS}\n"

Captures = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def imported(captures: Captures) -> Imported:
    return read_captures(captures)


@pytest.fixture(scope="module")
def expected(reference: Path) -> dict[str, dict[str, Any]]:
    """`expected.json` by month, newest first."""
    paths = sorted((reference / "seeds" / "expected").glob("*/expected.json"), reverse=True)
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in paths}


def words(markdown: str) -> list[str]:
    tokens = markdown_reader().parse(markdown)
    assert {token.type for token in tokens} == {"paragraph_open", "inline", "paragraph_close"}
    return " ".join(inline_text(token) for token in tokens if token.type == "inline").split()


def titles(issue: Issue) -> list[str]:
    return [article.title for article in issue.articles]


def sentences_apart(text: str, between: str) -> str:
    """The capture with every sentence of a summary or of implications on a line of its own."""
    paragraphs = (
        line if looks_like_citation(line) else re.sub(r"(?<=[.”)]) (?=[A-Z])", "\n", line) for line in text.split("\n")
    )
    return "\n".join(paragraphs).replace("\n", between)


def test_counts(captures: Captures, imported: Imported) -> None:
    assert len(captures) == 5
    assert len(imported.issues) == 14
    assert sum(len(issue.articles) for issue in imported.issues) == 27
    assert imported.warnings == ()


def test_months_and_titles(imported: Imported, expected: dict[str, dict[str, Any]]) -> None:
    assert [issue.id for issue in imported.issues] == list(expected)
    for issue in imported.issues:
        assert titles(issue) == expected[issue.id]["titles_in_order"]


def test_citations_and_dois(imported: Imported, expected: dict[str, dict[str, Any]]) -> None:
    for issue in imported.issues:
        month = expected[issue.id]
        found = [article.citation.url for article in issue.articles if article.citation and article.citation.url]
        assert list(dict.fromkeys(found)) == month["doi_links"]
        for article, wanted in zip(issue.articles, month["articles"], strict=True):
            assert (article.citation.text if article.citation else None) == wanted["citation"]
            assert (article.citation.doi if article.citation else None) == wanted["doi"]


def test_texts_hold_what_they_must(imported: Imported, expected: dict[str, dict[str, Any]]) -> None:
    for issue in imported.issues:
        for article, wanted in zip(issue.articles, expected[issue.id]["articles"], strict=True):
            text = " ".join([*words(article.body), *words(article.implications)])
            assert [literal for literal in wanted["must_contain"] if literal not in text] == []
            assert len(words(article.implications)) == wanted["practice_implications_words"]
            assert article.words + len(IMPLICATIONS.split()) == wanted["words"]  # the facts count the heading too
            assert article.reading_minutes == wanted["reading_minutes"]


def test_words_are_those_of_the_captures(captures: Captures, imported: Imported) -> None:
    pages = {" ".join(line.split()) for _, data in captures for line in data.decode().splitlines()}
    for issue in imported.issues:
        for article in issue.articles:
            assert " ".join(words(article.body)) in pages
            assert " ".join(words(article.implications)) in pages
            assert article.title in pages


def test_files_order_does_not_matter(captures: Captures, imported: Imported) -> None:
    for order in permutations(captures):
        assert read_captures(order) == imported


def test_each_capture_alone_and_each_pair(captures: Captures, imported: Imported) -> None:
    whole = {issue.id: titles(issue) for issue in imported.issues}
    for order in permutations(captures, 2):
        for issue in read_captures(order).issues:
            shown = titles(issue)
            assert shown == [title for title in whole[issue.id] if title in shown]


@pytest.mark.parametrize(
    "written", ["Practice implications: {}", "Practice\u00a0Implications{}", "PRACTICE IMPLICATIONS\n{}"]
)
def test_other_forms_of_the_heading(captures: Captures, imported: Imported, written: str) -> None:
    files = []
    for name, data in captures:
        first, *others = data.decode().split(HEADING)
        files.append((name, (first + "".join(f"\n{written.format(other)}" for other in others)).encode()))
    assert read_captures(files) == imported


@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_titles_are_found_when_every_sentence_is_a_paragraph(
    captures: Captures, imported: Imported, between: str
) -> None:
    files = [(name, sentences_apart(data.decode(), between).encode()) for name, data in captures]
    split = read_captures(files)
    assert [titles(issue) for issue in split.issues] == [titles(issue) for issue in imported.issues]
    assert split.warnings == ()


def test_a_lost_heading_never_hides_an_article(captures: Captures) -> None:
    for name, data in captures:
        first, *others = data.decode().split(HEADING)
        for lost in range(len(others)):
            parts = (("\n" if n == lost else HEADING) + other for n, other in enumerate(others))
            with pytest.raises(IssueError) as caught:
                read_captures([(name, (first + "".join(parts)).encode())])
            assert {found.code for found in caught.value.diagnostics} == {"DM205"}


def test_written_and_read_back(imported: Imported) -> None:
    for issue in imported.issues:
        text = serialise_issue(issue, vocabulary())
        assert parse_issue(text.encode(), f"{issue.id}.md", vocabulary()) == issue
