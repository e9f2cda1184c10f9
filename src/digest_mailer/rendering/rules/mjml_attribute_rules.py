"""The attributes of MJML's elements: known ones, with a value of their kind, that MRML does something with.

DM301   an attribute stands twice
DM303   an unknown attribute
DM304   a value of the wrong kind
DM306   a 0 without a unit in a padding
DM307   a colour of three digits
DM308   an attribute or a value that MRML does nothing with, or the wrong thing
DM311   a class of mj-attributes that is not defined
DM312   single quotes around double quotes, which MRML writes as `\\"`; in HTML, too
DM313   a sign of the template engine is left over. `alt` and `title` are prose, and prose may hold braces
"""

import re
from collections.abc import Iterator, Mapping, Set

from digest_mailer.core.errors import did_you_mean
from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, Content, ElementType
from digest_mailer.rendering.rules.mjml_markup import Attribute, Element, is_mjml
from digest_mailer.rendering.rules.mjml_syntax import LEFTOVER, LEFTOVER_HINT, Mistake
from digest_mailer.rendering.rules.naming import short

Classes = Mapping[str, Set[str]]  # what the mj-class elements define, with the attributes that each gives

_PROSE = ("alt", "title")
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_INSTEAD = {
    ("mj-style", "inline"): "put this CSS into digest.css, which is written into the elements",
    ("mj-table", "role"): "write the table in mj-text or mj-raw, with the role that it needs",
    ("mj-raw", "position"): "delete it; nothing of yours can stand before the document",
    ("mj-text", "background-color"): "use container-background-color",
}


def check_attributes(element: Element, classes: Classes) -> Iterator[Mistake]:
    """What is wrong with the attributes of one element."""
    type_ = None if element.within is Content.HTML else ELEMENTS.get(element.name)
    seen: set[str] = set()
    for attribute in element.attributes:
        value = attribute.value or ""
        if attribute.quote == "'" and '"' in value:
            message = f"{attribute.name}= has single quotes around a double quote, which MJML writes wrongly"
            yield _mistake(attribute, "DM312", message, "put double quotes around it, and write &#34; inside")
        if element.within is Content.HTML:
            continue
        if attribute.name in seen:
            message = f"{attribute.name}= stands twice in <{element.name}>; only the last one counts"
            yield _mistake(attribute, "DM301", message, "delete one")
        seen.add(attribute.name)
        left = LEFTOVER.search(value)
        if left and attribute.name not in _PROSE and is_mjml(element.name):
            yield _mistake(attribute, "DM313", f"{left[0]} in {attribute.name}= is left over", LEFTOVER_HINT)
        elif type_:
            yield from _check_known(element, type_, attribute, classes)


def _check_known(element: Element, type_: ElementType, attribute: Attribute, classes: Classes) -> Iterator[Mistake]:
    """An attribute of an element that MJML knows."""
    name, value, kind = attribute.name, attribute.value, type_.attributes.get(attribute.name)
    if kind is None:
        hint = did_you_mean(name, tuple(type_.attributes)) or f"delete it; MJML's <{element.name}> has none like it"
        yield _mistake(attribute, "DM303", f"unknown attribute {name}= on <{element.name}>", hint)
    elif name in type_.ignored:
        hint = _INSTEAD.get((element.name, name), "delete it")
        yield _mistake(attribute, "DM308", f"{name}= on <{element.name}> has no effect here", hint)
    elif value is None:
        yield _mistake(attribute, "DM304", f"{name} has no value", f'write {name}="..."')
    elif name == "mj-class":
        yield from _check_classes(element, attribute, value.split(), classes)
    elif element.name == "mj-font" and name == "href" and _REMOTE.match(value):
        message = "a font from elsewhere is fetched whenever a mail is opened, and tells its host so"
        yield _mistake(attribute, "DM308", message, "name fonts that readers have, in the font-family of mj-all")
    else:
        for verdict in kind.judge(value):
            yield _mistake(attribute, verdict.code, f'{name}="{short(value)}" {verdict.message}', verdict.hint)


def _check_classes(element: Element, attribute: Attribute, names: list[str], classes: Classes) -> Iterator[Mistake]:
    if element.is_default:
        hint = "write the attributes of the class out, or give the class to the elements themselves"
        yield _mistake(attribute, "DM308", "mj-class= has no effect inside mj-attributes", hint)
        return
    for name in names:
        if name not in classes:
            hint = did_you_mean(name, tuple(classes)) or f'define it in mj-attributes: <mj-class name="{name}" ... />'
            yield _mistake(attribute, "DM311", f'mj-class "{name}" is not defined', hint)
    styled = [name for name in names if "css-class" in classes.get(name, ())]
    if len(styled) > 1 and not any(other.name == "css-class" for other in element.attributes):
        message = f'mj-class "{styled[0]}" and "{styled[1]}" both have a css-class, and only the first one counts'
        yield _mistake(attribute, "DM308", message, "write css-class= with all its classes on the element itself")


def _mistake(attribute: Attribute, code: str, message: str, hint: str) -> Mistake:
    return Mistake(attribute.start, code, message, hint, attribute.spelled)
