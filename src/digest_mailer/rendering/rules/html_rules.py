"""What must be true of a finished HTML part, whatever its templates and its content are.

    check_html(html)      # everything wrong with it, in the order of its rules
    check_page(page)      # the same for a part that was already read (`rendering.page`)

    DM401   longer than Gmail shows: 104,448 bytes (102 KiB; hteumeuleu/email-bugs 41). It hides the rest, and
            with it the way out

and the rules of `style` (DM403, DM404, DM424), `leftovers` (DM405), `link_rules` (DM408 to DM414),
`structure_rules` (DM415 to DM419, DM422), `legibility` (DM420, DM423) and `outlook_view` (DM426).
What both parts must have, and what clients lack, is in `edition_rules` and `client_support`.
"""

from collections.abc import Iterator

from digest_mailer.core.edition import MAX_WHY, Slot
from digest_mailer.core.finding import Finding
from digest_mailer.core.token import LENGTH
from digest_mailer.rendering.rules.leftovers import check_leftovers
from digest_mailer.rendering.rules.legibility import check_legibility
from digest_mailer.rendering.rules.link_rules import check_links
from digest_mailer.rendering.rules.outlook_view import check_outlook_view
from digest_mailer.rendering.rules.page import Page, read_page
from digest_mailer.rendering.rules.structure_rules import check_structure
from digest_mailer.rendering.rules.style import check_sheets, check_style

GMAIL_CLIP = 104_448

# Bytes that a mark may become: a sentence of MAX_WHY characters of topics and as many as 80 around them, each
# up to three bytes of UTF-8 (or of an escape like `&#x27;` now and then); an address of a token and as many as
# 120 characters of host and path.
ROOM = {
    Slot.WHY: 3 * (MAX_WHY + 80),
    Slot.UNSUBSCRIBE: LENGTH + 120,
    Slot.PREFERENCES: LENGTH + 120,
}


def check_html(html: str) -> list[Finding]:
    """Everything that is wrong with a finished HTML part."""
    return check_page(read_page(html))


def check_page(page: Page) -> list[Finding]:
    """Everything that is wrong with a finished HTML part that was already read; each mistake once."""
    found = [*_check_size(page), *check_sheets(tuple(node.element.text or "" for node in page.having("style")))]
    for style in page.by_style:
        found += check_style(style)
    found += check_leftovers(page)
    found += check_links(page)
    found += check_structure(page)
    found += check_legibility(page)
    found += check_outlook_view(page.tokens)
    return list(dict.fromkeys(found))


def size_of(page: Page) -> int:
    """The bytes that the HTML may have when every mark is filled in."""
    marks = sum(page.encoded.count(slot.mark.encode()) * (room - len(slot.mark)) for slot, room in ROOM.items())
    return len(page.encoded) + marks


def _check_size(page: Page) -> Iterator[Finding]:
    size = size_of(page)
    if size > GMAIL_CLIP:
        yield Finding(
            "DM401",
            f"the HTML may have {size:,} bytes; Gmail cuts a mail off at {GMAIL_CLIP:,} and hides the way out",
            "shorten the articles, or move one to another issue",
        )
