"""Tang poems, one couplet per line, 90/5/5: networks against n-grams.

    python -m benchmarks.published.tang_poems tang_poetry.txt [--row gru] [--out runs]

No comparable result is published, so n-grams are the baseline. The script prints ten couplets of
the best network, and how many of 500 have the right form: two halves of five or of seven
characters, the first followed by a comma, the second by a full stop.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from benchmarks.published.rows import Figures, Row, Table, charrnn, script

_SPLIT = {"split": "0.9,0.05,0.05"}
_NETWORK = {**_SPLIT, "layers": 1, "hidden": 256, "dropout": 0.5, "epochs": 5}
_FORM = re.compile(r"(\w{5},\w{5}|\w{7},\w{7})。".replace(",", "，"))
_WRITTEN, _SHOWN = 500, 10


def write(text: Path, out: Path, figures: Figures) -> None:
    """Sample couplets from the network with the lowest test loss."""
    networks = {
        n: f["losses"]["test"]["nats_per_char"] for n, f in figures.items() if "gram" not in n
    }
    if not networks:
        return
    best = min(networks, key=lambda name: networks[name])
    options = ["--temp", "0.8", "--count", str(_WRITTEN), "--length", "40", "--stop", "\n"]
    written = json.loads(charrnn("sample", out / best, *options, "--json"))["samples"]
    couplets = [sample["text"].strip("\n") for sample in written]
    formed = sum(bool(_FORM.fullmatch(couplet)) for couplet in couplets)
    read = set(text.read_text("utf-8").splitlines())
    copied = sum(couplet in read for couplet in couplets)
    click.echo("".join(f"    {couplet}\n" for couplet in couplets[:_SHOWN]))
    click.echo(f"{formed} of {_WRITTEN} couplets of {best} are well formed; {copied} are copied.")


main = script(
    Table(
        "Tang poems, 90/5/5",
        [
            Row("lstm", "lstm 1x256", {**_NETWORK, "cell": "lstm"}),
            Row("gru", "gru 1x256", {**_NETWORK, "cell": "gru"}),
            *(
                Row(f"{n}-gram", f"n-grams of order {n}", {**_SPLIT, "cell": "ngram", "order": n})
                for n in range(1, 8)
            ),
        ],
        "Nats per character of the test part; 5,387 distinct characters.",
        after=write,
    ),
    __doc__,
)

if __name__ == "__main__":
    main()
