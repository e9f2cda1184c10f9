"""Plain text becomes Markdown that reads as the same words, and stays as pleasant to edit as it can.

An importer has text, and an issue file holds Markdown: `95% CI [.2, .4]` may stand as it is, `5 * 3 * 2` too, but
`*p* < .05` would lose its asterisks. Which marks are active depends on their neighbours, so this module does not
guess: it asks the program's own Markdown reader, and escapes a kind of mark only where the text would otherwise
read differently. One line is one paragraph; nothing is wrapped, folded or repaired.

It never makes Markdown out of meaning: a line that begins with a hyphen comes out as a paragraph, not as a list.
"""

import re
from collections.abc import Collection, Iterable

from digest_mailer.core.issue import Markdown
from digest_mailer.core.issue_file import markdown_reader

_READER = markdown_reader()
_INLINE = "\\`*_[<&~"  # marks that can be active anywhere in a line
_LEADING = "^"  # stands for what is active only where a paragraph begins
_HARMLESS = re.compile(r"[^\W\d_][^\\`*_\[\]<>&~!|\0\r\n]*")  # begins with a letter and has no mark: no need to ask
_LEAD = re.compile(r"[0-9]{1,9}(?=[.)])|(?=[-+=>#])")


def to_markdown(paragraphs: Iterable[str]) -> Markdown:
    """Paragraphs of plain text as Markdown, a blank line between them."""
    return Markdown("\n\n".join(escape_paragraph(paragraph) for paragraph in paragraphs))


def escape_paragraph(text: str) -> str:
    """One line of plain text, without space around it, as a paragraph of Markdown."""
    if _HARMLESS.fullmatch(text) or _reads_as(text, text):
        return text
    kinds = {mark for mark in _INLINE if mark in text} | {_LEADING}
    for kind in sorted(kinds):
        if _reads_as(_escape(text, kinds - {kind}), text):
            kinds.remove(kind)
    return _escape(text, kinds)


def _escape(text: str, kinds: Collection[str]) -> str:
    escaped = "".join(f"\\{char}" if char in kinds and char in _INLINE else char for char in text)
    lead = _LEAD.match(escaped) if _LEADING in kinds else None
    return f"{lead[0]}\\{escaped[lead.end() :]}" if lead else escaped


def _reads_as(markdown: str, text: str) -> bool:
    """Whether the Markdown is one paragraph of nothing but this text."""
    tokens = _READER.parse(markdown)
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return False
    children = tokens[1].children or []
    return all(child.type == "text" for child in children) and "".join(child.content for child in children) == text
