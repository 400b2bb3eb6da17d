"""Jordan networks: recurrent layers whose context is the network's own output.

Both return the logits z. Their state is the newest h `(B, hidden_size)`, zeros at the start.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.functional import (
    add_rows_at,
    linear,
    linear_backward,
    merge_time_batch,
    softmax,
)
from charrnn.nn.initializers import constant, uniform
from charrnn.nn.layers.base import INFERENCE, Backward, Context
from charrnn.nn.layers.dense import Dense
from charrnn.nn.params import Array, Ids, Params, Spec, State


class Jordan:
    """s = x W + y U + b
    h' = tanh(s)
    z' = h' V + c        logits
    y' = softmax(z')     prediction

    The context is the previous output y `(B, V)`, the network's prediction of x, instead of the
    hidden units. Gradients flow through this feedback, as they flow through h in an Elman network.
    Jordan, "Serial order: a parallel distributed processing approach" (1986).
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, *, one_hot: bool = False
    ) -> None:
        """With `one_hot` W is initialized for inputs with a single non-zero entry."""
        self.input_size = input_size
        self.fan_in = 1 if one_hot else input_size
        self.output_size = output_size
        self.output = Dense(hidden_size, output_size, carry=True)

    def specs(self) -> Iterator[Spec]:
        hidden = self.output.input_size
        yield Spec("W", (self.input_size, hidden), uniform(np.sqrt(3.0 / self.fan_in)))
        yield Spec("U", (self.output_size, hidden), uniform(np.sqrt(3.0)))
        yield Spec("b", (hidden,), constant(0.0))
        yield from self.output.specs()

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return self.output.initial_state(batch, dtype)

    def predict(self, p: Params, state: State) -> Array:
        """The logits of the next symbol `(B, V)`."""
        return self.output.predict(p, state)

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        steps, batch = x.shape[:2]
        dtype = state[0].dtype
        h = np.empty((steps + 1, batch, self.output.input_size), dtype)
        y = np.empty((steps + 1, batch, self.output_size), dtype)
        logits = np.empty_like(y[1:])
        U, V, c = p["U"], p["V"], p["c"]
        h[0] = state[0]
        y[0] = softmax(h[0] @ V + c)
        for t, a in enumerate(linear(x, p["W"], p["b"])):
            np.matmul(y[t], U, out=h[t + 1])
            h[t + 1] += a
            np.tanh(h[t + 1], h[t + 1])  # h' = tanh(s)
            np.matmul(h[t + 1], V, out=logits[t])
            logits[t] += c
            y[t + 1] = softmax(logits[t])  # y' = softmax(z')

        def backward(grads: Params, dlogits: Array, dstate: State) -> tuple[Array | None, State]:
            dz = np.concatenate([np.zeros_like(y[:1]), dlogits])  # (T + 1, B, V)
            ds = 1 - h[1:] * h[1:]  # (T, B, H)
            UT, VT = np.ascontiguousarray(U.T), np.ascontiguousarray(V.T)
            (dh,) = dstate
            for t in range(steps - 1, -1, -1):
                ds[t] *= dh + dz[t + 1] @ VT
                dy = ds[t] @ UT
                dy -= (dy * y[t]).sum(axis=1, keepdims=True)
                dz[t] += y[t] * dy  # through the softmax
                dh = np.zeros_like(dh)
            grads["U"][...] += merge_time_batch(y[:-1]).T @ merge_time_batch(ds)
            grads["V"][...] += merge_time_batch(h).T @ merge_time_batch(dz)
            grads["c"][...] += merge_time_batch(dz).sum(axis=0)
            grads["b"][...] += merge_time_batch(ds).sum(axis=0)
            return linear_backward(x, p["W"], ds, grads["W"]), (dh + dz[0] @ VT,)

        return logits, (h[-1].copy(),), backward


class JordanForced(Jordan):
    """s = x W + y U + b        with y the one-hot vector of the symbol being read
    h' = tanh(s)
    z' = h' V + c            logits

    A Jordan network with teacher forcing: the true symbol, `context.ids`, replaces the predicted
    one. No step depends on the previous one, so all steps are computed at once. The network has no
    memory apart from the layers below.
    """

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        ids = x if context.ids is None else context.ids
        h = linear(x, p["W"], p["b"])
        h += p["U"][ids]
        np.tanh(h, h)
        logits, final, output_backward = self.output.forward(p, h, state, context)

        def backward(grads: Params, dlogits: Array, dstate: State) -> tuple[Array | None, State]:
            dh, dinitial = output_backward(grads, dlogits, dstate)
            assert dh is not None
            ds = dh * (1 - h * h)
            grads["b"][...] += merge_time_batch(ds).sum(axis=0)
            add_rows_at(grads["U"], ids.ravel(), merge_time_batch(ds))
            return linear_backward(x, p["W"], ds, grads["W"]), dinitial

        return logits, final, backward


JORDAN = {"jordan": Jordan, "jordan-forced": JordanForced}
"""The Jordan layers, by the name that `--cell` takes."""
