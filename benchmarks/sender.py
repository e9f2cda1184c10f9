"""One send by digest-mailer in a process of its own: the whole path, from readers in SQLite to results in the ledger.

    python benchmarks/sender.py PUBLICATION URL [--loop uvloop|asyncio] [--articles N] [--dkim rsa|both]

The publication is used up: a mailing is in it afterwards. Prints JSON. The window and the file of certificates come
from the environment, as they may for `digest-mailer send`; what that command adds to this is a progress bar.
"""

import argparse
import asyncio
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from processes import memory
from publication import JULY, USUAL, open_app

from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.send import Ending


def main() -> None:
    """Send, and tell how it went."""
    options = _options()
    factory = _loop_factory(options.loop)
    loaded = memory("VmRSS")
    app = open_app(options.publication, options.articles)
    if options.dkim:
        app.dkim_keys.new("bench", ed25519=options.dkim == "both")
    transport = app.transport(options.url)
    planned = time.perf_counter()
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, transport)
    people = launcher.start(launch, transport, None)
    calls = sync_counter()
    before, cpu, begun = calls(), time.process_time(), time.perf_counter()
    run = app.run(transport, lambda _state: None)
    with asyncio.Runner(loop_factory=factory) as runner:
        ended = runner.run(run.send(JULY, timedelta(0)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    if ended.ending is not Ending.COMPLETE or ended.accepted != people:
        sys.exit(f"{ended.ending}: {ended.accepted} of {people} accepted; {ended.trouble}")
    result = {
        "messages": people,
        "seconds": seconds,
        "cpu": cpu,
        "planning": begun - planned,
        "syncs": calls() - before,
        "rss_loaded": loaded,
        "rss_peak": memory("VmHWM"),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do, and a million rows need not be let go of one by one


def sync_counter() -> Callable[[], int]:
    """How many syncs there were, where slow_sync is loaded; 0 for good where it is not."""
    try:
        counter = ctypes.CDLL(None).slow_sync_calls
    except AttributeError:
        return lambda: 0
    counter.restype = ctypes.c_long
    return lambda: int(counter())


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name != "uvloop":
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("publication", type=Path)
    parser.add_argument("url")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--articles", type=int, default=USUAL)
    parser.add_argument("--dkim", choices=("rsa", "both"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
