"""The plain-text part: `digest.txt.j2`, written from the model and never stripped from the HTML.

Seventy-two columns; an address stands alone on its line, because mail programs find it best there. The result
is format=flowed (RFC 3676): a line of a paragraph ends with a space where a mail program may join it with the
next, so a phone sets the text as wide as it is, and everybody else sees 72 columns. What the template leaves
untidy is put right here: spaces at line ends, runs of empty lines, no-break spaces.
"""

import re

from digest_mailer.core.flowed import stuff
from digest_mailer.rendering.model import EditionModel
from digest_mailer.rendering.plain import QUOTE, SOFT_BREAK
from digest_mailer.rendering.templates import Templates
from digest_mailer.rendering.typography import plain_spaces

TEMPLATE = "digest.txt.j2"

_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{4,}")


def render_text(model: EditionModel, templates: Templates) -> str:
    """The text of an edition, slots still marked. Raises ContentError for a template that cannot be used."""
    words = templates.phrases(model.language).gettext
    text = plain_spaces(templates.text(TEMPLATE, edition=model, _=words))
    tidy = _EMPTY_LINES.sub("\n\n\n", _LINE_END.sub("", text)).strip("\n") + "\n"
    return stuff(tidy).replace(QUOTE, ">").replace(SOFT_BREAK, " ")
