"""Writing an issue file: what is written reads back as the same issue."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core_support import ROOT, article_of, issue_ids, issue_of, lines, sample_issue, topic_keys, types, vocabulary
from digest_mailer.core.citation import Citation, find_doi, parse_doi
from digest_mailer.core.fields import RESERVED_MARK
from digest_mailer.core.identity import ArticleKey, Language
from digest_mailer.core.issue import Article, Figure, Issue, Markdown
from digest_mailer.core.issue_file import parse_issue
from digest_mailer.core.issue_writer import serialise_issue

SAMPLES = sorted(path.stem for path in (ROOT / "newsletters").glob("2*.md"))


def reread(issue: Issue) -> Issue:
    text = serialise_issue(issue, vocabulary())
    return parse_issue(text.encode(), f"{issue.id}.md", vocabulary())


# Words that YAML or Markdown could take for something else.
TRAPS = [
    "no", "null", "~", "2021-03", "1e3", ".58", "> 300 studies", "a: b", "a #b", "# a", "- a", "[a", "{a}", "&a", "*a*",
    "!a", "%a", "@a", "`a`", '"', "'", "\\", "\\n", "---", "...", "|", "?", "=", "<<", "<b>", "&amp;", "&#65;", "1. a",
    "a_b_c", "__a__", "~~a~~", "![a](b)", "[a](b)", "https://example.org/a_b", "a\\*", "a\\", "\\#", "##", "a #",
    "a ##", "<https://example.org>", "\ufeff", "\u00a0", "é", "王", "😀", "\ufffe", "``", "a`b", "$", "^",
    "+ a", "===", "***",
]  # fmt: skip
sentences = (lines() | st.lists(st.sampled_from(TRAPS), max_size=4).map(" ".join)).filter(
    lambda text: RESERVED_MARK not in text and text == text.strip()
)
present = sentences.filter(bool)
paragraphs = st.lists(st.text("abcdefgh ijk.,éü*_`", min_size=1, max_size=200), min_size=1, max_size=4).map(
    lambda some: Markdown("\n\n".join(f"x{one.strip()}" for one in some).rstrip())
)
keys = st.from_regex(r"[a-z0-9]{1,12}(-[a-z0-9]{1,12}){0,4}", fullmatch=True).map(ArticleKey)
dois = st.from_regex(r"10\.[0-9]{4,9}/[A-Za-z0-9()/_-]{1,20}", fullmatch=True).map(parse_doi)


@st.composite
def citations(draw: st.DrawFn) -> Citation | None:
    text, doi = draw(sentences), draw(st.none() | dois)
    if doi and draw(st.booleans()):
        text = f"{text} https://doi.org/{doi}".strip()
    stated = find_doi(text)
    return Citation(text, stated or doi) if text or doi else None


articles: st.SearchStrategy[Article] = st.builds(
    Article,
    key=keys,
    title=present,
    body=paragraphs,
    implications=paragraphs,
    topics=st.lists(topic_keys, unique=True, max_size=5).map(tuple),
    research_type=st.sampled_from(["", *(one.key for one in types())]),
    citation=citations(),
    takeaway=sentences,
    figures=st.lists(st.builds(Figure, present, present), max_size=3).map(tuple),
    open_access_url=st.sampled_from(["", "https://example.org/paper?x=1#p", "https://example.org/@me"]),
    call_to_action=st.just(Markdown("")) | paragraphs,
)


def in_one_language(issue: Issue) -> Issue:
    """An article of a file has the file's language."""
    return replace(issue, articles=tuple(replace(article, language=issue.language) for article in issue.articles))


issues: st.SearchStrategy[Issue] = st.builds(
    Issue,
    id=issue_ids,
    articles=st.lists(articles, min_size=1, max_size=3, unique_by=lambda one: one.key).map(tuple),
    subject=sentences,
    preheader=sentences,
    title=sentences,
    teaser=st.lists(present, max_size=3).map(tuple),
    author=sentences,
    language=st.sampled_from(["en", "fr", "fr-CA", "no"]).map(Language),
    published=st.none() | st.dates(),
).map(in_one_language)


@settings(max_examples=50)
@given(issues)
@example(issue_of(article_of(title="# 1. *a* _b_ `c` [d](e) <f> &amp; \\ ~~g~~ #")))
@example(issue_of(article_of(), subject="x" * 20_000, preheader="word " * 5_000 + "end"))
@example(issue_of(article_of(), published=date(1, 1, 1)))
def test_an_issue_survives_its_file(issue: Issue) -> None:
    assert reread(issue) == issue


@settings(max_examples=30)
@given(issues)
def test_writing_again_changes_nothing(issue: Issue) -> None:
    text = serialise_issue(issue, vocabulary())
    assert serialise_issue(reread(issue), vocabulary()) == text


@pytest.mark.parametrize("trap", TRAPS)
def test_no_word_of_a_title_is_taken_for_something_else(trap: str) -> None:
    for title in (trap, f"{trap} x", f"x {trap}", f"x {trap} {trap}"):
        issue = issue_of(article_of(title=title))
        if title == title.strip():
            assert reread(issue).articles[0].title == title


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_issue_survives_its_file(name: str) -> None:
    assert reread(sample_issue(name)) == sample_issue(name)


def test_the_file_is_pleasant_to_read() -> None:
    issue = issue_of(
        article_of(
            "a-key",
            "Empathy",
            "Training",
            title="A Title",
            research_type="survey",
            citation=Citation("Norcross (2023)."),
            figures=(Figure("d = .58", "empathy"),),
        ),
        teaser=("one", "two"),
    )
    assert serialise_issue(issue, vocabulary()) == (
        "---\nsubject: What helps\npreheader: Three chapters.\nteaser:\n  - one\n  - two\n---\n"
        "\n# A Title\n\n```yaml\nkey: a-key\ntopics:\n  - Empathy\n  - Training\ntype: Survey\n"
        "citation: Norcross (2023).\nfigures:\n  - value: d = .58\n    meaning: empathy\n```\n"
        "\nWhat was found.\n\n## Practice Implications\n\nWhat it means.\n"
    )
