"""Update rules, against their equations for a single number."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from charrnn.nn.params import Array, Params
from charrnn.optim.clipping import clip_norm, clip_value
from charrnn.optim.optimizers import OPTIMIZERS, Adam, decay_weights
from charrnn.optim.schedules import SCHEDULES, TrainingProgress, warm_up

RATE = 0.1
UpdateRule = Callable[[float, Array], float]


def sgd(w: float, gradients: Array) -> float:
    v = 0.0
    for g in gradients:
        v = 0.9 * v + g
        w -= RATE * v
    return w


def adagrad(w: float, gradients: Array) -> float:
    s = 0.0
    for g in gradients:
        s += g * g
        w -= RATE * g / (math.sqrt(s) + 1e-8)
    return w


def rmsprop(w: float, gradients: Array) -> float:
    s = 0.0
    for g in gradients:
        s = 0.95 * s + 0.05 * g * g
        w -= RATE * g / (math.sqrt(s) + 1e-8)
    return w


def adam(w: float, gradients: Array) -> float:
    b1, b2 = Adam.b1, Adam.b2
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        w -= RATE * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + 1e-8)
    return w


@pytest.mark.parametrize("reference", [sgd, adagrad, rmsprop, adam])
def test_updates_match_their_equations(reference: UpdateRule, rng: np.random.Generator) -> None:
    size = 40_000  # more than one block
    start, gradients = rng.standard_normal(size), rng.standard_normal((4, size))
    optimizer = OPTIMIZERS[reference.__name__](size, np.dtype(np.float64))
    flat = start.copy()
    for g in gradients:
        optimizer.update(flat, g.copy(), RATE)
    for n in (0, 1, 32_767, 32_768, size - 1):
        assert flat[n] == pytest.approx(reference(start[n], gradients[:, n]), rel=1e-10)


def test_clipping_by_norm_keeps_the_direction() -> None:
    grad = np.array([3.0, 4.0])
    assert clip_norm(grad, 1.0) == 5
    np.testing.assert_allclose(grad, [0.6, 0.8])
    assert clip_norm(grad, 2.0) == pytest.approx(1)
    np.testing.assert_allclose(grad, [0.6, 0.8])
    assert clip_norm(np.array([3.0, 4.0]), 0) == 5


def test_clipping_by_value_clips_each_entry() -> None:
    grad = np.array([3.0, -4.0, 0.5])
    clip_value(grad, 1.0)
    assert grad.tolist() == [1, -1, 0.5]


def test_weight_decay_shrinks_matrices_and_leaves_biases() -> None:
    params = Params({"W": (2, 2), "b": (2,)}, np.ones(6))
    decay_weights(params, 0.1)
    np.testing.assert_allclose(params.flat, [0.9] * 4 + [1] * 2)


def factor(name: str, share: float = 0.0, epoch: float = 0.0) -> float:
    return SCHEDULES[name](TrainingProgress(share, epoch, 0), 0.5, 10)


def test_schedules() -> None:
    assert factor("constant", 0.9) == factor("plateau", 0.9) == 1
    assert [factor("step", epoch=e) for e in (0, 10.9, 11, 13.5)] == [1, 1, 0.5, 0.125]
    assert factor("cosine") == 1
    assert factor("cosine", 0.5) == pytest.approx(0.505)
    assert factor("cosine", 1) == factor("cosine", 1.2) == pytest.approx(0.01)


def test_warm_up_is_linear() -> None:
    assert [warm_up(TrainingProgress(0, 0, s), 4) for s in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warm_up(TrainingProgress(0, 0, 0), 0) == 1
