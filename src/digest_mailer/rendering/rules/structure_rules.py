"""Pictures, headings, language, tables and ids of a finished edition, and what no mail program runs.

In brackets, the success criteria of WCAG 2.2.

    DM415   a picture without alt (1.1.1), without an https address, or without width and height in
            pixels: Outlook for Windows then shows it at its own size, and text jumps when it loads
    DM416   not exactly one h1, or a level skipped (1.3.1, 2.4.6): screen readers go by headings
    DM417   no language or direction on <html> (3.1.1), no title (2.4.2), or nothing inside <body> that says the
            language, since Gmail and Outlook.com take <html> and <body> away
    DM418   a layout table that a screen reader would read out as data; `role="presentation"` says it is none.
            A table with `th` is data (1.3.1)
    DM419   two elements with one id; links and labels find only the first (HTML, 3.2.3)
    DM422   script, form, frame, event handler, stylesheet from elsewhere: mail programs drop them, filters
            count them, and fetching a stylesheet tells its host that the mail was opened
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.naming import short
from digest_mailer.rendering.rules.page import HEADINGS, Node, Page, data_tables

_HTTPS = re.compile(r"https://[^\s/\"<>]+/[^\s\"<>]*", re.IGNORECASE)
_ACTIVE = ("script", "form", "iframe", "frame", "object", "embed", "applet")
_HANDLER = re.compile(r"\bon[a-z]+\s*=", re.IGNORECASE)
_IMPORT = re.compile(r"@import\b[^;}]*", re.IGNORECASE)
_NO_LANGUAGE = ("", "und", "zxx")


def check_structure(page: Page) -> Iterator[Finding]:
    """Everything that is wrong with how the HTML is put together."""
    for image in page.shown("img"):
        yield from _check_image(image)
    yield from _check_headings(page.shown(*HEADINGS))
    yield from _check_language(page)
    yield from _check_tables(page)
    for name, count in Counter(page.ids).items():
        if count > 1:
            yield Finding(
                "DM419",
                f'{count} elements have the id "{short(name)}"',
                "give each its own",
                near=f'id="{name}"',
            )
    yield from _check_active(page)


def _check_image(image: Node) -> Iterator[Finding]:
    src = image.get("src").strip()
    name = short(src or image.get("alt"))
    near = src or image.get("alt") or "<img"
    if image.element.get("alt") is None:
        hint = 'say in alt what it shows; alt="" when it only decorates'
        yield Finding("DM415", f'the picture "{name}" has no alt', hint, near=near)
    if not _HTTPS.fullmatch(src):
        yield Finding(
            "DM415", f'the picture "{name}" has no address that begins with https://', "put it on the web", near=near
        )
    sizes = [name for name in ("width", "height") if not re.fullmatch(r"[0-9]{1,5}", image.get(name).strip())]
    if sizes:
        yield Finding(
            "DM415",
            f'the picture "{name}" has no {" and no ".join(sizes)} in pixels',
            "write both as whole numbers, without px",
            near=near,
        )


def _check_headings(headings: list[Node]) -> Iterator[Finding]:
    first = [node for node in headings if node.tag == "h1"]
    if len(first) != 1:
        which = f'{len(first)} headings of the first level, "{short(first[1].words)}" for one' if first else "no h1"
        yield Finding(
            "DM416",
            f"the HTML has {which}",
            "make the issue's title the only h1",
            near=first[1].words if first else "",
        )
    for above, node in pairwise(headings):
        if int(node.tag[1]) - int(above.tag[1]) > 1:
            yield Finding(
                "DM416",
                f'the heading "{short(node.words)}" is an {node.tag}, and the one before it an {above.tag}',
                f"make it an h{int(above.tag[1]) + 1}",
                near=node.words,
            )


def _check_language(page: Page) -> Iterator[Finding]:
    root = page.nodes[0]
    if root.get("lang").strip().lower() in _NO_LANGUAGE:
        yield Finding("DM417", "the HTML does not say its language", 'write <mjml lang="en">', near="<mjml")
    if root.get("dir").strip().lower() not in ("ltr", "rtl"):
        hint = 'write <mjml dir="ltr">, or rtl'
        yield Finding("DM417", "the HTML does not say in which direction it is read", hint, near="<mjml")
    if not any(node.words for node in page.having("title")):
        yield Finding("DM417", "the HTML has no title", "write an mj-title in mj-head", near="<mj-head")
    if not any(node.shown and node.get("lang") and node.tag not in ("html", "body") for node in page.nodes):
        yield Finding(
            "DM417",
            "nothing inside the body says its language, and Gmail drops what stands around it",
            "write lang on an element that holds everything; MJML copies it from <mjml lang>",
            near="<mj-body",
        )


def _check_tables(page: Page) -> Iterator[Finding]:
    data = data_tables(page)
    bare = [
        node
        for node in page.shown("table")
        if node.get("role").strip().lower() not in ("presentation", "none") and node.element not in data
    ]
    if bare:
        count = "a table" if len(bare) == 1 else f"{len(bare)} tables"
        yield Finding(
            "DM418",
            f'{count} would be read out as data, "{short(bare[0].words)}" for one',
            'write role="presentation" on a table for layout, th in a table of data',
            near="<table",
        )


def _check_active(page: Page) -> Iterator[Finding]:
    for node in page.having(*_ACTIVE):
        yield Finding("DM422", f"mail programs do not run <{node.tag}>", "take it out", near=f"<{node.tag}")
    for node in page.having("link"):
        if "stylesheet" in node.get("rel").lower().split():
            yield _sheet(node.get("href"))
    for node in page.having("style"):
        for found in _IMPORT.findall(node.element.text or ""):
            yield _sheet(found.strip())
    if any(_has_handler(attributes) for _, attributes in page.tags):
        for name in dict.fromkeys(str(name) for node in page.nodes for name in node.element.keys()):  # noqa: SIM118
            if name.lower().startswith("on"):
                yield Finding("DM422", f"mail programs do not run {short(name)}", "take it out", near=f"{name}=")


@lru_cache(maxsize=4096)
def _has_handler(attributes: str) -> bool:
    """Whether something in a tag looks like `onclick=`; it may stand in a value."""
    return _HANDLER.search(attributes) is not None


def _sheet(address: str) -> Finding:
    return Finding(
        "DM422",
        f"the stylesheet {short(address)} stands elsewhere; most mail programs never fetch it",
        "write its rules into digest.css",
        near=address,
    )
