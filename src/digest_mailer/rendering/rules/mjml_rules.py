"""A strict check of one MJML document, after Jinja: what MRML, which renders it, takes without a word.

mjml-python validates nothing. A misspelt element is copied into the mail, a misspelt attribute is dropped, and
what is not well-formed gives an error without a place. `check_mjml` finds these, each with line and column:

    DM301   not well-formed: a bare `<`, an element that is never closed, a value without quotes. It is found
            alone; all others are found together
    DM302   an unknown element
    DM303   an unknown attribute
    DM304   a value of the wrong kind
    DM305   an element or a text where MJML allows none; a second head, body or title
    DM306   a 0 without a unit in a padding of several values, or in one of the left or right side alone:
            MRML then computes the widths for Outlook without it
    DM307   a colour of three digits, which MRML does not expand and Outlook does not read
    DM308   what MRML lacks or does wrong
    DM309   something required is missing: lang or dir of mjml, mj-title, mj-body, the name of a class
    DM310   a picture without alt
    DM311   a class of mj-attributes that is not defined
    DM312   single quotes around double quotes
    DM313   a sign of the template engine is left over. Only tags of MJML and CSS are searched: an article may
            write about braces, and so may the `alt` and the `title` that it gives
    DM314   CSS that mail programs drop as a whole

In mj-text, mj-raw and others of their kind stands HTML, of which only the balance is checked. The rules about
attributes and about CSS have modules of their own.
"""

from collections.abc import Iterator

from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.mjml_attribute_rules import Classes, check_attributes
from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, ONCE, Content
from digest_mailer.rendering.rules.mjml_markup import Element, Markup, read_markup
from digest_mailer.rendering.rules.mjml_place_rules import check_mark, check_place, check_text
from digest_mailer.rendering.rules.mjml_syntax import Mistake, Unreadable, line_of
from digest_mailer.rendering.rules.style import GMAIL_STYLE


def check_mjml(source: str) -> list[Finding]:
    """Everything that is wrong with an MJML document, in the order of its places. Empty when nothing is."""
    source = source.removeprefix("\ufeff")
    try:
        markup = read_markup(source)
    except Unreadable as problem:
        return [_finding(source, problem.mistake)]
    return [_finding(source, mistake) for mistake in sorted(set(_check(markup)))]


def _finding(source: str, mistake: Mistake) -> Finding:
    line, col = line_of(source, mistake.start), mistake.start - source.rfind("\n", 0, mistake.start)
    return Finding(mistake.code, mistake.message, mistake.hint, near=mistake.near, line=line, col=col)


def _check(markup: Markup) -> Iterator[Mistake]:
    classes = _classes(markup)
    described = _describes_pictures(markup)
    yield from _check_document(markup)
    clean: set[tuple[object, ...]] = set()  # a document repeats a few tags many times
    for element in markup.elements:
        alike = (element.name, element.tail, element.within, element.parent and element.parent.name)
        if alike not in clean:
            mistakes = [*check_place(element), *check_attributes(element, classes)]
            yield from mistakes
            clean.update([] if mistakes else [alike])
        if element.name == "mj-image" and not described:
            yield from _check_picture(element, classes)
        elif element.name == "mj-class" and not _value(element, "name"):
            yield _missing(element, "the mj-class has no name", 'write name="...", which mj-class= can then give')
    for text in markup.texts:
        yield from check_text(text)
    for mark in markup.marks:
        yield from check_mark(mark)
    yield from _check_style_size(markup)


def _check_document(markup: Markup) -> Iterator[Mistake]:
    """What every document has, and has once: a language, a direction, a title, a body."""
    if not markup.elements:
        yield Mistake(0, "DM309", "there is no <mjml>", "a document is <mjml> with mj-head and mj-body in it", "")
        return
    root = markup.elements[0]
    for name, example in (("lang", "en"), ("dir", "ltr")):
        if not _value(root, name) and (root.name == "mjml" or root.name not in ELEMENTS):
            yield _missing(root, f"{name}= is missing on <{root.name}>", f'write {name}="{example}"')
    found = {name: [e for e in markup.elements if e.name == name and _counts(e)] for name in sorted(ONCE)}
    for second in (element for several in found.values() for element in several[1:]):
        message = f"a second <{second.name}>; only one of them counts"
        yield Mistake(second.start, "DM305", message, "put both into one", second.near)
    if not found["mj-body"]:
        yield _missing(root, "mj-body is missing", "what readers see stands in <mj-body>")
    if not any(text.parent and text.parent.name == "mj-title" for text in markup.texts):
        where = (*found["mj-title"], *found["mj-head"], root)[0]
        yield _missing(where, "mj-title is missing or empty", "write <mj-title> with the name of the mail in mj-head")


def _counts(element: Element) -> bool:
    """Whether an element is part of the document, and neither a default nor lost in HTML."""
    return element.within is not Content.HTML and not element.is_default


def _missing(element: Element, message: str, hint: str) -> Mistake:
    return Mistake(element.start, "DM309", message, hint, element.near)


def _value(element: Element, name: str) -> str:
    """The value of an attribute; empty when it has none."""
    return next((attribute.value or "" for attribute in element.attributes if attribute.name == name), "")


# -- classes, pictures, the size of the CSS


def _classes(markup: Markup) -> Classes:
    """The classes that mj-attributes defines, with the attributes that each gives."""
    classes: dict[str, set[str]] = {}
    for element in markup.elements:
        if element.name == "mj-class" and element.is_default:
            given = {attribute.name for attribute in element.attributes}
            classes.setdefault(_value(element, "name"), set()).update(given)
    return classes


def _describes_pictures(markup: Markup) -> bool:
    """Whether mj-attributes gives every picture an alt."""
    defaults = (e for e in markup.elements if e.is_default and e.name in ("mj-image", "mj-all"))
    return any(attribute.name == "alt" for element in defaults for attribute in element.attributes)


def _check_picture(element: Element, classes: Classes) -> Iterator[Mistake]:
    given = {attribute.name for attribute in element.attributes}
    given.update(*(classes.get(name, ()) for name in _value(element, "mj-class").split()))
    if "alt" not in given and _counts(element):
        hint = 'write alt="..." with what it shows, or alt="" when it shows nothing new'
        yield Mistake(element.start, "DM310", "the picture has no alt", hint, element.near)


def _check_style_size(markup: Markup) -> Iterator[Mistake]:
    """Gmail reads so much of all stylesheets together, and drops the block in which it ends."""
    size = 0
    for text in markup.texts:
        if text.parent and text.parent.content is Content.CSS:
            before, size = size, size + len(text.text.encode(errors="replace"))
            if before <= GMAIL_STYLE < size:
                message = f"all mj-style together are longer than Gmail reads: {GMAIL_STYLE:,} bytes"
                hint = "shorten the CSS; Gmail drops this block and those behind it"
                yield Mistake(text.parent.start, "DM314", message, hint, text.parent.near)
