"""An `Issue` becomes the text of an issue file. Parsing what this wrote gives an equal Issue.

Fields that a send needs are written even when they are empty, so that the author sees where to fill them in.
"""

import re

import yaml

from digest_mailer.core.citation import find_doi
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.issue_file import CALL_TO_ACTION, FENCE, IMPLICATIONS, Vocabulary


def serialise_issue(issue: Issue, vocabulary: Vocabulary) -> str:
    """The issue as the text of an issue file; topics and types by their names."""
    front: dict[str, object] = {
        "title": issue.title,
        "subject": issue.subject,
        "preheader": issue.preheader,
        "teaser": list(issue.teaser),
        "author": issue.author,
        "language": issue.language if issue.language != ENGLISH else "",
        "published": issue.published.isoformat() if issue.published else "",
    }
    parts = [f"{FENCE}\n{_dump(front)}{FENCE}\n"]
    parts += [_serialise_article(article, vocabulary) for article in issue.articles]
    return "\n".join(parts)


def _serialise_article(article: Article, vocabulary: Vocabulary) -> str:
    citation = article.citation
    states_doi = citation is not None and citation.doi is not None and find_doi(citation.text) == citation.doi
    settings: dict[str, object] = {
        "key": article.key,
        "topics": [vocabulary.catalogue.by_key(key).name for key in article.topics],
        "type": vocabulary.types.by_key(article.research_type).name if article.research_type else "",
        "citation": citation.text if citation else "",
        "doi": citation.doi if citation and citation.doi and not states_doi else "",
        "takeaway": article.takeaway,
        "figures": [{"value": figure.value, "meaning": figure.meaning} for figure in article.figures],
        "open_access": article.open_access_url,
    }
    title = re.sub(r"([\\`*_{}\[\]<>#&!~|])", r"\\\1", article.title)
    sections = [
        f"# {title}",
        f"```yaml\n{_dump(settings)}```",
        article.body,
        f"## {IMPLICATIONS}",
        article.implications,
    ]
    if article.call_to_action:
        sections += [f"## {CALL_TO_ACTION}", article.call_to_action]
    return "\n\n".join(sections) + "\n"


class _Dumper(yaml.SafeDumper):
    """Quotes what needs it and indents lists below their field."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))

_NEEDED = ("subject", "preheader", "topics", "type")  # by a send: left to fill in where empty


def _dump(fields: dict[str, object]) -> str:
    kept = {name: value or None for name, value in fields.items() if value or name in _NEEDED}
    if not kept:
        return ""
    return yaml.dump(kept, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)
