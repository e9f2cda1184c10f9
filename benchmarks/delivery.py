"""How fast mail is delivered, beside others that do the same work on the same machine in the same minutes.

    python benchmarks/delivery.py [--rounds N] [--people N] [--only NAME...] [--quick] [--json FILE] [--list]

The report is Markdown on standard output, progress is on standard error. "digest-mailer" is always its whole path:
readers from SQLite at synchronous=FULL, editions, personal messages, flight recorder, retry policy, ledger. Whatever
is not on this machine (Postfix's tools, node, a C compiler) is named as left out.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from lab import Lab
from report import data, markdown
from rounds import Contest
from scenarios import SCENARIOS

PEOPLE = 60_000  # readers of the fastest senders, at full scale
_QUICK = 3_000


def main() -> None:
    """Measure, and print the report."""
    options = _options()
    if options.list:
        for name, scenario in SCENARIOS.items():
            sys.stdout.write(f"{name:10} {(scenario.__doc__ or '').splitlines()[0]}\n")
        return
    people = options.people or (_QUICK if options.quick else PEOPLE)
    rounds = options.rounds or (1 if options.quick else 5)
    lab = Lab(people / PEOPLE, options.window, options.connections, options.quick)
    contests: dict[str, Contest] = {}
    for name in options.only or SCENARIOS:
        contests[name] = contest = SCENARIOS[name](lab)
        contest.hold(rounds, partial(_tell, name))
    sys.stdout.write(markdown(lab, contests, rounds))
    if options.json:
        options.json.write_text(json.dumps(data(lab, contests), indent=1), encoding="utf-8")


def _tell(name: str, what: str) -> None:
    sys.stderr.write(f"{name}: {what}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast mail is delivered.")
    parser.add_argument("--rounds", type=int, help="how often each sender has its turn (5; 1 with --quick)")
    parser.add_argument("--people", type=int, help=f"readers of the fastest senders ({PEOPLE}; {_QUICK} with --quick)")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", help="only these scenarios")
    parser.add_argument("--quick", action="store_true", help="short runs, only to see that everything works")
    parser.add_argument("--window", type=int, default=1000, help="[delivery] window of digest-mailer (1000)")
    parser.add_argument("--connections", type=int, default=20, help="of every sender (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round there")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    return parser.parse_args()


if __name__ == "__main__":
    main()
