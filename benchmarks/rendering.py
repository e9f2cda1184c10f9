"""How fast editions are made and checked, beside a loop that tells how fast this machine is at the moment.

    make bench

Each figure is the median of five runs; the calibration loop runs between them, so figures of two machines, or of
one machine on two days, are compared by their ratio to it. The first run of everything is not counted.
"""

import statistics
import sys
import time
from collections.abc import Callable

from publication import JULY, ROOT, many

from digest_mailer.bootstrap import build_app
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import parse_issue
from digest_mailer.rendering.compile import compile_edition
from digest_mailer.rendering.markdown import render_block
from digest_mailer.rendering.model import Context
from digest_mailer.services.compose import Composer
from digest_mailer.services.library import Library
from digest_mailer.services.linting import Linter

RUNS = 5


def calibration() -> None:
    """A fixed amount of plain Python: about a tenth of a second where this was written."""
    total = 0
    for number in range(1_000_000):
        total += number % 7 * (number & 3)


def main() -> None:
    """Measure, and print a table."""
    app = build_app(ROOT)

    def composer() -> Composer:
        return app.composer(Library(app.files))

    first = composer()
    data, path, words = app.files.read(JULY), app.files.path(JULY), first.library.vocabulary
    thirty = many(parse_issue(data, path, words), 30)
    measures: list[tuple[str, str, Callable[[], object]]] = [
        (
            "one edition of three articles, file to HTML and text",
            "6 ms",
            lambda: one(first.context, parse_issue(data, path, words)),
        ),
        ("one edition of thirty articles", "50 ms", lambda: one(first.context, thirty)),
        ("14 issues, all editions, both languages", "2 s", lambda: everything(composer())),
        ("lint --all without a browser", "3 s", lambda: lint(composer())),
    ]
    base = seconds(calibration)
    sys.stdout.write(f"{'':56}{'goal':>8}{'median':>12}{'in loops':>10}\n")
    sys.stdout.write(f"{'calibration loop':56}{'':>8}{base * 1000:>9.1f} ms{1:>10.2f}\n")
    for name, goal, work in measures:
        took = seconds(work)
        sys.stdout.write(f"{name:56}{goal:>8}{took * 1000:>9.1f} ms{took / base:>10.2f}\n")


def seconds(work: Callable[[], object]) -> float:
    """The median of RUNS runs behind one that is not counted."""
    work()
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def one(context: Context, issue: Issue) -> object:
    """One edition; its texts are rendered anew, as for an author who has just saved the file. Templates stay
    compiled, as they do inside one command and in `serve`."""
    render_block.cache_clear()
    whole = EditionKey(ENGLISH, tuple(range(1, len(issue.articles) + 1)))
    return compile_edition(issue, whole, (), context)


def everything(composer: Composer) -> object:
    """All editions of all issues in a process that has just begun to work."""
    render_block.cache_clear()
    issues = composer.library.all()
    return [composer.editions(issue, composer.keys(issue, None)) for issue in issues]


def lint(composer: Composer) -> object:
    """Everything that `lint --all` looks at."""
    render_block.cache_clear()
    linter = Linter(composer, None)
    return [linter.lint(issue) for issue in composer.library.source.ids()]


if __name__ == "__main__":
    main()
