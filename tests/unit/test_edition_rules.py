"""What both parts of an edition must have, and that the sample publication has nothing to be told."""

import time
from functools import cache
from pathlib import Path

import pytest

from digest_mailer.bootstrap import build_app
from digest_mailer.core.edition import Edition, Pieces, Slot
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.edition_rules import check_edition
from finished_support import ADDRESS, HTML, TEXT, replaced, told, with_body

ROOT = Path(__file__).parents[2]


def check(html: str = HTML, text: str = TEXT, address: str = ADDRESS) -> list[Finding]:
    return check_edition(html, text, address)


def test_a_right_edition_has_no_finding() -> None:
    assert check() == []


# -- slots


@pytest.mark.parametrize("slot", list(Slot))
def test_a_slot_that_the_text_lacks(slot: Slot) -> None:
    found = check(text=replaced(slot.mark, "", TEXT))
    assert [finding.code for finding in found if finding.code != "DM431"] == ["DM406"]
    assert "plain text" in found[0].message
    assert found[0].near == ""


@pytest.mark.parametrize(
    ("html", "field"),
    [
        (replaced("__DM_WHY__", "because"), "edition.why"),
        (replaced("<p>__DM_WHY__", '<p title="__DM_WHY__">'), "edition.why"),
        (replaced("<p>__DM_WHY__", "<p><!-- __DM_WHY__ -->"), "edition.why"),
        (replaced('href="__DM_UNSUBSCRIBE__"', 'href="https://digest.example.org/u/"'), "edition.unsubscribe_url"),
        (replaced('<a href="__DM_UNSUBSCRIBE__"', '<a id="u" title="__DM_UNSUBSCRIBE__"'), "edition.unsubscribe_url"),
        (replaced('<a href="__DM_UNSUBSCRIBE__" style="', '<a href="__DM_UNSUBSCRIBE__" style="display:none;'),
         "edition.unsubscribe_url"),
        (replaced('href="__DM_UNSUBSCRIBE__"', 'href="__DM_UNSUBSCRIBE__#x"'), "edition.unsubscribe_url"),
        (HTML.replace("__DM_PREFERENCES__", "https://digest.example.org/p/"), "edition.preferences_url"),
    ],
)  # fmt: skip
def test_a_slot_that_the_html_lacks(html: str, field: str) -> None:
    found = [finding for finding in check(html) if finding.code == "DM406"]
    assert told(found) == [("DM406", "<mj-body")]
    assert "HTML" in found[0].message
    assert field in found[0].hint


def test_a_page_of_topics_with_its_pause_is_the_way_to_choose_topics() -> None:
    assert check(replaced('<a href="__DM_PREFERENCES__" style="color:#0b5563">Choose your topics</a>,', "")) == []


# -- the postal address


@pytest.mark.parametrize(
    ("html", "text", "near"),
    [
        (replaced(f"<p>{ADDRESS}</p>", ""), TEXT, "<mj-body"),
        (replaced(f"<p>{ADDRESS}</p>", f"<!-- {ADDRESS} -->"), TEXT, "<mj-body"),
        (replaced(f"<p>{ADDRESS}</p>", f'<p style="display:none">{ADDRESS}</p>'), TEXT, "<mj-body"),
        (replaced(f"<p>{ADDRESS}</p>", "<p>1 Example Street, Toronto</p>"), TEXT, "<mj-body"),
        (HTML, replaced(ADDRESS, "1 Example Street", TEXT), ""),
    ],
)
def test_a_part_without_the_postal_address(html: str, text: str, near: str) -> None:
    assert told(check(html, text)) == [("DM407", near)]


@pytest.mark.parametrize("address", ["", " \n"])
def test_no_postal_address_at_all(address: str) -> None:
    assert told(check(address=address)) == [("DM407", "postal_address")]


@pytest.mark.parametrize(
    ("address", "html", "text"),
    [
        ("1 Rue d'Or & <Fils>", "1 Rue d&#39;Or &amp; &lt;Fils&gt;", "1 Rue d'Or & <Fils>"),
        ("Line one\nLine two\nCanada", "Line one<br>Line two<br>Canada", "Line one \nLine two \nCanada"),
        ("100 Example Street, Ottawa", "<b>100</b> Example\u00a0Street,\n Ottawa", "100 Example\nStreet, Ottawa"),
    ],
)
def test_an_address_is_found_however_it_is_escaped_or_wrapped(address: str, html: str, text: str) -> None:
    assert check(replaced(ADDRESS, html), replaced(ADDRESS, text, TEXT), address) == []


# -- all rules together


def test_every_kind_of_rule_is_asked() -> None:
    html = with_body(
        '<h4>Too deep</h4><p style="position:absolute;padding-top:0;padding:0;color:#777777">a {{ b }}</p><a>'
    )
    html = html.replace("</table><![endif]", "<![endif]")
    codes = {finding.code for finding in check(html, TEXT + "\u200b", "another")}
    assert codes >= {"DM407", "DM408", "DM416", "DM420", "DM424", "DM425", "DM426", "DM430", "DM435"}


def test_nothing_at_all_is_told_as_such() -> None:
    codes = {finding.code for finding in check("", "", "")}
    assert codes >= {"DM406", "DM407", "DM416", "DM417"}


# -- the sample publication


def joined(pieces: Pieces) -> str:
    return "".join(piece.mark if isinstance(piece, Slot) else piece for piece in pieces)


@cache
def editions() -> dict[str, tuple[Edition, str]]:
    """Every edition of every sample issue, with the address that it has to show."""
    app = build_app(ROOT)
    library = app.library
    composer = app.composer(library)
    made = {}
    for issue in library.all():
        for key, edition in composer.editions(issue, composer.keys(issue, None)).items():
            made[f"{issue.id} {key}"] = edition, app.publication.postal_address
    return made


def test_the_sample_publication_has_nothing_to_be_told() -> None:
    found = {
        name: told(one)
        for name, (edition, address) in editions().items()
        if (one := check_edition(joined(edition.html), joined(edition.text), address))
    }
    assert found == {}
    assert len(editions()) >= 14


def test_a_check_costs_little_beside_a_rendering() -> None:
    """6 ms on the machine it was written on; the limit leaves room for slower and busier ones."""
    edition, address = max(editions().values(), key=lambda made: len(joined(made[0].html)))
    html, text = joined(edition.html), joined(edition.text)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        check_edition(html, text, address)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.06
