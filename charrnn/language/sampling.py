"""Writing text: draw a symbol from the model's prediction, read it back, repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.models.base import LanguageModel
from charrnn.nn.params import Array, Ids


@dataclass(frozen=True)
class SamplingConfig:
    """How symbols are drawn.

    temp: logits are divided by it; below 1 is safer, above 1 wilder, 0 always takes the likeliest.
    top_k: only the k likeliest symbols are allowed; 0 allows all.
    top_p: only the fewest likeliest symbols with probability p together (Holtzman et al. 2020).
    """

    temp: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temp < float("inf"):
            raise ConfigError(f"The temperature is {self.temp:g}; it must be finite and 0 or more.")
        if self.top_k < 0:
            raise ConfigError(f"top-k is {self.top_k}; it must be 0 (all symbols) or more.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p is {self.top_p:g}; it must be above 0 and at most 1.")


def distribution(
    log_p: Array, style: SamplingConfig, suppressed: int | None = None
) -> NDArray[np.float64]:
    """The probabilities `(B, V)` that symbols are drawn with, from predictions log_p `(B, V)`."""
    log_p = log_p.astype(np.float64)
    p: NDArray[np.float64]
    if suppressed is not None:
        log_p[:, suppressed] = -np.inf
    if style.temp == 0:
        p = np.zeros_like(log_p)
        p[np.arange(len(p)), log_p.argmax(axis=1)] = 1
        return p
    with np.errstate(over="ignore"):  # a temperature so low that only the likeliest is left
        p = np.exp((log_p - log_p.max(axis=1, keepdims=True)) / style.temp)
    if style.top_k and style.top_k < p.shape[1]:
        order = np.argsort(-p, axis=1, kind="stable")
        np.put_along_axis(p, order[:, style.top_k :], 0, axis=1)
    p /= p.sum(axis=1, keepdims=True)
    if style.top_p < 1:
        order = np.argsort(-p, axis=1, kind="stable")
        sorted_p = np.take_along_axis(p, order, axis=1)
        resolved_fields = np.cumsum(sorted_p, axis=1) - sorted_p >= style.top_p
        np.put_along_axis(p, order, np.where(resolved_fields, 0, sorted_p), axis=1)
        p /= p.sum(axis=1, keepdims=True)
    return p


def write(
    model: LanguageModel,
    seed: Ids,
    length: int,
    rngs: Sequence[np.random.Generator],
    style: SamplingConfig | None = None,
    suppressed: int | None = None,
) -> Iterator[Ids]:
    """Continue `seed` `(N,)`, which may be empty, by `length` symbols.

    One sample per random generator, drawn side by side; sample n depends on generator n alone.
    Yields the next symbol of every sample, `(len(rngs),)`, as soon as it is drawn. `suppressed` is
    a symbol that is never drawn.
    """
    style = style or SamplingConfig()
    log_p, state = None, model.initial_state(1)
    for at in range(0, len(seed), 256):
        after, state = model.read(seed[at : at + 256, None], state)
        log_p = after[-1]
    if log_p is None:
        log_p = model.predict(state)
    count = len(rngs)
    log_p = np.repeat(log_p, count, axis=0)
    state = tuple(np.repeat(s, count, axis=0) for s in state)
    for n in range(length):
        p = distribution(log_p, style, suppressed)
        cumulative = np.cumsum(p, axis=1)
        cumulative /= cumulative[:, -1:]  # the last entry is exactly 1, above every draw
        draws = np.array([rng.random() for rng in rngs])
        ids = (cumulative <= draws[:, None]).sum(axis=1)
        yield ids
        if n + 1 < length:
            after, state = model.read(ids[None], state)
            log_p = after[-1]
