"""What is chosen where options are left open."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import defaults
from charrnn.config import TrainConfig
from charrnn.corpus import Corpus
from charrnn.events import Started, to_json
from charrnn.train import Trainer

lengths = st.integers(2, 10**10)
reads = st.floats(0.01, 10_000)


@given(n=lengths, more=lengths, hidden=st.integers(1, 2000))
def test_of_a_longer_text_no_more_is_dropped(n, more, hidden):
    assert 0 <= defaults.dropout(n + more, None, hidden) <= defaults.dropout(n, None, hidden) < 1


@given(n=lengths, e=reads, more=reads, hidden=st.integers(1, 2000))
def test_more_is_dropped_where_a_text_is_read_oftener_or_the_network_is_wider(n, e, more, hidden):
    here = defaults.dropout(n, e, hidden)
    assert here <= defaults.dropout(n, e + more, hidden) <= defaults.dropout(n, None, hidden)
    assert here <= defaults.dropout(n, e, 2 * hidden)


@given(n=lengths, minutes=reads, more=reads)
def test_with_more_time_the_network_is_no_narrower(n, minutes, more):
    assert 192 <= defaults.hidden(n, minutes) <= defaults.hidden(n, minutes + more) <= 768


@given(n=lengths)
def test_without_a_budget_reading_is_neither_endless_nor_once_only(n):
    assert 2 <= defaults.epochs(n) <= 20
    assert defaults.epochs(n) * n <= max(30e6, 2 * n)


@given(n=lengths, epochs=st.floats(0.1, 100))
def test_what_is_given_stays_and_what_is_fitted_is_fitted_for_good(n, epochs):
    fitted = TrainConfig(hidden=7, epochs=epochs).fitted(n)
    assert (fitted.hidden, fitted.epochs) == (7, epochs)
    assert fitted.dropout is not None
    assert fitted.fitted(3 * n) == fitted


@pytest.mark.parametrize("budget", [{"epochs": 8.0}, {"steps": 3200}, {"minutes": 0.133}, {}])
def test_every_budget_leads_to_a_network(budget):
    fitted = TrainConfig(**budget).fitted(1_000_000)
    assert fitted.network(65).hidden == fitted.hidden
    assert {fitted.budget[0]} == (set(budget) or {"epochs"})


def test_a_text_counts_by_the_part_that_is_learned():
    corpus = Corpus.of_text("to be or not to be " * 40)
    trainer = Trainer(corpus, TrainConfig(steps=1, layers=1))
    wanted = TrainConfig(steps=1, layers=1).fitted(len(corpus.train))
    assert (trainer.config.hidden, trainer.config.dropout) == (wanted.hidden, wanted.dropout)
    started = next(e for e in trainer.events() if isinstance(e, Started))
    assert to_json(started)["chosen"] == {"hidden": wanted.hidden, "dropout": wanted.dropout}


def test_n_grams_leave_nothing_open():
    config = TrainConfig(cell="ngram")
    assert config.fitted(1000) == config
    assert "hidden" not in dataclasses.replace(config).to_json()
