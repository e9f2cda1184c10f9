"""A letter to one person, as HTML and as text: a title, some sentences, one button, some more sentences.

The templates are `web/letter.mjml.j2` and `web/letter.txt.j2`: the site's, not an issue's, so that rewording one
outdates no approval.
"""

from dataclasses import dataclass

from digest_mailer.core.identity import Language
from digest_mailer.core.letter import Letter
from digest_mailer.core.publication import Publication
from digest_mailer.rendering.html import HEAD_STYLES, INLINED, compile_mjml
from digest_mailer.rendering.plain import SOFT_BREAK
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.typography import plain_spaces, typeset

HTML = "web/letter.mjml.j2"
TEXT = "web/letter.txt.j2"


@dataclass(frozen=True, slots=True)
class Link:
    """An article to read on the web."""

    name: str
    url: str
    language: Language


@dataclass(frozen=True, slots=True)
class Draft:
    """What a letter says, in the reader's language."""

    subject: str  # is its title too
    paragraphs: tuple[str, ...]
    button: str  # what the link is called
    url: str
    after: tuple[str, ...] = ()  # below the link, smaller
    links: tuple[Link, ...] = ()
    links_title: str = ""


def write_letter(draft: Draft, language: Language, publication: Publication, templates: Templates) -> Letter:
    """Set the letter. Raises ContentError for a template that cannot be used."""
    from digest_mailer.rendering.inlining import inline  # only who renders waits for it

    ours, phrases, theme = publication.in_language(language), templates.site_phrases(language), publication.theme
    values = {
        "draft": draft,
        "publication": ours,
        "language": phrases.language,
        "direction": phrases.direction,
        "contact": str(publication.contact),
        "_": phrases.gettext,
    }
    styles = tuple(templates.css(name, theme=theme) for name in HEAD_STYLES)
    mjml = templates.html(HTML, **values, theme=theme, styles=styles, typeset=_set(phrases.language))
    css = templates.css(INLINED, theme=theme, direction=phrases.direction)
    text = templates.text(TEXT, **values)
    return Letter(draft.subject, phrases.language, inline(compile_mjml(mjml, HTML), str(css)), _tidy(text))


def _set(language: Language) -> object:
    return lambda text: typeset(text, language)


def _tidy(text: str) -> str:
    return plain_spaces(text).replace(SOFT_BREAK, "").strip("\n") + "\n"
