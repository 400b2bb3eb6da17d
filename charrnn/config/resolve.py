"""The values that open options take: how long to train, how wide and deep, what to drop.

n is the number of symbols in the training part. About twenty epochs are best for a long text, more
for a short one. A wide network with weight decay learns more from each epoch than a narrow one, so
the network is as wide, and then as deep, as the time allows. Dropout and weight decay follow from
the number of parameters per symbol. docs/defaults.md has the measurements behind the constants and
the cases where they do not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.models import NGram, count_parameters
from charrnn.optim.optimizers import OPTIMIZERS

Config = TypeVar("Config", bound=TrainConfig)
BEST_EPOCHS = 20
"""Epochs for a text of a million symbols or more, if time allows."""
MIN_SYMBOLS_READ = 400e3
"""Symbols read in training at least, for enough updates: a short text takes more epochs."""
MAX_SHORT_TEXT_EPOCHS = 40
"""Cap on the epochs that `MIN_SYMBOLS_READ` asks for."""
MINUTES_MARGIN = 1.05
"""Cap on the epochs within a budget of minutes, as a multiple of `best_epochs(n)`."""
MAX_SYMBOLS_READ = 20e6
"""Cap on the symbols read in training if no budget is given."""
ASSUMED_MINUTES = 0.5
"""Minutes of training assumed for choosing the size if no budget is given."""
DEFAULT_LAYERS = 2
"""Number of layers, unless one more is affordable."""
REFERENCE_SIZE = 192
"""Hidden size of the two-layer network at which the reference constants were measured."""
REFERENCE_SPEED = 100e3
"""Symbols per second that a 2x192 network trains on: about two cores."""
REFERENCE_DENSITY = 0.33
"""Parameters per symbol of a 2x192 network on a million symbols."""
MIN_SIZE = 192
"""Least hidden size, in units; also the hidden size if the time is unknown."""
MAX_SIZE = 512
"""Largest hidden size, in units, for a million symbols or more."""
SIZE_STEP = 32
"""The hidden size is a multiple of this many units."""
THIRD_LAYER_SIZE = 384
"""A third layer is added if two could be wider than this many units in the time."""
THIRD_LAYER_LENGTH = 200e3
"""Least number of symbols in a text for a third layer."""
FULL_LR_SIZE = 384
"""Hidden size, in units, above which the learning rate falls."""
DECAY_EPOCHS = 12.5
"""Epochs at the peak rate in which weights decay to 1 / e, at `REFERENCE_DENSITY`."""
MIN_DECAY_EPOCHS = 2.5
"""Lower bound on the epochs in which weights decay to 1 / e."""
MAX_UPDATE_DECAY = 0.004
"""Cap on the fraction of a weight that one update removes: a very short text has few updates per
epoch."""


@dataclass(frozen=True)
class Resolved(Generic[Config]):
    """Options of which none is open."""

    config: Config
    chosen: dict[str, Any]
    """The options that were open, with the values they got."""


def resolve(config: Config, dataset: Dataset) -> Resolved[Config]:
    """The options with which this dataset is learned. The dataset decides how its text was read and
    split; open options get values that suit the length of its training part.
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
        epochs = config.task_defaults.get("epochs") or default_epochs(n)
        config = replace(config, epochs=float(epochs))
    elif config.hidden is None and [*config.budgets] == ["minutes"]:
        config = replace(config, epochs=float(math.ceil(MINUTES_MARGIN * best_epochs(n))))
    layers, hidden = _size(config, n, timed=unlimited or config.minutes is not None)
    config = replace(config, layers=layers, hidden=hidden)
    network = replace(config, dropout=config.dropout or 0.0).network_config(vocab_size=1)
    density = count_parameters(network) / n
    if config.dropout is None:
        config = replace(config, dropout=default_dropout(density, n, _planned_epochs(config, n)))
    if config.lr is None:
        config = replace(config, lr=default_lr(config.optimizer, hidden))
    if config.weight_decay is None:
        updates = n / (config.batch * config.seq)
        decay = default_weight_decay(density, updates, config.peak_lr)
        config = replace(config, weight_decay=decay)
    return config


def _size(config: TrainConfig, n: int, *, timed: bool) -> tuple[int, int]:
    """Layers and hidden size: as given, or as wide as the time allows if it is known."""
    minutes = config.minutes or ASSUMED_MINUTES
    layers = config.layers or DEFAULT_LAYERS
    if config.layers is None and config.hidden is None and timed:
        wide = affordable_size(n, DEFAULT_LAYERS, minutes) > THIRD_LAYER_SIZE
        layers += n >= THIRD_LAYER_LENGTH and wide
    return layers, config.hidden or (hidden_size(n, layers, minutes) if timed else MIN_SIZE)


def _planned_epochs(config: TrainConfig, n: int) -> float | None:
    """Epochs of n symbols within the budget; None if only time limits it."""
    symbols = {"epochs": n, "steps": config.batch * config.seq}
    counts = (
        amount * symbols[unit] / n for unit, amount in config.budgets.items() if unit in symbols
    )
    return min(counts, default=None)


def best_epochs(n: int) -> float:
    """The best number of epochs for a text of n symbols, if time allows."""
    least = min(MAX_SHORT_TEXT_EPOCHS, MIN_SYMBOLS_READ / n)
    return max(least, BEST_EPOCHS * min(1.0, math.pow(n / 1e6, 0.23)))


def default_epochs(n: int) -> float:
    """The number of epochs if no budget is given."""
    return float(max(2, round(min(best_epochs(n), MAX_SYMBOLS_READ / n))))


def affordable_size(n: int, layers: int, minutes: float) -> float:
    """The hidden size with which a network trains for `best_epochs(n)` epochs of n symbols in time.

    Every layer but the first has two matrix products; their time grows as hidden ** 1.7.
    """
    speed = n * best_epochs(n) / (60 * minutes)  # symbols per second
    depth = (2 * DEFAULT_LAYERS - 1) / (2 * layers - 1)
    return REFERENCE_SIZE * math.pow(depth * REFERENCE_SPEED / speed, 1 / 1.7)


def hidden_size(n: int, layers: int = DEFAULT_LAYERS, minutes: float = ASSUMED_MINUTES) -> int:
    """The hidden size for n symbols and this many minutes of training."""
    largest = MAX_SIZE * min(1.0, math.pow(n / 1e6, 0.2))
    size = min(affordable_size(n, layers, minutes), largest)
    return max(MIN_SIZE, SIZE_STEP * round(size / SIZE_STEP))


def default_dropout(density: float, n: int, epochs: float | None) -> float:
    """The dropout rate for `epochs` epochs of n symbols; None means many epochs.

    `density` is the number of parameters per symbol, without those of the vocabulary.
    """
    rate = min(0.2, max(0.0, 0.1 + 0.028 * math.log2(density / REFERENCE_DENSITY)))
    return round(rate if epochs is None else rate * min(1.0, epochs / best_epochs(n)), 2)


def default_lr(optimizer: str, hidden: int) -> float:
    """The peak learning rate; lower for a wide network, whose steps add up over its units."""
    return OPTIMIZERS[optimizer].default_lr * min(1.0, math.sqrt(FULL_LR_SIZE / hidden))


def default_weight_decay(density: float, updates: float, peak_lr: float) -> float:
    """Decoupled weight decay, for `density` parameters per symbol and `updates` per epoch.

    The number of epochs in which weights decay to 1 / e depends on neither the text nor the
    learning rate (Wang and Aitchison 2024); it is smaller the more parameters there are.
    """
    epochs = DECAY_EPOCHS * math.pow(density / REFERENCE_DENSITY, -0.56)
    epochs = min(DECAY_EPOCHS, max(MIN_DECAY_EPOCHS, epochs))
    return round(min(1.0, min(MAX_UPDATE_DECAY, 1 / (updates * epochs)) / peak_lr), 4)
