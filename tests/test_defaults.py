"""What is chosen where options are left open."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import defaults
from charrnn.cli.display import choice
from charrnn.config import TrainConfig
from charrnn.errors import ConfigError
from charrnn.text.corpus import Corpus
from charrnn.training.events import Started, to_json
from charrnn.training.train import Trainer

lengths = st.integers(2, 10**10)
reads = st.floats(0.01, 10_000)


@given(n=lengths, more=lengths, size=st.integers(1, 10**8))
def test_of_a_longer_text_no_more_is_dropped(n, more, size):
    assert 0 <= defaults.dropout(n + more, None, size) <= defaults.dropout(n, None, size) < 1


@given(n=lengths, e=reads, more=reads, size=st.integers(1, 10**8))
def test_more_is_dropped_where_a_text_is_read_oftener_or_the_network_is_wider(n, e, more, size):
    here = defaults.dropout(n, e, size)
    assert here <= defaults.dropout(n, e + more, size) <= defaults.dropout(n, None, size)
    assert here <= defaults.dropout(n, e, 2 * size)


@given(n=lengths, minutes=reads, more=reads)
def test_with_more_time_the_network_is_no_narrower(n, minutes, more):
    assert 192 <= defaults.hidden(n, minutes) <= defaults.hidden(n, minutes + more) <= 768


@given(n=lengths)
def test_without_a_budget_reading_is_neither_endless_nor_once_only(n):
    assert 2 <= defaults.epochs(n) <= 40
    assert defaults.epochs(n) * n <= max(30e6, 2 * n)


@given(n=lengths, update=st.integers(1, 10**5), rate=st.floats(1e-5, 1))
def test_weights_shrink_by_as_much_in_an_epoch_whatever_the_text_and_the_rate(n, update, rate):
    decay = defaults.weight_decay(n, update, rate)
    assert 0 <= decay <= 1
    if 0.01 < decay < 1:
        assert decay * rate * n / update == pytest.approx(1 / 12.5, rel=0.01)


@given(n=lengths, epochs=st.floats(0.1, 100))
def test_what_is_given_stays_and_what_is_fitted_is_fitted_for_good(n, epochs):
    fitted = defaults.fitted(TrainConfig(hidden=7, epochs=epochs), n)
    assert (fitted.hidden, fitted.epochs) == (7, epochs)
    assert fitted.dropout is not None
    assert defaults.fitted(fitted, 3 * n) == fitted


@pytest.mark.parametrize("budget", [{"epochs": 8.0}, {"steps": 3200}, {"minutes": 0.133}, {}])
def test_every_budget_leads_to_a_network(budget):
    fitted = defaults.fitted(TrainConfig(**budget), 1_000_000)
    assert fitted.network(65).hidden == fitted.hidden
    assert {fitted.budget[0]} == (set(budget) or {"epochs"})


def test_a_text_counts_by_the_part_that_is_learned():
    corpus = Corpus.of_text("to be or not to be " * 40)
    trainer = Trainer(corpus, TrainConfig(steps=1, layers=1))
    wanted = defaults.fitted(TrainConfig(steps=1, layers=1), len(corpus.train))
    assert (trainer.config.hidden, trainer.config.dropout) == (wanted.hidden, wanted.dropout)
    started = next(e for e in trainer.events() if isinstance(e, Started))
    names = ("hidden", "lr", "dropout", "weight_decay")
    assert to_json(started)["chosen"] == {name: getattr(wanted, name) for name in names}


@given(hidden=st.integers(1, 5000), optimizer=st.sampled_from(["adam", "sgd"]))
def test_a_wide_network_learns_at_a_lower_rate_unless_one_is_given(hidden, optimizer):
    usual = defaults.fitted(TrainConfig(hidden=1, optimizer=optimizer), 1000).rate
    wide = defaults.fitted(TrainConfig(hidden=hidden, optimizer=optimizer), 1000)
    assert wide.rate == wide.lr == usual * min(1, 384 / hidden)
    assert defaults.fitted(TrainConfig(hidden=hidden, lr=0.01), 1000).rate == 0.01


def test_a_cell_without_recurrent_weights_has_none_to_drop():
    with pytest.raises(ConfigError, match="--cell mingru has no recurrent weights to drop"):
        TrainConfig(cell="mingru", weight_dropout=0.2)


def test_n_grams_leave_nothing_open():
    config = TrainConfig(cell="ngram")
    assert defaults.fitted(config, 1000) == config
    assert "hidden" not in dataclasses.replace(config).to_json()


def test_what_was_chosen_is_told_as_it_would_be_typed():
    assert choice({"weight_decay": 0.05, "hidden": 192}).endswith(
        ": --weight-decay 0.05 --hidden 192"
    )
