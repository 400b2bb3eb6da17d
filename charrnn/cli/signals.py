"""Handling SIGINT (Ctrl-C) and SIGTERM: the first stops cleanly, the second at once."""

from __future__ import annotations

import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signals(
    stop: Callable[[], None], caught: list[int], at_once: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM. At the second, call `at_once` and raise
    KeyboardInterrupt. The number of the first signal is appended to `caught`.
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
