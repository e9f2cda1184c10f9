"""A stylesheet into the `style` attributes of a page, by premailer, so that mail reads well where `<style>` is dropped.

The stylesheets that are in the page stay as they are: they are marked so that premailer leaves them alone. To load
this module takes as long as a send may take to begin, so it is loaded by whoever renders.
"""

import logging
from functools import lru_cache
from typing import Any

import cssutils
from premailer import Premailer

# premailer reads every inline style with cssutils, which logs what it does not know; nobody could act on it.
cssutils.log.setLevel(logging.CRITICAL)

_Rules = tuple[list[Any], list[Any]]  # premailer's: those to apply, and those that cannot be inlined
_MARK = ' data-premailer="ignore"'
_COPIED = ["width", "height", "align", "valign", "bgcolor"]  # attributes that premailer would overwrite


_SETTINGS: dict[str, Any] = {
    "strip_important": False,
    "disable_leftover_css": True,
    "allow_network": False,
    "allow_loading_external_files": False,
    "disable_validation": True,
    "disable_basic_attributes": _COPIED,
}


class _Inliner(Premailer):  # type: ignore[misc]  # premailer has no types
    """Premailer that reads a stylesheet once: writing each rule out again took half of its time."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> _Rules:
        return _style_rules(css_body, ruleset_index)


@lru_cache(maxsize=16)
def _style_rules(css: str, index: int) -> _Rules:
    rules: _Rules = Premailer("", **_SETTINGS)._parse_style_rules(css, index)
    return rules


def inline(html: str, css: str) -> str:
    """The page with this stylesheet's rules in the elements that they are about."""
    marked = html.replace("<style", f"<style{_MARK}")
    inlined: str = _Inliner(marked, css_text=[css], **_SETTINGS).transform(pretty_print=False)
    return inlined.replace(f"<style{_MARK}", "<style")  # those inside conditional comments keep the mark
