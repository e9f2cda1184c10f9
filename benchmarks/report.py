"""What came of the contests: Markdown for people, JSON for whoever wants to reckon with it."""

import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import Lab
from rounds import RATE, Contest, Ratio, Sender

_TITLES = {
    RATE: "messages/s",
    "cpu": "CPU s per 1,000",
    "memory": "MiB above the imports",
    "planning": "planning s",
    "shell": "first MAIL, s from the shell",
    "loaded": "s after loading",
    "first": "s from the first MAIL to 20,000 messages",
    "spent": "CPU s per 1,000, from loading on",
}


def markdown(lab: Lab, contests: Mapping[str, Contest], rounds: int) -> str:
    """The whole report."""
    lines = [
        "# How fast mail is delivered",
        "",
        f"{machine()}; a sync of the disk takes {lab.sync_time:.2f} ms. Rounds: {rounds}, in turns; medians, with"
        " [least–greatest]. Rates swing with the machine: the ratios, of two in the same round, are what counts."
        " digest-mailer reads its list, keeps its ledger and may retry; the others only send. A C program's time is"
        " that of its whole process, the others' begins behind their imports."
        f"{' A quick run, only to see that everything works: the figures mean little.' if lab.quick else ''}",
    ]
    for name, contest in contests.items():
        lines += ["", f"## {contest.title} (`{name}`)", "", *_senders(contest)]
        if contest.ratios:
            lines += ["", *_ratios(contest)]
        lines += _beside(contest)
    return "\n".join(lines) + "\n"


def data(lab: Lab, contests: Mapping[str, Contest]) -> dict[str, Any]:
    """Every figure of every round."""
    return {
        "machine": machine(),
        "sync_ms": lab.sync_time,
        "window": lab.window,
        "batch": lab.batch,
        "connections": lab.connections,
        "scale": lab.scale,
        "contests": {
            name: {
                "rounds": contest.rounds,
                "counted": contest.counts,
                "ratios": {
                    f"{one.top} / {_other(one)}, {one.key}": {"goal": one.goal or None, "rounds": contest.paired(one)}
                    for one in contest.ratios
                },
                "left_out": dict(contest.left_out),
            }
            for name, contest in contests.items()
        },
    }


def machine() -> str:
    """What it is, without its name."""
    system, python = f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({_processor()}), {system}, {python}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _senders(contest: Contest) -> Iterator[str]:
    yield _row("", *(_TITLES[key] for key in contest.columns))
    yield _row("---", *("--:" for _ in contest.columns))
    for sender in contest.senders:
        found = [[one[key] for one in contest.rounds.get(sender.name, ()) if key in one] for key in contest.columns]
        yield _row(sender.name, *map(_spread, found))


def _ratios(contest: Contest) -> Iterator[str]:
    yield _row("ratio", "median [least–greatest]", "must reach", "")
    yield _row("---", "--:", "--:", "---")
    for one in contest.ratios:
        found = contest.paired(one)
        name = f"{one.top} / {_other(one)}" + (f", {_TITLES[one.key]}" if one.key != RATE else "")
        reached = "" if not one.goal or not found else "yes" if statistics.median(found) >= one.goal else "**no**"
        yield _row(name, _spread(found), f"{one.goal:g}" if one.goal else "", reached)


def _beside(contest: Contest) -> Iterator[str]:
    setups = [sender for sender in contest.senders if sender.setup]
    if setups:
        yield ""
    for sender in setups:
        yield f"- {sender.name}: {sender.setup}; {_syncs(contest, sender)}."
    for name, reason in contest.left_out:
        yield f"\nLeft out: {name}, because {reason}."
    if contest.remark:
        yield f"\n{contest.remark}"


def _syncs(contest: Contest, sender: Sender) -> str:
    if not sender.counted:  # they are counted in every run
        return f"{contest.median(sender.name, 'syncs') or 0:,.0f} syncs/s"
    counted = contest.counts.get(sender.name)
    return f"{counted['syncs']:,.0f} syncs/s, in a run that counts them" if counted else "syncs not counted"


def _other(ratio: Ratio) -> str:
    return ratio.of or ratio.bottom


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    middle = _figure(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{_figure(min(values))}–{_figure(max(values))}]"


def _figure(value: float) -> str:
    """Three figures, or as many as it has before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
