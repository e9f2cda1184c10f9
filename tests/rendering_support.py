"""What the tests of rendering share: a publication with its real templates, marked articles, readers of a result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lxml import html as lxml_html

from core_support import ROOT, article_of, catalogue, issue_of, publication_of, types
from digest_mailer.core.archive import ArchiveEntry
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.edition import Edition, EditionKey, Pieces, Slot, fill
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.issue import Article, Figure, Issue, Markdown
from digest_mailer.rendering.compile import compile_edition
from digest_mailer.rendering.model import Context
from digest_mailer.rendering.templates import Templates

TEMPLATES = ROOT / "templates"
SOURCES = {
    path.relative_to(TEMPLATES).as_posix(): path.read_text("utf-8")
    for path in sorted(TEMPLATES.rglob("*"))
    if path.suffix in (".j2", ".css", ".po")
}
BASE = "https://digest.example.org"
VALUES = {
    Slot.WHY: "You receive this issue because you follow: Empathy.",
    Slot.UNSUBSCRIBE: f"{BASE}/u/token",
    Slot.PREFERENCES: f"{BASE}/p/token",
}


def context_of(replaced: dict[str, str] | None = None, **publication: Any) -> Context:
    """A small publication with its templates, some of them replaced."""
    return Context(publication_of(**publication), catalogue(), types(), Templates({**SOURCES, **(replaced or {})}))


CONTEXT = context_of()


def marked_article(number: int, *topics: str, **changes: Any) -> Article:
    """A full article whose every text carries its number, so that a test sees where it ends up."""
    parts: dict[str, Any] = {
        "title": f"Title{number} of a study",
        "body": Markdown(f"Body{number} has d = .58 in [prose{number}](https://link{number}.example.net/page)."),
        "implications": Markdown(f"Implications{number} for practice."),
        "research_type": "review",
        "citation": Citation(f"Author{number}, A. (2023). Reference{number}.", Doi(f"10.1234/study.{number}")),
        "takeaway": f"Takeaway{number} in one sentence (p < .001).",
        "figures": (Figure("n = 288", f"patients{number}"),),
        "open_access_url": f"https://free{number}.example.net/paper",
        "call_to_action": Markdown(f"Invitation{number} to a study."),
    }
    return article_of(f"study-{number}", *(topics or ("Empathy",)), **parts | changes)


def marked_issue(**changes: Any) -> Issue:
    """Three articles about empathy; training; empathy and attachment."""
    articles = (
        marked_article(1, "Empathy"),
        marked_article(2, "Training"),
        marked_article(3, "Empathy", "Attachment"),
    )
    return issue_of(*articles, teaser=("phrase1", "phrase2", "phrase3"), **changes)


def compiled(
    issue: Issue,
    *positions: int,
    past: Sequence[ArchiveEntry] = (),
    language: Language = ENGLISH,
    context: Context = CONTEXT,
) -> Edition:
    """An edition of these articles; of all when none are named."""
    chosen = positions or tuple(range(1, len(issue.articles) + 1))
    return compile_edition(issue, EditionKey(language, chosen), past, context)


@dataclass(frozen=True)
class Parts:
    """An edition's two parts as a reader gets them."""

    html: str
    text: str

    @property
    def document(self) -> Any:
        """The HTML as a tree."""
        return lxml_html.document_fromstring(self.html)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and words of each heading of the HTML."""
        found = self.document.xpath("//h1|//h2|//h3|//h4|//h5|//h6")
        return [(int(heading.tag[1:]), words(heading.text_content())) for heading in found]

    @property
    def links(self) -> list[str]:
        """The addresses of the HTML's links, in order."""
        return [str(href) for href in self.document.xpath("//a/@href")]

    @property
    def seen(self) -> str:
        """The words of the HTML on one line, tags left out."""
        return words(self.document.find("body").text_content())


def parts_of(edition: Edition) -> Parts:
    """An edition with its slots filled."""
    return Parts(fill(edition.html, VALUES), fill(edition.text, VALUES))


def marked(pieces: Pieces) -> str:
    """A part as it is before its slots are filled."""
    return "".join(piece.mark if isinstance(piece, Slot) else piece for piece in pieces)


def rendered(issue: Issue, *positions: int, past: Sequence[ArchiveEntry] = (), context: Context = CONTEXT) -> Parts:
    """The two parts of an English edition."""
    return parts_of(compiled(issue, *positions, past=past, context=context))


def words(text: str) -> str:
    """A text on one line, with ordinary spaces."""
    return re.sub(r"\s+", " ", text).strip()


def overlong(text: str, width: int = 72) -> list[str]:
    """Lines beyond the width that could have been broken: more than one word behind indent and mark."""
    return [
        line
        for line in re.split(r" ?\n", text)
        if len(line.removeprefix(" ")) > width and len(re.sub(r"^[-> \d.\[\]]*", "", line).split()) > 1
    ]
