"""What reads the top of a network: y = softmax(h V + c), and networks that hear their own y.

An output layer returns logits, h V + c. Its state is the newest h `(B, H)`, so that the next symbol
can be predicted from the state alone; at the start h is zero. `ids` `(T, B)` are the symbols being
read, where x are not they.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.functional import add_rows_at, softmax
from charrnn.nn.layers.base import Backward, Rng, flat, linear, linear_backward
from charrnn.nn.params import Array, Ids, Params, Spec, State, constant, uniform


class Output:
    """Logits = h V + c of the layer below, the same at every step."""

    def __init__(self, inputs: int, hidden: int, symbols: int, *, one_hot: bool = False) -> None:
        """`inputs` is the width of what lies below, with `one_hot` that of symbol numbers."""
        self.inputs = inputs
        self.fan_in = 1 if one_hot else inputs
        self.hidden = hidden
        self.width = symbols

    def specs(self) -> Iterator[Spec]:
        yield Spec("V", (self.hidden, self.width), uniform(1 / np.sqrt(self.hidden)))
        yield Spec("c", (self.width,), constant(0.0))

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return (np.zeros((batch, self.hidden), dtype),)

    def predict(self, p: Params, state: State) -> Array:
        """The logits of the next symbol: `(B, V)`."""
        logits: Array = state[0] @ p["V"]
        logits += p["c"]
        return logits

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
        ids: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        def backward(grads: Params, dlogits: Array, dstate: State) -> tuple[Array | None, State]:
            grads["c"][...] += flat(dlogits).sum(axis=0)
            dx = linear_backward(x, p["V"], dlogits, grads["V"])
            assert dx is not None
            dx[-1] += dstate[0]
            return dx, (np.zeros_like(dstate[0]),)

        return linear(x, p["V"], p["c"]), (x[-1].copy(),), backward


class Jordan(Output):
    """h' = tanh(x W + y U + b)        with y = softmax(h V + c)

    The context is the network's own output y `(B, V)`, what it expected before it read x, and not
    its hidden units. Jordan, "Serial order: a parallel distributed processing approach" (1986).
    Trained through the feedback, as an Elman network is through h.
    """

    def specs(self) -> Iterator[Spec]:
        yield Spec("W", (self.inputs, self.hidden), uniform(np.sqrt(3.0 / self.fan_in)))
        yield Spec("U", (self.width, self.hidden), uniform(np.sqrt(3.0)))
        yield Spec("b", (self.hidden,), constant(0.0))
        yield from super().specs()

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
        ids: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        steps, batch = x.shape[:2]
        dtype = state[0].dtype
        h = np.empty((steps + 1, batch, self.hidden), dtype)
        y = np.empty((steps + 1, batch, self.width), dtype)
        logits = np.empty_like(y[1:])
        U, V, c = p["U"], p["V"], p["c"]
        h[0] = state[0]
        y[0] = softmax(h[0] @ V + c)
        for t, a in enumerate(linear(x, p["W"], p["b"])):
            np.matmul(y[t], U, out=h[t + 1])
            h[t + 1] += a
            np.tanh(h[t + 1], h[t + 1])  # h' = tanh(x W + y U + b)
            np.matmul(h[t + 1], V, out=logits[t])
            logits[t] += c
            y[t + 1] = softmax(logits[t])  # y = softmax(h V + c)

        def backward(grads: Params, dlogits: Array, dstate: State) -> tuple[Array | None, State]:
            dz = np.concatenate([np.zeros_like(y[:1]), dlogits])  # of h V + c, (T + 1, B, V)
            du = 1 - h[1:] * h[1:]  # of x W + y U + b, (T, B, H)
            UT, VT = np.ascontiguousarray(U.T), np.ascontiguousarray(V.T)
            (dh,) = dstate
            for t in range(steps - 1, -1, -1):
                du[t] *= dh + dz[t + 1] @ VT
                dy = du[t] @ UT
                dy -= (dy * y[t]).sum(axis=1, keepdims=True)
                dz[t] += y[t] * dy  # through the softmax
                dh = np.zeros_like(dh)
            grads["U"][...] += flat(y[:-1]).T @ flat(du)
            grads["V"][...] += flat(h).T @ flat(dz)
            grads["c"][...] += flat(dz).sum(axis=0)
            grads["b"][...] += flat(du).sum(axis=0)
            return linear_backward(x, p["W"], du, grads["W"]), (dh + dz[0] @ VT,)

        return logits, (h[-1].copy(),), backward


class JordanForced(Jordan):
    """h' = tanh(x W + y U + b)        with y the one-hot vector of what came in truth

    Teacher forcing: in place of what the network expected it is told the symbol that was there,
    which is the one it reads now. No step depends on another any more, so all are computed at once;
    nothing is left of the past but what the layers below remember.
    """

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
        ids: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        (first,), symbols = state, x if ids is None else ids
        h = linear(x, p["W"], p["b"])
        h += p["U"][symbols]
        np.tanh(h, h)

        def backward(grads: Params, dlogits: Array, dstate: State) -> tuple[Array | None, State]:
            grads["c"][...] += flat(dlogits).sum(axis=0)
            dh = linear_backward(h, p["V"], dlogits, grads["V"])
            assert dh is not None
            dh[-1] += dstate[0]
            du = dh * (1 - h * h)
            grads["b"][...] += flat(du).sum(axis=0)
            add_rows_at(grads["U"], symbols.ravel(), flat(du))
            return linear_backward(x, p["W"], du, grads["W"]), (np.zeros_like(first),)

        return linear(h, p["V"], p["c"]), (h[-1].copy(),), backward


OUTPUTS = {"jordan": Jordan, "jordan-forced": JordanForced}
"""Output layers that are a network of their own, by the name that `--cell` takes."""
