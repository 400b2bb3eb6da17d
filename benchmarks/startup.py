"""How long the command takes to start, against the imports that it cannot do without.

    python -m benchmarks.startup [--rounds 11]

The thread variables are left as they are found: this is what a user waits for. Modules are compiled
before the first round, as they are once a package is installed.
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
"""As the command has it: on a busy machine the threads that NumPy starts can wait for long."""


def command() -> list[str]:
    """`charrnn` as it is installed beside this Python, or else as a module."""
    script = shutil.which("charrnn", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "charrnn"]


def commands(checkpoint: Path) -> dict[str, list[str]]:
    """What is timed, by what a reader would type."""
    return {
        f'python -c "{IMPORTS}"': [sys.executable, "-c", IMPORTS],
        "the same with one BLAS thread": [sys.executable, "-c", ONE_THREAD],
        "python -c pass": [sys.executable, "-c", "pass"],
        "charrnn --version": [*command(), "--version"],
        "charrnn --help": [*command(), "--help"],
        "charrnn sample --length 1": [*command(), "sample", str(checkpoint), "--length", "1"],
    }


def untrained(path: Path) -> None:
    """A checkpoint of the default network, which loads like any other."""
    vocabulary = Vocabulary([10, *range(32, 96)])
    shape = resolve_for_length(LanguageModelConfig(), 1_000_000).network(len(vocabulary))
    save(Checkpoint(CharRNN.initialised(shape, np.random.default_rng(1)), vocabulary), path)


def timer(arguments: list[str]) -> Callable[[], float]:
    """Runs a command once and says how long that took, in seconds."""
    compiling = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(arguments, cwd=ROOT, env=compiling, check=True, capture_output=True)
        return time.perf_counter() - started

    return run


def table(times: dict[str, list[float]]) -> str:
    """Medians in milliseconds, and the ratio to the imports."""
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
    """Time every command by turns and print the table."""
    with TemporaryDirectory() as folder:
        if checkpoint is None:
            checkpoint = Path(folder) / "best.npz"
            untrained(checkpoint)
        jobs = {name: timer(arguments) for name, arguments in commands(checkpoint).items()}
        try:
            interleaved(jobs, 1)  # not counted: reads the files and compiles the modules
            times = interleaved(jobs, rounds)
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"{error.cmd} failed: {error.stderr.decode()}") from None
    keep(json_file, "startup", {"rounds": rounds}, times)
    show("Startup", table(times), f"Medians (and range) of {rounds} rounds, by turns.")


if __name__ == "__main__":
    main()
