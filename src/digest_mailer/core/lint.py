"""What an issue still needs before anyone can send it, and what would make it better.

Here stand the rules that know the issue as a whole: fields that the parser lets pass and a mail requires, keys and
papers that another issue has, topics that nobody follows. `core.prose` has the rules on its words, `core.fixes`
those that can be put right without asking. A translation is examined for its words alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from digest_mailer.core.citation import Citation
from digest_mailer.core.errors import Diagnostic, Place
from digest_mailer.core.fixes import Fix, find_slips
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.prose import (
    LONGEST_SUMMARY,
    Finding,
    error,
    markdown_findings,
    preheader_findings,
    settings_findings,
    subject_findings,
    title_findings,
)
from digest_mailer.core.source import Source
from digest_mailer.core.topic import Catalogue

Stated = tuple[IssueId, str]  # where a DOI was stated: the issue, and the title of the article


def check_issue(
    issue: Issue,
    catalogue: Catalogue,
    keys_elsewhere: Mapping[ArticleKey, IssueId],
    *,
    dois_elsewhere: Mapping[str, Stated] | None = None,
) -> list[Diagnostic]:
    """Everything that stands between this issue and a send, and what would make it better.

    `dois_elsewhere` has the articles of older issues by their DOI in lower case.
    """
    findings = [*_issue_findings(issue), *_doi_findings(issue, dois_elsewhere or {})]
    for article in issue.articles:
        findings += _article_findings(article, catalogue, published=issue.published is not None)
        findings += _key_findings(article, keys_elsewhere)
    found = [_diagnostic(issue, finding) for finding in findings]
    for one in (issue, *issue.translations):
        found += {_diagnostic(one, finding) for finding in _word_findings(one, catalogue)}
    return sorted(found)


def check_followers(issue: Issue, catalogue: Catalogue, followers: Mapping[TopicKey, int]) -> list[Diagnostic]:
    """The topics of an issue that nobody follows; `followers` counts the people of each topic."""
    found = (_follower_findings(issue.source, article, catalogue, followers) for article in issue.articles)
    return sorted(_diagnostic(issue, finding) for finding in chain.from_iterable(found))


def keys_of(issues: Iterable[Issue], *, but: IssueId) -> dict[ArticleKey, IssueId]:
    """The article keys of all issues but one, with the issue that has each."""
    return {article.key: issue.id for issue in issues if issue.id != but for article in issue.articles}


def dois_of(issues: Iterable[Issue]) -> dict[str, list[Stated]]:
    """The DOIs of all issues in lower case, with everywhere each is stated, oldest first."""
    stated: dict[str, list[Stated]] = {}
    for issue in sorted(issues, key=lambda one: one.id):
        for article in issue.articles:
            if article.citation and article.citation.doi:
                stated.setdefault(article.citation.doi.lower(), []).append((issue.id, article.title))
    return stated


def before(stated: Mapping[str, list[Stated]], issue: IssueId) -> dict[str, Stated]:
    """Of all these DOIs those of older issues, each where it was stated first."""
    return {doi: places[0] for doi, places in stated.items() if places[0][0] < issue}


def _issue_findings(issue: Issue) -> Iterator[Finding]:
    if not issue.subject:
        yield error(Place(), "DM101", "the issue has no subject", "add `subject:` to the front matter")
    if not issue.preheader:
        yield error(Place(), "DM102", "the issue has no preheader", "add `preheader:`, one sentence for the inbox")
    if issue.subject and issue.subject.casefold() == issue.preheader.casefold():
        yield Finding(Place(), "DM103", "the preheader repeats the subject", "say something the subject does not")


def _article_findings(article: Article, catalogue: Catalogue, *, published: bool) -> Iterator[Finding]:
    """A published issue keeps a topic that was retired since."""
    if not article.topics:
        hint = "add `topics:`; without one nobody but followers of all topics gets it"
        yield error(article.place, "DM104", f'"{article.title}" has no topic', hint)
    if not article.research_type:
        hint = "add `type:`; research-types.toml lists them"
        yield error(article.place, "DM105", f'"{article.title}" has no type of research', hint)
    if not article.takeaway:
        yield Finding(article.place, "DM106", f'"{article.title}" has no takeaway', "say the finding in one sentence")
    if not article.citation:
        yield Finding(article.place, "DM107", f'"{article.title}" has no citation', "add `citation:` with its DOI")
    for key in () if published else article.topics:
        topic = catalogue.by_key(key)
        if topic.retired:
            yield error(article.place, "DM108", f'topic "{topic.name}" is retired', "choose another topic")


def _key_findings(article: Article, keys_elsewhere: Mapping[ArticleKey, IssueId]) -> Iterator[Finding]:
    other = keys_elsewhere.get(article.key)
    if other:
        hint = f"issue {other} has it; a key names one article for good"
        yield error(article.place, "DM109", f'key "{article.key}" is taken', hint)


def _doi_findings(issue: Issue, dois_elsewhere: Mapping[str, Stated]) -> Iterator[Finding]:
    seen: dict[str, tuple[Article, Citation]] = {}
    for article in issue.articles:
        citation = article.citation
        if not citation or not citation.doi:
            continue
        doi, place = citation.doi.lower(), _place_of_doi(issue, article, citation.doi)
        if doi in dois_elsewhere:
            month, title = dois_elsewhere[doi]
            message = f'"{article.title}" was perhaps sent before: issue {month} has its paper as "{title}"'
            yield Finding(place, "DM118", message, "compare the two, or leave this one out")
        first, other = seen.setdefault(doi, (article, citation))
        if _words(citation) and _words(other) and _words(citation) != _words(other):
            message = f'"{article.title}" states the DOI of "{first.title}", but cites it otherwise'
            yield Finding(place, "DM115", message, "compare both with their papers; one was perhaps copied")


def _words(citation: Citation) -> str:
    """A citation without its DOI, which may be spelled in several ways; empty when there is nothing else."""
    return " ".join(citation.reference.split()).casefold() if citation.text else ""


def _place_of_doi(issue: Issue, article: Article, doi: str) -> Place:
    for field in ("doi", "citation"):
        key = article.places.get(field)
        text = issue.source.value_of(field, key) if key else None
        if text and doi in text.text:
            return issue.source.find(text, re.compile(re.escape(doi)))
    return article.places.get("citation", article.place)


def _follower_findings(
    source: Source, article: Article, catalogue: Catalogue, followers: Mapping[TopicKey, int]
) -> Iterator[Finding]:
    start = article.places.get("topics", article.place)
    for topic in map(catalogue.by_key, article.topics):
        if not followers.get(topic.key) and not topic.retired:
            texts = (one for one in source.written if one.field == "topics" and one.start >= start)
            place = next((one.start for one in sorted(texts) if catalogue.find(one.text) == topic), start)
            hint = "choose a topic beside it that people follow, or leave it to the followers of all topics"
            yield Finding(place, "DM121", f'nobody follows "{topic.name}"', hint)


def _word_findings(issue: Issue, catalogue: Catalogue) -> Iterator[Finding]:
    """What the rules on words say of an issue, or of one of its translations."""
    yield from subject_findings(issue.subject, _place_of(issue, "subject"))
    yield from preheader_findings(issue.preheader, _place_of(issue, "preheader"))
    yield from settings_findings(issue.source)
    for article in issue.articles:
        yield from title_findings(article.title, issue.source, article.place)
        for field, most_words in (("body", LONGEST_SUMMARY), ("implications", None), ("call_to_action", None)):
            place = article.places.get(field, article.place)
            yield from markdown_findings(getattr(article, field), place, most_words=most_words)
    slips = find_slips(issue.source, catalogue)
    yield from map(_slip, slips.fixes)
    for fix in slips.by_hand:
        hint = "delete it by hand and look at the result: what stands beside it then means something else"
        yield Finding(Place(fix.line, fix.col), fix.code, _invisible(fix.old), hint)


def _place_of(issue: Issue, field: str) -> Place:
    key = issue.places.get(field, Place())
    text = issue.source.value_of(field, key)
    return text.start if text else key


def _slip(fix: Fix) -> Finding:
    place = Place(fix.line, fix.col)
    match fix.code:
        case "DM120":
            return Finding(place, "DM120", f'"{fix.old}" is how DOIs were shown once', f"write {fix.new}")
        case "DM124":
            message = f"the catalogue spells {' '.join(fix.old.split())} otherwise"
            return Finding(place, "DM124", message, f"write {fix.new}")
        case _:
            return Finding(place, "DM122", _invisible(fix.old), "delete it")


def _invisible(characters: str) -> str:
    names = " and ".join(f"U+{ord(one):04X} {unicodedata.name(one).lower()}" for one in dict.fromkeys(characters))
    return f"an invisible character: {names}"


def _diagnostic(issue: Issue, finding: Finding) -> Diagnostic:
    place = finding.place
    return Diagnostic(issue.path, place.line, place.col, finding.code, finding.message, finding.hint, finding.severity)
