"""Memory and reading speed on large files, and the step time as sizes grow.

    python -m benchmarks.memory [--megabytes 1,100,1000] [--chinese] [--base 2x128,50,50]

The text is synthetic. Each measurement has its own process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks import command_line as options
from benchmarks.composed_text import compose
from benchmarks.rounds import ChildError, Contestant, Spread, interleaved, run_child, time_steps
from benchmarks.shapes import CELL_NAMES, Setting, Shape
from benchmarks.tables import keep, markdown, number, show, spread

STEP = Contestant("charrnn", "step_charrnn")
AXES = ("hidden", "batch", "seq", "symbols")


def read_files(
    megabytes: Sequence[int],
    chinese: bool,
    folder: Path | None,
    shape: Shape,
    steps: int,
    rounds: int,
) -> dict[str, Any]:
    """For each file size and round, measure a first start and a second one."""
    with TemporaryDirectory(dir=folder) as made:
        jobs = {}
        for size in megabytes:
            path = Path(made) / f"{size}.txt"
            compose(path, size * 1_000_000, chinese)
            jobs[str(size)] = partial(start_twice, path, shape, steps)
        return interleaved(jobs, rounds)


def start_twice(path: Path, shape: Shape, steps: int) -> dict[str, Any]:
    """Read a file and train on it in two processes: with an empty cache, then with a full one."""
    with TemporaryDirectory(dir=path.parent) as cache:
        job = {"file": str(path), "cache": cache, "shape": shape.to_json(), "steps": steps}
        return {n: run_child("benchmarks.reading_child", job) for n in ("first", "second")}


def reading_table(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Speed and memory by file size. Peaks are relative to the memory at the start."""
    head = ["File, MB", "Decoding, MB/s", "First start, MB/s", "Second start, MB/s"]
    head += ["Peak in first, MB", "Peak in second, MB", "Peak with training, MB", "Step, ms"]
    lines = []
    for size, rounds in results.items():
        first, second = ([r[n] for r in rounds] for n in ("first", "second"))
        speeds = [
            spread(Spread.of([int(size) / figures[kind] for figures in each]))
            for each, kind in (
                (first, "decode_seconds"), (first, "start_seconds"), (second, "start_seconds")
            )
        ]  # fmt: skip
        peaks = [risen(first, "reading"), risen(second, "reading"), risen(first, "training")]
        steps = spread(Spread.of([1000 * f["step_seconds"] for f in first]))
        lines.append([size, *speeds, *peaks, steps])
    return markdown(head, lines)


def risen(rounds: Sequence[Mapping[str, Any]], when: str) -> str:
    """A peak relative to the start: of anonymous memory and, in brackets, of all memory."""
    anonymous, everything = (
        Spread.of([f[kind][when] - f[kind]["start"] for f in rounds]).median
        for kind in ("anonymous_mb", "peak_mb")
    )
    return f"{number(anonymous)} ({number(everything)})"


def neighbours(base: Shape, sizes: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, Shape]]:
    """Shapes that differ from the base in one size, each with the name of that size."""
    for axis in AXES:
        for value in sizes[axis]:
            yield axis, Shape(**{**base.to_json(), axis: value})


def grow(
    base: Shape, sizes: Mapping[str, Sequence[int]], rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Time each neighbour of the base in every round, on one thread."""
    shapes = list(neighbours(base, sizes))
    jobs = {
        str(n): partial(time_steps, STEP, shape, Setting(), seconds)
        for n, (_, shape) in enumerate(shapes)
    }
    figures = interleaved(jobs, rounds)
    return [
        {"varied": axis, "shape": shape.to_json(), "rounds": figures[str(n)]}
        for n, (axis, shape) in enumerate(shapes)
    ]


def growth_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Step time by the size that varies, relative to its first value."""
    head = ["Varied", "Value", "Step, ms", "Ratio to the first", "Chars/s", "Peak, MB"]
    lines: list[list[str]] = []
    first: dict[str, float] = {}
    for row in results:
        shape, axis = Shape(**row["shape"]), row["varied"]
        step = Spread.of([1000 * f["median"] for f in row["rounds"]])
        peak = Spread.of([f["peak_mb"] for f in row["rounds"]]).median
        ratio = step.median / first.setdefault(axis, step.median)
        chars = number(1000 * shape.chars / step.median)
        value = str(getattr(shape, axis))
        lines.append([axis, value, spread(step), f"{ratio:.2f}", chars, number(peak)])
    return markdown(head, lines)


@click.command(help=__doc__)
@options.toy_option(megabytes="1,2", base="1x16,2,5", rounds=1, seconds=0.05, hidden="16,32",
                    batch="2,4", seq="5,10", symbols="65,400", steps=2)  # fmt: skip
@click.option("--megabytes", type=options.Numbers(), default="1,100,1000", show_default=True,
              help="Sizes of the files.")  # fmt: skip
@click.option("--chinese", is_flag=True, help="Use Chinese text instead of English.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder for the files.  [default: the system's temporary folder]")  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1), default=5, show_default=True,
              help="Training steps on each file.")  # fmt: skip
@click.option("--base", type=options.ShapeType(), default="2x128,50,50", show_default=True,
              help="The network to train, and the base of the varied sizes.")  # fmt: skip
@click.option("--cell", type=click.Choice(CELL_NAMES), default="lstm", show_default=True)
@click.option("--hidden", type=options.Numbers(), default="64,128,256,512", show_default=True)
@click.option("--batch", type=options.Numbers(), default="10,25,50,100,200", show_default=True)
@click.option("--seq", type=options.Numbers(), default="10,25,50,100,200", show_default=True)
@click.option("--symbols", type=options.Numbers(), default="65,5400", show_default=True)
@options.rounds_option(3)
@options.seconds_option()
@options.json_option()
def main(
    megabytes: tuple[int, ...],
    chinese: bool,
    folder: Path | None,
    steps: int,
    base: Shape,
    cell: str,
    rounds: int,
    seconds: float,
    json_file: Path | None,
    **sizes: tuple[int, ...],
) -> None:
    """Measure both, and print the two tables."""
    base = base.with_cell(cell)
    asked = {"rounds": rounds, "seconds": seconds, "base": base.to_json(), "steps": steps}
    asked["chinese"] = chinese
    results: dict[str, Any] = {}
    try:
        click.echo("reading files", err=True)
        results["reading"] = read_files(megabytes, chinese, folder, base, steps, rounds)
        keep(json_file, "memory", asked, results)
        click.echo("growing networks", err=True)
        results["growth"] = grow(base, sizes, rounds, seconds)
        keep(json_file, "memory", asked, results)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    notes = f"Medians (and range) of {rounds} rounds, each in a new process, in turn."
    peaks = "Peaks are of anonymous memory (in brackets: of all), relative to the start."
    show("Reading a file", reading_table(results["reading"]), f"{notes} {peaks}")
    show(f"Growth of a step from {cell} {base}", growth_table(results["growth"]), notes)


if __name__ == "__main__":
    main()
