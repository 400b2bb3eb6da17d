"""War and Peace as bytes, 80/10/10, as in Karpathy, Johnson and Fei-Fei (2015), "Visualizing and
understanding recurrent networks", table 1.

    python -m benchmarks.published.war_and_peace warpeace_input.txt [--row lstm-1x128] [--out runs]

Their recipe: RMSprop with rate 2e-3 and rho 0.95; the rate is multiplied by 0.95 after each epoch
from the tenth on; initial weights within 0.08; 100 streams, 100 bytes per chunk, 50 epochs; the
state with the best validation loss is tested. RNN and GRU have as many parameters as the LSTM. The
paper tuned dropout for each network and does not report it; here there is none. Rows named `own-`
use charrnn's default recipe.
"""

from __future__ import annotations

from benchmarks.published.rows import Row, Table, script

_TEXT = {"unit": "byte", "split": "0.8,0.1,0.1"}
_SIZE = {"batch": 100, "seq": 100, "epochs": 50}
_RECIPE = {
    "optimizer": "rmsprop", "lr": 2e-3, "schedule": "step", "decay": 0.95, "decay_after": 10,
    "init": 0.08, "reset": 0, "dropout": 0, "weight_decay": 0, "clip": 0, "clip_value": 5,
}  # fmt: skip
_PUBLISHED = {  # by size of the one-layer LSTM and cell: 1, 2 and 3 layers
    64: {"lstm": (1.449, 1.442, 1.540), "rnn": (1.446, 1.401, 1.396), "gru": (1.398, 1.373, 1.472)},
    128: {
        "lstm": (1.277, 1.227, 1.279), "rnn": (1.417, 1.286, 1.277), "gru": (1.230, 1.226, 1.253),
    },
    256: {
        "lstm": (1.189, 1.137, 1.141), "rnn": (1.342, 1.256, 1.239), "gru": (1.198, 1.164, 1.138),
    },
}  # fmt: skip
_HIDDEN = {  # hidden sizes with as many parameters as the one-layer LSTM: 45 k, 122 k, 375 k
    64: {"lstm": (64, 45, 37), "rnn": (141, 96, 78), "gru": (76, 53, 44)},
    128: {"lstm": (128, 84, 68), "rnn": (272, 174, 139), "gru": (151, 98, 79)},
    256: {"lstm": (256, 159, 126), "rnn": (531, 325, 257), "gru": (300, 185, 146)},
}


def _rows() -> list[Row]:
    rows = []
    for size, cells in _HIDDEN.items():
        for layers in (1, 2, 3):
            for cell, hidden in cells.items():
                shape = {"cell": cell, "layers": layers, "hidden": hidden[layers - 1]}
                name = f"{cell}-{layers}x{shape['hidden']}"
                published = _PUBLISHED[size][cell][layers - 1]
                what = f"{cell} {layers}x{shape['hidden']}"
                rows.append(Row(name, what, {**_TEXT, **shape, **_SIZE, **_RECIPE}, published))
                own = {**_TEXT, **shape, **_SIZE, "dropout": 0}
                rows.append(Row(f"own-{name}", f"{what}, own recipe", own, published))
    return rows


main = script(
    Table("War and Peace, bytes, 80/10/10", _rows(), "Nats per byte of the test part."), __doc__
)

if __name__ == "__main__":
    main()
