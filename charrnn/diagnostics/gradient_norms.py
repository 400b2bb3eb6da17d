"""How far back does the gradient reach? The norm of dLoss(T)/dh(T-k), for every k.

A network reads x(1) .. x(T) from the start state, and Loss(T) = -log P(x(T+1)) is that of its last
prediction alone. Where dLoss(T)/dh(T-k) has vanished, no update can teach the network to use what
it read k characters ago; where it explodes, every update is about nothing else (Hochreiter 1991;
Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013).

The layers know no graph, so the text is read one character at a time and every backward kept. Then
each in turn takes the gradient one step back:

    dstate(T-k-1) = backward(T-k)(dstate(T-k))

which is the derivative by the whole state at T-k, of all layers, with the characters after it
given. Where a cell has two states (h, c) the derivative by each holds the other still. Of the
newest state, k = 0, only the top layer's h enters the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.models import CharRNN
from charrnn.nn.functional import cross_entropy
from charrnn.nn.layers import Backward, Sequential
from charrnn.nn.params import Array, Ids

THOUSAND = 1000.0


@dataclass(frozen=True)
class GradientNorms:
    """Norms `(T,)` of the gradient by the state k = 0 .. T-1 steps before the last prediction.

    Each is over the units of all layers at one position of the text, and then the root mean square
    over B positions: up to a factor it is the norm of the gradient of the summed loss, which is
    what an update is made of. A few positions may carry most of it. `typical` is the geometric
    mean, that of a middling position; it is 0 as soon as the gradient at one position is 0.
    """

    h: Array
    """By the first state of each layer, its output h."""
    state: Array
    """By all states together, the c of an LSTM as well."""
    typical: Array
    """As `h`, the geometric mean over positions."""

    @property
    def vanished(self) -> int | None:
        """The first k at which h has fallen to a thousandth of its value at k = 0, if any."""
        return _first(self.h[1:] <= self.h[0] / THOUSAND)

    @property
    def exploded(self) -> int | None:
        """The first k at which h has grown to a thousand times its value at k = 0, if any."""
        return _first(self.h[1:] >= self.h[0] * THOUSAND)


def _first(true: Array) -> int | None:
    return int(np.argmax(true)) + 1 if true.any() else None


def windows(ids: Ids, seq: int, count: int) -> tuple[Ids, Ids]:
    """`count` stretches of a text `(N,)`, evenly spaced from its first character to its last:
    ids `(seq, count)` and the character after each `(count,)`. A CorpusError if N <= seq.
    """
    if len(ids) <= seq:
        raise CorpusError(
            f"The text has {len(ids):,} characters; a window of {seq:,} and the one after it need "
            f"{seq + 1:,}: lower --seq."
        )
    starts = np.linspace(0, len(ids) - seq - 1, count).astype(np.intp)
    return ids[starts + np.arange(seq)[:, None]], ids[starts + seq]


def gradient_flow(model: CharRNN, ids: Ids, targets: Ids) -> GradientNorms:
    """Measure a network on texts `(T, B)` and the character after each `(B,)`, in float64."""
    model = model.astype(np.float64)
    stack, output, out = model.stack, model.output, model.params.scope("out")
    batch, state, backwards = (
        len(targets),
        model.initial_state(len(targets)),
        list[tuple[Backward, ...]](),
    )
    for now in ids[:, None]:
        y, below, back_stack = stack.forward(model.params, now, state[:-1])
        logits, newest, back_output = output.forward(out, y, state[-1:], ids=now)
        state = (*below, *newest)
        backwards.append((back_stack, back_output))
    _, dlogits = cross_entropy(logits[0], targets)
    dlogits = dlogits[None] * batch  # of each position's own loss, not of their mean
    grads = model.params.zeros_like()  # the backwards add to it; nobody reads it
    outputs, dstate = _outputs(stack), tuple(np.zeros_like(s) for s in state)
    h, whole = np.empty((2, len(ids), batch))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        h[0] = whole[0] = np.sqrt(_square(dlogits[0] @ out["V"].T))
        for k, (back_stack, back_output) in enumerate(reversed(backwards[1:]), 1):
            dy, dnewest = back_output(grads.scope("out"), dlogits, dstate[-1:])
            dbelow = back_stack(grads, dy, dstate[:-1])[1] if dy is not None else ()
            dstate = (*dbelow, *dnewest)
            h[k] = np.sqrt(sum(_square(dstate[n]) for n in outputs))
            whole[k] = np.sqrt(sum(_square(d) for d in dstate))
            dlogits = np.zeros_like(dlogits)
        return GradientNorms(_rms(h), _rms(whole), _geometric(h))


def _outputs(stack: Sequential) -> list[int]:
    """Where in the state of a network the h of each layer is: the first of the layer's own, and
    the last of all, which is that of the output.
    """
    found, at = [], 0
    for layer in stack.layers.values():
        own = len(layer.initial_state(0, np.float64))
        if own:
            found.append(at)
        at += own
    return [*found, at]


def _square(d: Array) -> Array:
    """|d|^2 of each position: `(B, H)` to `(B,)`."""
    return np.asarray(np.einsum("bh,bh->b", d, d))


def _rms(norms: Array) -> Array:
    return np.asarray(np.sqrt(np.mean(norms**2, axis=1)))


def _geometric(norms: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.mean(np.log(norms), axis=1)))
