"""Answers of web addresses in a JSON file, so that checking an issue again asks nobody twice.

A good answer counts for a week, a bad one for an hour: by then a server may be up again, or the author online.
The file is a convenience: one that cannot be read counts as empty, one that cannot be written stays as it was.
"""

import json
import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from digest_mailer.adapters.durable import write_file
from digest_mailer.core.link_answer import LinkAnswer
from digest_mailer.ports import Clock

GOOD_FOR = timedelta(days=7)
BAD_FOR = timedelta(hours=1)

_FORMAT = 1


class LinkCache:
    """What addresses answered, and when. Threads may share it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._answers = _read(path)

    def get(self, url: str) -> LinkAnswer | None:
        """An answer that still counts."""
        with self._lock:
            answer, asked = self._answers.get(url, (None, None))
        return answer if answer and asked and self._counts(answer, asked) else None

    def put(self, answer: LinkAnswer) -> None:
        """Remember an answer given now."""
        with self._lock:
            self._answers[answer.url] = answer, self._clock.now()

    def save(self) -> None:
        """Write down what still counts."""
        with self._lock:
            kept = [
                asdict(answer) | {"asked": asked.isoformat()}
                for answer, asked in self._answers.values()
                if self._counts(answer, asked)
            ]
        document = {"format": _FORMAT, "answers": kept}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._path, json.dumps(document, ensure_ascii=False, indent=1).encode())

    def _counts(self, answer: LinkAnswer, asked: datetime) -> bool:
        age = self._clock.now() - asked
        return timedelta(0) <= age < (GOOD_FOR if answer.good else BAD_FOR)


def _read(path: Path) -> dict[str, tuple[LinkAnswer, datetime]]:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            return {}
        rows = [(datetime.fromisoformat(row.pop("asked")), LinkAnswer(**row)) for row in document["answers"]]
        # One without a zone could not be compared with now.
        return {answer.url: (answer, asked) for asked, answer in rows if asked.tzinfo}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
