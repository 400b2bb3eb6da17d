"""One attack: a command line in a folder, run in a forked process with limits, and its outcome."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from charrnn.cli import COMMANDS
from charrnn.cli import run as command

for _command in COMMANDS:
    importlib.import_module(f"charrnn.cli.commands.{_command}")

SECONDS = 5.0
"""A command that takes longer hangs."""
MEMORY = 500 << 20
"""Bytes that a command may allocate beyond what it starts with."""
BAD = ("defect", "traceback", "hang", "memory", "killed", "several lines", "escape")


@dataclass(frozen=True)
class Attack:
    """A command line, and what it reads."""

    note: str
    """What is hostile about it, to reproduce it by."""
    arguments: Sequence[str]
    folder: Path
    stdin: bytes = b""
    seconds: float = SECONDS
    allowed: Sequence[str] = field(default=())
    """Outcomes in `BAD` that are right here."""


@dataclass(frozen=True)
class Outcome:
    """What came of an attack."""

    name: str
    """`ok`, `error`, `usage`, or one of `BAD`."""
    seconds: float
    peak: int
    """Bytes allocated beyond those at the start."""
    stderr: str


def run(attack: Attack) -> Outcome:
    """Run the command in a child that has all modules loaded already."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        child = os.fork()
        if not child:
            _child(attack, out.fileno(), err.fileno())
        status, usage = _wait(child, attack.seconds + 1)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        stdout = out.read(1 << 20).decode("utf-8", "replace")
        stderr = err.read(1 << 20).decode("utf-8", "replace")
    peak = max(0, usage.ru_maxrss - _PEAK_AT_START) << 10
    return Outcome(_name(status, seconds, peak, stdout, stderr, attack), seconds, peak, stderr)


_PEAK_AT_START = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _child(attack: Attack, out: int, err: int) -> None:
    """Never returns."""
    code = 70
    try:
        os.setsid()
        read, write = os.pipe()
        if os.fork() == 0:
            os.close(read)
            with os.fdopen(write, "wb") as stream:
                stream.write(attack.stdin)
            os._exit(0)
        os.close(write)
        for source, target in ((read, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.chdir(attack.folder)
        size = _address_space()
        resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEMORY, size + 2 * MEMORY))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        code = command(list(attack.arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        os.write(2, f"Traceback: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
    return pages * resource.getpagesize()


def _wait(child: int, seconds: float) -> tuple[int | None, resource.struct_rusage]:
    """The exit status, None if it had to be killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    _, _, usage = os.wait4(child, 0)
    return None, usage


def _name(
    status: int | None, seconds: float, peak: int, stdout: str, stderr: str, attack: Attack
) -> str:
    """The name of the outcome."""
    lines = stderr.strip().splitlines()
    own_text = attack.arguments[0] in ("sample", "score", "fill", "corpora", "classify")
    shown = stderr + ("" if own_text and "--json" not in attack.arguments else stdout)
    checks = {
        "hang": status is None or seconds > attack.seconds,
        "defect": "has a defect" in stderr,
        "traceback": "Traceback" in stderr,
        "killed": status is not None and os.WIFSIGNALED(status),
        "memory": peak > MEMORY,
        "escape": any(c in shown for c in "\x1b\x07\x9b\u202e"),
    }
    for name, bad in checks.items():
        if bad and name not in attack.allowed:
            return name
    if status is None or os.WIFSIGNALED(status):
        return "hang"
    code = os.WEXITSTATUS(status)
    errors = [line for line in lines if line.startswith("Error:")]
    if code and code not in (130,) and len(errors) != 1:
        return "several lines"
    return {0: "ok", 1: "error", 2: "usage"}.get(code, "error")
