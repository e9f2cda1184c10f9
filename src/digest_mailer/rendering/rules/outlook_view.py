"""What Outlook for Windows reads: conditional comments opened or dropped, and whether the tags still match.

    <!--[if mso]>kept<![endif]-->            <!--[if !mso]><!-->dropped<!--<![endif]-->

    DM426   the tags of that view do not match. The tables that give Outlook its widths open in one comment and
            close in another; one too many and the layout of the whole mail falls apart, in Outlook alone

The condition is judged as Outlook 2016 and later judge it: `mso` is 16, `IE` is not there (Microsoft, "Using
conditional comments"; Outlook's Word engine knows the same language).
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.markup import Token
from digest_mailer.rendering.rules.naming import short

_MSO = 16  # what Outlook 2016, 2019, 2021 and 365 call themselves
# They have no end tag (HTML, 13.1.2).
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
_VERSION = re.compile(r"(?:(lte?|gte?)\s+)?(mso|ie|vml|true|false)(?:\s+([\d.]{1,8}))?")
_GROUP = re.compile(r"\(([^()]*)\)")


def check_outlook_view(tokens: Iterable[Token]) -> list[Finding]:
    """The first tag that does not match, if there is one; what follows is only its consequence."""
    open_tags: list[str] = []
    conditions: list[str] = []  # the one that is open; they do not nest
    kept = True
    for _, slash, name, attributes, condition, end in tokens:
        if condition or end:
            if bool(condition) == bool(conditions):
                return [_half(conditions[0] if condition else "")]
            conditions = [condition] if condition else []
            kept = not condition or holds(condition)
        elif name and kept and (tag := name.lower()) not in _VOID:
            if not slash:
                open_tags += [] if attributes.endswith("/") else [tag]
            elif not open_tags or open_tags.pop() != tag:
                return [_unmatched(f"</{tag}>", "closes something else")]
    if conditions:
        return [_half(conditions[0])]
    return [_unmatched(f"<{open_tags[-1]}", "is never closed")] if open_tags else []


@lru_cache(maxsize=64)
def holds(condition: str) -> bool:
    """Whether a condition is true for Outlook: `mso`, `gte mso 9`, `!mso`, `(mso)|(IE)`."""
    plain = condition.lower()
    while (shorter := _GROUP.sub(lambda found: str(_flat(found[1])).lower(), plain)) != plain:
        plain = shorter
    return _flat(plain)


def _half(condition: str) -> Finding:
    sign = f"[if {condition}]" if condition else "[endif]"
    return Finding(
        "DM426",
        f'the comment for Outlook "{short(sign)}" has no partner',
        "open it with <!--[if mso]> and close it with <![endif]-->; one cannot stand inside another",
        near=sign,
    )


def _unmatched(tag: str, what: str) -> Finding:
    return Finding(
        "DM426",
        f'in Outlook for Windows, "{short(tag)}" {what}, and the layout falls apart',
        "look at the comments [if mso]: what one opens, another has to close in the same order",
        near=tag,
    )


def _flat(condition: str) -> bool:
    """A condition without brackets; `&` binds before `|`."""
    return any(all(_term(term.strip()) for term in part.split("&")) for part in condition.split("|"))


def _term(term: str) -> bool:
    bare = term.lstrip("! ")
    negated = term[: len(term) - len(bare)].count("!") % 2 == 1
    found = _VERSION.fullmatch(bare)
    return negated if found is None else _is_true(found[1] or "", found[2], found[3] or "") != negated


def _is_true(relation: str, name: str, number: str) -> bool:
    if name != "mso" or not number or number.count(".") > 1 or number == ".":
        return name in ("mso", "vml", "true")
    wanted = float(number)
    compared = {"lt": wanted > _MSO, "lte": wanted >= _MSO, "gt": wanted < _MSO, "gte": wanted <= _MSO}
    return compared.get(relation, wanted == _MSO)
