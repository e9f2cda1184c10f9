"""From an issue to one finished edition: model, both parts, slots.

The same inputs give the same bytes: there is no clock, no random number and no order of a set in here.
An approval therefore stores what this answers, and a send never calls it again (contract 3). An edition whose
HTML would be longer than the publication's budget is made again with takeaways in place of texts, because
Gmail cuts off what is too long, and with it the way out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from digest_mailer.core.archive import ArchiveEntry
from digest_mailer.core.edition import Edition, EditionKey, Label, Slot, WhyPhrases, split_slots
from digest_mailer.core.issue import Article, Issue
from digest_mailer.rendering.assemble import build_model, shown_articles
from digest_mailer.rendering.html import render_html, render_mjml, trace_mjml
from digest_mailer.rendering.model import Context, EditionModel
from digest_mailer.rendering.phrases import Phrases
from digest_mailer.rendering.text import render_text
from digest_mailer.rendering.trace import Trace

SLOT_ROOM = 512  # bytes of HTML that a slot's value may need in place of its mark: an address, a why-line


def compile_edition(issue: Issue, key: EditionKey, past: Sequence[ArchiveEntry], context: Context) -> Edition:
    """Render one edition: see `Rendering`."""
    return Rendering(issue, key, past, context).edition()


def html_size(html: str) -> int:
    """Bytes of an edition's HTML when its slots are filled, at most."""
    return len(html.encode()) + SLOT_ROOM * sum(html.count(slot.mark) for slot in Slot)


@dataclass(frozen=True)
class Rendering:
    """The rendering of one edition, step by step, so that a check can look at each.

    `issue` and `past` are in the edition's language as far as they are translated; `past` is what
    `core.archive.before` answers for the issue: published, older, newest first. Each step raises ContentError for
    templates or content that cannot make a mail, ValueError for a selection that the issue does not have.
    """

    issue: Issue
    key: EditionKey
    past: Sequence[ArchiveEntry]
    context: Context
    _models: dict[bool, EditionModel] = field(default_factory=dict)
    _sources: dict[bool, str] = field(default_factory=dict)

    def model(self, *, shortened: bool = False) -> EditionModel:
        """What the edition shows."""
        if shortened not in self._models:
            self._models[shortened] = build_model(self.issue, self.key, self.past, self.context, shortened=shortened)
        return self._models[shortened]

    def mjml(self, *, shortened: bool = False) -> str:
        """Its MJML."""
        if shortened not in self._sources:
            model, theme = self.model(shortened=shortened), self.context.publication.theme
            self._sources[shortened] = render_mjml(model, self.context.templates, theme)
        return self._sources[shortened]

    def html(self, *, shortened: bool = False) -> str:
        """Its HTML, slots still marked."""
        model, theme = self.model(shortened=shortened), self.context.publication.theme
        return render_html(self.mjml(shortened=shortened), model, self.context.templates, theme)

    def trace(self, *, shortened: bool = False) -> Trace:
        """Which template wrote what in its MJML."""
        return trace_mjml(self.model(shortened=shortened), self.context.templates, self.context.publication.theme)

    def edition(self) -> Edition:
        """The finished edition; shortened when the whole would be too long."""
        publication, templates = self.context.publication, self.context.templates
        html = self.html()
        shortened = html_size(html) > publication.html_budget
        if shortened:
            html = self.html(shortened=True)
        shown = shown_articles(self.issue, self.key)
        return Edition(
            issue=self.issue.id,
            key=self.key,
            articles=tuple(article.key for article in shown),
            subject=self.issue.subject,
            html=split_slots(html),
            text=split_slots(render_text(self.model(shortened=shortened), templates)),
            sender=publication.sender,
            labels=_labels(shown, self.key, self.context),
            why=_why(templates.phrases(self.key.language)),
            shortened=shortened,
        )


def _labels(shown: Sequence[Article], key: EditionKey, context: Context) -> tuple[Label, ...]:
    """The topics of the shown articles in catalogue order, named in the edition's language."""
    words = context.catalogue.words(topic for article in shown for topic in article.topics)
    return tuple(Label(topic.ordinal, topic.display(key.language)) for topic in context.catalogue.in_words(words))


def _why(phrases: Phrases) -> WhyPhrases:
    return WhyPhrases(
        topics=phrases.gettext("You receive this issue because you follow: {topics}."),
        all_topics=phrases.gettext("You receive this issue because you follow all topics."),
        no_match=phrases.gettext("No topic that you follow has an article this month, so this is the whole issue."),
        more=phrases.gettext(" and {count} more"),
    )
