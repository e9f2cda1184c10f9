"""Rules on the words of an issue: how long they are, what is left to write, where their links lead.

Each rule looks at one text and yields a `Finding` with the place of the very word or address. Markdown is read
as a mail shows it: what stands in code is nobody's words. Thresholds are constants here, with their reasons.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from markdown_it.common.normalize_url import normalizeLink

from digest_mailer.core.errors import Place, Severity
from digest_mailer.core.issue_file import is_https
from digest_mailer.core.links import ADDRESS, is_link, is_placeholder
from digest_mailer.core.markup import Markup, dissect
from digest_mailer.core.source import Source, Written, place_in

LONGEST_SUBJECT = 60  # wide windows show about that much; phones show 30 to 40
PREHEADER = 40, 110  # shorter, and an inbox fills up with the words that follow; longer, and it cuts
LONGEST_PARAGRAPH = 90  # words; on a phone that fills a screen
LONGEST_SUMMARY = 350  # words; a minute and a half
SHOUTING = 8  # letters, from which capitals are no abbreviation

# Whole words, in capitals because `todo` and `xxx` are words of other languages; a hyphen makes another word of it.
_UNWRITTEN = re.compile(
    r"(?<![^\W_])(?<!\w-)(?:(?:TK)+|TODO|FIXME|XXX|(?i:lorem\s+ipsum))(?![^\W_])(?!-\w)"
)  # fmt: skip
_NOTABLE = re.compile(r"[\[<&|]|://")  # without these a text has no address, and no more words than it seems
_TEXTS = ("title", "subject", "preheader", "teaser", "author", "citation", "takeaway", "value", "meaning")
_NAMES = ("citation", "author")  # where TK beside a name is somebody's initials
_INITIALS = re.compile(r"[^\W\d_][\w'’-]+,? TK(?!\w)|(?<!\w)TK [^\W\d_]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in a file that the caller knows."""

    place: Place
    code: str
    message: str
    hint: str
    severity: Severity = Severity.WARNING


def error(place: Place, code: str, message: str, hint: str) -> Finding:
    """A finding that keeps an issue from being sent."""
    return Finding(place, code, message, hint, Severity.ERROR)


def subject_findings(subject: str, place: Place) -> Iterator[Finding]:
    """A subject that an inbox cuts, or that shouts."""
    if len(subject) > LONGEST_SUBJECT:
        message = f"the subject has {len(subject)} characters; phones show 30 to 40 of them"
        yield Finding(place, "DM110", message, f"shorten it to {LONGEST_SUBJECT}, with what matters first")
    letters = [char for char in subject if char.isupper() or char.islower()]
    if len(letters) >= SHOUTING and all(map(str.isupper, letters)):
        hint = "write it as a sentence; filters count capitals against a mail"
        yield Finding(place, "DM119", "the subject is all in capitals", hint)


def preheader_findings(preheader: str, place: Place) -> Iterator[Finding]:
    """A preheader that leaves room for other words, or that an inbox cuts."""
    shortest, longest = PREHEADER
    if preheader and not shortest <= len(preheader) <= longest:
        wrong = "short" if len(preheader) < shortest else "long"
        message = f"the preheader is too {wrong} with {len(preheader)} characters"
        yield Finding(place, "DM111", message, f"{shortest} to {longest} fill the line beside a subject")


def markdown_findings(text: str, place: Place, *, most_words: int | None = None) -> Iterator[Finding]:
    """Everything that is wrong within a text of Markdown whose first line with words is that of `place`."""
    if is_plain(text, most_words):
        return
    blank_lines = text[: len(text) - len(text.lstrip())].count("\n")
    markup = dissect(text)
    at = partial(place_in, text, start=Place(place.line - blank_lines))
    yield from _lengths(markup, at)
    yield from _links(markup, at)
    yield from _words(markup, at)
    if most_words is not None and markup.words > most_words:
        hint = f"leave {most_words} of them; the paper has the rest"
        yield Finding(place, "DM113", f"the summary has {markup.words} words", hint)


def is_plain(text: str, most_words: int | None = None) -> bool:
    """Whether no rule can find anything, which spares taking the text apart; most texts are plain."""
    lengths = [len(block.split()) for block in re.split(r"\n[ \t]*\n", text)]
    is_long = max(lengths) > LONGEST_PARAGRAPH or (most_words is not None and sum(lengths) > most_words)
    return not is_long and not _NOTABLE.search(text) and not _UNWRITTEN.search(text)


def title_findings(title: str, source: Source, place: Place) -> Iterator[Finding]:
    """A title that is left to write. `place` is that of its heading."""
    if not _UNWRITTEN.search(title):
        return
    lines = source.lines[place.line - 1 :]
    end = next((n for n, line in enumerate(lines) if not line.strip() or line.startswith(("```", "~~~"))), len(lines))
    heading = "\n".join(lines[:end]) or title
    yield from _words(dissect(heading), partial(place_in, heading, start=place))


def settings_findings(source: Source) -> Iterator[Finding]:
    """What is left to write in front matter and settings."""
    for one in source.written:
        if one.field in _TEXTS:
            yield from _words_of(source, one)
        if one.field in _TEXTS or (one.field == "open_access" and is_https(one.text)):
            for nth, address in enumerate(ADDRESS.findall(one.text)):
                if is_placeholder(address):
                    yield _placeholder(address, source.find(one, ADDRESS, nth))


_At = Callable[[int], Place]  # the place of an offset


def _lengths(markup: Markup, at: _At) -> Iterator[Finding]:
    for paragraph in markup.paragraphs:
        if paragraph.words > LONGEST_PARAGRAPH:
            message = f"a paragraph of {paragraph.words} words fills more than a phone's screen"
            yield Finding(at(paragraph.start), "DM112", message, "split it where the thought turns")


def _links(markup: Markup, at: _At) -> Iterator[Finding]:
    for link in markup.links:
        if is_placeholder(link.address):
            yield _placeholder(link.address, at(link.start))
        elif not link.is_image and not is_link(normalizeLink(link.address)):
            message = f'the link "{_short(link.address)}" cannot stand in a mail'
            hint = "begin the address with https:// or mailto:; otherwise the mail shows the words and no link"
            said = message if link.address else "the link has no address"
            yield error(at(link.start), "DM116", said, hint)
    for match in ADDRESS.finditer(markup.prose):
        if is_placeholder(match[0]):
            yield _placeholder(match[0], at(match.start()))


def _words(markup: Markup, at: _At) -> Iterator[Finding]:
    for match in _UNWRITTEN.finditer(ADDRESS.sub(lambda address: " " * len(address[0]), markup.prose)):
        yield _unwritten(match[0], at(match.start()))


def _words_of(source: Source, one: Written) -> Iterator[Finding]:
    addresses = [match.span() for match in ADDRESS.finditer(one.text)]
    names = [match.span() for match in _INITIALS.finditer(one.text)] if one.field in _NAMES else []
    for nth, match in enumerate(_UNWRITTEN.finditer(one.text)):
        if not any(start <= match.start() < end for start, end in (*addresses, *names)):
            yield _unwritten(match[0], source.find(one, _UNWRITTEN, nth))


def _placeholder(address: str, place: Place) -> Finding:
    message = f'"{_short(address)}" only keeps the place of an address'
    return error(place, "DM117", message, "put the real one there, or take it out")


def _unwritten(word: str, place: Place) -> Finding:
    message = f'"{" ".join(word.split())}" says that something is left to write'
    return error(place, "DM114", message, "write what belongs there, or delete the word")


def _short(address: str) -> str:
    return address if len(address) <= 80 else f"{address[:79]}…"
