"""Real-time recurrent learning: the gradient of an Elman network, carried forward with its state.

Backpropagation through time reads a sequence, remembers all of it, and goes back over it. RTRL
never goes back. One network on one text, with

    theta = [W; U; b]        (K, H), K = inputs + H + 1: all parameters of a layer
    e = [x, h, 1]            (K,): what they multiply

carries beside its state h `(H,)` the influence of every parameter on it, P `(H, K, H)`:

    P[j, k, l] = dh_j / dtheta_kl

which by the chain rule goes along from step to step:

    h'                = tanh(e theta)
    P'[j, k, l]       = (1 - h'_j^2) (sum_i U_ij P[i, k, l] + e_k [j = l])
    dLoss/dtheta_kl  += sum_j dLoss'/dh'_j P'[j, k, l]

with Loss' the loss of this step's prediction alone. In a stack the input x of a layer is the h' of
the one below, on which the parameters further below have an influence too: their P' gains
sum_i W_ij P'below[i, k, l].

Cost: P has H^2 K numbers, and every step multiplies them by U. That is O(H^4) operations a
character and O(H^3) memory, however long the text, against O(H^2) operations and O(T H) memory for
backpropagation. Nobody trains so, but it shares nothing with the layers' backward pass, not even
their forward pass, and yet must come to the same gradient.

Williams and Zipser, "A learning algorithm for continually running fully recurrent neural networks",
Neural Computation 1 (1989).
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.params import Array, Ids, Params, State

CELL = "rnn"
"""The cell whose equation is written here."""


def gradient(params: Params, ids: Ids, targets: Ids, state: State) -> tuple[float, Params]:
    """The mean cross-entropy of a text, in nats per symbol, and its gradient.

    params are those of a `CharRNN` of the cell `CELL`; ids and targets `(T, B)`; state the h
    `(B, H)` of each layer at the beginning. To be used in float64.
    """
    grads, loss = params.zeros_like(), 0.0
    for stream in range(ids.shape[1]):
        start = [h[stream] for h in state]
        loss += _one_text(params, ids[:, stream], targets[:, stream], start, grads)
    grads.flat /= ids.size
    return loss / ids.size, grads


def _one_text(params: Params, ids: Ids, targets: Ids, h: list[Array], grads: Params) -> float:
    """Add the gradient of the summed loss of one text to `grads`, reading it once."""
    parts = [params.scope(str(n)) for n in range(len(h))]
    theta = [np.vstack([p["W"], p["U"], p["b"]]) for p in parts]
    dtheta = [np.zeros_like(t) for t in theta]
    V, c, out = params["out.V"], params["out.c"], grads.scope("out")
    width = np.arange(len(V))
    P = {(n, m): np.zeros((len(V), *theta[m].shape)) for n in range(len(h)) for m in range(n + 1)}
    loss = 0.0
    for symbol, target in zip(ids, targets, strict=True):
        x = np.eye(len(c))[symbol]
        for n, p in enumerate(parts):
            e = np.concatenate([x, h[n], [1.0]])
            h[n] = np.tanh(e @ theta[n])
            for m in range(n + 1):  # the influence of layer m's parameters on layer n
                change = np.tensordot(p["U"].T, P[n, m], 1)
                if m < n:
                    change += np.tensordot(p["W"].T, P[n - 1, m], 1)
                else:
                    change[width, :, width] += e
                P[n, m] = (1 - h[n] ** 2)[:, None, None] * change
            x = h[n]
        likely = np.exp(x @ V + c)
        likely /= likely.sum()
        loss -= float(np.log(likely[target]))
        dz = likely - np.eye(len(c))[target]
        out["V"][...] += np.outer(x, dz)
        out["c"][...] += dz
        for m in range(len(h)):
            dtheta[m] += np.tensordot(V @ dz, P[len(h) - 1, m], 1)
    for n, d in enumerate(dtheta):
        g = grads.scope(str(n))
        g["W"][...] += d[: -len(V) - 1]
        g["U"][...] += d[-len(V) - 1 : -1]
        g["b"][...] += d[-1]
    return loss
