"""What an issue still needs before anyone can send it: fields that the parser lets pass and a mail requires,
and keys that another issue already has."""

from collections.abc import Iterable, Mapping

from digest_mailer.core.errors import Diagnostic, Place, Severity
from digest_mailer.core.identity import ArticleKey, IssueId
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.topic import Catalogue


def check_issue(issue: Issue, catalogue: Catalogue, keys_elsewhere: Mapping[ArticleKey, IssueId]) -> list[Diagnostic]:
    """Everything that stands between this issue and a send, and what would make it better."""
    found = [_diagnostic(issue, Place(1, 1), *finding) for finding in _issue_findings(issue)]
    for article in issue.articles:
        findings = [*_article_findings(article, catalogue), *_key_findings(article, keys_elsewhere)]
        found += [_diagnostic(issue, article.place, *finding) for finding in findings]
    return sorted(found)


def keys_of(issues: Iterable[Issue], *, but: IssueId) -> dict[ArticleKey, IssueId]:
    """The article keys of all issues but one, with the issue that has each."""
    return {article.key: issue.id for issue in issues if issue.id != but for article in issue.articles}


_Finding = tuple[Severity, str, str, str]


def _issue_findings(issue: Issue) -> Iterable[_Finding]:
    if not issue.subject:
        yield Severity.ERROR, "DM101", "the issue has no subject", "add `subject:` to the front matter"
    if not issue.preheader:
        yield Severity.ERROR, "DM102", "the issue has no preheader", "add `preheader:`, one sentence for the inbox"
    if issue.subject and issue.subject.casefold() == issue.preheader.casefold():
        yield Severity.WARNING, "DM103", "the preheader repeats the subject", "say something the subject does not"


def _article_findings(article: Article, catalogue: Catalogue) -> Iterable[_Finding]:
    if not article.topics:
        hint = "add `topics:`; without one nobody but followers of all topics gets it"
        yield Severity.ERROR, "DM104", f'"{article.title}" has no topic', hint
    if not article.research_type:
        hint = "add `type:`; research-types.toml lists them"
        yield Severity.ERROR, "DM105", f'"{article.title}" has no type of research', hint
    if not article.takeaway:
        yield Severity.WARNING, "DM106", f'"{article.title}" has no takeaway', "say the finding in one sentence"
    if not article.citation:
        yield Severity.WARNING, "DM107", f'"{article.title}" has no citation', "add `citation:` with its DOI"
    for key in article.topics:
        topic = catalogue.by_key(key)
        if topic.retired:
            yield Severity.ERROR, "DM108", f'topic "{topic.name}" is retired', "choose another topic"


def _key_findings(article: Article, keys_elsewhere: Mapping[ArticleKey, IssueId]) -> Iterable[_Finding]:
    other = keys_elsewhere.get(article.key)
    if other:
        hint = f"issue {other} has it; a key names one article for good"
        yield Severity.ERROR, "DM109", f'key "{article.key}" is taken', hint


def _diagnostic(issue: Issue, place: Place, severity: Severity, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(issue.path, place.line, place.col, code, message, hint, severity)
