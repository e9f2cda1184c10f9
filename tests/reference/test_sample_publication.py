"""The issues in newsletters/ keep the facts of the captures and none of their sentences."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from core_support import ROOT, vocabulary
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.issue_file import inline_text, markdown_reader, parse_issue

pytestmark = pytest.mark.reference

LONGEST_SHARED_RUN = 8  # words
FEWEST, MOST = 120, 250  # words of summary and implications

Facts = dict[tuple[str, int], dict[str, Any]]
PATHS = sorted((ROOT / "newsletters").glob("*.md"))
ISSUES = {issue.id: issue for issue in (parse_issue(path.read_bytes(), path.name, vocabulary()) for path in PATHS)}
ARTICLES = [
    pytest.param(issue.id, number, id=f"{issue.id}-{number}")
    for issue in ISSUES.values()
    for number in range(1, len(issue.articles) + 1)
]


def article_at(month: str, number: int) -> Article:
    return next(issue for issue in ISSUES.values() if issue.id == month).articles[number - 1]


def shown(*markdown: str) -> str:
    """The words that readers see, spaces folded."""
    tokens = (token for text in markdown for token in markdown_reader().parse(text))
    return folded(" ".join(inline_text(token) for token in tokens if token.type == "inline"))


def folded(text: str) -> str:
    return " ".join(text.split())


def prose(article: Article) -> str:
    return shown(article.body, article.implications, article.call_to_action)


def everything(article: Article) -> str:
    figures = (text for figure in article.figures for text in (figure.value, figure.meaning))
    return folded(" ".join((article.title, article.takeaway, prose(article), *figures)))


def stands_in(value: str, text: str) -> bool:
    """Whether the value stands there as it is, not as a part of a longer number or word."""
    return re.search(rf"(?<![\w.]){re.escape(folded(value))}(?!\w|\.\d)", text) is not None


# -- facts


def test_months_order_titles(facts: Facts) -> None:
    found = {(issue.id, n): one.title for issue in ISSUES.values() for n, one in enumerate(issue.articles, 1)}
    assert found == {place: fact["title"] for place, fact in facts.items()}


@pytest.mark.parametrize(("month", "number"), ARTICLES)
def test_citation(facts: Facts, month: str, number: int) -> None:
    citation = article_at(month, number).citation
    wanted = facts[month, number]["citation"]
    assert (citation.text if citation else None) == (wanted["full"] if wanted else None)
    assert (citation.url if citation else None) == (wanted.get("doi_url") if wanted else None)


@pytest.mark.parametrize(("month", "number"), ARTICLES)
def test_figures(facts: Facts, month: str, number: int) -> None:
    article = article_at(month, number)
    missing = [
        figure["value"]
        for figure in facts[month, number]["figures"]
        if not stands_in(figure["value"], prose(article) if figure["literal_in_text"] else everything(article))
    ]
    assert missing == []


@pytest.mark.parametrize(("month", "number"), ARTICLES)
def test_length(month: str, number: int) -> None:
    article = article_at(month, number)
    assert FEWEST <= len(shown(article.body, article.implications).split()) <= MOST


# -- words of our own


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub("['’]", "", text.casefold()))


def without(words: list[str], quoted: Iterable[list[str]]) -> list[str]:
    """The words without titles, citations and figures, so that what stands around these counts as one run."""
    text = f" {' '.join(words)} "
    for phrase in sorted(quoted, key=len, reverse=True):
        text = text.replace(f" {' '.join(phrase)} ", " ")
    return text.split()


def runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(LONGEST_SHARED_RUN + 1)), strict=False)


def quoted_in(facts: Facts) -> list[list[str]]:
    found = [fact["title"] for fact in facts.values()]
    found += [fact["citation"]["full"] for fact in facts.values() if fact["citation"]]
    found += [figure["value"] for fact in facts.values() for figure in fact["figures"]]
    return [words for words in map(tokens, found) if words]


def texts(issue: Issue) -> Iterator[str]:
    """Everything in an issue that should be our own words."""
    yield from (issue.title, issue.subject, issue.preheader, *issue.teaser)
    for article in issue.articles:
        yield from (article.takeaway, shown(article.body), shown(article.implications), shown(article.call_to_action))
        yield from (figure.meaning for figure in article.figures)


@pytest.mark.parametrize("with_figures", [True, False], ids=["as-written", "without-figures"])
@pytest.mark.parametrize("month", list(ISSUES))
def test_no_sentence_is_shared(facts: Facts, captures: list[tuple[str, bytes]], month: str, with_figures: bool) -> None:
    quoted = quoted_in(facts)
    lines = [tokens(line) for _, data in captures for line in data.decode().splitlines()]
    theirs = {run for line in lines for run in runs(line if with_figures else without(line, quoted))}
    issue = next(issue for issue in ISSUES.values() if issue.id == month)
    ours = [tokens(text) for text in texts(issue)]
    shared = [
        " ".join(run)
        for words in ours
        for run in runs(words if with_figures else without(words, quoted))
        if run in theirs
    ]
    own = [run for run in shared if without(run.split(), quoted) == run.split()] if with_figures else shared
    assert own == []
