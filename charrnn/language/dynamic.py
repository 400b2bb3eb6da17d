"""Dynamic evaluation: a network that goes on learning while it reads.

The text is read in chunks. Each is predicted with the parameters as they are, and only then learned
from, so that nothing is known of a symbol before it has been predicted. After a chunk whose mean
cross-entropy has the gradient g, the parameters w, trained ones w0, move by

    w' = w + decay r (w0 - w) - lr g / (s + m / 25)        decay r at most 1

s is the size that entries of g usually have, the root of their mean square over chunks of text, m
the mean of s, and r = s / m. (m / 25 stands in where s is next to nothing, as for symbols that were
never met.) Krause, Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models"
(2018), who take the mean square over the training text. That need not be at hand where a model is
used; so here it is over text that the model writes itself, which makes s^2 the diagonal of its
Fisher information. For a GRU 2x192 on Tiny Shakespeare s from either text correlates at 0.99.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError, DivergedError
from charrnn.language.sampling import write
from charrnn.models import CharRNN
from charrnn.nn.functional import log_softmax
from charrnn.nn.layers.base import state_zeros_like
from charrnn.nn.params import Array, Ids, Params, State

_CHUNKS = 500  # of its own text that s is a mean over
_LEAST = 1 / 25
_RATE, _LENGTH = 5e-4, 0.31


@dataclass(frozen=True)
class Dynamic:
    """How a network learns while it reads. A ConfigError names a value out of range."""

    lr: float | None = None
    """Learning rate: about how far a parameter moves in a chunk. None: that of `rate`."""
    decay: float = 1e-3
    """How much of the way back to its trained value a usual parameter goes in a chunk."""
    seq: int = 20
    """Symbols in a chunk, over which gradients go back."""

    def __post_init__(self) -> None:
        if self.lr is not None and not 0 <= self.lr <= 1:
            raise ConfigError(f"dynamic-lr is {self.lr:g}; it must be between 0 and 1.")
        if not 0 <= self.decay <= 1:
            raise ConfigError(f"dynamic-decay is {self.decay:g}; it must be between 0 and 1.")
        if self.seq < 1:
            raise ConfigError(f"dynamic-seq is {self.seq}; it must be 1 or more.")

    def rate(self, parameters: int) -> float:
        """lr; where it is left open 5e-4, but of a large network less, so that all its parameters
        together move no further.
        """
        return min(_RATE, _LENGTH / math.sqrt(parameters)) if self.lr is None else self.lr


def dynamic_surprisal(
    model: CharRNN, ids: Ids, how: Dynamic, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """-log P(symbol | all before it), chunk by chunk, for a text `(N,)`: arrays of N nats in all.

    The first symbol is predicted from the start state and has no gradient. The model is left as it
    is. `rng` draws the text that s is estimated from. A DivergedError if lr is far too high.
    """
    trained = model.params.flat
    lr = how.rate(trained.size)
    model = CharRNN(model.config, model.params.astype(trained.dtype))
    usual = np.sqrt(squares(model, how.seq, rng))
    mean = usual.mean()
    rate = lr / (usual + _LEAST * mean)
    pull = np.minimum(how.decay * usual / mean, 1)
    w, grads, back = model.params.flat, model.params.zeros_like(), np.empty_like(trained)
    g, state = grads.flat, model.initial_state(1)
    yield -model.predict(state)[:, ids[0]].astype(np.float64)
    for at in range(0, len(ids) - 1, how.seq):
        g[:] = 0
        with np.errstate(all="ignore"):  # what has exploded is told by its nats
            nats, state = _read(model, ids[at : at + how.seq + 1], state, grads)
            np.subtract(trained, w, out=back)
            back *= pull
            g *= rate
            w += back
            w -= g
        if not np.isfinite(nats).all():
            raise DivergedError(
                f"Learning while reading blew up after {at + 1:,} symbols; lower --dynamic-lr, now "
                f"{lr:g}."
            )
        yield nats


def _read(
    model: CharRNN, text: Ids, state: State, grads: Params
) -> tuple[NDArray[np.float64], State]:
    """Read text `(T + 1,)` but its last symbol: the nats of all but its first, `(T,)`, and the new
    state. Adds the gradient of their mean to `grads`.
    """
    logits, state, backward = model.forward(text[:-1, None], state)
    log_p = log_softmax(logits)[:, 0]
    here = np.arange(len(log_p)), text[1:].astype(np.intp)
    nats = -log_p[here].astype(np.float64)
    dlogits = np.exp(log_p)
    dlogits[here] -= 1
    dlogits /= len(nats)
    backward(grads, dlogits[:, None], state_zeros_like(state))
    return nats, state


def squares(model: CharRNN, seq: int, rng: np.random.Generator) -> Array:
    """The mean square of each entry of the gradient `(parameters,)`, over chunks of `seq` symbols
    that the model writes, each after two chunks that are only read.
    """
    rngs = rng.spawn(_CHUNKS)
    written = np.stack(list(write(model, np.zeros(0, np.intp), 3 * seq + 1, rngs)), axis=1)
    total, grads = np.zeros_like(model.params.flat), model.params.zeros_like()
    for text in written:
        _, state = model.read(text[: 2 * seq, None], model.initial_state(1))
        grads.flat[:] = 0
        _read(model, text[2 * seq :], state, grads)
        total += grads.flat * grads.flat
    return total / len(written)
