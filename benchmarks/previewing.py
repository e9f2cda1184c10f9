"""How long it takes from saving an issue until every pane of the preview shows what was saved.

    python benchmarks/previewing.py [--saves N] [--people N]

The real `preview`, and Chromium. A word is written into the newest issue, as editors save files; the time runs until
the desktop, the phone, the phone in the dark and the plain text all show it, as the browser says at one of its frames.
Lint runs behind each save, as it does for authors: it is done before the next one, or in the second row under way.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from letters import free_port
from playwright.sync_api import sync_playwright
from processes import environment, start
from publication import JULY, ROOT, USUAL, make
from rendering import calibration, seconds
from report import machine

from digest_mailer.adapters.browser import find_program

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SAVES, _PEOPLE = 60, 10_000
_ARGUMENTS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
_BETWEEN = (1.2, 1.7)  # seconds; any phase of the watch's beat
_HASTY = (0.45, 0.6)  # lint has begun
_GOAL = 0.3
_TEASER = "what therapists had best avoid"
_SHOWN = """(word) => [0, 1, 2, 3].every((number) => {
  const inside = document.querySelectorAll("iframe")[number].contentDocument;
  return inside !== null && inside.body !== null && inside.body.textContent.includes(word);
})"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="How long from save to visible.")
    parser.add_argument("--saves", type=int, default=_SAVES, help=f"how many ({_SAVES})")
    parser.add_argument("--people", type=int, default=_PEOPLE, help=f"on the list ({_PEOPLE})")
    options = parser.parse_args()
    before, loop = os.getloadavg()[0], [seconds(calibration)]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        root = _publication(Path(folder), options.people)
        browser = driver.chromium.launch(executable_path=find_program(), args=_ARGUMENTS)
        with _preview(root) as link:
            page = browser.new_page(viewport={"width": 1500, "height": 1000})
            page.goto(link)
            page.get_by_role("main").get_by_role("button").click()
            page.locator(".source").wait_for()
            calm, hasty = (_measure(page, root, options.saves, pause) for pause in (_BETWEEN, _HASTY))
            page.close()
        browser.close()
    loop.append(seconds(calibration))
    sys.stdout.write("| save to visible | saves | median ms | p95 ms | longest ms | within 300 ms |\n")
    sys.stdout.write("| --- | --: | --: | --: | --: | --: |\n")
    sys.stdout.write(_row("all four panes", calm) + _row("the same, while lint runs", hasty))
    load = f"{before:.1f} before, {os.getloadavg()[0]:.1f} after"
    loops = " and ".join(f"{one * 1000:.0f}" for one in loop)
    sys.stdout.write(f"\n{machine()}; {options.people:,} people; load {load}; calibration loop {loops} ms.\n")


def _publication(folder: Path, people: int) -> Path:
    """The sample's issues, all of them, and so many readers."""
    make(folder, people, USUAL)
    shutil.copytree(ROOT / "newsletters", folder / "publication" / "newsletters", dirs_exist_ok=True)
    return folder / "publication"


def _measure(page: "Page", root: Path, saves: int, pause: tuple[float, float]) -> list[float]:
    path = root / "newsletters" / f"{JULY}.md"
    text, waits = path.read_text("utf-8"), []
    for number in range(saves):
        time.sleep(random.uniform(*pause))  # noqa: S311 - no secret
        word = f"save-{number}-{random.randrange(10**6)}"  # noqa: S311 - no secret
        changed = text.replace(_TEASER, word, 1)
        begun = time.perf_counter()
        path.write_text(changed, "utf-8")
        page.wait_for_function(_SHOWN, arg=word)
        waits.append(time.perf_counter() - begun)
    path.write_text(text, "utf-8")
    page.wait_for_function(_SHOWN, arg=_TEASER)
    return waits


def _row(name: str, waits: list[float]) -> str:
    ordered = sorted(waits)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    figures = " | ".join(f"{one * 1000:.0f}" for one in (statistics.median(ordered), p95, ordered[-1]))
    return f"| {name} | {len(ordered)} | {figures} | {sum(one <= _GOAL for one in waits) / len(waits):.0%} |\n"


@contextmanager
def _preview(root: Path) -> Iterator[str]:
    """`preview`; the link that it prints."""
    words = ["-q", "-C", str(root), "--json", "preview", JULY, "--no-open", "--port", str(free_port())]
    process = start([sys.executable, "-m", "digest_mailer", *words], environment(), stderr=subprocess.DEVNULL)
    try:
        if process.stdout is None:
            raise RuntimeError("the preview has no output")
        yield str(json.loads(process.stdout.readline())["link"])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


if __name__ == "__main__":
    main()
