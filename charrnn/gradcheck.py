"""Do the gradients agree? A hand-written backward pass against central differences.

For a layer f and random cotangents v, w the scalar L = <v, y> + <w, final state> has, along any
direction d, the derivative <dL, d>, which the pullback claims to know, and
(L(+eps d) - L(-eps d)) / (2 eps), which needs the forward pass only. Two evaluations check any
number of parameters. In float64 the two agree to about 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.layers import Layer, Pullback
from charrnn.params import Array, Ids, Params, State

_EPS = 1e-5


@dataclass(frozen=True)
class Agreement:
    """An analytic and a numeric derivative of the same thing."""

    analytic: float
    numeric: float

    @property
    def relative_error(self) -> float:
        """|analytic - numeric| / max(|analytic|, |numeric|), 0 where both are 0."""
        largest = max(abs(self.analytic), abs(self.numeric))
        return abs(self.analytic - self.numeric) / largest if largest else 0.0


def check_layer(
    layer: Layer,
    x: Array | Ids,
    rng: np.random.Generator,
    *,
    dropout_seed: int | None = None,
) -> dict[str, Agreement]:
    """Check a layer on x `(T, B, inputs)`, or `(T, B)` symbol numbers, in float64.

    Parameters and initial state are random and of order one. Returns an agreement for every
    parameter by its name, for `x` (unless it is symbol numbers) and for the initial `state`; the
    final state takes part in all of them. With `dropout_seed` it is training, always with the same
    mask.
    """
    params = Params.initialised(layer.specs(), rng, np.float64)
    params.flat += 0.3 * rng.standard_normal(params.flat.size)
    start = tuple(
        rng.standard_normal(s.shape) for s in layer.start(x.shape[1], np.dtype(np.float64))
    )

    def run(x: Array | Ids, state: State) -> tuple[Array, State, Pullback]:
        mask = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        return layer.forward(params, x, state, mask)

    y, final, pullback = run(x, start)
    v = rng.standard_normal(y.shape)
    w = tuple(rng.standard_normal(s.shape) for s in final)

    def loss(x: Array | Ids, state: State) -> float:
        y, final, _ = run(x, state)
        return float(np.vdot(v, y) + sum(np.vdot(a, b) for a, b in zip(w, final, strict=True)))

    grads = params.zeros()
    dx, dstart = pullback(grads, v, w)
    found: dict[str, Agreement] = {}
    for name in params:
        direction, whole = rng.standard_normal(params[name].shape), params[name].copy()

        def along(eps: float, name: str = name, d: Array = direction, at: Array = whole) -> float:
            params[name][...] = at + eps * d
            value = loss(x, start)
            params[name][...] = at
            return value

        found[name] = _agreement(grads[name], direction, along)
    if dx is not None:
        d = rng.standard_normal(x.shape)
        found["x"] = _agreement(dx, d, lambda eps: loss(x + eps * d, start))
    if start:
        flat = np.concatenate([s.ravel() for s in dstart])
        directions = tuple(rng.standard_normal(s.shape) for s in start)

        def from_start(eps: float) -> float:
            return loss(x, tuple(s + eps * d for s, d in zip(start, directions, strict=True)))

        d = np.concatenate([d.ravel() for d in directions])
        found["state"] = _agreement(flat, d, from_start)
    return found


def _agreement(gradient: Array, direction: Array, along: Callable[[float], float]) -> Agreement:
    numeric = (along(_EPS) - along(-_EPS)) / (2 * _EPS)
    return Agreement(float(np.vdot(gradient, direction)), numeric)
