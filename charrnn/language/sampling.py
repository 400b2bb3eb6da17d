"""Sampling: draw a symbol from the model's prediction, feed it back, repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.config.fields import COUNT, NOT_NEGATIVE, Options, Range, option
from charrnn.models.base import LanguageModel
from charrnn.nn.params import Array, Ids


@dataclass(frozen=True)
class SamplingConfig(Options):
    """How symbols are drawn from the predicted distribution.

    Each field is also a keyword of `TextModel.generate` and an option of `charrnn sample`. A value
    out of range is a ConfigError.
    """

    temp: float = option(
        1.0, "Temperature: 0 takes the likeliest character, 1 leaves the distribution unchanged.",
        range=NOT_NEGATIVE, command_default=0.8,
    )  # fmt: skip
    """Temperature: logits are divided by it. Below 1 sharpens the distribution, above 1 flattens
    it, 0 always takes the most probable symbol.
    """
    top_k: int = option(0, "Draw from the K likeliest characters.", range=COUNT)
    """Draw from the k most probable symbols only; 0 allows all."""
    top_p: float = option(
        1.0, "Draw from the smallest set of likeliest characters with total probability P.",
        range=Range(above=0, most=1),
    )  # fmt: skip
    """Nucleus sampling: draw from the smallest set of most probable symbols whose total probability
    is at least p (Holtzman et al. 2020).
    """


def distribution(
    log_p: Array, config: SamplingConfig, suppressed: int | None = None
) -> NDArray[np.float64]:
    """The probabilities `(B, V)` with which symbols are drawn, from predictions log_p `(B, V)`."""
    log_p = log_p.astype(np.float64)
    p: NDArray[np.float64]
    if suppressed is not None:
        log_p[:, suppressed] = -np.inf
    if config.temp == 0:
        p = np.zeros_like(log_p)
        p[np.arange(len(p)), log_p.argmax(axis=1)] = 1
        return p
    with np.errstate(over="ignore"):  # at a tiny temperature, logits overflow to -inf
        p = np.exp((log_p - log_p.max(axis=1, keepdims=True)) / config.temp)
    if config.top_k and config.top_k < p.shape[1]:
        order = np.argsort(-p, axis=1, kind="stable")
        np.put_along_axis(p, order[:, config.top_k :], 0, axis=1)
    p /= p.sum(axis=1, keepdims=True)
    if config.top_p < 1:
        order = np.argsort(-p, axis=1, kind="stable")
        sorted_p = np.take_along_axis(p, order, axis=1)
        outside = np.cumsum(sorted_p, axis=1) - sorted_p >= config.top_p
        np.put_along_axis(p, order, np.where(outside, 0, sorted_p), axis=1)
        p /= p.sum(axis=1, keepdims=True)
    return p


def sample_ids(
    model: LanguageModel,
    prompt: Ids,
    length: int,
    rngs: Sequence[np.random.Generator],
    config: SamplingConfig | None = None,
    suppressed: int | None = None,
) -> Iterator[Ids]:
    """Continue `prompt` `(N,)`, which may be empty, by `length` symbols.

    Draws one sample per random generator, all in one batch; sample n depends on generator n alone.
    Yields the next symbol of every sample, `(len(rngs),)`, as soon as it is drawn. The symbol
    `suppressed` is never drawn.
    """
    config = config or SamplingConfig()
    log_p, state = None, model.initial_state(1)
    for start in range(0, len(prompt), 256):
        after, state = model.read(prompt[start : start + 256, None], state)
        log_p = after[-1]
    if log_p is None:
        log_p = model.predict(state)
    count = len(rngs)
    log_p = np.repeat(log_p, count, axis=0)
    state = tuple(np.repeat(s, count, axis=0) for s in state)
    for n in range(length):
        p = distribution(log_p, config, suppressed)
        cumulative = np.cumsum(p, axis=1)
        cumulative /= cumulative[:, -1:]  # the last entry is exactly 1, above every draw
        draws = np.array([rng.random() for rng in rngs])
        ids = (cumulative <= draws[:, None]).sum(axis=1)
        yield ids
        if n + 1 < length:
            after, state = model.read(ids[None], state)
            log_p = after[-1]
