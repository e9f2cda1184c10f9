"""Whether the words of a finished edition can be read: contrast and size, in light mode and without any <style>.

    DM420   a contrast below 4.5:1 between words and their background (WCAG 2.2, 1.4.3). Large words may have
            3:1 there; here they may not, since a phone shows them smaller and outdoors. What nobody sees
            (display:none) and a colour that cannot be known are left out
    DM423   words smaller than 13 pixels: phones enlarge them and break the layout, or nobody reads them

The pair of colours, or the size, is told once, with the first words that have it. Dark mode is the theme's.
"""

from collections.abc import Iterator

from digest_mailer.core.contrast import READABLE, contrast
from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.look import Look
from digest_mailer.rendering.rules.naming import short
from digest_mailer.rendering.rules.page import Node, Page

SMALLEST = 13  # pixels


def check_legibility(page: Page) -> Iterator[Finding]:
    """Every element with words of its own that a reader sees."""
    told: set[Look | tuple[str, str] | float] = set()
    for node in page.speakers:
        look, pair = node.look, (node.look.colour, node.look.background)
        if look in told:
            continue
        told.add(look)
        if all(pair) and pair not in told and contrast(*pair) < READABLE:
            told.add(pair)
            yield _faint(node)
        if look.size < SMALLEST and look.size not in told:
            told.add(look.size)
            yield _small(node)


def _faint(node: Node) -> Finding:
    colour, background = node.look.colour, node.look.background
    return Finding(
        "DM420",
        f'the words "{short(node.own_words)}" are hard to read: {colour} on {background} has a contrast of '
        f"{contrast(colour, background):.2f}:1",
        f"choose colours with {READABLE}:1 or more",
        near=node.own_words,
    )


def _small(node: Node) -> Finding:
    return Finding(
        "DM423",
        f'the words "{short(node.own_words)}" are {node.look.size:g} pixels small',
        f"make them {SMALLEST} pixels or more",
        Severity.WARNING,
        near=node.own_words,
    )
