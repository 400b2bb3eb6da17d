"""The bundled model: train it and store it in half precision.

    python -m benchmarks.published.shipped_model tinyshakespeare.txt [--out runs]

A GRU 2x312, trained on the first 95 % of Tiny Shakespeare. In half precision it takes 2 MB.
Copy `half.npz` under `--out` to `checkpoints/shakespeare/best.npz`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from benchmarks.published.rows import Figures, Row, Table, charrnn, script
from charrnn.runs import checkpoint

_OPTIONS = {
    "split": "0.95,0.05", "layers": 2, "hidden": 312, "dropout": 0.2, "weight_decay": 0.12,
    "epochs": 20,
}  # fmt: skip


def ship(text: Path, out: Path, figures: Figures) -> None:
    """Save the model in half precision, and print the loss of both files."""
    (name,) = figures
    half = out / "half.npz"
    trained = checkpoint.load(out / name / "best.npz")
    assert trained.record.corpus
    corpus = replace(trained.record.corpus, sources=(text.name,))  # without the local path
    trained.record = replace(trained.record, corpus=corpus)
    checkpoint.save(trained, half, half=True)
    read = text.read_text("utf-8")
    tail = out / "tail.txt"
    tail.write_text(read[len(read) - figures[name]["losses"]["valid"]["chars"] :], "utf-8")
    for path in (out / name / "best.npz", half):
        click.echo(f"{path.name}, {path.stat().st_size:,} bytes:")
        click.echo(charrnn("eval", path, tail, "--json"))


main = script(
    Table(
        "The bundled model",
        [Row("shakespeare", "gru 2x312", _OPTIONS, part="valid")],
        "Nats per character of the last 5 %, on which the best state was selected.",
        after=ship,
    ),
    __doc__,
)

if __name__ == "__main__":
    main()
