"""RTRL and BPTT give the same gradient."""

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
def test_rtrl_gives_the_gradient_of_bptt(symbols, hidden, layers, steps, batch, seed):
    config = NetworkConfig(symbols, rtrl.CELL, hidden, layers)
    matches = check_rtrl(config, steps, batch, np.random.default_rng(seed))
    assert len(matches) == 3 * layers + 2
    for name, match in matches.items():
        assert match.agrees, (name, match)


def test_rtrl_gives_the_loss_of_bptt(rng):
    model = CharRNN.initialised(NetworkConfig(5, rtrl.CELL, 4, 2), rng, np.float64)
    ids, targets = rng.integers(0, 5, (2, 9, 3))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(3))
    expected, _ = model.loss_and_gradient(ids, targets, state, model.params.zeros_like())
    loss, _ = rtrl.loss_and_gradient(model.params, ids, targets, state[:-1])
    assert loss == pytest.approx(expected, rel=1e-13)


def test_rtrl_does_not_change_its_arguments(rng):
    model = CharRNN.initialised(NetworkConfig(5, rtrl.CELL, 4, 1), rng, np.float64)
    before, state = model.params.flat.copy(), (rng.standard_normal((2, 4)),)
    state_before = state[0].copy()
    rtrl.loss_and_gradient(model.params, *rng.integers(0, 5, (2, 6, 2)), state)
    np.testing.assert_array_equal(model.params.flat, before)
    np.testing.assert_array_equal(state[0], state_before)
