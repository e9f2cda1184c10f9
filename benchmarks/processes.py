"""Programs that are started and timed. Every sender is a process of its own: a run leaves nothing to the next."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
_ADMIN = "/usr/sbin:/usr/local/sbin"  # where Postfix puts its tools, and where not everybody looks


class NotHereError(Exception):
    """Something that a scenario needs is not on this machine; the text says what."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end."""

    seconds: float  # from its start
    cpu: float  # seconds, user and system
    output: str

    @property
    def data(self) -> dict[str, Any]:
        """What a sender of ours printed."""
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found


def find(name: str) -> str:
    """Where a program is. Raises NotHereError."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN}")
    if not found:
        raise NotHereError(f"{name} is not installed")
    return found


def python(module: str, *arguments: object) -> list[str]:
    """The command that runs a module beside this one."""
    return [sys.executable, str(HERE / f"{module}.py"), *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings of digest-mailer that somebody may have set for himself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}
    return {**inherited, **more}


def start(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in the background."""
    return subprocess.Popen(  # noqa: S603 - commands are made here, of no foreign text
        command, env=env or environment(), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
    )


def timed(command: Sequence[str], env: Mapping[str, str] | None = None) -> Finished:
    """Run a program to its end. Raises RuntimeError with what it said when it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = start(command, env, out, err)
        code, cpu = wait(process)
        seconds = time.perf_counter() - begun
        if code:
            raise RuntimeError(f"{Path(command[0]).name} ended with {code}: {_read(err)[-2000:]}")
        return Finished(seconds, cpu, _read(out))


def wait(process: "subprocess.Popen[bytes]") -> tuple[int, float]:
    """Wait for the end of a program; its exit code, and the seconds of processor time that it took."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def memory(what: str, process: int | str = "self") -> float:
    """MiB of a process: `VmRSS` for now, `VmHWM` for the most so far. 0 where the system does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
