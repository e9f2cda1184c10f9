"""From an issue to one finished edition: model, both parts, checks, slots.

The same inputs give the same bytes: there is no clock, no random number and no order of a set in here.
An approval therefore stores what this answers, and a send never calls it again (contract 3).
"""

from collections.abc import Sequence

from digest_mailer.core.archive import ArchiveEntry
from digest_mailer.core.edition import Edition, EditionKey, Label, WhyPhrases, split_slots
from digest_mailer.core.issue import Article, Issue
from digest_mailer.rendering.check import check_rendered
from digest_mailer.rendering.html import render_html
from digest_mailer.rendering.model import Context, build_model, shown_articles
from digest_mailer.rendering.text import render_text

WHY = WhyPhrases(
    topics="You receive this issue because you follow: {topics}.",
    all_topics="You receive this issue because you follow all topics.",
    no_match="None of the topics you follow had an article this month, so this is the whole issue.",
    more=" and {count} more",
)


def compile_edition(issue: Issue, key: EditionKey, past: Sequence[ArchiveEntry], context: Context) -> Edition:
    """Render one edition and check it.

    `past` is what `core.archive.before` answers for the issue: published, older, newest first.
    Raises ContentError for templates or content that cannot make a mail, ValueError for a selection that the
    issue does not have.
    """
    model = build_model(issue, key, past, context)
    html = render_html(model, context.templates, context.publication.theme)
    text = render_text(model, context.templates)
    check_rendered(html, text, context.publication)
    shown = shown_articles(issue, key)
    return Edition(
        issue=issue.id,
        key=key,
        articles=tuple(article.key for article in shown),
        subject=issue.subject,
        html=split_slots(html),
        text=split_slots(text),
        sender=context.publication.sender,
        labels=_labels(shown, key, context),
        why=WHY,
    )


def _labels(shown: Sequence[Article], key: EditionKey, context: Context) -> tuple[Label, ...]:
    """The topics of the shown articles in catalogue order, named in the edition's language."""
    words = context.catalogue.words(topic for article in shown for topic in article.topics)
    return tuple(Label(topic.ordinal, topic.display(key.language)) for topic in context.catalogue.in_words(words))
