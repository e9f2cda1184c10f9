"""The CSS in an mj-style, checked where a mistake would cost the whole block.

DM313   a sign of the template engine is left over: `{{` or `{%`. `{#` is none, it begins the rule of an id
DM314   a brace or a comment without its partner, an @ rule inside another one, a `<`. Gmail drops a whole
        block for a mistake in it, also for an @ inside an @ (hteumeuleu/email-bugs 21); MRML reads no `<`
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from digest_mailer.rendering.rules.mjml_syntax import LEFTOVER_HINT, Mistake
from digest_mailer.rendering.rules.naming import short

_SIGN = re.compile(
    r"""/\*.*?\*/ | /\*  # a comment, also one without its end
      | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
      | \{\{[^{}]*\}\} | \{%[^{}]*%\} | \{\{ | \{%
      | @[A-Za-z-]+ | [{};]""",
    re.DOTALL | re.VERBOSE,
)
_LEFTOVERS = ("{{", "{%")
_ASIDES = ("/*", *_LEFTOVERS)  # a selector begins behind them


class _Rule(NamedTuple):
    start: int  # where its selector begins
    name: str
    at: bool


def check_css(css: str, start: int) -> Iterator[Mistake]:
    """What is wrong with the CSS that begins at this offset of the source."""
    for mistake in _mistakes(css):
        yield mistake._replace(start=start + mistake.start)


@lru_cache(maxsize=32)
def _mistakes(css: str) -> tuple[Mistake, ...]:
    """All editions have the same few stylesheets."""
    return tuple(_Sheet(css).read())


class _Sheet:
    def __init__(self, css: str) -> None:
        self.css = css
        self.open: list[_Rule] = []
        self.fresh = 0  # where the selector or declaration at hand begins

    def read(self) -> Iterator[Mistake]:
        for sign in re.finditer("<", self.css):  # wherever it stands, MRML takes it for a tag
            yield _mistake(sign.start(), 'CSS cannot hold "<"', "take it out, also from comments", "<")
        for sign in _SIGN.finditer(self.css):
            yield from self._sign(sign[0], sign.start())
            if sign[0] == "/*":
                break
            aside = sign[0][:2] in _ASIDES and not self.css[self.fresh : sign.start()].strip()
            if aside or sign[0] in "{};":
                self.fresh = sign.end()
        for rule in self.open:
            yield self._unclosed(rule)

    def _sign(self, sign: str, place: int) -> Iterator[Mistake]:
        if sign == "{":
            yield from self._begin(place)
        elif sign == "}":
            if self.open:
                self.open.pop()
            else:
                yield _mistake(place, "} closes nothing", "delete it, or look for the { that is missing", "}")
        elif sign == "/*":
            yield _mistake(place, "a comment is never closed", "write */ where it ends", "/*")
        elif sign[0] == "@" and any(rule.at for rule in self.open):
            outer = next(rule.name for rule in self.open if rule.at)
            message = f"{sign} stands inside {short(outer)}; Gmail then drops the whole block"
            yield _mistake(place, message, "let each @ rule stand by itself", sign)
        elif sign[:2] in _LEFTOVERS:
            yield Mistake(place, "DM313", f"{sign[:2]} is left over in the CSS", LEFTOVER_HINT, sign[:2])

    def _begin(self, brace: int) -> Iterator[Mistake]:
        """A block in a rule that is no @ rule: that rule was not closed."""
        if self.open and not self.open[-1].at:
            yield self._unclosed(self.open.pop())
        selector = self.css[self.fresh : brace]
        name = selector.lstrip()
        self.open.append(_Rule(self.fresh + len(selector) - len(name), name.rstrip(), name.startswith("@")))

    def _unclosed(self, rule: _Rule) -> Mistake:
        near = rule.name.splitlines()[0] if rule.name else "{"
        return _mistake(rule.start, f'the rule "{short(rule.name)}" is never closed', "write } where it ends", near)


def _mistake(start: int, message: str, hint: str, near: str) -> Mistake:
    return Mistake(start, "DM314", message, hint, near)
