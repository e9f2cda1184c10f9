"""Where MJML's elements, texts and comments stand: each where the language, and MRML, have a place for it.

DM302   an unknown element
DM305   an element or a text where none can stand
DM308   an element that MRML lacks or does wrong; a comment or a declaration where it reads none
DM313, DM314   the CSS of an mj-style, see `mjml_style_rules`
"""

from collections.abc import Iterator

from digest_mailer.core.errors import did_you_mean
from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, PARENTS, WITH_CONDITIONS, WITHOUT_COMMENTS, Content
from digest_mailer.rendering.rules.mjml_markup import Element, Mark, Text, is_mjml
from digest_mailer.rendering.rules.mjml_style_rules import check_css
from digest_mailer.rendering.rules.mjml_syntax import Mistake, word_at
from digest_mailer.rendering.rules.naming import short

_LACKING = {
    "mj-include": (
        "mj-include loses paddings, and says nothing of its errors",
        'let the template engine do it: {% include "name.mjml.j2" %}',
    ),
    "mj-html-attributes": (
        "mj-html-attributes does not exist here",
        "write the attributes into HTML of your own, in mj-text or mj-raw",
    ),
    "mj-preview": (
        "mj-preview writes white text, which spam filters count against the mail",
        "write a hidden <div> in an mj-raw, first thing in mj-body",
    ),
}


def check_place(element: Element) -> Iterator[Mistake]:
    """Whether an element exists, and may stand where it does."""
    name, parent = element.name, element.parent
    if name in _LACKING:
        yield Mistake(element.start, "DM308", *_LACKING[name], element.near)
    elif parent and parent.name in ("mj-html-attributes", "mj-selector"):
        return
    elif name in ELEMENTS:
        yield from _check_parent(element)
    elif is_mjml(name) or element.within in (Content.ELEMENTS, Content.NOTHING):
        yield Mistake(element.start, "DM302", f"unknown element {element.near}>", _instead(element), element.near)
    elif element.within is Content.TEXT:
        yield _misplaced(element, "only text can stand there")


def _instead(element: Element) -> str:
    """What somebody may have meant: first of all an element that can stand there."""
    allowed = ELEMENTS[element.parent.name].children if element.parent and element.parent.name in ELEMENTS else ()
    hint = did_you_mean(element.name, allowed) or did_you_mean(element.name, tuple(ELEMENTS))
    return hint or "HTML stands inside mj-text or mj-raw"


def _check_parent(element: Element) -> Iterator[Mistake]:
    """Whether an element that MJML knows may stand in the one around it."""
    name, parent = element.name, element.parent
    places = f"it can stand in {', '.join(PARENTS[name])}"
    if name == "mjml" or element.within is None:  # told as a second one; nobody knows what an unknown one may hold
        return
    if parent is None:
        yield Mistake(element.start, "DM305", f"{element.near}> stands outside <mjml>", places, element.near)
    elif parent.name == "mj-class":
        hint = "write the attributes on mj-class itself"
        yield Mistake(element.start, "DM308", "an mj-class cannot hold elements", hint, element.near)
    elif parent.name == "mj-attributes" and name == "mj-body":
        hint = "write the attributes on the mj-body that holds the mail"
        yield Mistake(element.start, "DM308", "mj-body in mj-attributes has no effect", hint, element.near)
    elif element.within is not Content.ELEMENTS or name not in ELEMENTS[parent.name].children:
        yield _misplaced(element, places)


def _misplaced(element: Element, hint: str) -> Mistake:
    message = f"{element.near}> cannot stand in <{element.parent.name if element.parent else ''}>"
    return Mistake(element.start, "DM305", message, hint, element.near)


def check_text(text: Text) -> Iterator[Mistake]:
    """Texts stand in elements for text; a stylesheet is checked as one."""
    content = text.parent.content if text.parent else None
    if content is Content.CSS:
        yield from check_css(text.text, text.start)
    elif text.parent is None or content in (Content.ELEMENTS, Content.NOTHING):
        where = f"directly in <{text.parent.name}>" if text.parent else "outside <mjml>"
        hint = "put it into mj-text, or delete it"
        yield Mistake(text.start, "DM305", f'the text "{short(text.text)}" stands {where}', hint, word_at(text.text, 0))


def check_mark(mark: Mark) -> Iterator[Mistake]:
    """MRML reads comments in some places, conditional ones in fewer, and nothing else of the kind."""
    name, content = (mark.parent.name, mark.parent.content) if mark.parent else ("", Content.ELEMENTS)
    near = "<![CDATA[" if mark.kind == "cdata" else word_at(mark.text, 0)
    if mark.kind in ("cdata", "declaration"):
        yield Mistake(mark.start, "DM308", f"MJML cannot read {near}", "delete it; texts need &lt; instead", near)
    elif mark.kind == "space":
        where = f"in <{name}>" if name else "behind </mjml>"
        hint = "let the line end right behind the tag"
        yield Mistake(mark.start, "DM308", f"MJML cannot read this space {where}", hint, "")
    elif mark.kind == "comment":
        if content in (Content.TEXT, Content.NOTHING) or name in WITHOUT_COMMENTS:
            yield Mistake(
                mark.start, "DM308", f"MJML reads no comment in <{name}>", "put it elsewhere, or delete it", near
            )
    elif content is None or (content is Content.HTML and (mark.kind == "endif" or name in WITH_CONDITIONS)):
        return
    else:
        hint = "conditional comments stand in mj-raw or mj-text"
        yield Mistake(mark.start, "DM308", f"MJML reads no conditional comment in <{name or 'no element'}>", hint, near)
