"""Markdown tokens as plain text: 72 columns, no Markdown signs, never made from HTML.

Links in prose become numbers, `[1]`, with their addresses listed below the text (a link whose words are its
address stands as it is). Lists hang, quotations begin with `>`, code is indented, a table is a line a row.
Only a word that cannot be broken, an address for instance, makes a line longer than 72. What cannot be in an
author's text stands for what `rendering.text` puts in when everything is in its place: SOFT_BREAK at the end of
a line that a mail program may join with the next, QUOTE for the sign of a quotation, no-break spaces.
"""

import re
import textwrap
from collections.abc import Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from digest_mailer.rendering.links import spell
from digest_mailer.rendering.typography import NO_BREAK

WIDTH = 72
SOFT_BREAK = "\x03"
QUOTE = "\x02"
_SPACES = re.compile(r"[ \t\n\r]+")  # not the no-break space
_CODE_INDENT = "    "


def plain_text(tokens: Sequence[Token]) -> str:
    """The text of a block of Markdown, wrapped, with the addresses of its links at the end."""
    writer = _Writer()
    blocks = writer.blocks(SyntaxTreeNode(tokens).children, WIDTH)
    listed = "\n".join(f"[{number}] {url}" for url, number in writer.numbers.items())
    return "\n\n".join([*blocks, listed] if listed else blocks)


def wrap(text: str, width: int = WIDTH, *, first: str = "", rest: str = "") -> str:
    """Break a text into lines of at most `width`; its own line breaks stay. `first` and `rest` are indents.

    The breaks of a text without indents are soft; behind an indent the next line could not be joined well.
    """
    between = "\n" if first or rest else f"{SOFT_BREAK}\n"
    paragraphs: list[str] = []
    for line in text.split("\n"):
        wrapped = textwrap.wrap(
            _SPACES.sub(" ", line),
            width,
            initial_indent=rest if paragraphs else first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if wrapped:
            paragraphs.append(between.join(wrapped))
    return "\n".join(paragraphs)


def hard(text: str) -> str:
    """The text with its soft breaks made hard."""
    return text.replace(SOFT_BREAK, "")


def underline(text: str, sign: str) -> str:
    """A heading: the text, wrapped, with a rule as long as its longest line below it."""
    wrapped = hard(wrap(text))
    longest = max((len(line) for line in wrapped.split("\n")), default=0)
    return f"{wrapped}\n{sign * min(longest, WIDTH)}"


class _Writer:
    """Writes one block of Markdown, and numbers the addresses of its links in their order."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def blocks(self, nodes: Sequence[SyntaxTreeNode], width: int) -> list[str]:
        """Each block as text; blocks that hold nothing are left out."""
        return [text for node in nodes if (text := self.block(node, width))]

    def block(self, node: SyntaxTreeNode, width: int) -> str:
        match node.type:
            case "heading":
                return underline(self.words(node), "-")
            case "paragraph":
                return self.paragraph(node, width)
            case "bullet_list" | "ordered_list":
                return self.list(node, width)
            case "blockquote":
                return textwrap.indent(self.joined(node, width - 2), f"{QUOTE} ", lambda _: True)
            case "fence" | "code_block":
                return _code(node.content, width)
            case "table":
                return self.table(node, width)
            case "hr":
                return "* * *"
            case _:
                return self.joined(node, width)

    def joined(self, node: SyntaxTreeNode, width: int, between: str = "\n\n") -> str:
        return between.join(self.blocks(node.children, width))

    def paragraph(self, node: SyntaxTreeNode, width: int) -> str:
        pieces = node.children[0].children
        if len(pieces) == 1 and pieces[0].type == "image":  # its address alone on the line below
            return f"{wrap(f'Image: {_alternative(pieces[0])}', width)}\n{_source(pieces[0])}"
        return wrap(self.words(node), width)

    def list(self, node: SyntaxTreeNode, width: int) -> str:
        start = int(str(node.attrs.get("start", 1)))
        tight = all(child.hidden for item in node.children for child in item.children if child.type == "paragraph")
        items = []
        for number, item in enumerate(node.children, start):
            mark = f"{number}. " if node.type == "ordered_list" else "- "
            text = hard(self.joined(item, width - len(mark), "\n" if tight else "\n\n"))
            items.append(mark + textwrap.indent(text, " " * len(mark)).removeprefix(" " * len(mark)))
        return ("\n" if tight else "\n\n").join(items)

    def table(self, node: SyntaxTreeNode, width: int) -> str:
        """A line a row, cells between bars; a rule below the head."""
        lines = []
        for part in node.children:
            rows = [" | ".join(self.words(cell) for cell in row.children) for row in part.children]
            lines += [wrap(row, width, rest="  ") for row in rows]  # a rest makes the breaks hard
            if part.type == "thead":
                lines.append("-" * min(width, max(len(line) for line in lines[-1].split("\n"))))
        return "\n".join(lines)

    # -- prose

    def words(self, node: SyntaxTreeNode) -> str:
        """The prose in a node. A line break of the author's is a newline, any other a space."""
        return "".join(self.piece(child) for child in node.children)

    def piece(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "image":
                return f"{_alternative(node)}{NO_BREAK}{self.number(_source(node))}"
            case "link":
                return self.link(node)
            case _:
                return self.words(node)

    def link(self, node: SyntaxTreeNode) -> str:
        words, url = self.words(node), spell(str(node.attrs["href"]))
        if words in (url, node.attrs["href"], url.removeprefix("mailto:")):
            return url.removeprefix("mailto:")
        return f"{words}{NO_BREAK}{self.number(url)}"

    def number(self, url: str) -> str:
        return f"[{self.numbers.setdefault(url, len(self.numbers) + 1)}]"


def _alternative(image: SyntaxTreeNode) -> str:
    return "".join(child.content for child in image.walk() if child.type in ("text", "code_inline"))


def _source(image: SyntaxTreeNode) -> str:
    return spell(str(image.attrs["src"]))


def _code(content: str, width: int) -> str:
    room = width - len(_CODE_INDENT)
    lines = [line[at : at + room] for line in content.rstrip("\n").split("\n") for at in range(0, len(line) or 1, room)]
    return "\n".join(f"{_CODE_INDENT}{line}".rstrip(" ") for line in lines)
