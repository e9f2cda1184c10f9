"""How fast feeds become drafts: 5,000 entries with texts of a digest's length, read, judged and written as Markdown.

    make bench

Each figure is the median of five, each in a process of its own, so that memory is what this alone takes above the
imports. `python benchmarks/drafts.py 20000` takes another number of entries.
"""

import html
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

from processes import memory
from publication import ROOT
from report import machine

ENTRIES = 5_000
ROUNDS = 5
KINDS = ("rss", "json")
_WORDS = (
    "the",
    "of",
    "a",
    "study",
    "with",
    "patients",
    "who",
    "reported",
    "sleep",
    "mood",
    "after",
    "weeks",
    "and",
    "less",
)
_DAY = datetime(2023, 7, 31, 12, tzinfo=UTC)


def main() -> None:
    """Make the feeds, measure, and print a table; or, as a process of its own, measure once."""
    if sys.argv[1:2] == ["once"]:
        sys.stdout.write(json.dumps(once(sys.argv[2])))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    sys.stdout.write(f"{machine()}; {count:,} entries\n\n")
    sys.stdout.write("| feed | MB | read | judged | all texts as Markdown | MiB above the imports |\n")
    sys.stdout.write("| --- | --: | --: | --: | --: | --: |\n")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder, f"feed.{kind}")
            path.write_text(made(kind, count), encoding="utf-8")
            rounds = [measured(path) for _ in range(ROUNDS)]
            read, judged, written, memory = (statistics.median(column) for column in zip(*rounds, strict=True))
            size = path.stat().st_size / 1e6
            sys.stdout.write(
                f"| {kind} | {size:.1f} | {read:.2f} s | {judged:.2f} s | {written:.2f} s | {memory:.0f} |\n"
            )


def measured(path: Path) -> list[float]:
    """One round, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "once", path], capture_output=True, check=True)  # noqa: S603
    figures: list[float] = json.loads(done.stdout)
    return figures


def once(path: str) -> list[float]:
    """Seconds to read a feed, to judge its entries, to make Markdown of all; MiB at most, for all of it."""
    from digest_mailer.adapters import feed_json, feed_xml  # noqa: F401 - so that they are not counted
    from digest_mailer.bootstrap import build_app
    from digest_mailer.core.draft import known, propose

    app = build_app(ROOT)
    drafter = app.drafter(app.library)
    issues, catalogue, loaded = app.library.all(), app.library.vocabulary.catalogue, memory("VmRSS")
    times = [time.perf_counter()]
    feed = drafter.feeds.read(path)
    times.append(time.perf_counter())
    proposals = propose(feed.entries, known(issues), catalogue, drafter.zone)
    times.append(time.perf_counter())
    texts = [drafter.words(proposal.entry) for proposal in proposals]
    times.append(time.perf_counter())
    if not all(text.implications for text in texts):
        raise RuntimeError("the drafts are not whole")
    return [end - start for start, end in pairwise(times)] + [memory("VmHWM") - loaded]


def made(kind: str, count: int) -> str:
    """A feed; the same every time."""
    chance = random.Random(7)  # noqa: S311 - nothing is secret here
    entries = [_entry(number, chance) for number in range(count)]
    return (
        json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": entries})
        if kind == "json"
        else _rss(entries)
    )


def _entry(number: int, chance: random.Random) -> dict[str, object]:
    day = _DAY - timedelta(hours=number * 4)
    body = (
        f'<p>{_text(chance, 60)} <em>{_text(chance, 3)}</em> (<a href="https://doi.org/10.5555/{number}">paper</a>)</p>'
    )
    return {
        "title": f"Study {number}: {_text(chance, 6)}",
        "url": f"https://studies.example.org/{number}",
        "date_published": day.isoformat(),
        "content_html": f"{body}<h3>Practice Implications</h3><p>{_text(chance, 30)}</p>",
        "tags": chance.sample(["Empathy", "Attachment", "Termination", "Training", "Emphaty", "Sleep"], 2),
    }


def _text(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_WORDS, k=count))


def _rss(entries: list[dict[str, object]]) -> str:
    items = "".join(
        f"<item><title>{one['title']}</title><link>{one['url']}</link>"
        f"<pubDate>{format_datetime(datetime.fromisoformat(str(one['date_published'])))}</pubDate>"
        + "".join(f"<category>{tag}</category>" for tag in one["tags"])  # type: ignore[attr-defined]
        + f"<description>{html.escape(str(one['content_html']))}</description></item>"
        for one in entries
    )
    return f'<rss version="2.0"><channel><title>Studies</title>{items}</channel></rss>'


if __name__ == "__main__":
    main()
