"""Calls that may take so long and no longer."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """What the call answers or raises. Raises TimeoutError when it takes longer; it then goes on where nobody waits
    for it, and ends with the process at the latest.

    A limit in each part of a call (a read from a socket, the look-up of a name) bounds no whole.
    """
    answers: SimpleQueue[Callable[[], T]] = SimpleQueue()
    threading.Thread(target=lambda: answers.put(_outcome(call)), daemon=True).start()
    try:
        outcome = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"it took longer than {seconds:g} seconds") from None
    return outcome()


def _outcome(call: Callable[[], T]) -> Callable[[], T]:
    try:
        value = call()
    except BaseException as problem:  # noqa: BLE001 - the caller's to judge
        caught = problem

        def fail() -> T:
            raise caught

        return fail
    return lambda: value
