"""What is chosen where an option is left open: how long to learn, how wide and deep, what to drop.

n is the number of symbols in the training part. A text is best read some twenty times, a short one
less often. Of a text a wide network whose weights shrink learns more each time than a narrow one,
so a network is as wide, and then as deep, as the time allows; how many parameters it has for each
symbol decides how fast its weights shrink and how much is dropped. The figures behind the
constants, and where they do not hold, are in docs/training.md.
"""

from __future__ import annotations

import math
from dataclasses import replace

from charrnn.config.fields import ByTask
from charrnn.config.train_config import TrainConfig
from charrnn.models import NGram, parameters
from charrnn.optim.optimizers import OPTIMIZERS

_EPOCHS = ByTask(None, fill=20, classify=15)
_TIMES = 20
"""How often a text of a million symbols is best read, given the time; longer ones, too."""
_MOST_TIMES = 1.05
"""As much oftener it is read at most, however much time there is."""
_LEAST, _AT_MOST = 400e3, 40
"""So many symbols of a short text are read, or there are too few updates; but none so often."""
_MOST = 20e6
"""Symbols read where no budget is given."""
_SPEED = 100e3
"""Symbols a second that 2x192 learns: about two cores."""
_MINUTES = 0.5
"""What may be spent on width where no budget is given."""
_FAST = 384
"""Units of a network, above which it learns at a lower rate."""
_FEW = 0.33
"""Parameters for each symbol of 2x192 and a million symbols."""
_FORGET, _SOONEST = 12.5, 2.5
"""Epochs at the peak rate in which weights would shrink to 1 / e: with so few, and the least."""
_SHRINK = 0.004
"""The share that they lose in an update at most: a very short text has few in an epoch."""
NARROWEST, _WIDEST, _STEP = 192, 512, 32
"""Units; the first also where the time is not known, the second for a million symbols and more."""
LAYERS, _DEEP, _LONG = 2, 384, 200e3
"""Layers, but one more where the time allows two to be wider than this and the text is so long."""


def resolve_defaults(config: TrainConfig, n: int) -> TrainConfig:
    """The options with all that they leave open chosen for a training part of n symbols.

    Where the task has defaults of its own only the epochs and the rate are open. n-grams leave
    nothing open.
    """
    if config.cell == NGram.kind:
        return config
    if free := not config.budgets:
        config = replace(config, epochs=float(_EPOCHS.of(config.task) or epochs(n)))
    elif config.hidden is None and [*config.budgets] == ["minutes"]:
        config = replace(config, epochs=float(math.ceil(_MOST_TIMES * times(n))))
    layers, width = _shape(config, n, timed=free or config.minutes is not None)
    config = replace(config, layers=layers, hidden=width)
    each = parameters(replace(config, dropout=config.dropout or 0.0).network(symbols=1)) / n
    if config.dropout is None:
        config = replace(config, dropout=dropout(each, n, _passes(config, n)))
    if config.lr is None:
        config = replace(config, lr=rate(config.optimizer, width))
    if config.weight_decay is None:
        decay = weight_decay(each, n / (config.batch * config.seq), config.rate)
        config = replace(config, weight_decay=decay)
    return config


def _shape(config: TrainConfig, n: int, *, timed: bool) -> tuple[int, int]:
    """Layers and hidden size, as given or as the time allows; the usual ones where it is not known.

    Who gives one of them gets the usual of the other, or as wide a network as the time allows.
    """
    minutes = config.minutes or _MINUTES
    layers = config.layers or LAYERS
    if config.layers is None and config.hidden is None and timed:
        layers += n >= _LONG and time_allows(n, LAYERS, minutes) > _DEEP
    return layers, config.hidden or (hidden(n, layers, minutes) if timed else NARROWEST)


def _passes(config: TrainConfig, n: int) -> float | None:
    """How often n symbols are read within the budget; None where it is one of time alone."""
    each = {"epochs": n, "steps": config.batch * config.seq}
    read = (amount * each[unit] / n for unit, amount in config.budgets.items() if unit in each)
    return min(read, default=None)


def times(n: int) -> float:
    """How often a text of n symbols is best read, given the time."""
    least = min(_AT_MOST, _LEAST / n)
    return max(least, _TIMES * min(1.0, math.pow(n / 1e6, 0.23)))


def epochs(n: int) -> float:
    """How often it is read where no budget is given."""
    return float(max(2, round(min(times(n), _MOST / n))))


def time_allows(n: int, layers: int, minutes: float) -> float:
    """The hidden size with which so many layers read n symbols often enough in so many minutes.

    All but the first multiply by two matrices, and their time grows as their width ** 1.7.
    """
    speed = n * times(n) / (60 * minutes)
    return NARROWEST * math.pow((2 * LAYERS - 1) / (2 * layers - 1) * _SPEED / speed, 1 / 1.7)


def hidden(n: int, layers: int = LAYERS, minutes: float = _MINUTES) -> int:
    """The hidden size of a network that learns n symbols in so many minutes."""
    widest = _WIDEST * min(1.0, math.pow(n / 1e6, 0.2))
    fits = min(time_allows(n, layers, minutes), widest)
    return max(NARROWEST, _STEP * round(fits / _STEP))


def dropout(each: float, n: int, epochs: float | None) -> float:
    """The share of outputs dropped of a network that reads n symbols so often; None is often.

    `each` is how many parameters there are for a symbol, those of the vocabulary left out.
    """
    share = min(0.2, max(0.0, 0.1 + 0.028 * math.log2(each / _FEW)))
    return round(share if epochs is None else share * min(1.0, epochs / times(n)), 2)


def rate(optimizer: str, hidden: int) -> float:
    """The peak learning rate: steps of a wide network add up over its units."""
    return OPTIMIZERS[optimizer].learning_rate * min(1.0, math.sqrt(_FAST / hidden))


def weight_decay(each: float, updates: float, rate: float) -> float:
    """Decoupled weight decay, with so many parameters for a symbol, updates in an epoch and rate.

    Weights forget within a number of epochs that depends on neither the text nor the rate (Wang and
    Aitchison 2024), but the sooner the more of them there are.
    """
    epochs = min(_FORGET, max(_SOONEST, _FORGET * math.pow(each / _FEW, -0.56)))
    return round(min(1.0, min(_SHRINK, 1 / (updates * epochs)) / rate), 4)
