"""An issue in another language: its own words where somebody translated them, the original's where not.

`newsletters/2023-07.fr.md` translates `2023-07.md`. It says each article's key and its words; topics, type,
citation and everything else that is the same in every language stand in the original alone. An edition says
honestly what it could not find: each article keeps the language that its words are in.
"""

from collections.abc import Iterator
from dataclasses import replace

from digest_mailer.core.errors import Diagnostic, Place, Severity, did_you_mean
from digest_mailer.core.identity import Language
from digest_mailer.core.issue import Article, Issue


def in_language(issue: Issue, language: Language) -> Issue:
    """The issue as readers of this language get it: the same articles in the same order."""
    found = next((one for one in issue.translations if one.language == language), None)
    if found is None:
        return issue
    words = {article.key: article for article in found.articles}
    return replace(
        issue,
        subject=found.subject or issue.subject,
        preheader=found.preheader or issue.preheader,
        title=found.title or ("" if not issue.has_own_title else issue.title),
        teaser=found.teaser,
        author=found.author or issue.author,
        language=language,
        articles=tuple(_translated(article, words.get(article.key)) for article in issue.articles),
    )


def _translated(article: Article, words: Article | None) -> Article:
    if words is None:
        return article
    return replace(
        article,
        title=words.title,
        body=words.body,
        implications=words.implications,
        call_to_action=words.call_to_action,
        takeaway=words.takeaway,
        figures=words.figures,
        language=words.language,
    )


def check_translation(issue: Issue, translation: Issue) -> list[Diagnostic]:
    """What a translation says of articles that the original lacks, and what it leaves untranslated."""
    found = [*_strangers(issue, translation), *_gaps(issue, translation)]
    return [
        Diagnostic(translation.path, place.line, place.col, code, message, hint, severity)
        for place, severity, code, message, hint in found
    ]


_Found = tuple[Place, Severity, str, str, str]


def _strangers(issue: Issue, translation: Issue) -> Iterator[_Found]:
    keys = [article.key for article in issue.articles]
    for article in translation.articles:
        if article.key not in keys:
            hint = did_you_mean(article.key, keys) or f"its keys are: {', '.join(keys)}"
            message = f'{issue.path} has no article "{article.key}"'
            yield article.places.get("key", article.place), Severity.ERROR, "DM040", message, hint


def _gaps(issue: Issue, translation: Issue) -> Iterator[_Found]:
    words = {article.key: article for article in translation.articles}
    for article in issue.articles:
        own = words.get(article.key)
        if own is None:
            hint = f"readers of {translation.language} get it in {article.language}, with a line that says so"
            yield Place(), Severity.WARNING, "DM130", f'"{article.title}" is not translated', hint
            continue
        for name in ("implications", "call_to_action", "takeaway", "figures"):
            if getattr(article, name) and not getattr(own, name):
                message = f'the {_NAMES[name]} of "{own.title}" {"are" if name in _PLURALS else "is"} not translated'
                yield own.place, Severity.WARNING, "DM131", message, f"readers of {translation.language} go without"
    for name in ("subject", "preheader", "teaser"):
        if getattr(issue, name) and not getattr(translation, name):
            hint = f"add `{name}:` to its front matter"
            yield Place(), Severity.WARNING, "DM131", f"the {name} of the issue is not translated", hint


_NAMES = {
    "implications": "practice implications",
    "call_to_action": "call to action",
    "takeaway": "takeaway",
    "figures": "figures",
}
_PLURALS = ("implications", "figures")
