"""Ctrl-C and its like: the first asks for the end, the second ends."""

from __future__ import annotations

import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signals(
    stop: Callable[[], None], caught: list[int], at_once: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """The first SIGINT or SIGTERM calls `stop`, a second one `at_once` and raises
    KeyboardInterrupt. `caught` gets the number of the first.
    """

    def handle(number: int, frame: types.FrameType | None) -> None:
        if caught:
            at_once()
            raise KeyboardInterrupt
        caught.append(number)
        stop()

    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
