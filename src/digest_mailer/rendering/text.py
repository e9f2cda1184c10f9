"""The plain-text part: `digest.txt.j2`, written from the model and never stripped from the HTML.

Seventy-two columns; an address stands alone on its line, because mail programs find it best there. What the
template leaves untidy is put right at the end: spaces at line ends, runs of empty lines, no-break spaces.
"""

import re

from digest_mailer.rendering.model import EditionModel
from digest_mailer.rendering.statistics import plain_spaces
from digest_mailer.rendering.templates import Templates

TEMPLATE = "digest.txt.j2"

_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{4,}")


def render_text(model: EditionModel, templates: Templates) -> str:
    """The text of an edition, slots still marked. Raises ContentError for a template that cannot be used."""
    text = plain_spaces(templates.text(TEMPLATE, edition=model))
    return _EMPTY_LINES.sub("\n\n\n", _LINE_END.sub("", text)).strip("\n") + "\n"
