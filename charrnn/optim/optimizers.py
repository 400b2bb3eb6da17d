"""Optimisers, clipping and learning-rate schedules, all on one flat vector.

An optimiser is its update rule plus the running slots it keeps, which are as long as the
parameter vector and go into the checkpoint by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.nn.params import Array, Params

_BLOCK = 1 << 15  # entries worked on at a time, so that they stay in the processor's cache


class Optimizer(ABC):
    """An update rule. `slots` are its running slots, zero at the start."""

    name: ClassVar[str]
    slot_names: ClassVar[tuple[str, ...]]
    learning_rate: ClassVar[float]
    """A peak learning rate that suits these networks."""

    def __init__(self, size: int, dtype: np.dtype[np.floating] | None = None) -> None:
        self.updates = 0
        self.slots = {name: np.zeros(size, dtype or np.float32) for name in self.slot_names}

    def update(self, flat: Array, grad: Array, rate: float) -> None:
        """Move `flat` against `grad`, in place; `grad` is used up."""
        self.updates += 1
        for start in range(0, len(flat), _BLOCK):
            block = slice(start, start + _BLOCK)
            slots = [self.slots[name][block] for name in self.slot_names]
            self.rule(flat[block], grad[block], rate, *slots)

    @abstractmethod
    def rule(self, w: Array, g: Array, rate: float, *slots: Array) -> None:
        """The equation, in place."""


class SGD(Optimizer):
    """v' = mu v + g,  w' = w - rate v'        with momentum mu = 0.9 (Polyak 1964)."""

    name: ClassVar[str] = "sgd"
    slot_names: ClassVar[tuple[str, ...]] = ("v",)
    learning_rate: ClassVar[float] = 0.2
    mu = 0.9

    def rule(self, w: Array, g: Array, rate: float, *slots: Array) -> None:
        (v,) = slots
        v *= self.mu
        v += g
        np.multiply(v, rate, g)
        w -= g


class Adagrad(Optimizer):
    """s' = s + g^2,  w' = w - rate g / (sqrt(s') + eps)        Duchi, Hazan and Singer (2011)."""

    name: ClassVar[str] = "adagrad"
    slot_names: ClassVar[tuple[str, ...]] = ("s",)
    learning_rate: ClassVar[float] = 5e-2
    eps = 1e-8

    def rule(self, w: Array, g: Array, rate: float, *slots: Array) -> None:
        (s,) = slots
        s += g * g
        g /= np.sqrt(s) + self.eps
        g *= rate
        w -= g


class RMSprop(Optimizer):
    """s' = rho s + (1 - rho) g^2,  w' = w - rate g / (sqrt(s') + eps)

    Tieleman and Hinton (2012), with char-rnn's rho = 0.95 and eps = 1e-8. (Under the root eps would
    be 1e-4, which is what entries of the gradient of a mean loss are.)
    """

    name: ClassVar[str] = "rmsprop"
    slot_names: ClassVar[tuple[str, ...]] = ("s",)
    learning_rate: ClassVar[float] = 2e-3
    rho, eps = 0.95, 1e-8

    def rule(self, w: Array, g: Array, rate: float, *slots: Array) -> None:
        (s,) = slots
        s *= self.rho
        s += (1 - self.rho) * (g * g)
        g /= np.sqrt(s) + self.eps
        g *= rate
        w -= g


class Adam(Optimizer):
    """m' = b1 m + (1 - b1) g,  v' = b2 v + (1 - b2) g^2
    w' = w - rate (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + eps)

    Kingma and Ba (2015), b1 = 0.9, b2 = 0.99, eps = 1e-8.
    """

    name: ClassVar[str] = "adam"
    slot_names: ClassVar[tuple[str, ...]] = ("m", "v")
    learning_rate: ClassVar[float] = 4e-3
    b1, b2, eps = 0.9, 0.99, 1e-8

    def rule(self, w: Array, g: Array, rate: float, *slots: Array) -> None:
        m, v = slots
        m *= self.b1
        m += (1 - self.b1) * g
        np.multiply(g, g, g)
        g *= 1 - self.b2
        v *= self.b2
        v += g
        np.multiply(v, 1 / (1 - self.b2**self.updates), g)
        np.sqrt(g, g)
        g += self.eps
        np.divide(m, g, g)
        g *= rate / (1 - self.b1**self.updates)
        w -= g


OPTIMIZERS: dict[str, type[Optimizer]] = {o.name: o for o in (SGD, Adagrad, RMSprop, Adam)}
"""Every optimiser by the name that `--optimizer` takes."""


def decay_weights(params: Params, amount: float) -> None:
    """Shrink every matrix by `amount`, leaving biases alone: decoupled weight decay (Loshchilov
    and Hutter 2019), the same for each optimiser.
    """
    for name in params:
        if params[name].ndim > 1:
            params[name][...] *= 1 - amount


def clip_norm(grad: Array, limit: float | None) -> float:
    """Scale the whole gradient down to the length `limit` if it is longer (Pascanu, Mikolov and
    Bengio 2013). Returns the length it had.
    """
    norm = math.sqrt(float(np.dot(grad, grad)))
    if limit and norm > limit:
        grad *= limit / norm
    return norm


def clip_value(grad: Array, limit: float | None) -> None:
    """Cut every entry off at +-limit."""
    if limit:
        np.clip(grad, -limit, limit, out=grad)


@dataclass(frozen=True)
class TrainingProgress:
    """How far training is."""

    share: float
    """Of the whole budget, 0 to 1, whether that is epochs, steps or minutes."""
    epoch: float
    """Epochs done, with their fraction."""
    step: int
    """Updates done."""


Schedule = Callable[[TrainingProgress, float, float], float]
"""From the progress, `decay` and `decay_after` to a factor on the learning rate."""


def _constant(at: TrainingProgress, decay: float, after: float) -> float:
    return 1.0


def _step(at: TrainingProgress, decay: float, after: float) -> float:
    """`decay` once per whole epoch from epoch `after` on (char-rnn's schedule)."""
    return float(decay ** max(0, math.floor(at.epoch - after)))


def _cosine(at: TrainingProgress, decay: float, after: float) -> float:
    """Half a cosine from 1 down to a hundredth (Loshchilov and Hutter 2017)."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(at.share, 1.0))) / 2


SCHEDULES: dict[str, Schedule] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "plateau": _constant,  # the trainer lowers its rate when the validation loss stands still
}
"""Every schedule by the name that `--schedule` takes."""


def warm_up(at: TrainingProgress, steps: int) -> float:
    """A straight line from 0 to 1 over the first `steps` updates."""
    return min(1.0, (at.step + 1) / steps) if steps else 1.0
