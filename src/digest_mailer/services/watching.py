"""Tells listeners that the publication's files changed: one thread looks, however many listen.

It begins with the first listener and ends with the last. Looking twenty times a second needs no library, works on
every file system, shared folders too, and costs two per cent of a processor while somebody has a preview open.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 0.05  # seconds between two looks

Listener = Callable[[str], None]  # is told the new stamp; "" when the watch is closed


class Watch:
    """Looks at a stamp, and tells who listens when it is another one."""

    def __init__(self, stamp: Callable[[], str], every: float = EVERY) -> None:
        self._stamp = stamp
        self._every = every
        self._listeners: list[Listener] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def looking(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Be told of changes, in the watch's thread, as long as this context lasts; first how it is now."""
        with self._changed:
            now = "" if self._closed else self._stamp()
            listener(now)
            self._listeners.append(listener)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._look, args=(now,), name="watch", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(listener)
                self._changed.notify_all()

    def close(self) -> None:
        """Tell all listeners that nothing more comes."""
        with self._changed:
            self._closed = True
            for listener in self._listeners:
                listener("")
            self._changed.notify_all()

    def _look(self, seen: str) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._every)
                if not self._listeners or self._closed:
                    self._thread = None
                    return
                now = self._stamp()
                if now != seen:
                    seen = now
                    for listener in self._listeners:
                        listener(now)
