"""Statistics that a line may not break apart: `d = .58`, `p < .001`, `F(2, 120) = 4.1`, `95% CI [.2, .4]`.

A no-break space (U+00A0) takes the place of each space inside one. HTML keeps it; plain text is wrapped
with it and gets ordinary spaces back at the end (`rendering.text`).
"""

import re

NO_BREAK = "\u00a0"

# An operator before a number, with the symbol on its left: `d = .58`, `> 300`. In Markdown the symbol is often
# emphasised (`*p* < .001`), so the text may begin with the space. Punctuation on the left starts afresh.
_COMPARISON = re.compile(r"(?:(?<![,;:.(—–]) )?[=<>≤≥≈±] ?(?=[-−–+]?\.?\d)")
# A test with its degrees of freedom: `F(2, 120)`, `χ²(1, N = 90)`.
_TEST = re.compile(r"\b(?:[A-Za-z]{1,2}|χ)[²2]?\([Nn\d., =]{1,24}\)")
# An interval: `95% CI [.2, .4]`, `IC à 95 % [.2, .4]`.
_INTERVAL = re.compile(
    r"(?:\b\d{2}(?:\.\d+)? ?% (?:CI|CrI|PI)\b|\bIC (?:à |de )?\d{2} ?%)(?:(?:[:=,]| =)? ?[\[(][^\[\]()]{1,40}[\])])?"
)
_PERCENT = re.compile(r"(?<=\d) (?=%)")
_LONGEST_NUMBER = 28  # characters that fit beside nothing else on a phone's line


def keep_together(text: str) -> str:
    """The text with no-break spaces inside its statistics."""
    for pattern in (_TEST, _INTERVAL, _PERCENT, _COMPARISON):
        text = pattern.sub(lambda match: match[0].replace(" ", NO_BREAK), text)
    return text


def keep_value_together(value: str) -> str:
    """A figure's value on one line, unless it is too long for the line of a phone."""
    return value.replace(" ", NO_BREAK) if len(value) <= _LONGEST_NUMBER else keep_together(value)


def plain_spaces(text: str) -> str:
    """The text with ordinary spaces again."""
    return text.replace(NO_BREAK, " ")
