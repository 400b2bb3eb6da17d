"""Gradient norms as a function of distance: |dLoss(T)/dh(T-k)| for every k.

The input is x(1) .. x(T), from the initial state; Loss(T) = -log P(x(T+1)) is the loss of the last
prediction alone. If dLoss(T)/dh(T-k) vanishes, training has no signal that relates the prediction
to the character k steps before. If it explodes, it dominates every update (Hochreiter 1991; Bengio,
Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013).

The forward pass processes one character at a time and stores a backward pass for each step. These
are then applied in reverse order:

    dstate(T-k-1) = backward(T-k)(dstate(T-k))

dstate(T-k) is the derivative with respect to the state of all layers at T-k, with the later
characters fixed. If a cell has two states (h, c), they are separate variables: the derivative with
respect to one holds the other fixed. At k = 0 the prediction depends on the h of the top layer
only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.models import CharRNN
from charrnn.nn.functional import cross_entropy
from charrnn.nn.layers import Backward
from charrnn.nn.layers.base import state_zeros_like
from charrnn.nn.params import Array, Ids

THOUSAND = 1000.0


@dataclass(frozen=True)
class GradientNorms:
    """Norms `(T,)` of the gradient at distance k = 0 .. T-1 from the last prediction.

    Each is the norm over the units of all layers, then the root mean square over B positions of the
    text. Up to a constant factor, this is the norm of the gradient of the loss summed over the
    positions; a few positions may dominate it. `typical` is the geometric mean over positions
    instead; it is 0 if the gradient at any position is 0.
    """

    h: Array
    """With respect to the output h of each layer, the first array of its state."""
    state: Array
    """With respect to the whole state, including the c of an LSTM."""
    typical: Array
    """As `h`, with the geometric mean over positions."""

    @property
    def vanished(self) -> int | None:
        """The first k at which `h` is at most a thousandth of its value at k = 0; None if none."""
        return _first(self.h[1:] <= self.h[0] / THOUSAND)

    @property
    def exploded(self) -> int | None:
        """The first k at which `h` is at least 1000 times its value at k = 0; None if none."""
        return _first(self.h[1:] >= self.h[0] * THOUSAND)


def _first(true: Array) -> int | None:
    return int(np.argmax(true)) + 1 if true.any() else None


def windows(ids: Ids, seq: int, count: int) -> tuple[Ids, Ids]:
    """`count` windows of a text `(N,)`, evenly spaced from its first character to its last: ids
    `(seq, count)` and the character after each window `(count,)`. A CorpusError if N <= seq.
    """
    if len(ids) <= seq:
        raise CorpusError(
            f"The text has {len(ids):,} characters; a window of {seq:,} and the character after it "
            f"need {seq + 1:,}: lower --seq."
        )
    starts = np.linspace(0, len(ids) - seq - 1, count).astype(np.intp)
    return ids[starts + np.arange(seq)[:, None]], ids[starts + seq]


def gradient_flow(model: CharRNN, ids: Ids, targets: Ids) -> GradientNorms:
    """The gradient norms for texts `(T, B)` and the character after each `(B,)`, in float64."""
    model = model.astype(np.float64)
    batch, state = len(targets), model.initial_state(len(targets))
    backwards: list[Backward] = []
    for x in ids[:, None]:
        logits, state, backward = model.forward(x, state)
        backwards.append(backward)
    _, dlogits = cross_entropy(logits[0], targets)
    dlogits = dlogits[None] * batch  # of the summed loss, not of the mean over positions
    grads = model.params.zeros_like()  # not used, but computed by the backward passes
    dstate = state_zeros_like(state)
    h, whole = np.empty((2, len(ids), batch))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        h[0] = whole[0] = np.sqrt(_square(dlogits[0] @ model.params["out.V"].T))
        for k, backward in enumerate(reversed(backwards[1:]), 1):
            _, dstate = backward(grads, dlogits, dstate)
            layers = model.layers.split(dstate).values()
            h[k] = np.sqrt(sum(_square(d[0]) for d in layers if d))
            whole[k] = np.sqrt(sum(_square(d) for d in dstate))
            dlogits = np.zeros_like(dlogits)
        return GradientNorms(_rms(h), _rms(whole), _geometric(h))


def _square(d: Array) -> Array:
    """|d|^2 at each position: `(B, H)` to `(B,)`."""
    return np.asarray(np.einsum("bh,bh->b", d, d))


def _rms(norms: Array) -> Array:
    return np.asarray(np.sqrt(np.mean(norms**2, axis=1)))


def _geometric(norms: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.mean(np.log(norms), axis=1)))
