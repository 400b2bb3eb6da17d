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


@given(n=lengths, more=lengths, e=reads)
def test_of_a_longer_text_no_more_is_dropped(n, more, e):
    assert 0 <= defaults.dropout(n + more, e) <= defaults.dropout(n, e) < 1


@given(n=lengths, e=reads, more=reads)
def test_a_text_read_oftener_is_dropped_no_less_and_the_network_is_no_narrower(n, e, more):
    assert defaults.dropout(n, e + more) >= defaults.dropout(n, e)
    assert defaults.hidden(n, e + more) >= defaults.hidden(n, e) >= 1


@given(n=lengths, more=lengths)
def test_a_longer_text_is_read_no_oftener(n, more):
    assert 1 <= defaults.epochs(n + more) <= defaults.epochs(n)


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
