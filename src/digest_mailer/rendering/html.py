"""The HTML part: `digest.mjml.j2` through MJML, then the content's CSS inlined by premailer.

The stylesheets of the head (media queries, dark mode) stay as they are, marked so that premailer leaves
them alone; each is a `<style>` of its own, because Gmail drops a whole block for one mistake in it.
`digest.css` is inlined and does not stay, so the mail reads well where `<style>` is dropped.
"""

import logging
from functools import lru_cache
from typing import Any

import cssutils
from mjml import mjml2html
from premailer import Premailer

from digest_mailer.core.errors import ContentError
from digest_mailer.core.theme import Theme
from digest_mailer.rendering.model import EditionModel
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.trace import Trace

TEMPLATE = "digest.mjml.j2"
INLINED = "digest.css"
HEAD_STYLES = ("responsive.css", "dark.css", "dark-outlook.css")

# premailer reads every inline style with cssutils, which logs what it does not know; nobody could act on it.
cssutils.log.setLevel(logging.CRITICAL)

_Rules = tuple[list[Any], list[Any]]  # premailer's: those to apply, and those that cannot be inlined
_MARK = ' data-premailer="ignore"'
_COPIED = ["width", "height", "align", "valign", "bgcolor"]  # attributes that premailer would overwrite


_SETTINGS: dict[str, Any] = {
    "strip_important": False,
    "disable_leftover_css": True,
    "allow_network": False,
    "allow_loading_external_files": False,
    "disable_validation": True,
    "disable_basic_attributes": _COPIED,
}


class _Inliner(Premailer):  # type: ignore[misc]  # premailer has no types
    """Premailer that reads a stylesheet once: writing each rule out again took half of its time."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> _Rules:
        return _style_rules(css_body, ruleset_index)


@lru_cache(maxsize=16)
def _style_rules(css: str, index: int) -> _Rules:
    rules: _Rules = Premailer("", **_SETTINGS)._parse_style_rules(css, index)
    return rules


def render_html(mjml: str, model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The HTML of an edition from its MJML, slots still marked. Raises ContentError for MJML that cannot be read."""
    css = templates.css(INLINED, theme=theme, direction=model.direction)
    return _inline(_compile(mjml), str(css))


def render_mjml(model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The MJML of an edition. Raises ContentError for a template that cannot be used."""
    return templates.html(TEMPLATE, **_values(model, templates, theme))


def trace_mjml(model: EditionModel, templates: Templates, theme: Theme) -> Trace:
    """Which line of which template wrote what in an edition's MJML."""
    return templates.trace(TEMPLATE, **_values(model, templates, theme))


def _values(model: EditionModel, templates: Templates, theme: Theme) -> dict[str, object]:
    styles = tuple(templates.css(name, theme=theme) for name in HEAD_STYLES)
    return {"edition": model, "theme": theme, "styles": styles, "_": templates.phrases(model.language).gettext}


def _compile(source: str) -> str:
    try:
        html: str = mjml2html(source, fonts={}, disable_comments=True)
    except BaseException as problem:
        # MRML 6.0.1 panics at some texts, a bare > behind an accent for one: no Exception, but a mistake all the same
        if not isinstance(problem, ValueError) and type(problem).__name__ != "PanicException":
            raise
        hint = "digest-mailer lint names the line; every element must be closed, and texts stand inside mj-text"
        raise ContentError(f"template {TEMPLATE}: MJML cannot read it: {problem}", hint) from problem
    # premailer keeps only a doctype in capitals; without one, mail programs fall back to quirks mode
    return html.replace("<!doctype html>", "<!DOCTYPE html>", 1)


def _inline(html: str, css: str) -> str:
    marked = html.replace("<style", f"<style{_MARK}")
    inlined: str = _Inliner(marked, css_text=[css], **_SETTINGS).transform(pretty_print=False)
    return inlined.replace(f"<style{_MARK}", "<style")  # those inside conditional comments keep the mark
