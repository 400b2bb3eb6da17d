"""Tiny Shakespeare with the split of char-rnn (Karpathy 2015): its recipe, and charrnn's own.

    python -m benchmarks.published.char_rnn tinyshakespeare.txt [--row recipe] [--out runs]

char-rnn cuts the text into 50 streams and each stream into chunks of 50 characters. The first 95 %
of the chunks of a stream are for training, the rest for validation, so every stream is in both
parts. The script writes the two parts as files to `--out`. Training on the first file with 50
streams uses the same streams as char-rnn. The published loss is the validation loss of the best
epoch. charrnn reads the validation parts of the streams one after another with carried state;
char-rnn reads each from the start state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.published.rows import Row, Table, script

_LANES, _SEQ, _TRAIN = 50, 50, 0.95
_SIZE = {"batch": _LANES, "seq": _SEQ, "cell": "lstm", "layers": 2, "hidden": 128, "epochs": 50}
_RECIPE = {
    "optimizer": "rmsprop", "lr": 2e-3, "schedule": "step", "decay": 0.97, "decay_after": 10,
    "init": 0.08, "reset": 0, "dropout": 0, "weight_decay": 0, "clip": 0, "clip_value": 5,
}  # fmt: skip
_BEST = 1.394


def interleaved(text: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Write the two files of char-rnn's split. The first ends with the last target."""
    read = text.read_text("utf-8")
    chunks = len(read) // (_LANES * _SEQ)
    length, kept = chunks * _SEQ, int(chunks * _TRAIN) * _SEQ
    streams = [read[n * length : (n + 1) * length] for n in range(_LANES)]
    train, valid = out / f"{text.stem}-streams.txt", out / f"{text.stem}-streams-valid.txt"
    train.write_text("".join(stream[:kept] for stream in streams) + streams[-1][kept], "utf-8")
    valid.write_text("".join(stream[kept:] for stream in streams), "utf-8")
    return train, {"valid": str(valid), "split": "1,0,0"}


main = script(
    Table(
        "Tiny Shakespeare, the split of char-rnn",
        [
            Row("recipe", "char-rnn's recipe", {**_SIZE, **_RECIPE}, _BEST, "valid"),
            Row("own", "own recipe", {**_SIZE, "dropout": 0.1}, _BEST, "valid"),
            Row("own-gru", "own recipe, gru with as many parameters",
                {**_SIZE, "cell": "gru", "hidden": 149, "dropout": 0.1}, _BEST, "valid"),
        ],
        "Nats per character of the validation part.",
        prepare=interleaved,
    ),
    __doc__,
)  # fmt: skip

if __name__ == "__main__":
    main()
