"""The command line. Each command is a module that is imported when the command is called."""

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

from charrnn.cli.foreign import printable
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
    "gradcheck": "Check hand-written derivatives numerically.",
    "gradflow": "Show how far back the gradient reaches.",
    "info": "Show what is in a checkpoint.",
    "corpora": "List, show and fetch corpora.",
}
"""Every command, in the order of the help, with what it does in a line."""


class OutputClosedError(Exception):
    """Standard output was closed by the program that reads it."""


class Commands(click.Group):
    """A group that imports a command when it is called, so that `--help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # The objects of a module live until the program ends. Without garbage collection of them
        # during and after the import, a short command takes a tenth less time.
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
            raise OutputClosedError from None  # click would exit with code 1

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
    """Run a command and exit with its code: 1 for a failure, 2 for bad usage, 130 for Ctrl-C.

    Under mpiexec, a rank that fails ends all other ranks, which would otherwise wait forever.
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
        _let_rank_0_report()
        message = io.StringIO()
        error.show(message)
        click.echo(printable(message.getvalue()), err=True, nl=False)
        return error.exit_code
    except (BrokenPipeError, OutputClosedError):
        # The exit code is that of a program ended by SIGPIPE. Python flushes standard output once
        # more at the end, which must not fail.
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
    """Replace closed output streams by the null device; write UTF-8 to files and pipes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _let_rank_0_report() -> None:
    """Wait on all ranks but 0. If all fail alike, rank 0 reports the error and ends the others
    before they report it too.
    """
    if launched_as().rank > 0:
        time.sleep(1)


def _fail(message: str, code: int) -> int:
    _let_rank_0_report()
    click.echo(f"Error: {printable(' '.join(message.split()))}", err=True)
    return code
