"""What must be true of a finished edition: both its parts, with the personal slots still as marks.

    found = check_edition(html, text, publication.postal_address)

answers a finding for each mistake, errors and warnings, HTML before text. It joins `html_rules`,
`text_rules` and `client_support`, and adds what both parts must have:

    DM406   why a reader gets this, the link to leave, the link to their topics (CASL 6(2)(c) and 11, CAN-SPAM
            7704(a)(5), RFC 8058 section 5 for the visible way out beside the header)
    DM407   the postal address (CASL 6(2)(b), CAN-SPAM 7704(a)(5)(A)(iii)); white space may differ, words not
"""

from collections.abc import Iterator

from digest_mailer.core.edition import Slot
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.client_support import check_support
from digest_mailer.rendering.rules.html_rules import check_page
from digest_mailer.rendering.rules.link_rules import PERSONAL
from digest_mailer.rendering.rules.naming import short, squash
from digest_mailer.rendering.rules.page import Page, read_page
from digest_mailer.rendering.rules.text_rules import check_text

_BODY = "<mj-body"  # where in a template to add what the HTML lacks
_MEANING = {
    Slot.WHY: ("why a reader gets this", "edition.why"),
    Slot.UNSUBSCRIBE: ("the way to unsubscribe", "edition.unsubscribe_url"),
    Slot.PREFERENCES: ("the way to choose topics", "edition.preferences_url"),
}


def check_edition(html: str, text: str, postal_address: str) -> list[Finding]:
    """Everything that is wrong with an edition."""
    page = read_page(html)
    return [
        *check_page(page),
        *_check_slots(page, text),
        *_check_postal_address(page, text, postal_address),
        *check_support(page),
        *check_text(text, page),
    ]


def _check_slots(page: Page, text: str) -> Iterator[Finding]:
    links = {node.get("href").strip().partition("#")[0] for node in page.shown("a") if node.get("href") in PERSONAL}
    for slot, (meaning, field) in _MEANING.items():
        if slot.mark not in (page.text if slot is Slot.WHY else links):
            yield Finding(
                "DM406",
                f"the HTML does not show {meaning}",
                f"write {field} into digest.mjml.j2" + ("" if slot is Slot.WHY else ", as the href of a link"),
                near=_BODY,
            )
        if slot.mark not in text:
            yield Finding("DM406", f"the plain text does not show {meaning}", f"write {field} into digest.txt.j2")


def _check_postal_address(page: Page, text: str, address: str) -> Iterator[Finding]:
    wanted = squash(address)
    if not wanted:
        yield Finding(
            "DM407",
            "the publication has no postal address, and the law asks for one",
            "set [publication] postal_address in digest.toml",
            near="postal_address",
        )
        return
    for part, name, near in ((page.text, "HTML", _BODY), (text, "plain text", "")):
        if wanted not in squash(part):
            yield Finding(
                "DM407",
                f'the {name} lacks the postal address "{short(address)}"',
                "let the template show edition.postal_address; the law asks for it",
                near=near,
            )
