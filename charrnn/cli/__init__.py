"""The command line. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from charrnn.errors import CharRNNError, ConfigError, os_reason
from charrnn.system.blas import limit_blas_threads
from charrnn.system.launch import launched_as
from charrnn.version import __version__

COMMANDS = {
    "train": "Learn a text; write checkpoints.",
    "sample": "Write new text.",
    "eval": "Measure how well a model predicts a text.",
    "classify": "Name the class of a text.",
    "score": "Show how surprising each line and character is.",
    "fill": "Restore missing characters.",
    "compare": "Train several models alike; rank them.",
    "gradcheck": "Check every derivative against two others.",
    "gradflow": "Show how far back the gradient reaches.",
    "info": "Show what is in a checkpoint.",
    "corpora": "List, show and fetch corpora.",
}
"""Every command, in the order of the help, with what it does in a line."""


class OutputClosedError(Exception):
    """Whoever read our output has gone."""


class Commands(click.Group):
    """A group whose commands are imported one at a time, so that `--help` loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # What a module defines is in use to the end. Not searching it for garbage, while it loads
        # and once more at the end, saves a tenth of the time that a short command takes.
        gc.disable()
        module = importlib.import_module(f"charrnn.cli.commands.{cmd_name}")
        gc.freeze()
        gc.enable()
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise OutputClosedError from None  # before click makes an exit code of its own of it

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            ctx.fail(f"There is no command '{args[0]}'; there are: {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  charrnn train elizabethan --minutes 1
  charrnn sample --temp 0.8""",
)
@click.version_option(__version__, prog_name="charrnn")
def cli() -> None:
    """Character-level recurrent language models in NumPy: learn a text, write in its manner."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code: 1 a known failure, 2 bad usage, 130 Ctrl-C.

    A rank that fails takes all others with it, which would wait for it without end.
    """
    code = run(args)
    if code and (mpi := sys.modules.get("charrnn.training.parallel.mpi")):
        mpi.abort(code)
    sys.exit(code)


def run(args: list[str] | None = None) -> int:
    """Run a command; every failure becomes one line on standard error and an exit code."""
    limit_blas_threads()
    _open_streams()
    try:
        result: Any = cli.main(args, prog_name="charrnn", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        _give_way()
        error.show()
        return error.exit_code
    except (BrokenPipeError, OutputClosedError):
        # Leave as a program does that SIGPIPE ended, and quietly: Python flushes once more.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except CharRNNError as error:
        return _fail(str(error), 2 if isinstance(error, ConfigError) else 1)
    except MemoryError:
        return _fail("There is not enough memory for this (in training: --hidden, --batch).", 1)
    except OSError as error:
        return _fail(f"Cannot write the output: {os_reason(error)}.", 1)
    except Exception as error:
        if os.environ.get("CHARRNN_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _fail(f"charrnn has a defect ({what}); CHARRNN_TRACEBACK=1 shows where.", 1)


def _open_streams() -> None:
    """A stream that was closed from the start is nowhere; a file or a pipe gets UTF-8."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _give_way() -> None:
    """What goes wrong on every rank should be told once: rank 0, in telling it, ends the others."""
    if launched_as().rank > 0:
        time.sleep(1)


def _fail(message: str, code: int) -> int:
    _give_way()
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return code
