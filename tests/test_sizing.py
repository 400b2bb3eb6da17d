"""Hidden sizes for a given number of parameters."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.compare.sizing import hidden_for
from charrnn.errors import ConfigError
from charrnn.models import LANGUAGE_MODEL_CELLS, CharRNN, NetworkConfig, count_parameters

SHAPES = st.builds(
    NetworkConfig, st.integers(2, 90), st.sampled_from(LANGUAGE_MODEL_CELLS), st.integers(1, 12),
    st.integers(1, 3),
)  # fmt: skip


@settings(max_examples=60)
@given(SHAPES)
def test_the_parameter_count_matches_the_network(shape: NetworkConfig) -> None:
    model = CharRNN.initialized(shape, np.random.default_rng(1))
    assert count_parameters(shape) == model.num_parameters


@settings(max_examples=60)
@given(SHAPES, st.integers(5_000, 500_000))
def test_the_chosen_hidden_size_is_the_closest(shape: NetworkConfig, expected: int) -> None:
    def distance(hidden: int) -> int:
        return abs(count_parameters(replace(shape, hidden=hidden)) - expected)

    hidden = hidden_for(shape, expected)
    assert distance(hidden) <= distance(hidden + 1)
    assert hidden == 1 or distance(hidden) <= distance(hidden - 1)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_the_parameter_count_of_a_network_gives_its_hidden_size(cell: str) -> None:
    for hidden in (1, 2, 17, 300):
        shape = NetworkConfig(60, cell, hidden, 2)
        assert hidden_for(shape, count_parameters(shape)) == hidden


def test_sizing_does_not_allocate_the_network() -> None:
    hidden = hidden_for(NetworkConfig(100, "lstm", 1, 4), 10**12)
    size = count_parameters(NetworkConfig(100, "lstm", hidden, 4))
    assert size == pytest.approx(10**12, rel=1e-6)


def test_too_few_parameters_for_one_unit_are_an_error() -> None:
    least = count_parameters(NetworkConfig(60, "gru", 1, 2))
    assert hidden_for(NetworkConfig(60, "gru", 1, 2), least) == 1
    with pytest.raises(ConfigError, match=f"at least {least}"):
        hidden_for(NetworkConfig(60, "gru", 1, 2), least - 1)
