"""How open options are resolved."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.cli.views.display import choice
from charrnn.config import resolve as defaults
from charrnn.data.corpus import Corpus
from charrnn.errors import ConfigError
from charrnn.tasks import LanguageModelConfig
from charrnn.training.events import Started, to_json
from tests.conftest import network_trainer

lengths = st.integers(2, 10**10)
budgets = st.floats(0.01, 10_000)
ratios = st.floats(1e-6, 1e6)


@given(n=lengths, parameters_per_character=ratios, e=budgets, further=budgets)
def test_dropout_grows_with_epochs_and_network_size(
    n: int, parameters_per_character: float, e: float, further: float
) -> None:
    here = defaults.default_dropout(parameters_per_character, n, e)
    assert (
        0
        <= here
        <= defaults.default_dropout(parameters_per_character, n, e + further)
        <= defaults.default_dropout(parameters_per_character, n, None)
        < 1
    )
    assert here <= defaults.default_dropout(2 * parameters_per_character, n, e)


@given(n=lengths, minutes=budgets, extra=budgets, layers=st.integers(1, 4))
def test_more_time_never_gives_a_smaller_network(
    n: int, minutes: float, extra: float, layers: int
) -> None:
    here, later = (defaults.hidden_size(n, layers, m) for m in (minutes, minutes + extra))
    assert 192 <= here <= later <= 512
    assert defaults.hidden_size(n, layers + 1, minutes) <= here


def test_an_hour_adds_a_layer_unless_the_text_is_short() -> None:
    shapes = [
        defaults.resolve_for_length(LanguageModelConfig(minutes=m), 1_000_000) for m in (3, 8, 60)
    ]
    assert [(c.layers, c.hidden) for c in shapes] == [(2, 192), (2, 320), (3, 512)]
    assert defaults.resolve_for_length(LanguageModelConfig(minutes=60), 50_000).layers == 2


@given(minutes=budgets, width=st.integers(1, 999), layers=st.integers(1, 5))
def test_an_explicit_width_or_depth_is_kept(minutes: float, width: int, layers: int) -> None:
    wide = defaults.resolve_for_length(
        LanguageModelConfig(minutes=minutes, hidden=width), 1_000_000
    )
    deep = defaults.resolve_for_length(
        LanguageModelConfig(minutes=minutes, layers=layers), 1_000_000
    )
    assert (wide.layers, wide.hidden, deep.layers) == (2, width, layers)


@given(n=lengths)
def test_the_default_budget_is_between_2_and_40_epochs(n: int) -> None:
    assert 2 <= defaults.default_epochs(n) <= 40
    assert defaults.default_epochs(n) * n <= max(30e6, 2 * n)


@given(parameters_per_character=ratios, updates=st.floats(1, 10**6), rate=st.floats(1e-5, 1))
def test_weight_decay_per_epoch_is_independent_of_text_length_and_learning_rate(
    parameters_per_character: float, updates: float, rate: float
) -> None:
    decay = defaults.default_weight_decay(parameters_per_character, updates, rate)
    assert 0 <= decay * rate <= 0.004 + 1e-4 * rate
    assert defaults.default_weight_decay(2 * parameters_per_character, updates, rate) >= decay
    if 0.01 < decay < 1 and decay * rate < 0.0039:
        assert 1 / 12.6 <= decay * rate * updates <= 1 / 2.4


@given(n=lengths, epochs=st.floats(0.1, 100))
def test_explicit_options_are_kept_and_resolving_is_idempotent(n: int, epochs: float) -> None:
    resolved = defaults.resolve_for_length(LanguageModelConfig(hidden=7, epochs=epochs), n)
    assert (resolved.hidden, resolved.epochs) == (7, epochs)
    assert resolved.dropout is not None
    assert defaults.resolve_for_length(resolved, 3 * n) == resolved


@pytest.mark.parametrize(
    ("budget", "units"),
    [
        ({"epochs": 8.0}, {"epochs"}),
        ({"steps": 3200}, {"steps"}),
        ({"minutes": 0.133}, {"minutes", "epochs"}),
        ({"minutes": 0.133, "hidden": 192}, {"minutes"}),
        ({}, {"epochs"}),
    ],
)
def test_every_budget_resolves_to_a_network(budget: dict[str, Any], units: set[str]) -> None:
    resolved = defaults.resolve_for_length(LanguageModelConfig(**budget), 1_000_000)
    assert resolved.network_config(65).hidden == resolved.hidden
    assert set(resolved.budgets) == units


@given(n=lengths)
def test_ample_time_exceeds_the_best_number_of_epochs_by_half_at_most(n: int) -> None:
    epochs = defaults.resolve_for_length(LanguageModelConfig(minutes=1e9), n).epochs
    assert epochs
    assert 1 <= epochs / defaults.best_epochs(n) <= 1.5


def test_defaults_depend_on_the_length_of_the_training_split() -> None:
    corpus = Corpus.of_text("to be or not to be " * 40)
    trainer = network_trainer(corpus, LanguageModelConfig(steps=1, layers=1))
    expected = defaults.resolve_for_length(
        LanguageModelConfig(steps=1, layers=1), len(corpus.train)
    )
    assert (trainer.config.hidden, trainer.config.dropout) == (expected.hidden, expected.dropout)
    started = next(e for e in trainer.events() if isinstance(e, Started))
    names = ("hidden", "lr", "dropout", "weight_decay")  # the number of layers is explicit
    assert to_json(started)["chosen"] == {name: getattr(expected, name) for name in names}


@given(hidden=st.integers(1, 5000), optimizer=st.sampled_from(["adam", "sgd"]))
def test_wide_networks_get_a_lower_default_learning_rate(hidden: int, optimizer: str) -> None:
    usual = defaults.resolve_for_length(
        LanguageModelConfig(hidden=1, optimizer=optimizer), 1000
    ).peak_lr
    wide = defaults.resolve_for_length(
        LanguageModelConfig(hidden=hidden, optimizer=optimizer), 1000
    )
    assert wide.peak_lr == wide.lr == usual * min(1, math.sqrt(384 / hidden))
    assert (
        defaults.resolve_for_length(LanguageModelConfig(hidden=hidden, lr=0.01), 1000).peak_lr
        == 0.01
    )


def test_weight_dropout_is_refused_for_cells_without_recurrent_weights() -> None:
    with pytest.raises(ConfigError, match="--cell mingru has no recurrent weights to drop"):
        LanguageModelConfig(cell="mingru", weight_dropout=0.2)


def test_ngram_options_need_no_resolving() -> None:
    config = LanguageModelConfig(cell="ngram")
    assert defaults.resolve_for_length(config, 1000) == config
    assert "hidden" not in dataclasses.replace(config).to_json()


def test_chosen_options_are_shown_as_command_line_options() -> None:
    assert choice({"weight_decay": 0.05, "hidden": 192}).endswith(
        ": --weight-decay 0.05 --hidden 192"
    )
