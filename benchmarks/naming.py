"""Classification of short texts: a network against one n-gram model per class.

    python -m benchmarks.naming names/*.txt [--seeds 1,2,3] [--hidden 64 --epochs 5]

Both have the same training and test texts; each seed has its own split. The n-gram classifier
predicts the class k with the largest P(k) P(text | k). P(k) is the frequency of the class, and
P(text | k) is the probability of the text and its end under n-grams counted on that class. The
order of the n-grams is the one with the best accuracy on the validation part.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import click
import numpy as np

from benchmarks import command_line as options
from benchmarks.rounds import ROOT
from benchmarks.tables import keep, markdown, show
from charrnn.classification.text_classifier import ConfusionMatrix
from charrnn.data.examples import Examples
from charrnn.data.split import Split
from charrnn.language.score import alone
from charrnn.models import NGram
from charrnn.nn.params import Ids
from charrnn.tasks import ClassifyConfig

ORDERS = range(1, 8)
TOY = {"bird": "tiutu", "cow": "moumu", "snake": "sizsu"}
Figures = dict[str, float]


class NGrams:
    """One n-gram model for each class of the training part."""

    def __init__(self, examples: Examples, order: int) -> None:
        self.end = np.array([len(examples.vocabulary)])  # an extra symbol that ends each text
        train = examples.parts["train"]
        labels = examples.labels[train]
        self.log_prior = np.log(np.bincount(labels) / len(labels))
        symbols = len(examples.vocabulary) + 1
        self.models = [
            NGram.fit(self._joined(examples.texts(train[labels == k])), symbols, order)
            for k in range(len(examples.classes))
        ]

    def classify(self, texts: Sequence[Ids]) -> Ids:
        """The most probable class of each text."""
        lines = [np.append(text, self.end) for text in texts]
        nats = [[each.sum() for each in alone(model, lines, self.end)] for model in self.models]
        found: Ids = (self.log_prior[:, None] - np.array(nats)).argmax(axis=0)
        return found

    def _joined(self, texts: Sequence[Ids]) -> Ids:
        return np.concatenate([self.end, *(np.append(text, self.end) for text in texts)])


def ngrams(files: Sequence[Path], seed: int) -> Figures:
    """The metrics of the n-gram classifier on the test part."""
    split = Split.parse(ClassifyConfig().split)
    examples = Examples.read(files, seed=seed, split=split)

    def judged(model: NGrams, part: str) -> ConfusionMatrix:
        numbers = examples.parts[part]
        named = model.classify(examples.texts(numbers))
        return ConfusionMatrix.of(examples.classes, examples.labels[numbers], named)

    models = {order: NGrams(examples, order) for order in ORDERS}
    order = max(ORDERS, key=lambda n: judged(models[n], "valid").accuracy)
    test = judged(models[order], "test")
    return {"accuracy": test.accuracy, "macro_f1": test.macro_f1, "order": order}


def network(files: Sequence[Path], seed: int, more: Sequence[str]) -> Figures:
    """The metrics of `charrnn train --task classify` on the test part."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charrnn", "train", *map(str, files), "--json", "--task",
                   "classify", "--seed", str(seed), "--out", folder, *more]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr.strip())
    finished = json.loads(done.stdout.splitlines()[-1])
    test: Figures = finished["losses"]["test"]
    return test | {"parameters": finished["parameters"], "seconds": finished["seconds"]}


def table(results: dict[str, list[Figures]]) -> str:
    """Mean and standard deviation over the seeds."""
    rows = []
    for name, figures in results.items():
        row = [name]
        for key, scale in (("accuracy", 100), ("macro_f1", 100)):
            values = [scale * each[key] for each in figures]
            row.append(f"{mean(values):.1f} ± {stdev(values) if len(values) > 1 else 0:.1f}")
        rows.append(row)
    return markdown(["", "Accuracy, %", "Macro F1, %"], rows)


def compose(folder: Path) -> list[Path]:
    """Files of made-up words, one per class, for `--toy`."""
    rng = np.random.default_rng(1)
    for name, letters in TOY.items():
        words = {"".join(rng.choice(list(letters), rng.integers(4, 9))) for _ in range(60)}
        (folder / f"{name}.txt").write_text("\n".join(sorted(words)), "utf-8")
    return sorted(folder.iterdir())


@click.command(help=__doc__)
@options.toy_option(seeds="1,2", epochs="20", hidden="16")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--seeds", type=options.Numbers(), default="1,2,3", show_default=True)
@click.option("--epochs", help="As in charrnn train.")
@click.option("--hidden", help="As in charrnn train.")
@options.json_option()
@click.pass_context
def main(
    ctx: click.Context,
    files: tuple[Path, ...],
    seeds: tuple[int, ...],
    epochs: str | None,
    hidden: str | None,
    json_file: Path | None,
) -> None:
    """Measure seed by seed and print the table."""
    given = {"--epochs": epochs, "--hidden": hidden}
    more = [word for name, value in given.items() if value for word in (name, value)]
    with tempfile.TemporaryDirectory() as folder:
        if not files and not ctx.default_map:
            raise click.UsageError("Name the files: one per class, or one with labelled lines.")
        paths = [path.resolve() for path in files] or compose(Path(folder))
        results: dict[str, list[Figures]] = {"network": [], "n-grams": []}
        for seed in seeds:
            click.echo(f"seed {seed}", err=True)
            results["network"].append(network(paths, seed, more))
            results["n-grams"].append(ngrams(paths, seed))
            keep(json_file, "naming", {"seeds": seeds, **given}, results)
    notes = f"Mean and standard deviation over {len(seeds)} seeds, each with its own split."
    show("Classification", table(results), notes)


if __name__ == "__main__":
    main()
