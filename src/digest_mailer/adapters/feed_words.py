"""The content of an entry becomes Markdown that says the same words, and nothing that a mail must not hold.

Headings (from the third level on), lists, quotes, links and emphasis stay. Whether the Markdown really reads as those
words is asked of the program's own reader; where it does not, the words stand there without marks.

The reference at the top becomes the citation, and what stands below "Practice Implications" the implications,
whether that is a heading, bold, a line or the beginning of a paragraph.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from digest_mailer.adapters.capture_lines import implications_in, looks_like_citation
from digest_mailer.adapters.feed_blocks import Block, Run, read_blocks, words_in
from digest_mailer.adapters.plain_markdown import escape_paragraph
from digest_mailer.core.draft import Words
from digest_mailer.core.feed import Entry
from digest_mailer.core.fields import RESERVED_MARK, clean_text
from digest_mailer.core.issue import Markdown
from digest_mailer.core.issue_file import inline_text, markdown_reader

_SPACE = re.compile(r"[ \t\n\r\f]+")
_SYNDICATED = re.compile(r"The post .+ (?:first appeared|appeared first) on .+")  # what WordPress adds
_ACTIVE = re.compile(r"[\\`*\[\]#]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<=~)~|!$")
_LEAD = re.compile(r"[0-9]{1,9}(?=[.)])|(?=[-+=>|:])")
_READER = markdown_reader()


def words_of(entry: Entry) -> Words:
    """What an entry's content says."""
    blocks, removed = read_blocks(entry.content, entry.base)
    return _sorted(blocks, removed)


def _sorted(blocks: Sequence[Block], removed: Sequence[str]) -> Words:
    """Citation, summary and implications."""
    kept = [block for block in blocks if not _SYNDICATED.fullmatch(block.text)]
    citation = ""
    if kept and not kept[0].first and looks_like_citation(kept[0].text):
        citation = clean_text(kept.pop(0).text)
    body: list[Block] = []
    for number, block in enumerate(kept):
        before, care = _divided(block)
        body += before
        if care is not None:
            return Words(_joined(body), _joined([*care, *kept[number + 1 :]]), citation, tuple(removed))
    return Words(_joined(body), citation=citation, removed=tuple(removed))


def _divided(block: Block) -> tuple[list[Block], list[Block] | None]:
    """A block before and behind the words "Practice Implications"; None behind when they are not in it."""
    for number, line in enumerate(block.lines):
        words = words_in(line)
        rest = implications_in(words)
        if rest is None:
            continue
        heading = "".join(words.removesuffix(rest).split())
        behind = ([_behind(line, len(heading))] if rest else []) + block.lines[number + 1 :]
        before = [Block(block.lines[:number], block.level, block.first, block.rest)] if number else []
        return before, [Block(behind)] if behind else []
    return [block], None


def _behind(line: Sequence[Run], count: int) -> list[Run]:
    """What of a line stands behind so many of its characters, spaces not counted."""
    left = []
    for run in line:
        start = 0
        while count and start < len(run.text):
            count -= not run.text[start].isspace()
            start += 1
        if run.text[start:]:
            left.append(replace(run, text=run.text[start:]))
    return left


def _joined(blocks: Iterable[Block]) -> Markdown:
    """Blocks one below the other: items closely, all else with a blank line."""
    text, before = "", ""
    for block in blocks:
        markdown = _markdown(block)
        if not markdown:
            continue
        lines = markdown.split("\n")
        shown = "\n".join([block.first + lines[0], *(block.rest + line for line in lines[1:])])
        if text:
            common = "> " * min(before.count("> "), block.first.count("> "))
            is_item = block.first != block.rest and before.replace("> ", "").startswith(" ")
            text += "\n" if is_item else f"\n{common.rstrip()}\n"
        text += shown
        before = block.rest
    return Markdown(text)


def _markdown(block: Block) -> str:
    """One block, without what stands in front of it."""
    lines = [line for line in block.lines if words_in(line)]
    words = [words_in(line) for line in lines]
    if block.level:
        lines, words = [[run for line in lines for run in (*line, Run(" "))]], [" ".join(words)]
    mark = f"{'#' * block.level} " if block.level else ""
    if not words or not words[0]:
        return ""
    if RESERVED_MARK not in " ".join(words):
        if len(words) == 1 and not mark and all(run == Run(run.text) for run in lines[0]):
            return escape_paragraph(words[0])
        for marked in (True, False):
            made = "\\\n".join(_inline(line, marked=marked) for line in lines)
            if _reads_as(mark + made, words, block.level):
                return mark + made
    return escape_paragraph(clean_text(" ".join(words)))


def _reads_as(markdown: str, lines: Sequence[str], level: int) -> bool:
    kind = "heading" if level else "paragraph"
    tokens = _READER.parse(markdown)
    if [token.type for token in tokens] != [f"{kind}_open", "inline", f"{kind}_close"]:
        return False
    return inline_text(tokens[1]).split() == " ".join(lines).split()


def _inline(line: Sequence[Run], *, marked: bool) -> str:
    """Runs as Markdown; a link around all of its words."""
    made = ""
    for href, runs in groupby(line, key=lambda run: run.href):
        inner = "".join(_styled(text, look, marked=marked) for look, text in _looks(runs))
        before, words, after = _parted(inner)
        made += f"{before}[{words}]({href}){after}" if href and words else inner
    made = _SPACE.sub(" ", made).strip()
    lead = _LEAD.match(made)
    return f"{lead[0]}\\{made[lead.end() :]}" if lead else made


def _looks(runs: Iterable[Run]) -> list[tuple[str, str]]:
    """Stretches of words, each with the mark around it."""
    marks = groupby(runs, key=lambda run: "*" * (2 * run.strong + run.emphasis))
    return [(mark, "".join(run.text for run in some)) for mark, some in marks]


def _styled(text: str, mark: str, *, marked: bool) -> str:
    before, words, after = _parted(text)
    mark = mark if marked and words else ""
    return f"{before}{mark}{_ACTIVE.sub(_escaped, words)}{mark}{after}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"


def _parted(text: str) -> tuple[str, str, str]:
    """The space before, the words, the space behind."""
    words = text.strip()
    start = text.find(words) if words else len(text)
    return text[:start], words, text[start + len(words) :]
