"""Real-time recurrent learning (RTRL): the gradient of an Elman network, computed forward in time.

Backpropagation through time stores a whole sequence and then goes back over it. RTRL never goes
back. For a layer with the parameters

    theta = [W; U; b]        (K, H), K = inputs + H + 1
    e = [x, h, 1]            (K,), the vector that theta multiplies

it carries, besides the state h `(H,)`, the derivative of h by every parameter, P `(H, K, H)`:

    P[j, k, l] = dh_j / dtheta_kl

By the chain rule, one step of one network on one text is

    h'                = tanh(e theta)
    P'[j, k, l]       = (1 - h'_j^2) (sum_i U_ij P[i, k, l] + e_k [j = l])
    dLoss/dtheta_kl  += sum_j dLoss'/dh'_j P'[j, k, l]

where Loss' is the loss of this step's prediction alone. In a stack, the input x of a layer is the
h' of the layer below, which also depends on the parameters below: their P' gains the term
sum_i W_ij P'below[i, k, l].

Cost: P has H^2 K entries and every step multiplies them by U. That is O(H^4) operations per
character and O(H^3) memory for a text of any length, against O(H^2) operations and O(T H) memory
for backpropagation. RTRL is therefore no practical training method, but an independent check: it
uses neither the forward nor the backward pass of the layers and must give the same gradient.

Williams and Zipser, "A learning algorithm for continually running fully recurrent neural networks",
Neural Computation 1 (1989).
"""

from __future__ import annotations

import numpy as np

from charrnn.nn.params import Array, Ids, Params, State

CELL = "rnn"
"""The only cell that this module supports."""


def loss_and_gradient(params: Params, ids: Ids, targets: Ids, state: State) -> tuple[float, Params]:
    """The mean cross-entropy of a text, in nats per symbol, and its gradient.

    `params` belong to a `CharRNN` of the cell `CELL`; ids and targets are `(T, B)`; `state` holds
    the initial h `(B, H)` of each layer. Use float64.
    """
    grads, loss = params.zeros_like(), 0.0
    for stream in range(ids.shape[1]):
        start = [h[stream] for h in state]
        loss += _one_text(params, ids[:, stream], targets[:, stream], start, grads)
    grads.flat /= ids.size
    return loss / ids.size, grads


def _one_text(params: Params, ids: Ids, targets: Ids, h: list[Array], grads: Params) -> float:
    """Add the gradient of the summed loss of one text to `grads`. Returns that loss."""
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
            for m in range(n + 1):  # dh of layer n by the parameters of layer m
                change = np.tensordot(p["U"].T, P[n, m], 1)
                if m < n:
                    change += np.tensordot(p["W"].T, P[n - 1, m], 1)
                else:
                    change[width, :, width] += e
                P[n, m] = (1 - h[n] ** 2)[:, None, None] * change
            x = h[n]
        p_next = np.exp(x @ V + c)
        p_next /= p_next.sum()
        loss -= float(np.log(p_next[target]))
        dz = p_next - np.eye(len(c))[target]
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
