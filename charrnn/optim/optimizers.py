"""Optimizers and weight decay, on the flat parameter vector.

An optimizer is an update rule and its slots: arrays as long as the parameter vector, such as
Adam's moments, which the checkpoint stores by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from charrnn.nn.params import Array, Params

_BLOCK = 1 << 15  # entries updated at a time; the block and its slots fit into the cache


class Optimizer(ABC):
    """Base of the optimizers. A subclass sets the class attributes and implements `rule`."""

    name: ClassVar[str]
    """The value of `--optimizer`."""
    default_lr: ClassVar[float]
    """Default peak learning rate, tuned for networks of up to 384 units a layer."""
    slot_names: ClassVar[tuple[str, ...]]

    def __init__(self, size: int, dtype: np.dtype[np.floating] | None = None) -> None:
        """Create zero slots of shape `(size,)`; float32 unless `dtype` says otherwise."""
        self.updates = 0
        """Number of updates so far."""
        self.slots = {name: np.zeros(size, dtype or np.float32) for name in self.slot_names}

    def update(self, flat: Array, grad: Array, learning_rate: float) -> None:
        """Apply one update to `flat` `(size,)` in place. Overwrites `grad` `(size,)`."""
        self.updates += 1
        for start in range(0, len(flat), _BLOCK):
            block = slice(start, start + _BLOCK)
            slots = [self.slots[name][block] for name in self.slot_names]
            self.rule(flat[block], grad[block], learning_rate, *slots)

    @abstractmethod
    def rule(self, w: Array, g: Array, lr: float, *slots: Array) -> None:
        """Update parameters `w`, with gradient `g`, in place. May overwrite `g`."""


class SGD(Optimizer):
    """v' = mu v + g,  w' = w - lr v'        with momentum mu = 0.9 (Polyak 1964)."""

    name: ClassVar[str] = "sgd"
    default_lr: ClassVar[float] = 0.2
    slot_names: ClassVar[tuple[str, ...]] = ("v",)
    mu = 0.9

    def rule(self, w: Array, g: Array, lr: float, *slots: Array) -> None:
        (v,) = slots
        v *= self.mu
        v += g
        np.multiply(v, lr, g)
        w -= g


class Adagrad(Optimizer):
    """s' = s + g^2,  w' = w - lr g / (sqrt(s') + eps)        Duchi, Hazan and Singer (2011)."""

    name: ClassVar[str] = "adagrad"
    default_lr: ClassVar[float] = 5e-2
    slot_names: ClassVar[tuple[str, ...]] = ("s",)
    eps = 1e-8

    def rule(self, w: Array, g: Array, lr: float, *slots: Array) -> None:
        (s,) = slots
        s += g * g
        g /= np.sqrt(s) + self.eps
        g *= lr
        w -= g


class RMSprop(Optimizer):
    """s' = rho s + (1 - rho) g^2,  w' = w - lr g / (sqrt(s') + eps)

    Tieleman and Hinton (2012), with char-rnn's rho = 0.95 and eps = 1e-8. Under the root, this eps
    would act as 1e-4, which is as large as typical gradient entries of a mean loss.
    """

    name: ClassVar[str] = "rmsprop"
    default_lr: ClassVar[float] = 2e-3
    slot_names: ClassVar[tuple[str, ...]] = ("s",)
    rho, eps = 0.95, 1e-8

    def rule(self, w: Array, g: Array, lr: float, *slots: Array) -> None:
        (s,) = slots
        s *= self.rho
        s += (1 - self.rho) * (g * g)
        g /= np.sqrt(s) + self.eps
        g *= lr
        w -= g


class Adam(Optimizer):
    """m' = b1 m + (1 - b1) g,  v' = b2 v + (1 - b2) g^2
    w' = w - lr (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + eps)

    Kingma and Ba (2015), b1 = 0.9, b2 = 0.99, eps = 1e-8; t is the number of updates, from 1.
    """

    name: ClassVar[str] = "adam"
    default_lr: ClassVar[float] = 4e-3
    slot_names: ClassVar[tuple[str, ...]] = ("m", "v")
    b1, b2, eps = 0.9, 0.99, 1e-8

    def rule(self, w: Array, g: Array, lr: float, *slots: Array) -> None:
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
        g *= lr / (1 - self.b1**self.updates)
        w -= g


OPTIMIZERS: dict[str, type[Optimizer]] = {o.name: o for o in (SGD, Adagrad, RMSprop, Adam)}
"""The optimizers by name."""


def decay_weights(params: Params, amount: float) -> None:
    """Multiply every matrix by 1 - `amount`, in place. Vectors, such as biases, do not decay.

    This is decoupled weight decay (Loshchilov and Hutter 2019), for any optimizer.
    """
    for name in params:
        if params[name].ndim > 1:
            params[name][...] *= 1 - amount
