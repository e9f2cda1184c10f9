"""How many messages the processors can sign at most: threads that do nothing else, one a processor.

    python benchmarks/signing.py MATERIAL --seconds S [--bare] [--keys rsa|both]

Without --bare the signer of digest-mailer signs the messages of an edition, hash and headers included; with it the
keys sign a short text, which is what no signer can do without. Prints JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from publication import JULY, open_app

from digest_mailer.adapters.dkim import DkimKey, DkimSigner, make_key
from digest_mailer.core.address import parse_address
from digest_mailer.core.dkim import Algorithm
from digest_mailer.core.edition import Edition, decode_edition
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.message import SAMPLE_KEYRING, Message, Recipient
from digest_mailer.core.stencil import Stencil
from digest_mailer.core.topic import NO_TOPICS

_TEXT = b"x" * 1200  # about as long as the headers that are signed
_AT = datetime(2024, 1, 31, 12, tzinfo=UTC)
_MESSAGES = 200


def main() -> None:
    """Sign for a while, and tell how many."""
    parser = argparse.ArgumentParser()
    parser.add_argument("material", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--keys", choices=("rsa", "both"), default="rsa")
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    algorithms = [Algorithm.RSA, Algorithm.ED25519] if options.keys == "both" else [Algorithm.RSA]
    keys = [make_key(f"bench{one.key_type}", one) for one in algorithms]
    sign = bare(keys) if options.bare else whole(keys, stored_edition(options.material / "publication"))
    sign(0)
    processors = os.cpu_count() or 1
    cpu, begun = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(processors) as threads:
        counts = list(threads.map(lambda _: _until(sign, begun + options.seconds), range(processors)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    sys.stdout.write(json.dumps({"messages": sum(counts), "seconds": seconds, "cpu": cpu}) + "\n")


def bare(keys: list[DkimKey]) -> Callable[[int], object]:
    """Only the keys."""
    return lambda _number: [key.sign(_TEXT) for key in keys]


def whole(keys: list[DkimKey], edition: Edition) -> Callable[[int], object]:
    """The signer, on messages that a run would give it."""
    signer, stencil = DkimSigner(str(edition.sender.address.domain), keys), Stencil(edition, _AT, SAMPLE_KEYRING)
    messages = [_message(stencil, number) for number in range(_MESSAGES)]
    return lambda number: signer.sign(messages[number % _MESSAGES], _AT)


def stored_edition(root: Path) -> Edition:
    """What was approved."""
    app = open_app(root)
    approval = app.approvals.latest(JULY)
    if approval is None:
        sys.exit("the publication has no approved issue")
    return decode_edition(app.approvals.artefact(next(iter(approval.editions.values()))))


def _message(stencil: Stencil, number: int) -> Message:
    mailbox = parse_address(f"reader{number}@clinic{number % 50}.example.org")
    return stencil.address(Recipient(SubscriberId(number), mailbox, f"Reader {number}", NO_TOPICS, True, 0))


def _until(sign: Callable[[int], object], end: float) -> int:
    """How many were signed by then."""
    number = 0
    while time.perf_counter() < end:
        sign(number)
        number += 1
    return number


if __name__ == "__main__":
    main()
