"""The tags of an HTML text as they are written, those inside comments for Outlook as well.

    for raw, slash, name, attributes, condition, end in scan(html): ...

The tree of a parser (`rendering.page`) has what a browser makes of a text; some mistakes are only to be seen in
the text itself. A small scanner and not `html.parser`, which takes ten times as long; the tests hold the two
side by side. An ordinary comment is no token, nor is anything inside <style>, <script> and <title>.
"""

import re

_TOKEN = re.compile(
    r"""<(?:
        ((?i:style|script|title))\b[^>]*+>.*?</(?i:\1)\s*>                        # holds no tags
      | (/?)([A-Za-z][^\s/>]*+)([^>"']*+(?:"[^"]*"[^>"']*+|'[^']*'[^>"']*+)*+)>
      | !(?:--)?\[if\ ([^\]<>]*)\]>(?:<!-->|-->)?
      | (?:!--<)?(!)\[endif\](?:--)?>
      | !--.*?-->
    )""",
    re.DOTALL | re.VERBOSE,
)


Token = tuple[str, str, str, str, str, str]
"""A tag, or one end of a conditional comment; what it is not is empty: the tag of an element that is skipped
whole; the slash of an end tag; the tag; its attributes as they are written, with the slash of `<br/>`; the
condition of `<!--[if condition]>`; a sign for its end. A plain tuple, since a mail has a thousand."""


def scan(html: str) -> list[Token]:
    """All tags and conditions, in their order."""
    return _TOKEN.findall(html)
