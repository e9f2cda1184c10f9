"""Spaces that a line may not break at, and the quotation marks of a language.

Statistics stay on one line: `d = .58`, `p < .001`, `F(2, 120) = 4.1`, `95% CI [.2, .4]`. French has a
no-break space before a colon, and a narrow one before `;`, `!`, `?`, inside « » and between thousands (Lexique
des règles typographiques en usage à l'Imprimerie nationale, 2002). Only a space that the author typed is replaced, so
those who write by the Canadian rules, with none before `;`, `!` and `?`, keep theirs. HTML keeps these
spaces; plain text is wrapped with them and gets ordinary ones at the end (`rendering.text`).
"""

import re

from digest_mailer.core.identity import Language

NO_BREAK = "\u00a0"
NARROW_NO_BREAK = "\u202f"

# An operator before a number, with the symbol on its left: `d = .58`, `> 300`. In Markdown the symbol is often
# emphasised (`*p* < .001`), so the text may begin with the space. Punctuation on the left starts afresh.
_COMPARISON = re.compile(r"(?:(?<![,;:.(—–]) )?[=<>≤≥≈±] ?(?=[-−–+]?[.,]?\d)")
# A test with its degrees of freedom: `F(2, 120)`, `χ²(1, N = 90)`.
_TEST = re.compile(r"\b(?:[A-Za-z]{1,2}|χ)[²2]?\([Nn\d., =]{1,24}\)")
# An interval: `95% CI [.2, .4]`, `IC à 95 % [.2, .4]`.
_INTERVAL = re.compile(
    r"(?:\b\d{2}(?:\.\d+)? ?% (?:CI|CrI|PI)\b|\bIC (?:à |de )?\d{2} ?%)(?:(?:[:=,]| =)? ?[\[(][^\[\]()]{1,40}[\])])?"
)
_PERCENT = re.compile(r"(?<=\d) (?=%)")
_LONGEST_NUMBER = 28  # characters that fit beside nothing else on a phone's line

_FRENCH_COLON = re.compile(r"(?<=\S) (?=:(?:\s|$))")
_FRENCH_NARROW = re.compile(r"(?<=\S) (?=[;!?»])|(?<=«) ")
_FRENCH_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_FRENCH_QUOTES = re.compile(r'"([^"]+)"')
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")


def typeset(text: str, language: Language) -> str:
    """The text with no-break spaces where this language has them."""
    for pattern in (_TEST, _INTERVAL, _PERCENT, _COMPARISON):
        text = pattern.sub(lambda match: match[0].replace(" ", NO_BREAK), text)
    if is_french(language):
        text = _APOSTROPHE.sub("’", text)
        text = _FRENCH_QUOTES.sub(f"«{NARROW_NO_BREAK}\\1{NARROW_NO_BREAK}»", text)
        for pattern in (_FRENCH_NARROW, _FRENCH_THOUSANDS):
            text = pattern.sub(NARROW_NO_BREAK, text)
        text = _FRENCH_COLON.sub(NO_BREAK, text)
    return text


def typeset_value(value: str, language: Language) -> str:
    """A figure's value on one line, unless it is too long for the line of a phone."""
    return value.replace(" ", NO_BREAK) if len(value) <= _LONGEST_NUMBER else typeset(value, language)


FRENCH_MARKS = (f"«{NARROW_NO_BREAK}", f"{NARROW_NO_BREAK}»", "“", "”")  # double and single, opening and closing


def is_french(language: Language) -> bool:
    """French, of whatever country."""
    return language.partition("-")[0] == "fr"


def plain_spaces(text: str) -> str:
    """The text with ordinary spaces again."""
    return text.replace(NO_BREAK, " ").replace(NARROW_NO_BREAK, " ")
