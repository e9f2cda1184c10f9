"""MJML's elements: where each may stand, what it may hold, and which attributes it takes.

The facts about attributes and their kinds of value are those of MJML 5.4.1 (its documentation and schema, MIT
licence). Where MRML 6.0.1, which renders our mails, knows less, the table follows MRML: `ignored` are attributes
that it drops without a word, and some places where MJML allows mj-raw are missing. A test renders every ignored
attribute, so that the table is found out when MRML learns one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from digest_mailer.rendering.rules.mjml_values import AnyOf, Choice, Colour, Css, Kind, Lengths, Padding, Pattern, Words


class Content(Enum):
    """What stands between an element's tags."""

    ELEMENTS = auto()  # other elements of MJML
    HTML = auto()
    TEXT = auto()
    CSS = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class ElementType:
    """One element of MJML. Only `Content.ELEMENTS` comes with children."""

    content: Content
    attributes: Mapping[str, Kind]
    children: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()


_Attributes = dict[str, Kind]


def _all(kind: Kind, names: str) -> _Attributes:
    return dict.fromkeys(names.split(), kind)


def _choice(words: str) -> Choice:
    return Choice(tuple(words.split()))


_COLOUR, _CSS, _WORDS = Colour(), Css(), Words()
_PX = Lengths(("px",))
_LENGTH = Lengths(("px", "%"))
_LINE_HEIGHT = Lengths(("px", "%", ""))
_SPACING = Lengths(("px", "em"), negative=True)
_EDGES = Padding(Lengths(("px", "%"), most=4))
_SIDE = Padding(_LENGTH)
_NUMBER = Pattern("[0-9]+", "a whole number", "0 or 12")
_LANGUAGE = Pattern("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language", "en or fr-CA")
_ALIGN = _choice("left center right")
_VERTICAL = _choice("top middle bottom")
_DIRECTION = _choice("ltr rtl")
_BEFORE_OR_BEHIND = _choice("left right")

# what many elements share
_CLASSES = _all(_WORDS, "css-class mj-class")
_PADDING = {"padding": _EDGES} | _all(_SIDE, "padding-left padding-right") | _all(_LENGTH, "padding-top padding-bottom")
_SIDES = _all(_CSS, "border border-top border-right border-bottom border-left")
_BORDER = _SIDES | _all(_CSS, "border-radius")
_FONT = _all(_CSS, "font-family font-weight") | {"color": _COLOUR, "font-size": _PX, "line-height": _LINE_HEIGHT}
_STYLED_FONT = _FONT | _all(_CSS, "font-style text-decoration")
_LETTERS = _STYLED_FONT | {"letter-spacing": _SPACING, "text-transform": _CSS}
_IN_COLUMN = _CLASSES | _PADDING | {"container-background-color": _COLOUR}
_LINK = _all(_WORDS, "href rel target title")
_ICONS = (
    _all(_CSS, "border font-family")
    | {"icon-align": _VERTICAL, "icon-position": _BEFORE_OR_BEHIND}
    | _all(_LENGTH, "icon-width icon-height")
    | _all(_WORDS, "icon-wrapped-url icon-wrapped-alt icon-unwrapped-url icon-unwrapped-alt")
)
_SECTION = (
    (_CLASSES | _PADDING | _BORDER)
    | {"background-color": _COLOUR, "background-url": _WORDS, "background-repeat": _choice("repeat no-repeat")}
    | _all(_CSS, "background-size background-position background-position-x background-position-y")
    | {"direction": _DIRECTION, "full-width": Choice(("full-width", "false", "")), "text-align": _ALIGN}
    | {"gutter": _LENGTH, "text-padding": _EDGES}
)

_IN_HEAD = ("mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-raw", "mj-style", "mj-title")
_ATOMS = (
    *("mj-text", "mj-image", "mj-button", "mj-divider", "mj-spacer", "mj-table", "mj-raw"),
    *("mj-social", "mj-navbar", "mj-accordion", "mj-carousel"),
)


def _holder(children: tuple[str, ...], attributes: Mapping[str, Kind], ignored: str = "") -> ElementType:
    return ElementType(Content.ELEMENTS, attributes, children, frozenset(ignored.split()))


def _html(attributes: Mapping[str, Kind], ignored: str = "") -> ElementType:
    return ElementType(Content.HTML, attributes, ignored=frozenset(ignored.split()))


def _empty(attributes: Mapping[str, Kind], ignored: str = "") -> ElementType:
    return ElementType(Content.NOTHING, attributes, ignored=frozenset(ignored.split()))


_BODY: Mapping[str, ElementType] = {
    "mj-body": _holder(
        ("mj-section", "mj-wrapper", "mj-hero", "mj-raw"),
        _CLASSES | {"width": _PX, "background-color": _COLOUR, "id": _WORDS},
        ignored="id",
    ),
    "mj-wrapper": _holder(
        ("mj-section", "mj-hero", "mj-raw"), _SECTION | {"gap": _PX}, ignored="gap gutter text-padding"
    ),
    "mj-section": _holder(("mj-column", "mj-group", "mj-raw"), _SECTION, ignored="gutter text-padding"),
    "mj-group": _holder(
        ("mj-column", "mj-raw"),
        _CLASSES
        | {"background-color": _COLOUR, "direction": _DIRECTION, "vertical-align": _VERTICAL, "width": _LENGTH},
    ),
    "mj-column": _holder(
        _ATOMS,
        (_CLASSES | _PADDING | _BORDER)
        | {f"inner-{name}": kind for name, kind in _BORDER.items()}
        | _all(_COLOUR, "background-color inner-background-color")
        | {"direction": _DIRECTION, "vertical-align": _VERTICAL, "width": _LENGTH},
    ),
    "mj-hero": _holder(
        _ATOMS,
        (_CLASSES | _PADDING)
        | _all(_COLOUR, "background-color inner-background-color")
        | {"mode": _choice("fixed-height fluid-height"), "background-url": _WORDS, "vertical-align": _VERTICAL}
        | _all(_CSS, "background-position border-radius")
        | _all(_LENGTH, "height background-width background-height inner-padding-top inner-padding-bottom")
        | {"inner-padding": _EDGES}
        | _all(_LENGTH, "inner-padding-left inner-padding-right"),
        ignored="mode border-radius",
    ),
    "mj-text": _html(
        (_IN_COLUMN | _LETTERS)
        | {"align": _choice("left right center justify"), "background-color": _COLOUR}
        | {"height": _LENGTH, "vertical-align": _VERTICAL},
        ignored="background-color",
    ),
    "mj-button": _html(
        (_IN_COLUMN | _LETTERS | _BORDER | _LINK)
        | {"align": _ALIGN, "text-align": _ALIGN, "vertical-align": _VERTICAL, "background-color": _COLOUR}
        | {"name": _WORDS, "inner-padding": _EDGES, "width": _LENGTH, "height": _LENGTH},
        ignored="title",
    ),
    "mj-table": _html(
        (_IN_COLUMN | _FONT)
        | {"align": _ALIGN, "border": _CSS, "cellpadding": _NUMBER, "cellspacing": _NUMBER}
        | {"role": _choice("none presentation"), "table-layout": _choice("auto fixed initial inherit")}
        | {"vertical-align": _VERTICAL, "width": Lengths(("px", "%"), words=("auto",))},
        ignored="role font-weight",
    ),
    "mj-raw": _html({"position": _choice("file-start")}, ignored="position"),
    "mj-image": _empty(
        (_IN_COLUMN | _BORDER | _LINK)
        | _all(_WORDS, "alt name src srcset sizes usemap")
        | {"align": _ALIGN, "fluid-on-mobile": _choice("true false"), "font-size": _PX, "width": _PX}
        | {"height": Lengths(("px",), words=("auto",)), "max-height": _LENGTH},
        ignored="sizes border-top border-bottom",
    ),
    "mj-divider": _empty(
        _IN_COLUMN
        | {"border-color": _COLOUR, "border-style": _CSS, "border-width": _PX, "width": _LENGTH, "align": _ALIGN}
    ),
    "mj-spacer": _empty(_IN_COLUMN | _SIDES | {"height": _LENGTH}, ignored=" ".join(_SIDES)),
    "mj-social": _holder(
        ("mj-social-element",),
        (_IN_COLUMN | _STYLED_FONT)
        | _all(_CSS, "border border-radius")
        | {"align": _ALIGN, "mode": _choice("horizontal vertical"), "vertical-align": _VERTICAL}
        | {"table-layout": _choice("auto fixed"), "icon-size": _LENGTH, "icon-height": _LENGTH}
        | _all(_EDGES, "icon-padding inner-padding text-padding"),
        ignored="border table-layout",
    ),
    "mj-social-element": _html(
        (_CLASSES | _PADDING | _STYLED_FONT | _LINK)
        | _all(_CSS, "border border-radius")
        | _all(_WORDS, "name src srcset sizes alt")
        | {"align": _ALIGN, "background-color": _COLOUR, "vertical-align": _VERTICAL}
        | {"icon-position": _BEFORE_OR_BEHIND, "icon-size": _LENGTH, "icon-height": _LENGTH}
        | _all(_EDGES, "icon-padding text-padding"),
        ignored="icon-position border srcset sizes",
    ),
    "mj-navbar": _holder(
        ("mj-navbar-link",),
        (_CLASSES | _PADDING)
        | {f"ico-{name}": kind for name, kind in _PADDING.items()}
        | {"align": _ALIGN, "base-url": _WORDS, "hamburger": _WORDS, "ico-open": _WORDS, "ico-close": _WORDS}
        | {"ico-align": _ALIGN, "ico-color": _COLOUR, "ico-font-size": _LENGTH, "ico-line-height": _LINE_HEIGHT}
        | _all(_CSS, "ico-font-family ico-text-transform ico-text-decoration"),
    ),
    "mj-navbar-link": _html(_CLASSES | _PADDING | _LETTERS | _all(_WORDS, "href rel target name")),
    "mj-accordion": _holder(("mj-accordion-element",), _IN_COLUMN | _ICONS),
    "mj-accordion-element": _holder(
        ("mj-accordion-title", "mj-accordion-text"), _CLASSES | _ICONS | {"background-color": _COLOUR}
    ),
    "mj-accordion-title": ElementType(
        Content.TEXT,
        (_CLASSES | _PADDING)
        | _all(_CSS, "font-family font-weight")
        | {"background-color": _COLOUR, "color": _COLOUR, "font-size": _PX},
        ignored=frozenset({"font-weight"}),
    ),
    "mj-accordion-text": _html(_CLASSES | _PADDING | _FONT | {"background-color": _COLOUR, "letter-spacing": _SPACING}),
    "mj-carousel": _holder(
        ("mj-carousel-image",),
        _IN_COLUMN
        | {
            "align": _ALIGN,
            "thumbnails": _choice("visible hidden supported"),
            "left-icon": _WORDS,
            "right-icon": _WORDS,
        }
        | _all(_CSS, "border-radius tb-border tb-border-radius")
        | _all(_LENGTH, "icon-width tb-width")
        | _all(_COLOUR, "tb-hover-border-color tb-selected-border-color"),
    ),
    "mj-carousel-image": _empty(
        (_CLASSES | _LINK)
        | _all(_WORDS, "alt src thumbnails-src")
        | _all(_CSS, "border-radius tb-border tb-border-radius")
    ),
}


def _anywhere() -> dict[str, Kind]:
    """What mj-all and mj-class may give: any attribute of any element, with any kind of value that one takes."""
    kinds: dict[str, dict[Kind, None]] = {}
    for type_ in _BODY.values():
        for name, kind in type_.attributes.items():
            kinds.setdefault(name, {})[kind] = None
    return {name: AnyOf(tuple(found)) for name, found in kinds.items()}


ELEMENTS: Mapping[str, ElementType] = {
    "mjml": _holder(
        ("mj-head", "mj-body"), {"lang": _LANGUAGE, "dir": _choice("ltr rtl auto"), "owa": _choice("desktop")}
    ),
    "mj-head": _holder(_IN_HEAD, {}),
    "mj-attributes": _holder(("mj-all", "mj-class", *(name for name in _BODY if name != "mj-raw")), {}),
    "mj-all": _empty(_anywhere()),
    "mj-class": _empty(_anywhere() | {"name": _WORDS}),
    "mj-breakpoint": _empty({"width": _PX}),
    "mj-font": _empty(_all(_WORDS, "name href")),
    "mj-preview": ElementType(Content.TEXT, {}),
    "mj-style": ElementType(Content.CSS, {"inline": _choice("inline")}, ignored=frozenset({"inline"})),
    "mj-title": ElementType(Content.TEXT, {}),
    **_BODY,
}
PARENTS: Mapping[str, tuple[str, ...]] = {
    name: tuple(parent for parent, type_ in ELEMENTS.items() if name in type_.children and parent != "mj-attributes")
    or ("mj-attributes",)
    for name in ELEMENTS
}
ONCE = frozenset({"mjml", "mj-head", "mj-body", "mj-title"})  # MRML keeps the last one only
WITH_CONDITIONS = frozenset({"mj-text", "mj-raw", "mj-social-element", "mj-navbar-link", "mj-accordion-text"})
LINE_FIRST = frozenset(  # where MRML refuses space between two tags, unless it begins with a new line
    ("mj-head", "mj-attributes", "mj-social", "mj-navbar", "mj-accordion", "mj-accordion-element", "mj-carousel")
)
WITHOUT_COMMENTS = frozenset({"mj-attributes", "mj-accordion-element", "mj-carousel"})  # and where no element stands
VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
