"""The HTML part: `digest.mjml.j2` through MJML, then the content's CSS inlined.

The stylesheets of the head (media queries, dark mode) stay as they are; each is a `<style>` of its own, because Gmail
drops a whole block for one mistake in it. `digest.css` is inlined and does not stay.
"""

from mjml import mjml2html

from digest_mailer.core.errors import ContentError
from digest_mailer.core.theme import Theme
from digest_mailer.rendering.model import EditionModel
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.trace import Trace

TEMPLATE = "digest.mjml.j2"
INLINED = "digest.css"
HEAD_STYLES = ("responsive.css", "dark.css", "dark-outlook.css")


def render_html(mjml: str, model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The HTML of an edition from its MJML, slots still marked. Raises ContentError for MJML that cannot be read."""
    from digest_mailer.rendering.inlining import inline  # only who renders waits for it

    css = templates.css(INLINED, theme=theme, direction=model.direction)
    return inline(compile_mjml(mjml, TEMPLATE), str(css))


def render_mjml(model: EditionModel, templates: Templates, theme: Theme) -> str:
    """The MJML of an edition. Raises ContentError for a template that cannot be used."""
    return templates.html(TEMPLATE, **_values(model, templates, theme))


def trace_mjml(model: EditionModel, templates: Templates, theme: Theme) -> Trace:
    """Which line of which template wrote what in an edition's MJML."""
    return templates.trace(TEMPLATE, **_values(model, templates, theme))


def _values(model: EditionModel, templates: Templates, theme: Theme) -> dict[str, object]:
    styles = tuple(templates.css(name, theme=theme) for name in HEAD_STYLES)
    return {"edition": model, "theme": theme, "styles": styles, "_": templates.phrases(model.language).gettext}


def compile_mjml(source: str, template: str) -> str:
    """MJML as HTML. Raises ContentError for what cannot be read, naming the template."""
    try:
        html: str = mjml2html(source, fonts={}, disable_comments=True)
    except BaseException as problem:
        # MRML 6.0.1 panics at some texts, a bare > behind an accent for one: no Exception, but a mistake all the same
        if not isinstance(problem, ValueError) and type(problem).__name__ != "PanicException":
            raise
        hint = "digest-mailer lint names the line; every element must be closed, and texts stand inside mj-text"
        raise ContentError(f"template {template}: MJML cannot read it: {problem}", hint) from problem
    # premailer keeps only a doctype in capitals; without one, mail programs fall back to quirks mode
    return html.replace("<!doctype html>", "<!DOCTYPE html>", 1)
