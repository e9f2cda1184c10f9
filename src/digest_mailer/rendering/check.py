"""What must be true of a rendered edition, whatever its templates and its content are.

An author cannot repair these by editing a text: they are mistakes of a template, or an issue that is too
long for one mail. A brace or a percent sign in the result is no mistake; an article may write about them.
"""

import html as entities
import re

from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import ContentError
from digest_mailer.core.publication import Publication

GMAIL_CLIP = 104_448  # bytes of HTML, 102 KiB: beyond it Gmail hides the rest, and with it the way out
_TAG = re.compile(r"<[^>]*>")


def check_rendered(html: str, text: str, publication: Publication) -> None:
    """Look at both parts of an edition. Raises ContentError for the first thing that is wrong."""
    _check_size(html)
    leftover = re.search(r"</?mj-[a-z-]*", html)
    if leftover:
        raise ContentError(
            f'the HTML still holds "{leftover[0]}"', "templates/digest.mjml.j2 uses an element that MJML does not have"
        )
    for name, part in (("HTML", html), ("plain text", text)):
        for slot in Slot:
            if slot.mark not in part:
                raise ContentError(f"the {name} lacks {slot.mark}", f"the template must show the slot {slot.value}")
    words = _TAG.sub(" ", html)
    for name, shown in (("HTML", entities.unescape(words)), ("plain text", text)):
        if not publication.postal_address or _squash(publication.postal_address) not in _squash(shown):
            raise ContentError(
                f"the {name} lacks the postal address", "the template must show edition.postal_address; the law asks it"
            )


def _check_size(html: str) -> None:
    size = len(html.encode())
    if size > GMAIL_CLIP:
        raise ContentError(
            f"the HTML has {size:,} bytes; Gmail cuts a mail off at {GMAIL_CLIP:,}, and hides the unsubscribe link",
            "shorten the articles, or move one to another issue",
        )


def _squash(text: str) -> str:
    return "".join(text.split())
