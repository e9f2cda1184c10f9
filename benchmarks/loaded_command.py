"""The command `digest-mailer` with everything that it will need imported beforehand, so that two moments can be told
apart: when Python has loaded it, and when it has found out what to do.

    python benchmarks/loaded_command.py MODULES NOTE ARGUMENT...

When there is no file MODULES, this run writes it: the modules that the command had loaded at its end. When there is,
they are imported first, and NOTE gets the time then (monotonic), the memory in MiB and the processor's seconds.
"""

import atexit
import importlib
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from processes import memory


def main() -> None:
    """Load, note, and be the command."""
    modules, note = Path(sys.argv[1]), Path(sys.argv[2])
    if modules.exists():
        for name in json.loads(modules.read_text(encoding="utf-8")):
            with suppress(ImportError):
                importlib.import_module(name)
        found = {"at": time.monotonic(), "memory": memory("VmRSS"), "cpu": time.process_time()}
        note.write_text(json.dumps(found), encoding="utf-8")
    else:
        atexit.register(lambda: modules.write_text(json.dumps([*sys.modules]), encoding="utf-8"))
    from digest_mailer.cli import main as command

    sys.argv = ["digest-mailer", *sys.argv[3:]]
    command()


if __name__ == "__main__":
    main()
