"""How soon the first message leaves, and how much memory the first of them take: the real command, on long lists.

Each run starts the command twice: as a person does, which tells the time from the shell, and with all its imports
made beforehand (`loaded_command.py`), which tells time, memory and processor time above those. It is stopped after
20,000 messages, or before a short list is at its end, because a process that has ended has no memory to look at.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from processes import environment, memory, python, start, wait
from publication import JULY
from rounds import Sender, Values
from sinks import Sink, fast_sink

_ENOUGH = 20_000  # messages
_PATIENCE = 600.0  # seconds for a command that does not get on
_FEW = 100


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of one run."""

    mail: float  # when the first MAIL came, on the monotonic clock
    taken: float  # when enough messages were taken
    memory: float  # the most by then, in MiB
    cpu: float  # seconds of processor time by then


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """The command on a list of so many people."""

    lab: Lab
    people: int

    def sender(self) -> Sender:
        """As somebody who takes part."""
        return Sender(f"{self.people:,} people", self.run)

    def run(self) -> Values:
        """Both ways, one after the other."""
        with self.lab.scratch() as folder:
            note, modules = folder / "note.json", self._modules()
            begun, whole = self._send(_command())
            _, above = self._send(python("loaded_command", modules, note))
            loaded = json.loads(note.read_text(encoding="utf-8"))
        return {
            "shell": whole.mail - begun,
            "first": whole.taken - whole.mail,
            "loaded": above.mail - loaded["at"],
            "memory": above.memory - loaded["memory"],
            "spent": (above.cpu - loaded["cpu"]) / self._enough * 1000,
        }

    @property
    def _enough(self) -> int:
        return min(self.people * 9 // 10, _ENOUGH)

    def _send(self, command: Sequence[str]) -> tuple[float, _Seen]:
        """When the command was started, and what was seen of it until enough messages were taken."""
        lab = self.lab
        with lab.copy(self.people) as root, fast_sink(lab, "-m", str(self._enough)) as sink:
            whole = [*command, *self._arguments(root, sink)]
            begun = time.monotonic()
            process = start(whole, self._environment(), subprocess.DEVNULL, subprocess.DEVNULL)
            mail, taken = _notes(sink, process, 2)
            seen = _Seen(mail, taken, memory("VmHWM", process.pid), _cpu(process.pid))
            os.kill(process.pid, signal.SIGTERM)
            wait(process)
        if not seen.memory:
            raise RuntimeError("the command had ended before anybody could look")
        return begun, seen

    def _modules(self) -> Path:
        """The file of what the command imports, from a run of it to a few."""
        path = self.lab.folder / "modules.json"
        if not path.exists():
            few = FirstMessage(self.lab, _FEW)
            with self.lab.copy(_FEW) as root, fast_sink(self.lab) as sink:
                command = [*python("loaded_command", path, path), *few._arguments(root, sink)]
                wait(start(command, self._environment(), subprocess.DEVNULL, subprocess.DEVNULL))
        return path

    def _arguments(self, root: Path, sink: Sink) -> list[str]:
        url = f"{sink.url}&connections={self.lab.connections}"
        return ["-q", "-C", str(root), "send", JULY, "--confirm", str(self.people), "--transport", url]

    def _environment(self) -> dict[str, str]:
        return environment(DIGEST_DELIVERY__WINDOW=str(self.lab.window))


def _command() -> list[str]:
    """The command as it is installed beside this Python, or else by its module."""
    script = Path(sys.executable).with_name("digest-mailer")
    return [str(script)] if script.exists() else [sys.executable, "-m", "digest_mailer"]


def _notes(sink: Sink, process: "subprocess.Popen[bytes]", count: int) -> list[float]:
    """The times that the sink tells. Raises RuntimeError when the command ends without."""
    stream, held, end = sink.process.stdout, b"", time.monotonic() + _PATIENCE
    assert stream is not None  # noqa: S101 - it is a pipe
    while held.count(b"\n") < count:
        ready, _, _ = select.select([stream], [], [], 1.0)
        if ready:
            held += os.read(stream.fileno(), 4096)
        elif _has_ended(process) or time.monotonic() > end:
            os.kill(process.pid, signal.SIGKILL)
            raise RuntimeError(f"the command ended with {wait(process)[0]} before it had sent enough")
    return [float(line.split()[1]) for line in held.splitlines()[:count]]


def _cpu(process: int) -> float:
    """Seconds of processor time that a process has taken: proc(5), utime and stime."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is there no more; it is not waited for yet, because that is when its times are told."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
