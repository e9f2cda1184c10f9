"""Contests: senders that take turns, A B C, A B C, so that whatever else this machine does hits them all alike.

A single rate tells little, because it swings by a factor of two from hour to hour. What counts is the ratio of two
senders in the same round: the median over the rounds, with the least and the greatest of them.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from processes import NotHereError

RATE = "rate"
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who takes part. `run` makes one run; `counted`, if there is one, a last one that counts syncs and is
    too slow or too strange to be timed."""

    name: str
    run: Callable[[], Values]
    counted: Callable[[], Values] | None = None
    setup: str = ""  # what belongs beside the rate, when it is ours


@dataclass(frozen=True, slots=True)
class Ratio:
    """What is compared, and what it must reach."""

    top: str
    bottom: str
    goal: float = 0.0  # or more; 0 for none
    key: str = RATE
    factor: float = 1.0  # for somebody who does not run here, but was once compared with the one below
    of: str = ""  # who that is


@dataclass
class Contest:
    """A scenario: who takes part, who cannot and why, what to show."""

    title: str
    senders: list[Sender] = field(default_factory=list)
    ratios: Sequence[Ratio] = ()
    columns: Sequence[str] = (RATE, "cpu", "memory")
    left_out: list[tuple[str, str]] = field(default_factory=list)
    remark: str = ""
    rounds: dict[str, list[Values]] = field(default_factory=dict)
    counts: dict[str, Values] = field(default_factory=dict)

    def hold(self, rounds: int, tell: Callable[[str], None]) -> None:
        """Let them run. Who fails is left out from then on."""
        for number in range(rounds):
            for sender in [*self.senders]:
                tell(f"round {number + 1}: {sender.name}")
                self._race(sender)
        for sender in [*self.senders]:
            if sender.counted:
                tell(f"counting: {sender.name}")
                self._count(sender, sender.counted)

    def median(self, name: str, key: str) -> float | None:
        """The median of a figure over the rounds."""
        found = [values[key] for values in self.rounds.get(name, ()) if key in values]
        return statistics.median(found) if found else None

    def paired(self, ratio: Ratio) -> list[float]:
        """The ratio in each round; empty when one of both was left out."""
        both = zip(self.rounds.get(ratio.top, ()), self.rounds.get(ratio.bottom, ()), strict=False)
        return [
            ratio.factor * top[ratio.key] / bottom[ratio.key]
            for top, bottom in both
            if ratio.key in top and bottom.get(ratio.key)
        ]

    def _race(self, sender: Sender) -> None:
        try:
            values = sender.run()
        except (RuntimeError, NotHereError) as problem:
            self.senders.remove(sender)
            self.rounds.pop(sender.name, None)
            self.left_out.append((sender.name, _reason(problem)))
        else:
            self.rounds.setdefault(sender.name, []).append(values)

    def _count(self, sender: Sender, run: Callable[[], Values]) -> None:
        try:
            self.counts[sender.name] = run()
        except (RuntimeError, NotHereError) as problem:
            self.left_out.append((f"the syncs of {sender.name}", _reason(problem)))


def _reason(problem: Exception) -> str:
    """The last line of what it said, which in a traceback is the one that tells."""
    return (str(problem).strip().splitlines() or ["it failed"])[-1]
