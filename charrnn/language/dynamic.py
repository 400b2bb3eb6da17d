"""Dynamic evaluation: a network that continues to learn while it is evaluated.

The text is read in chunks. Each chunk is first predicted with the current parameters and then
learned from, so no prediction uses the symbol that it predicts. If the mean cross-entropy of a
chunk has the gradient g, the parameters w, initially the trained w0, become

    w' = w + decay r (w0 - w) - lr g / (s + m / 25)        decay r at most 1

where s is the root mean square of g, entry by entry, over chunks of text, m is the mean of s, and
r = s / m. (m / 25 avoids a division by almost zero, as for symbols that never occur.) Krause,
Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models" (2018), compute s on the
training text. It may not be available when the model is used, so s is computed here on text sampled
from the model; s^2 is then the diagonal of its Fisher information. For a GRU 2x192 on Tiny
Shakespeare the s of the two texts correlate at 0.99.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError, DivergedError
from charrnn.language.sampling import sample_ids
from charrnn.models import CharRNN
from charrnn.nn.functional import log_softmax
from charrnn.nn.layers.base import state_zeros_like
from charrnn.nn.params import Array, Ids, Params, State

_CHUNKS = 500
"""Sampled chunks for the estimate of s."""
_MIN_SCALE = 1 / 25
"""Added to s, in multiples of its mean m."""
_MAX_DEFAULT_LR = 5e-4
"""Default learning rate of small networks, tuned on a GRU 2x192 (see docs/evaluation.md)."""
_UPDATE_NORM = 0.31
"""Upper bound on lr * sqrt(number of parameters), which is about the norm of an update, for default
learning rates. It is the value of that GRU 2x192: 5e-4 * sqrt(384,400)."""


@dataclass(frozen=True)
class DynamicConfig:
    """Options of dynamic evaluation. A ConfigError names a value out of range."""

    lr: float | None = None
    """Learning rate: about how far a parameter moves per chunk. None: chosen by `resolve_lr`."""
    decay: float = 1e-3
    """Fraction by which a parameter with r = 1 returns to its trained value per chunk."""
    seq: int = 20
    """Symbols per chunk, the length of truncated BPTT."""

    def __post_init__(self) -> None:
        if self.lr is not None and not 0 <= self.lr <= 1:
            raise ConfigError(f"dynamic-lr is {self.lr:g}; it must be between 0 and 1.")
        if not 0 <= self.decay <= 1:
            raise ConfigError(f"dynamic-decay is {self.decay:g}; it must be between 0 and 1.")
        if self.seq < 1:
            raise ConfigError(f"dynamic-seq is {self.seq}; it must be 1 or more.")

    def resolve_lr(self, num_parameters: int) -> float:
        """The learning rate for a network with this many parameters: `lr`, or by default 5e-4, less
        for a large network, so that the norm of an update is bounded.
        """
        if self.lr is not None:
            return self.lr
        return min(_MAX_DEFAULT_LR, _UPDATE_NORM / math.sqrt(num_parameters))


def dynamic_surprisal(
    model: CharRNN, ids: Ids, config: DynamicConfig, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """-log P(symbol | all symbols before it) of a text `(N,)`: arrays, chunk by chunk, of N values
    in all, in nats.

    The first symbol is predicted from the initial state and not learned from. The model itself does
    not change. `rng` samples the text that s is estimated from. A DivergedError if lr is far too
    high.
    """
    trained = model.params.flat
    lr = config.resolve_lr(trained.size)
    model = CharRNN(model.config, model.params.astype(trained.dtype))
    s = np.sqrt(mean_squares(model, config.seq, rng))
    m = s.mean()
    per_parameter_lr = lr / (s + _MIN_SCALE * m)
    per_parameter_decay = np.minimum(config.decay * s / m, 1)
    w, grads, back = model.params.flat, model.params.zeros_like(), np.empty_like(trained)
    g, state = grads.flat, model.initial_state(1)
    yield -model.predict(state)[:, ids[0]].astype(np.float64)
    for at in range(0, len(ids) - 1, config.seq):
        g[:] = 0
        with np.errstate(all="ignore"):  # an explosion is detected by its nats
            nats, state = _surprisal_and_gradient(
                model, ids[at : at + config.seq + 1], state, grads
            )
            np.subtract(trained, w, out=back)
            back *= per_parameter_decay
            g *= per_parameter_lr
            w += back
            w -= g
        if not np.isfinite(nats).all():
            raise DivergedError(
                f"Dynamic evaluation diverged after {at + 1:,} symbols; lower --dynamic-lr, now "
                f"{lr:g}."
            )
        yield nats


def _surprisal_and_gradient(
    model: CharRNN, text: Ids, state: State, grads: Params
) -> tuple[NDArray[np.float64], State]:
    """Predict all symbols of a text `(T + 1,)` but the first. Returns their nats `(T,)` and the
    final state, and adds the gradient of the mean to `grads`.
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


def mean_squares(model: CharRNN, seq: int, rng: np.random.Generator) -> Array:
    """The mean square of each entry of the gradient, `(num_parameters,)`, over sampled chunks of
    `seq` symbols. Each follows two chunks that only set the state.
    """
    rngs = rng.spawn(_CHUNKS)
    samples = np.stack(list(sample_ids(model, np.zeros(0, np.intp), 3 * seq + 1, rngs)), axis=1)
    total, grads = np.zeros_like(model.params.flat), model.params.zeros_like()
    for text in samples:
        _, state = model.read(text[: 2 * seq, None], model.initial_state(1))
        grads.flat[:] = 0
        _surprisal_and_gradient(model, text[2 * seq :], state, grads)
        total += grads.flat * grads.flat
    return total / len(samples)
