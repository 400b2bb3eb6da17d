"""Start-up time of the command, against that of the imports it needs.

    python -m benchmarks.startup [--rounds 11]

The thread variables are not changed, so the times are those that a user sees. Modules are compiled
before the first round, as in an installed package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks import command_line as options
from benchmarks.rounds import ROOT, Spread, interleaved
from benchmarks.tables import keep, markdown, show, spread
from charrnn.config.resolve import resolve_for_length
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import CharRNN
from charrnn.runs.checkpoint import Checkpoint, save
from charrnn.tasks import LanguageModelConfig

IMPORTS = "import numpy, click, rich"
ONE_THREAD = f"import os; os.environ['OPENBLAS_NUM_THREADS'] = '1'; {IMPORTS}"
"""The setting of the command. On a busy machine, threads that NumPy starts can wait long."""


def command() -> list[str]:
    """The `charrnn` script installed with this Python, or else the module."""
    script = shutil.which("charrnn", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "charrnn"]


def commands(checkpoint: Path) -> dict[str, list[str]]:
    """The commands to time, by the text shown in the table."""
    return {
        f'python -c "{IMPORTS}"': [sys.executable, "-c", IMPORTS],
        "the same with one BLAS thread": [sys.executable, "-c", ONE_THREAD],
        "python -c pass": [sys.executable, "-c", "pass"],
        "charrnn --version": [*command(), "--version"],
        "charrnn --help": [*command(), "--help"],
        "charrnn sample --length 1": [*command(), "sample", str(checkpoint), "--length", "1"],
    }


def untrained(path: Path) -> None:
    """Save a checkpoint of an untrained network of the default size."""
    vocabulary = Vocabulary([10, *range(32, 96)])
    shape = resolve_for_length(LanguageModelConfig(), 1_000_000).network_config(len(vocabulary))
    save(Checkpoint(CharRNN.initialized(shape, np.random.default_rng(1)), vocabulary), path)


def timer(arguments: list[str]) -> Callable[[], float]:
    """A function that runs a command once and returns the seconds it took."""
    compiling = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(arguments, cwd=ROOT, env=compiling, check=True, capture_output=True)
        return time.perf_counter() - started

    return run


def table(times: dict[str, list[float]]) -> str:
    """Medians in milliseconds, and their ratio to the imports."""
    spreads = {name: Spread.of([1000 * t for t in each]) for name, each in times.items()}
    imports = next(iter(spreads.values())).median
    lines = [[f"`{n}`", spread(s), f"{s.median / imports:.2f}"] for n, s in spreads.items()]
    return markdown(["Command", "Wall time, ms", "Ratio to the imports"], lines)


@click.command(help=__doc__)
@options.toy_option(rounds=1)
@click.option("--checkpoint", type=click.Path(exists=True, path_type=Path),
              help="For `sample`.  [default: an untrained network of default size]")  # fmt: skip
@options.rounds_option(11)
@options.json_option()
def main(checkpoint: Path | None, rounds: int, json_file: Path | None) -> None:
    """Time the commands in turn and print the table."""
    with TemporaryDirectory() as folder:
        if checkpoint is None:
            checkpoint = Path(folder) / "best.npz"
            untrained(checkpoint)
        jobs = {name: timer(arguments) for name, arguments in commands(checkpoint).items()}
        try:
            interleaved(jobs, 1)  # not counted: fills the page cache and compiles the modules
            times = interleaved(jobs, rounds)
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"{error.cmd} failed: {error.stderr.decode()}") from None
    keep(json_file, "startup", {"rounds": rounds}, times)
    show("Startup", table(times), f"Medians (and range) of {rounds} rounds, in turn.")


if __name__ == "__main__":
    main()
