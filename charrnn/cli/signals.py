"""Signals that end a command: the first stops it cleanly, the second at once.

These are SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal, a lost ssh connection) and on Windows
SIGBREAK. A SIGHUP that is ignored already, as under `nohup`, stays ignored.
"""

from __future__ import annotations

import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signals(
    stop: Callable[[], None], caught: list[int], at_once: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Call `stop` at the first of these signals. At the second, call `at_once` and raise
    KeyboardInterrupt. The number of the first signal is appended to `caught`.
    """

    def handle(number: int, frame: types.FrameType | None) -> None:
        if caught:
            at_once()
            raise KeyboardInterrupt
        caught.append(number)
        stop()

    before = {number: signal.signal(number, handle) for number in _ending()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending() -> Iterator[signal.Signals]:
    """The signals to handle on this system."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        hung_up = name == "SIGHUP" and number and signal.getsignal(number) == signal.SIG_IGN
        if number and not hung_up:
            yield number
