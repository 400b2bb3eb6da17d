"""What is chosen where an option is left open: how long to learn, how wide, how much to drop.

n is the number of symbols in the training part. A text is best read some twenty times, a short one
less often. Of a short text a wide network of which much is dropped learns more each time than a
narrow one, so a network is as wide as the time allows; how many parameters it has for each symbol
decides how much is dropped. The figures behind the constants, and where they do not hold, are in
docs/training.md.
"""

from __future__ import annotations

import math
from dataclasses import replace

from charrnn.config import BUDGETS, TrainConfig
from charrnn.models import NGram, parameters
from charrnn.options import ByTask

_EPOCHS = ByTask(None, fill=20, classify=15)
_RATES = {"adam": 4e-3, "rmsprop": 2e-3, "adagrad": 5e-2, "sgd": 0.2}
"""Learning rates that serve these networks well."""
_TIMES = 20
"""How often a text of a million symbols is best read, given the time; longer ones, too."""
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
_FORGET = 12.5
"""Epochs at the peak rate in which weights would shrink to 1 / e."""
NARROWEST, _WIDEST, _STEP = 192, 768, 32
"""The first also where the time is not known, the second for a million symbols and more."""


def fitted(config: TrainConfig, n: int) -> TrainConfig:
    """The options with all that they leave open chosen for a training part of n symbols.

    Where the task has defaults of its own only the epochs and the rate are open. n-grams leave
    nothing open.
    """
    if config.cell == NGram.kind:
        return config
    if free := all(getattr(config, unit) is None for unit in BUDGETS):
        config = replace(config, epochs=float(_EPOCHS.of(config.task) or epochs(n)))
    if config.hidden is None:
        timed = hidden(n, *filter(None, [config.minutes]))
        config = replace(config, hidden=timed if free or config.minutes else NARROWEST)
    shape = replace(config, dropout=config.dropout or 0.0).network(symbols=1)
    if config.dropout is None:
        config = replace(config, dropout=dropout(n, _passes(config, n), parameters(shape)))
    if config.lr is None:
        config = replace(config, lr=rate(config.optimizer, shape.hidden))
    if config.weight_decay is None:
        decay = weight_decay(n, config.batch * config.seq, config.rate)
        config = replace(config, weight_decay=decay)
    return config


def _passes(config: TrainConfig, n: int) -> float | None:
    """How often n symbols are read within the budget; None where that is one of time."""
    unit, amount = config.budget
    each = {"epochs": n, "steps": config.batch * config.seq}
    return amount * each[unit] / n if unit in each else None


def times(n: int) -> float:
    """How often a text of n symbols is best read, given the time."""
    least = min(_AT_MOST, _LEAST / n)
    return max(least, _TIMES * min(1.0, math.pow(n / 1e6, 0.23)))


def epochs(n: int) -> float:
    """How often it is read where no budget is given."""
    return float(max(2, round(min(times(n), _MOST / n))))


def hidden(n: int, minutes: float = _MINUTES) -> int:
    """The hidden size of a network that learns n symbols in so many minutes."""
    speed = n * times(n) / (60 * minutes)
    fits = NARROWEST * math.pow(_SPEED / speed, 1 / 1.7)  # its time grows as its width ** 1.7
    widest = _WIDEST * min(1.0, math.pow(n / 1e6, 0.3))
    return max(NARROWEST, _STEP * round(min(fits, widest) / _STEP))


def dropout(n: int, epochs: float | None, parameters: int) -> float:
    """The share of outputs dropped of a network that reads n symbols so often; None is often.

    `parameters` are those that do not grow with the vocabulary.
    """
    share = min(0.5, max(0.0, 0.1 + 0.12 * math.log2(parameters / (0.33 * n))))
    return round(share if epochs is None else share * min(1.0, epochs / times(n)), 2)


def rate(optimizer: str, hidden: int) -> float:
    """The peak learning rate: steps of a wide network add up over its units."""
    return _RATES[optimizer] * min(1.0, _FAST / hidden)


def weight_decay(n: int, update: int, rate: float) -> float:
    """Decoupled weight decay, with `update` symbols an update at this learning rate.

    Weights forget within a number of epochs that does not depend on the text (Wang and Aitchison
    2024).
    """
    return round(min(1.0, update / (n * rate * _FORGET)), 4)
