"""From an issue to the model of one edition: select, sort, format, give each thing its address.

The only place of the mail's arrangement; `rendering.model` says what comes out of it, templates write it down.
"""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from digest_mailer.core.archive import ArchiveEntry, PastArticle, related
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.identity import IssueId, Language, TopicKey
from digest_mailer.core.issue import WORDS_PER_MINUTE, Article, Issue, Markdown
from digest_mailer.core.urls import article_url, issue_url, issues_url, topic_url
from digest_mailer.rendering.links import safe_url
from digest_mailer.rendering.markdown import TEXT_WIDTH_PX, Block, render_block
from digest_mailer.rendering.model import SAME_LANGUAGE, ArticleView, Context, EditionModel, FigureView, Link, Section
from digest_mailer.rendering.phrases import Phrases, direction_of
from digest_mailer.rendering.plain import hard
from digest_mailer.rendering.typography import typeset, typeset_value

# Headings: 1 the issue, 2 sections, 3 articles, 4 parts of an article; what an author adds goes below these.
BODY_HEADING = 4
PART_HEADING = 5
CALLOUT_WIDTH_PX = 480
MAX_PREVIOUS = 3
BRIEF_WORDS = 45  # of the text of an article without a takeaway, where only takeaways are shown

_NO_BLOCK = Block(Markup(""), "")


def build_model(
    issue: Issue, key: EditionKey, past: Sequence[ArchiveEntry], context: Context, *, shortened: bool = False
) -> EditionModel:
    """The model of one edition. `issue` is in the edition's language as far as it is translated
    (`core.translation.in_language`); `past` likewise, published, older than the issue, newest first.

    Raises ValueError for a selection that the issue does not have, ContentError for content that cannot stand
    in a mail and for a language that the mail has no words in.
    """
    return _Builder(issue, key.language, context, shortened).edition(shown_articles(issue, key), key, past)


def shown_articles(issue: Issue, key: EditionKey) -> tuple[Article, ...]:
    """The articles of a selection. Raises ValueError for a position that the issue does not have."""
    if not key.positions or not all(1 <= position <= len(issue.articles) for position in key.positions):
        raise ValueError(f"issue {issue.id} has {len(issue.articles)} articles, the edition asks for {key.positions}")
    return tuple(issue.articles[position - 1] for position in key.positions)


class _Builder:
    """Makes the views of one edition in one language."""

    def __init__(self, issue: Issue, language: Language, context: Context, shortened: bool) -> None:
        self.issue = issue
        self.language = language
        self.shortened = shortened
        self.context = context
        self.publication = context.publication.in_language(language)
        self.base = context.publication.base_url
        self.phrases = context.templates.phrases(language)

    def edition(self, shown: Sequence[Article], key: EditionKey, past: Sequence[ArchiveEntry]) -> EditionModel:
        issue, publication, phrases = self.issue, self.publication, self.phrases
        catalogue = self.context.catalogue
        topics = catalogue.in_words(catalogue.words(topic for article in shown for topic in article.topics))
        author = issue.author or publication.author
        contact = str(publication.contact)
        return EditionModel(
            publication=publication.name,
            wordmark=publication.theme.wordmark or publication.name,
            masthead=publication.masthead,
            language=self.language,
            direction=phrases.direction,
            lang=self._lang(issue.language),
            title=typeset(issue.title, issue.language) if issue.has_own_title else phrases.month_title(issue.id),
            month=phrases.month_title(issue.id),
            subject=issue.subject,
            preheader=typeset(issue.preheader, issue.language),
            teaser=self._teaser(key),
            byline=phrases.gettext("By {author}").format(author=author) if author else "",
            studies=phrases.ngettext("{count} study", "{count} studies", len(shown)),
            reading=self._minutes(sum(len(_brief(a).split()) if self.shortened else a.words for a in shown)),
            notes=tuple(self._notes(shown)),
            language_notice=publication.language_notice,
            contact=Link(contact, safe_url(f"mailto:{contact}")),
            web_url=safe_url(issue_url(self.base, issue.id, self.language)),
            shortened=self.shortened,
            sections=tuple(self._sections(shown)),
            topics=tuple(self._topic(topic.key) for topic in topics),
            related=tuple(self._past_article(one) for one in related(shown, past)),
            previous=tuple(self._past_issue(entry) for entry in past[:MAX_PREVIOUS]),
            all_issues_url=safe_url(issues_url(self.base, self.language)),
            footer=render_block(Markdown(publication.footer), heading=BODY_HEADING, language=self.language),
            postal_address=publication.postal_address,
        )

    def _teaser(self, key: EditionKey) -> str:
        """`This month: a, b and c.` in the issue's language; a phrase an article when there are as many, else all."""
        teaser = list(self.issue.teaser)
        if len(teaser) == len(self.issue.articles):
            teaser = [teaser[position - 1] for position in key.positions]
        if not teaser:
            return ""
        phrases = self._phrases_of(self.issue.language)
        listed = phrases.listed(teaser).rstrip(".")
        return typeset(phrases.gettext("This month: {phrases}.").format(phrases=listed), self.issue.language)

    def _phrases_of(self, language: Language) -> Phrases:
        """The words to put around an author's, in the author's language where the mail has any in it."""
        templates = self.context.templates
        return templates.phrases(language) if templates.has_phrases(language) else self.phrases

    def _notes(self, shown: Sequence[Article]) -> Iterator[str]:
        gettext = self.phrases.gettext
        if self.shortened:
            yield gettext("This issue is long: each study is here with its finding, and stands on the web in full.")
        others = [article.language for article in shown if self._lang(article.language)]
        if others:
            whole = gettext("The articles of this issue are not translated: they are in {language}.")
            part = gettext("Some articles of this issue are not translated: they are in {language}.")
            named = self.phrases.language_name(others[0])
            yield (whole if len(others) == len(shown) else part).format(language=named)

    def _minutes(self, words: int) -> str:
        minutes = max(1, int(words / WORDS_PER_MINUTE + 0.5))
        return self.phrases.ngettext("{count} minute read", "{count} minute read", minutes)

    def _sections(self, articles: Sequence[Article]) -> Iterator[Section]:
        """Articles by their first topic, topics in the order in which they first appear."""
        groups: dict[TopicKey | None, list[Article]] = {}
        for article in articles:
            groups.setdefault(article.topics[0] if article.topics else None, []).append(article)
        number = 1
        for topic, members in groups.items():
            # only a draft has an article without a topic
            heading = self._topic(topic) if topic else Link(self.phrases.gettext("Other studies"), "")
            views = (self._article(article, position) for position, article in enumerate(members, number))
            yield Section(heading.name, heading.url, tuple(views))
            number += len(members)

    def _article(self, article: Article, number: int) -> ArticleView:
        language, citation, full = article.language, article.citation, not self.shortened
        title = typeset(article.title, language)
        return ArticleView(
            number=number,
            anchor=f"a{number}",
            lang=self._lang(language),
            title=title,
            url=safe_url(article_url(self.base, article.key, self.language)),
            topics=tuple(self._topic(topic) for topic in article.topics),
            research_type=self._type(article),
            reading=self._minutes(article.words),
            takeaway=typeset(article.takeaway, language) if full else typeset(_brief(article), language),
            figures=tuple(_figure(f.value, f.meaning, language) for f in article.figures) if full else (),
            body=_block(article.body, language, BODY_HEADING) if full else _NO_BLOCK,
            implications=_block(article.implications, language, PART_HEADING, CALLOUT_WIDTH_PX) if full else _NO_BLOCK,
            call_to_action=_block(article.call_to_action, language, PART_HEADING) if full else _NO_BLOCK,
            reference=citation.reference if citation and full else "",
            doi_url=safe_url(citation.url) if citation and citation.url and full else "",
            open_access_url=safe_url(article.open_access_url) if article.open_access_url and full else "",
            more="" if full else self.phrases.gettext("Read “{title}” on the web").format(title=title),
        )

    def _type(self, article: Article) -> str:
        found = self.context.types.by_key(article.research_type) if article.research_type else None
        return found.display(self.language) if found else ""

    def _topic(self, key: TopicKey) -> Link:
        topic = self.context.catalogue.by_key(key)
        return Link(topic.display(self.language), safe_url(topic_url(self.base, key, self.language)))

    def _past_article(self, article: PastArticle) -> Link:
        name = self._dated(article.issue, typeset(article.title, article.language))
        return Link(name, safe_url(article_url(self.base, article.key, self.language)), self._lang(article.language))

    def _past_issue(self, entry: ArchiveEntry) -> Link:
        words = typeset(entry.title or entry.subject, entry.language)
        name = self._dated(entry.issue, words) if words else self.phrases.month_title(entry.issue)
        return Link(name, safe_url(issue_url(self.base, entry.issue, self.language)), self._lang(entry.language))

    def _dated(self, issue: IssueId, words: str) -> str:
        return self.phrases.gettext("{month}: {title}").format(month=self.phrases.month_title(issue), title=words)

    def _lang(self, language: Language) -> Markup:
        """Attributes for words in another language than the edition's; with its direction where that differs too."""
        if language.partition("-")[0] == self.language.partition("-")[0]:
            return SAME_LANGUAGE
        direction = direction_of(language)
        aligned = Markup(' style="text-align:{}"').format("left" if direction == "ltr" else "right")
        attributes = Markup(' lang="{}" dir="{}"').format(language, direction)
        return attributes if direction == self.phrases.direction else attributes + aligned


def _figure(value: str, meaning: str, language: Language) -> FigureView:
    return FigureView(typeset_value(value, language), typeset(meaning, language))


def _block(source: Markdown, language: Language, heading: int, image_width: int = TEXT_WIDTH_PX) -> Block:
    return render_block(source, heading=heading, image_width=image_width, language=language)


def _brief(article: Article) -> str:
    """The finding in one sentence, or where the author gave none how the text begins."""
    if article.takeaway:
        return article.takeaway
    words = hard(_block(article.body, article.language, BODY_HEADING).text.partition("\n\n")[0]).split()
    return " ".join(words[:BRIEF_WORDS]) + (" …" if len(words) > BRIEF_WORDS else "")
