"""Tiny Shakespeare, split 90/10 as in nanoGPT, with time budgets.

    python -m benchmarks.published.tiny_shakespeare tinyshakespeare.txt [--row 3-minutes]

In the rows with a budget of minutes, charrnn chooses the network. The best state is selected on the
last tenth, which is also reported, as in the published results. Each network is also measured with
dynamic evaluation (`charrnn eval --dynamic`). Minutes are wall-clock time on all cores, so results
depend on the machine and its load.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.published.rows import Figures, Row, Table, charrnn, script
from benchmarks.tables import markdown

_SPLIT = {"split": "0.9,0.1"}
_HOUR = {
    "layers": 3, "hidden": 512, "dropout": 0.2, "weight_decay": 0.23, "lr": 3.5e-3, "epochs": 21,
}  # fmt: skip
"""About what `--minutes 60` chooses. It took half an hour, and ends after the epochs."""


def learning(text: Path, out: Path, figures: Figures) -> None:
    """Measure each network on the last tenth with dynamic evaluation."""
    read = text.read_text("utf-8")
    tenth = out / "last-tenth.txt"
    rows = []
    for name, done in figures.items():
        chars = done["losses"]["valid"]["chars"]
        tenth.write_text(read[len(read) - chars :], "utf-8")
        found = json.loads(charrnn("eval", out / name, tenth, "--dynamic", "--json"))
        nats = [found["nats_per_char"], found["dynamic"]["nats_per_char"]]
        rows.append([name, *(f"{n:.4f}" for n in nats), f"{found['dynamic']['seconds']:.0f}"])
    click.echo(markdown(["", "as trained", "dynamic evaluation", "seconds"], rows))


main = script(
    Table(
        "Tiny Shakespeare, 90/10",
        [
            Row("3-minutes", "3 minutes", {**_SPLIT, "minutes": 3}, 1.510, "valid"),
            Row("8-minutes", "8 minutes", {**_SPLIT, "minutes": 8}, 1.4697, "valid"),
            Row("hour", "within an hour", {**_SPLIT, **_HOUR}, 1.4398, "valid"),
        ],
        "Nats per character of the last tenth. Beside them, all on two cores: a PyTorch GRU 1x256 "
        "in 3 minutes, a PyTorch LSTM 1x512 in 20 and in 40.",
        after=learning,
    ),
    __doc__,
)

if __name__ == "__main__":
    main()
