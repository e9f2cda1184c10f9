"""The golden editions: what each is, how it is shown in its file, and the command that accepts changes.

    make golden             shows what changed, file by file, and asks whether it is meant
    make golden ACCEPT=1    accepts everything without asking

HTML is kept with a line for each tag, so that a difference can be read; nothing else is changed.
"""

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from core_support import ROOT, issue_of, vocabulary
from digest_mailer.core.archive import before, index
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.identity import ENGLISH, FRENCH, IssueId, Language
from digest_mailer.core.issue import Issue, Markdown
from digest_mailer.core.issue_file import examine_issue
from digest_mailer.core.translation import in_language
from digest_mailer.rendering.compile import compile_edition
from digest_mailer.rendering.model import Context
from digest_mailer.rendering.templates import Templates
from rendering_support import SOURCES, Parts, compiled, context_of, marked_article, parts_of

FOLDER = ROOT / "tests" / "golden"
HEBREW = Language("he")
_HEBREW_WORDS = (
    'msgid "In this issue"\nmsgstr "בגיליון זה"\n\nmsgid "Practice implications"\nmsgstr "השלכות לפרקטיקה"\n'
)


def sample(month: str, language: Language, *positions: int) -> Parts:
    """An edition of the sample publication."""
    issues = [_read(path.stem) for path in sorted((ROOT / "newsletters").glob("2*-[0-9][0-9].md"))]
    issue = next(one for one in issues if one.id == month)
    past = before(index(in_language(one, language) for one in issues), IssueId(month))
    words = vocabulary()
    publication = context_of(languages=(ENGLISH, FRENCH)).publication
    context = Context(publication, words.catalogue, words.types, Templates(SOURCES))
    return parts_of(compile_edition(in_language(issue, language), EditionKey(language, positions), past, context))


def _read(name: str) -> Issue:
    def read(stem: str) -> Issue:
        path = ROOT / "newsletters" / f"{stem}.md"
        issue, found = examine_issue(path.read_bytes(), path.name, vocabulary())
        assert issue is not None, found
        return issue

    french = ROOT / "newsletters" / f"{name}.fr.md"
    issue = read(name)
    return replace(issue, translations=(read(f"{name}.fr"),)) if french.exists() else issue


def _shortened() -> Parts:
    body = Markdown("Some words of prose here. " * 300)
    return parts_of(compiled(issue_of(*(marked_article(number, body=body) for number in range(1, 31)))))


def _hebrew() -> Parts:
    article = marked_article(
        1, title="כותרת", body=Markdown("טקסט עם [קישור](https://example.org/a)."), language=HEBREW
    )
    context = context_of({"translations/he.po": _HEBREW_WORDS}, languages=(ENGLISH, HEBREW))
    return parts_of(compiled(issue_of(article, marked_article(2)), language=HEBREW, context=context))


GOLDEN: Mapping[str, Callable[[], Parts]] = {
    "july-2023-en": lambda: sample("2023-07", ENGLISH, 1, 2, 3),
    "july-2023-fr-not-translated": lambda: sample("2023-07", FRENCH, 2),
    "june-2023-fr": lambda: sample("2023-06", FRENCH, 1, 2, 3),
    "thirty-articles-shortened": _shortened,
    "right-to-left": _hebrew,
}


def shown(parts: Parts) -> dict[str, str]:
    """The contents of an edition's golden files, by ending."""
    return {"html": parts.html.replace("><", ">\n<") + "\n", "txt": parts.text}


def main(accept: bool) -> int:
    """Show every difference; write what is accepted."""
    left = 0
    for name, make in GOLDEN.items():
        for ending, new in shown(make()).items():
            path = FOLDER / f"{name}.{ending}"
            old = path.read_text("utf-8") if path.exists() else ""
            if old == new:
                continue
            difference = difflib.unified_diff(old.splitlines(), new.splitlines(), f"accepted/{path.name}", "now", n=1)
            print("\n".join(difference))  # noqa: T201 - it is what the command is for
            if accept or (sys.stdin.isatty() and input(f"accept {path.name}? [y/N] ").lower() == "y"):
                path.write_text(new, "utf-8")
            else:
                left += 1
    print(f"{left} golden files differ" if left else "every golden file is as it should be")  # noqa: T201
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main("--accept" in sys.argv[1:]))
