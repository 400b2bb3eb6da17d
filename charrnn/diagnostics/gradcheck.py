"""Check the hand-written backward passes against two independent methods.

Central differences, for any layer: L = <v, y> + <w, s> is a random weighting, by v and w, of all
outputs y and of the final state s. With respect to p (a parameter, the input or the initial state),
its derivative along a direction d is

    analytic    <dL/dp, d>, from the backward pass
    numeric     (L(p + eps d) - L(p - eps d)) / (2 eps), from the forward pass alone

Two evaluations of L check all entries of p at once. In float64, rounding costs 1e-16 / eps = 1e-11.

Real-time recurrent learning, for the Elman network, computes the gradient forward in time
(`rtrl.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from charrnn.diagnostics import rtrl
from charrnn.models import CharRNN, NetworkConfig
from charrnn.nn.layers import INFERENCE, Backward, Context, Layer
from charrnn.nn.params import Array, Ids, Params, State

EPS = 1e-5
"""Half the distance between the two evaluations. The error of a central difference is about eps^2
from the third derivative and, in float64, 1e-16 / eps from rounding."""
_STEP_SIZES = (EPS, EPS / 10, EPS / 100)
"""Each is tried if the one before disagrees. If a cell is not differentiable at a point
between the two evaluations, the central difference averages two slopes; a smaller step avoids the
point. A wrong gradient agrees at none of them."""
TOLERANCE = 1e-6
"""Largest relative error at which two derivatives agree."""
ROUNDING = 1e-10
"""Absolute difference that rounding alone can cause. Smaller derivatives cannot be checked."""
RTRL_TOLERANCE = 1e-10
"""Largest relative error for RTRL, which differs by rounding only."""


@dataclass(frozen=True)
class NumericComparison:
    """The analytic and the numeric value of one derivative."""

    analytic: float
    numeric: float

    @property
    def relative_error(self) -> float:
        """|analytic - numeric| / max(|analytic|, |numeric|); 0 if both are 0."""
        largest = max(abs(self.analytic), abs(self.numeric))
        return abs(self.analytic - self.numeric) / largest if largest else 0.0

    @property
    def agrees(self) -> bool:
        """Whether they differ by at most TOLERANCE (relative) or ROUNDING (absolute); NaN does not
        agree.
        """
        difference = abs(self.analytic - self.numeric)
        return self.relative_error <= TOLERANCE or difference <= ROUNDING


@dataclass(frozen=True)
class RtrlComparison:
    """Two gradients of one parameter: their norms, and the norm of their difference."""

    bptt: float
    rtrl: float
    difference: float

    @property
    def relative_error(self) -> float:
        """|BPTT - RTRL| / max(|BPTT|, |RTRL|); 0 if both are 0."""
        largest = max(self.bptt, self.rtrl)
        return self.difference / largest if largest else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the relative error is at most RTRL_TOLERANCE; NaN does not agree."""
        return self.relative_error <= RTRL_TOLERANCE


def check_network(
    config: NetworkConfig, seq: int, batch: int, rng: np.random.Generator
) -> dict[str, NumericComparison]:
    """`check_layer` for a whole language model, on random inputs `(seq, batch, vocab_size)`."""
    network = CharRNN.initialized(config, rng, np.float64)
    context = Context(ids=rng.integers(0, config.vocab_size, (seq, batch)))
    x = rng.standard_normal((seq, batch, config.vocab_size))
    return check_layer(network.layers, x, rng, context=context)


def check_rtrl(
    config: NetworkConfig, seq: int, batch: int, rng: np.random.Generator
) -> dict[str, RtrlComparison]:
    """Compare the gradients of BPTT and RTRL, parameter by parameter, in float64. For networks of
    the cell `rtrl.CELL`.

    The text `(seq, batch)`, the parameters and the initial state are random.
    """
    model = CharRNN.initialized(config, rng, np.float64)
    _perturb(model.params, rng)
    ids, targets = rng.integers(0, config.vocab_size, (2, seq, batch))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(batch))
    bptt = model.params.zeros_like()
    model.loss_and_gradient(ids, targets, state, bptt)
    _, forward = rtrl.loss_and_gradient(model.params, ids, targets, state[:-1])
    return {
        n: RtrlComparison(
            *(float(np.linalg.norm(g)) for g in (bptt[n], forward[n], bptt[n] - forward[n]))
        )
        for n in bptt
    }


def check_layer(
    layer: Layer,
    x: Array | Ids,
    rng: np.random.Generator,
    *,
    dropout_seed: int | None = None,
    context: Context = INFERENCE,
) -> dict[str, NumericComparison]:
    """Check a layer on x `(T, B, input_size)`, or symbol numbers `(T, B)`, in float64.

    Parameters and initial state are random and of order one. Returns a comparison for each
    parameter by its name, for `x` (unless it holds symbol numbers) and for the initial `state`.
    With `dropout_seed` the layer is in training mode, with the same dropout masks in every
    evaluation.
    """
    params = Params.initialized(layer.specs(), rng, np.float64)
    _perturb(params, rng)
    initial = tuple(
        rng.standard_normal(s.shape) for s in layer.initial_state(x.shape[1], np.dtype(np.float64))
    )

    def run(x: Array | Ids, state: State) -> tuple[Array, State, Backward]:
        masks = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        return layer.forward(params, x, state, replace(context, rng=masks))

    y, final, backward = run(x, initial)
    v = rng.standard_normal(y.shape)
    w = tuple(rng.standard_normal(s.shape) for s in final)

    def loss(x: Array | Ids, state: State) -> float:
        y, final, _ = run(x, state)
        return float(np.vdot(v, y) + sum(np.vdot(a, b) for a, b in zip(w, final, strict=True)))

    grads = params.zeros_like()
    dx, dinitial = backward(grads, v, w)
    comparisons: dict[str, NumericComparison] = {}
    for name in params:
        direction, value = _direction(grads[name], rng), params[name].copy()

        def along(eps: float, name: str = name, d: Array = direction, at: Array = value) -> float:
            params[name][...] = at + eps * d
            moved = loss(x, initial)
            params[name][...] = at
            return moved

        comparisons[name] = _compare(grads[name], direction, along)
    if dx is not None:
        d = _direction(dx, rng)
        comparisons["x"] = _compare(dx, d, lambda eps: loss(x + eps * d, initial))
    if initial:
        directions = tuple(_direction(s, rng) for s in dinitial)

        def from_state(eps: float) -> float:
            return loss(x, tuple(s + eps * d for s, d in zip(initial, directions, strict=True)))

        flat, d = (np.concatenate([s.ravel() for s in part]) for part in (dinitial, directions))
        comparisons["state"] = _compare(flat, d, from_state)
    return comparisons


def _perturb(params: Params, rng: np.random.Generator) -> None:
    """Move away from special initial values such as zero biases. The change is small enough that no
    network becomes chaotic: the sum over the rows of a matrix changes by about 0.6.
    """
    for name in params:
        scale = 0.6 / np.sqrt(len(params[name]))
        params[name][...] += scale * rng.standard_normal(params[name].shape)


def _direction(gradient: Array, rng: np.random.Generator) -> Array:
    """A random unit vector, with its sign chosen so that it points along the gradient, plus the
    normalized gradient. The random part reveals an error in any entry; the other part keeps the
    derivative from being small by chance, which would enlarge the relative effect of rounding.
    """
    d = rng.standard_normal(gradient.shape)
    d /= np.linalg.norm(d) or 1.0
    length = np.linalg.norm(gradient)
    if length:
        d = np.copysign(1.0, np.vdot(d, gradient)) * d + gradient / length
    return d


def _compare(
    gradient: Array, direction: Array, along: Callable[[float], float]
) -> NumericComparison:
    """The comparison at the first step size at which both agree, or at the first if none does."""
    analytic, tried = float(np.vdot(gradient, direction)), list[NumericComparison]()
    for eps in _STEP_SIZES:
        tried.append(NumericComparison(analytic, (along(eps) - along(-eps)) / (2 * eps)))
        if tried[-1].agrees:
            return tried[-1]
    return tried[0]
