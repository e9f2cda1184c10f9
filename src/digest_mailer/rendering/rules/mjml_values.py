"""The kinds of value that MJML's attributes take, and what is wrong with a value of the wrong kind.

A kind judges one value and answers with verdicts: a code, the end of a sentence that begins with the attribute
(`font-size="huge" is not a length`), and what to write instead. No verdict means that the value is good.

Paddings have rules of their own, because MRML computes the widths that Outlook gets from them: it gives up on
a whole padding for one 0 without `px`, for a percentage, and for two spaces in a row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from digest_mailer.core.errors import did_you_mean

WRONG_KIND = "DM304"
BARE_ZERO = "DM306"
SHORT_COLOUR = "DM307"
UNSUPPORTED = "DM308"


class Verdict(NamedTuple):
    """What is wrong with one value."""

    code: str
    message: str
    hint: str


class Kind(Protocol):
    """One kind of value."""

    def judge(self, value: str) -> Iterator[Verdict]:
        """Say what is wrong with the value; nothing when it is good."""
        ...


@dataclass(frozen=True)
class Lengths:
    """One to `most` lengths in these units, or one of a few words. A single 0 needs no unit."""

    units: tuple[str, ...]
    most: int = 1
    words: tuple[str, ...] = ()
    negative: bool = False

    @cached_property
    def _one(self) -> re.Pattern[str]:
        words, units = "|".join(self.words), "|".join(self.units)
        return re.compile(rf"0|{words or 0}|{'-?' if self.negative else ''}(?:[0-9]+|[0-9]*\.[0-9]+)(?:{units})")

    def judge(self, value: str) -> Iterator[Verdict]:
        """Every part has to be a length, one space between two."""
        parts = value.split(" ")
        if value.strip() and "" in parts:
            yield Verdict(WRONG_KIND, "has a space too many", "write one space between two lengths, and no other")
            return
        if len(parts) > self.most:
            yield Verdict(WRONG_KIND, f"has {len(parts)} lengths", f"write at most {self.most}")
            return
        wrong = [f'"{part}"' for part in dict.fromkeys(parts) if not self._one.fullmatch(part)]
        if wrong:
            message = f"has {' and '.join(wrong)}, not a length" if len(parts) > 1 else "is not a length"
            yield Verdict(WRONG_KIND, message, self._hint)

    @property
    def _hint(self) -> str:
        examples = [f"16{unit}" if unit != "%" else "50%" for unit in self.units if unit]
        examples += ["1.5"] * ("" in self.units) + list(self.words)
        return f"a length is a number with its unit: {' or '.join(examples)}"


@dataclass(frozen=True, slots=True)
class Padding:
    """Paddings: all sides at once (`most` is 4), or one side that counts for a width (`most` is 1)."""

    lengths: Lengths

    def judge(self, value: str) -> Iterator[Verdict]:
        """A padding is of lengths, all with a unit that MRML can compute with."""
        yield from self.lengths.judge(value)
        parts = value.split(" ")
        if "0" in parts and (len(parts) > 1 or self.lengths.most == 1):
            yield Verdict(BARE_ZERO, "has a 0 without a unit, and Outlook gets wrong widths from it", "write 0px")
        if any(re.fullmatch(r"[0-9.]+%", part) for part in parts):
            yield Verdict(UNSUPPORTED, "has a percentage, which Outlook's widths leave out", "write it in px")


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour: `#` and six digits, a name, rgb() or rgba()."""

    def judge(self, value: str) -> Iterator[Verdict]:
        """Six digits, because mail programs read no shorter ones."""
        if re.fullmatch(r"#[0-9A-Fa-f]{3}", value):
            whole = "#" + "".join(digit * 2 for digit in value[1:].lower())
            yield Verdict(SHORT_COLOUR, "is a colour of three digits, which Outlook cannot read", f"write {whole}")
        elif not _COLOUR.fullmatch(value) and value.lower() not in _COLOUR_NAMES:
            hint = did_you_mean(value, sorted(_COLOUR_NAMES)) or "write # and six digits, like #1f2933"
            yield Verdict(WRONG_KIND, "is not a colour", hint)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def judge(self, value: str) -> Iterator[Verdict]:
        """The word has to be one of them, in small letters."""
        if value not in self.words:
            hint = f"write one of: {', '.join(word for word in self.words if word)}"
            yield Verdict(WRONG_KIND, "is none of the words it can be", did_you_mean(value, self.words) or hint)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of a certain form, with a name for it and an example."""

    form: str
    name: str
    example: str

    def judge(self, value: str) -> Iterator[Verdict]:
        """The whole value has to have the form."""
        if not re.fullmatch(self.form, value):
            yield Verdict(WRONG_KIND, f"is not {self.name}", f"like {self.example}")


@dataclass(frozen=True, slots=True)
class Css:
    """A value that MRML copies into a style attribute as it stands."""

    def judge(self, value: str) -> Iterator[Verdict]:
        """What would end the declaration, or the style, is refused."""
        if re.search(r"[;{}]", value):
            yield Verdict(WRONG_KIND, "holds a sign that ends a style", "write one value, without ; { }")


@dataclass(frozen=True, slots=True)
class Words:
    """Any text: an address, a title, names of classes."""

    def judge(self, value: str) -> Iterator[Verdict]:  # noqa: ARG002 - every kind is asked alike
        """Nothing is wrong with any text."""
        yield from ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A value of one of several kinds, for attributes that differ between elements."""

    kinds: tuple[Kind, ...]

    def judge(self, value: str) -> Iterator[Verdict]:
        """Good is what one kind finds good; else the first kind's verdicts hold."""
        verdicts = [list(kind.judge(value)) for kind in self.kinds]
        yield from () if [] in verdicts else verdicts[0]


_COLOUR = re.compile(
    r"#[0-9a-f]{6}|rgb\( *[0-9]{1,3}( *, *[0-9]{1,3}){2} *\)|rgba\( *[0-9]{1,3}( *, *[0-9]{1,3}){2} *, *[0-9.]+ *\)",
    re.IGNORECASE,
)
_NAMES = """transparent inherit aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue
    blueviolet brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue
    darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid
    darkred darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink
    deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold
    goldenrod gray green greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush
    lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey
    lightpink lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime
    limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen
    mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin
    navajowhite navy oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise
    palevioletred papayawhip peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue
    saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue slateblue slategray slategrey snow
    springgreen steelblue tan teal thistle tomato turquoise violet wheat white whitesmoke yellow
    yellowgreen"""
_COLOUR_NAMES = frozenset(_NAMES.split())
