"""The values that open options take: how long to train, how wide and deep, what to drop.

n is the number of symbols in the training part. A text is best read about twenty times, a short one
more often. A wide network with weight decay learns more from each pass than a narrow one, so the
network is as wide, and then as deep, as the time allows. Dropout and weight decay follow from the
number of parameters per symbol. docs/defaults.md has the measurements behind the constants and the
cases where they do not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.models import NGram, parameters
from charrnn.optim.optimizers import OPTIMIZERS

Config = TypeVar("Config", bound=TrainConfig)
PASSES = 20
"""Passes over a text of a million symbols or more, if time allows."""
MARGIN = 1.05
"""Cap on the passes within a budget of minutes, as a multiple of `passes(n)`."""
SHORT, MOST_PASSES = 400e3, 40
"""A short text is read until so many symbols are read, for enough updates, but no more often."""
MOST_SYMBOLS = 20e6
"""Cap on the symbols read if no budget is given."""
SPEED = 100e3
"""Symbols per second that a 2x192 network trains on: about two cores."""
MINUTES = 0.5
"""Minutes assumed for choosing the size if no budget is given."""
WIDE = 384
"""Hidden size above which the learning rate falls."""
DENSITY = 0.33
"""Parameters per symbol of a 2x192 network on a million symbols."""
FORGET, SHORTEST_FORGET = 12.5, 2.5
"""Epochs at the peak rate in which weights decay to 1 / e: at `DENSITY`, and at least."""
MOST_DECAY = 0.004
"""Cap on the share of a weight that one update removes: a very short text has few per epoch."""
NARROWEST, WIDEST, STEP = 192, 512, 32
"""Hidden sizes: least (also if the time is unknown), most (a million symbols or more), step."""
LAYERS, DEEP, LONG = 2, 384, 200e3
"""Layers; one more if time allows two to be wider than `DEEP` and the text is at least `LONG`."""


@dataclass(frozen=True)
class Resolved(Generic[Config]):
    """Options of which none is open."""

    config: Config
    chosen: dict[str, Any]
    """The options that were open, with the values they got."""


def resolve(config: Config, dataset: Dataset) -> Resolved[Config]:
    """The options with which this dataset is learned. It decides how its text was read and split;
    open options get values that suit the length of its training part.
    """
    text = dataset.options
    resolved = replace(
        resolve_for_length(config, len(dataset.parts["train"])), split=str(dataset.split),
        unit=text.unit, encoding=text.encoding, keep_newlines=text.keep_newlines,
        min_count=text.min_count,
    )  # fmt: skip
    return Resolved(resolved, filled_in(config, resolved))


def filled_in(config: TrainConfig, resolved: TrainConfig) -> dict[str, Any]:
    """The options that are open in `config`, with their values in `resolved`."""
    before = vars(config)
    return {n: v for n, v in vars(resolved).items() if v is not None and before[n] is None}


def resolve_for_length(config: Config, n: int) -> Config:
    """The options with open ones filled in for a training part of n symbols. N-grams have none."""
    if config.cell == NGram.kind:
        return config
    if unlimited := not config.budgets:
        config = replace(config, epochs=float(config.usual.get("epochs") or epochs(n)))
    elif config.hidden is None and [*config.budgets] == ["minutes"]:
        config = replace(config, epochs=float(math.ceil(MARGIN * passes(n))))
    layers, hidden = _size(config, n, timed=unlimited or config.minutes is not None)
    config = replace(config, layers=layers, hidden=hidden)
    density = parameters(replace(config, dropout=config.dropout or 0.0).network(vocab_size=1)) / n
    if config.dropout is None:
        config = replace(config, dropout=dropout(density, n, _planned_passes(config, n)))
    if config.lr is None:
        config = replace(config, lr=learning_rate(config.optimizer, hidden))
    if config.weight_decay is None:
        updates = n / (config.batch * config.seq)
        decay = weight_decay(density, updates, config.learning_rate)
        config = replace(config, weight_decay=decay)
    return config


def _size(config: TrainConfig, n: int, *, timed: bool) -> tuple[int, int]:
    """Layers and hidden size: as given, or as wide as the time allows if it is known."""
    minutes = config.minutes or MINUTES
    layers = config.layers or LAYERS
    if config.layers is None and config.hidden is None and timed:
        layers += n >= LONG and affordable_size(n, LAYERS, minutes) > DEEP
    return layers, config.hidden or (hidden_size(n, layers, minutes) if timed else NARROWEST)


def _planned_passes(config: TrainConfig, n: int) -> float | None:
    """Passes over n symbols within the budget; None if only time limits it."""
    symbols = {"epochs": n, "steps": config.batch * config.seq}
    counts = (
        amount * symbols[unit] / n for unit, amount in config.budgets.items() if unit in symbols
    )
    return min(counts, default=None)


def passes(n: int) -> float:
    """How many times a text of n symbols is best read, if time allows."""
    least = min(MOST_PASSES, SHORT / n)
    return max(least, PASSES * min(1.0, math.pow(n / 1e6, 0.23)))


def epochs(n: int) -> float:
    """The number of epochs if no budget is given."""
    return float(max(2, round(min(passes(n), MOST_SYMBOLS / n))))


def affordable_size(n: int, layers: int, minutes: float) -> float:
    """The hidden size with which a network makes `passes(n)` passes over n symbols in time.

    Every layer but the first has two matrix products; their time grows as hidden ** 1.7.
    """
    speed = n * passes(n) / (60 * minutes)
    return NARROWEST * math.pow((2 * LAYERS - 1) / (2 * layers - 1) * SPEED / speed, 1 / 1.7)


def hidden_size(n: int, layers: int = LAYERS, minutes: float = MINUTES) -> int:
    """The hidden size for n symbols and so many minutes."""
    widest = WIDEST * min(1.0, math.pow(n / 1e6, 0.2))
    size = min(affordable_size(n, layers, minutes), widest)
    return max(NARROWEST, STEP * round(size / STEP))


def dropout(density: float, n: int, epochs: float | None) -> float:
    """The dropout of a network that reads n symbols `epochs` times; None means many times.

    `density` is the number of parameters per symbol, without those of the vocabulary.
    """
    share = min(0.2, max(0.0, 0.1 + 0.028 * math.log2(density / DENSITY)))
    return round(share if epochs is None else share * min(1.0, epochs / passes(n)), 2)


def learning_rate(optimizer: str, hidden: int) -> float:
    """The peak learning rate; lower for a wide network, whose steps add up over its units."""
    return OPTIMIZERS[optimizer].learning_rate * min(1.0, math.sqrt(WIDE / hidden))


def weight_decay(density: float, updates: float, learning_rate: float) -> float:
    """Decoupled weight decay, for `density` parameters per symbol and `updates` per epoch.

    The number of epochs in which weights decay to 1 / e depends on neither the text nor the
    learning rate (Wang and Aitchison 2024); it is smaller the more parameters there are.
    """
    epochs = min(FORGET, max(SHORTEST_FORGET, FORGET * math.pow(density / DENSITY, -0.56)))
    return round(min(1.0, min(MOST_DECAY, 1 / (updates * epochs)) / learning_rate), 4)
