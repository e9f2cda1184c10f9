"""The HTML part: `digest.mjml.j2` through MJML, then the content's CSS inlined by premailer.

The stylesheets of the head (media queries, dark mode) stay as they are, marked so that premailer leaves
them alone; each is a `<style>` of its own, because Gmail drops a whole block for one mistake in it.
`digest.css` is inlined and does not stay, so the mail reads well where `<style>` is dropped.
"""

import logging

import cssutils
from mjml import mjml2html
from premailer import Premailer

from digest_mailer.core.errors import ContentError
from digest_mailer.core.publication import Theme
from digest_mailer.rendering.model import EditionModel
from digest_mailer.rendering.templates import Templates

TEMPLATE = "digest.mjml.j2"
INLINED = "digest.css"
HEAD_STYLES = ("responsive.css", "dark.css", "dark-outlook.css")

# premailer reads every inline style with cssutils, which logs what it does not know; nobody could act on it.
cssutils.log.setLevel(logging.CRITICAL)

_MARK = ' data-premailer="ignore"'
_COPIED = ["width", "height", "align", "valign", "bgcolor"]  # attributes that premailer would overwrite


def render_html(model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The HTML of an edition, slots still marked. Raises ContentError for a template that cannot be used."""
    html = _compile(render_mjml(model, templates, theme))
    return _inline(html, str(templates.css(INLINED, theme=theme)))


def render_mjml(model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The MJML of an edition, for `render_html` and for whoever writes templates."""
    styles = tuple(templates.css(name, theme=theme) for name in HEAD_STYLES)
    return templates.html(TEMPLATE, edition=model, theme=theme, styles=styles)


def _compile(source: str) -> str:
    try:
        html: str = mjml2html(source, fonts={}, disable_comments=True)
    except ValueError as problem:
        hint = "every element must be closed, and texts stand inside mj-text"
        raise ContentError(f"template {TEMPLATE}: MJML cannot read it: {problem}", hint) from problem
    # premailer keeps only a doctype in capitals; without one, mail programs fall back to quirks mode
    return html.replace("<!doctype html>", "<!DOCTYPE html>", 1)


def _inline(html: str, css: str) -> str:
    marked = html.replace("<style", f"<style{_MARK}")
    inlined: str = Premailer(
        marked,
        css_text=[css],
        strip_important=False,
        disable_leftover_css=True,
        allow_network=False,
        allow_loading_external_files=False,
        disable_validation=True,
        disable_basic_attributes=_COPIED,
    ).transform(pretty_print=False)
    return inlined.replace(f"<style{_MARK}", "<style")  # those inside conditional comments keep the mark
