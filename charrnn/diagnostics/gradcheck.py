"""Do the gradients agree? A hand-written backward pass against two others that share none of it.

Central differences, for any layer f: with random cotangents v, w the scalar
L = <v, y> + <w, final state> has, along any direction d, the derivative <dL, d>, which the backward
claims to know, and (L(+eps d) - L(-eps d)) / (2 eps), which needs the forward pass only. Two
evaluations check any number of parameters. In float64 the two agree to about 1e-9.

Real-time recurrent learning, for the Elman network: its gradient is carried forward (`rtrl.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from charrnn.diagnostics import rtrl
from charrnn.models import CharRNN, NetworkConfig
from charrnn.nn.layers import Backward, Layer
from charrnn.nn.params import Array, Ids, Params, Spec, State

EPS = 1e-5
"""Half the distance of the two evaluations. The error of the central difference is about eps^2
from the curve's third derivative and, in float64, 1e-16 / eps from rounding."""
_CLOSER = (EPS, EPS / 10, EPS / 100)
"""The next is tried where the one before disagrees: a cell may have a kink between the two, which
makes their difference the mean of two slopes. A wrong gradient agrees with none of them."""
TOLERANCE = 1e-6
"""Largest relative error at which two derivatives agree."""
ROUNDING = 1e-10
"""A difference that rounding alone can make: of a derivative as small as this nothing is known."""
RTRL_TOLERANCE = 1e-10
"""The same for RTRL, where nothing but rounding may differ."""


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

    @property
    def agrees(self) -> bool:
        """Whether they differ by no more than TOLERANCE, or than ROUNDING; NaN does not agree."""
        difference = abs(self.analytic - self.numeric)
        return self.relative_error <= TOLERANCE or difference <= ROUNDING


@dataclass(frozen=True)
class Match:
    """Two gradients of the same parameter, by their lengths and that of their difference."""

    bptt: float
    rtrl: float
    difference: float

    @property
    def relative_error(self) -> float:
        """|BPTT - RTRL| / max(|BPTT|, |RTRL|), 0 where both are 0."""
        largest = max(self.bptt, self.rtrl)
        return self.difference / largest if largest else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the error is within RTRL_TOLERANCE; NaN is not."""
        return self.relative_error <= RTRL_TOLERANCE


def check_network(
    config: NetworkConfig, seq: int, batch: int, rng: np.random.Generator
) -> dict[str, Agreement]:
    """`check_layer` of a whole network, on random inputs `(seq, batch, symbols)`."""
    network = CharRNN.initialised(config, rng, np.float64)
    layer = _Whole(network, rng.integers(0, config.vocab_size, (seq, batch)))
    return check_layer(layer, rng.standard_normal((seq, batch, config.vocab_size)), rng)


class _Whole:
    """All layers of a network as one, from x to logits; `ids` is what its output is told."""

    def __init__(self, network: CharRNN, ids: Ids) -> None:
        self.network, self.ids = network, ids
        self.width = network.vocab_size

    def specs(self) -> Iterator[Spec]:
        return self.network.specs(self.network.config)

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return self.network.initial_state(batch)

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: np.random.Generator | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        network, out = self.network, p.scope("out")
        y, below, back = network.stack.forward(p, x, state[:-1], rng)
        logits, newest, back_out = network.output.forward(out, y, state[-1:], rng, ids=self.ids)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx, dnewest = back_out(grads.scope("out"), dy, dstate[-1:])
            dbelow: State = ()
            if network.stack.layers:
                assert dx is not None
                dx, dbelow = back(grads, dx, dstate[:-1])
            return dx, (*dbelow, *dnewest)

        return logits, (*below, *newest), backward


def check_rtrl(
    config: NetworkConfig, seq: int, batch: int, rng: np.random.Generator
) -> dict[str, Match]:
    """The gradient of a text's loss by full backpropagation through time and by RTRL, compared
    parameter by parameter, in float64. For networks of the cell `rtrl.CELL`.

    Text `(seq, batch)`, parameters and start state are random.
    """
    model = CharRNN.initialised(config, rng, np.float64)
    _perturb(model.params, rng)
    ids, targets = rng.integers(0, config.vocab_size, (2, seq, batch))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(batch))
    back = model.params.zeros_like()
    model.gradient(ids, targets, state, back)
    _, ahead = rtrl.gradient(model.params, ids, targets, state[:-1])
    return {
        n: Match(*(float(np.linalg.norm(g)) for g in (back[n], ahead[n], back[n] - ahead[n])))
        for n in back
    }


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
    _perturb(params, rng)
    start = tuple(
        rng.standard_normal(s.shape) for s in layer.initial_state(x.shape[1], np.dtype(np.float64))
    )

    def run(x: Array | Ids, state: State) -> tuple[Array, State, Backward]:
        mask = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        return layer.forward(params, x, state, mask)

    y, final, backward = run(x, start)
    v = rng.standard_normal(y.shape)
    w = tuple(rng.standard_normal(s.shape) for s in final)

    def loss(x: Array | Ids, state: State) -> float:
        y, final, _ = run(x, state)
        return float(np.vdot(v, y) + sum(np.vdot(a, b) for a, b in zip(w, final, strict=True)))

    grads = params.zeros_like()
    dx, dstart = backward(grads, v, w)
    found: dict[str, Agreement] = {}
    for name in params:
        direction, whole = _direction(grads[name], rng), params[name].copy()

        def along(eps: float, name: str = name, d: Array = direction, at: Array = whole) -> float:
            params[name][...] = at + eps * d
            value = loss(x, start)
            params[name][...] = at
            return value

        found[name] = _agreement(grads[name], direction, along)
    if dx is not None:
        d = _direction(dx, rng)
        found["x"] = _agreement(dx, d, lambda eps: loss(x + eps * d, start))
    if start:
        directions = tuple(_direction(s, rng) for s in dstart)

        def from_start(eps: float) -> float:
            return loss(x, tuple(s + eps * d for s, d in zip(start, directions, strict=True)))

        flat, d = (np.concatenate([s.ravel() for s in part]) for part in (dstart, directions))
        found["state"] = _agreement(flat, d, from_start)
    return found


def _perturb(params: Params, rng: np.random.Generator) -> None:
    """Leave the tidy values of initialisation, by so little that no network becomes chaotic: a sum
    over the rows of a matrix changes by 0.6 or so, however many there are.
    """
    for name in params:
        scale = 0.6 / np.sqrt(len(params[name]))
        params[name][...] += scale * rng.standard_normal(params[name].shape)


def _direction(gradient: Array, rng: np.random.Generator) -> Array:
    """A random unit vector on the gradient's side, plus one along the gradient: wherever the
    gradient errs it shows, and the derivative is not small by chance, which would make rounding
    look large.
    """
    d = rng.standard_normal(gradient.shape)
    d /= np.linalg.norm(d) or 1.0
    length = np.linalg.norm(gradient)
    if length:
        d = np.copysign(1.0, np.vdot(d, gradient)) * d + gradient / length
    return d


def _agreement(gradient: Array, direction: Array, along: Callable[[float], float]) -> Agreement:
    analytic, tried = float(np.vdot(gradient, direction)), list[Agreement]()
    for eps in _CLOSER:
        tried.append(Agreement(analytic, (along(eps) - along(-eps)) / (2 * eps)))
        if tried[-1].agrees:
            return tried[-1]
    return tried[0]
