"""Real-time recurrent learning gives the gradient of backpropagation through time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.diagnostics import rtrl
from charrnn.diagnostics.gradcheck import check_rtrl
from charrnn.models import CharRNN, NetworkConfig

sizes = st.integers(1, 5)


@given(
    symbols=st.integers(2, 6), hidden=sizes, layers=st.integers(1, 3), steps=st.integers(1, 12),
    batch=st.integers(1, 3), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_rtrl_equals_backpropagation_through_time(
    symbols: int, hidden: int, layers: int, steps: int, batch: int, seed: int
) -> None:
    config = NetworkConfig(symbols, rtrl.CELL, hidden, layers)
    matches = check_rtrl(config, steps, batch, np.random.default_rng(seed))
    assert len(matches) == 3 * layers + 2
    for name, match in matches.items():
        assert match.agrees, (name, match)


def test_rtrl_gives_the_same_loss(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(5, rtrl.CELL, 4, 2), rng, np.float64)
    ids, targets = rng.integers(0, 5, (2, 9, 3))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(3))
    wanted, _ = model.loss_and_gradient(ids, targets, state, model.params.zeros_like())
    loss, _ = rtrl.loss_and_gradient(model.params, ids, targets, state[:-1])
    assert loss == pytest.approx(wanted, rel=1e-13)


def test_rtrl_leaves_its_arguments_unchanged(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(5, rtrl.CELL, 4, 1), rng, np.float64)
    before, state = model.params.flat.copy(), (rng.standard_normal((2, 4)),)
    before_state = state[0].copy()
    ids, targets = rng.integers(0, 5, (2, 6, 2))
    rtrl.loss_and_gradient(model.params, ids, targets, state)
    np.testing.assert_array_equal(model.params.flat, before)
    np.testing.assert_array_equal(state[0], before_state)
