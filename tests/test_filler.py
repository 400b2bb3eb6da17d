"""The network that fills gaps, what it learns from, and its training."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Windows
from charrnn.data.corpus import Corpus
from charrnn.data.masking import hidden_in_text, hidden_places, hide
from charrnn.data.split import Split
from charrnn.errors import CheckpointError, ConfigError
from charrnn.language.text_model import load
from charrnn.models import MaskedLanguageModel, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.training.events import Finished, Sampled
from charrnn.training.network_trainer import NetworkTrainer

V, T, B, H = 5, 9, 3, 4
TINY = {"task": "fill", "hidden": 8, "layers": 1, "batch": 4, "seq": 12, "workers": 1}


def spans(places):
    """The lengths of the runs of hidden symbols."""
    edges = np.diff(np.pad(places.astype(int), ((0, 0), (1, 1))), axis=1)
    return np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 60), st.floats(0.01, 1), st.integers(0, 99))
def test_every_lane_hides_the_same_number(streams, length, share, seed):
    places = hidden_places(streams, length, share, np.random.default_rng(seed))
    assert places.shape == (streams, length)
    assert set(places.sum(axis=1)) == {max(1, round(share * length))}


def test_half_of_the_spans_are_single_symbols_and_a_quarter_pairs(rng):
    found = spans(hidden_places(20, 5000, 0.01, rng))
    shares = np.bincount(found, minlength=4)[1:4] / len(found)
    np.testing.assert_allclose(shares, [1 / 2, 1 / 4, 1 / 8], atol=0.06)


def test_every_place_is_as_likely_to_be_hidden(rng):
    often = hidden_places(20000, 20, 0.2, rng).mean(axis=0)
    np.testing.assert_allclose(often, 0.2, atol=0.015)


def test_a_text_hides_the_same_places_each_time():
    a, b = hidden_in_text(1030, 0.15), hidden_in_text(1030, 0.15)
    np.testing.assert_array_equal(a, b)
    assert (a != hidden_in_text(1030, 0.15, seed=1)).any()
    assert 150 <= a.sum() <= 155
    assert hidden_in_text(1, 0.15).all()


@settings(max_examples=30)
@given(st.integers(2, 120), st.integers(1, 9), st.integers(1, 40), st.integers(0, 3))
def test_every_epoch_reads_all_of_the_text(length, batch, seq, epoch):
    ids = np.arange(length)
    windows = Windows.of(ids, batch, seq, length, 0.2, seed=1)
    read = set()
    for n in range(windows.chunks):
        inputs, targets = windows.chunk(n, epoch)
        assert inputs.shape == (windows.seq, windows.batch)
        for stream, truth in zip(inputs.T, targets.T, strict=True):
            hidden = stream == length
            assert hidden.sum() == len(truth)
            whole = stream.copy()
            whole[hidden] = truth
            np.testing.assert_array_equal(np.diff(whole), 1)  # a piece of the text, restored
            read |= set(whole.tolist())
    assert read == set(range(length))


def test_windows_differ_between_epochs_and_are_the_same_when_asked_again():
    windows = Windows.of(np.arange(5000), 10, 20, 5000, 0.15, seed=1)
    starts = [windows.starts(3, epoch).tolist() for epoch in range(5)]
    assert len({tuple(s) for s in starts}) > 1
    for a, b in zip(windows.chunk(3, 2), windows.chunk(3, 2), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_number_of_a_gap_fits_where_bytes_are_symbols():
    ids = np.arange(256, dtype=np.uint8)
    assert hide(ids, ids == 7, 256)[7] == 256


def example(rng, cell="gru", layers=2, residual=False, dropout=0.0):
    config = NetworkConfig(V, cell, H, layers, dropout, residual)
    model = MaskedLanguageModel.initialised(config, rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    text = rng.integers(0, V, (B, T))
    places = hidden_places(B, T, 0.3, rng)
    return model, hide(text, places, V).T, text[places].reshape(B, -1).T


@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, True)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_is_that_of_the_loss(cell, layers, residual, rng):
    model, inputs, targets = example(rng, cell, layers, residual, dropout=0.3)
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps, into):
        model.params.flat[:] = at + eps * direction
        return model.gradient(inputs, targets, (), into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


def test_the_loss_is_over_hidden_symbols_alone(rng):
    model, inputs, targets = example(rng)
    loss, state = model.gradient(inputs, targets, (), model.params.zeros_like())
    log_p = model.predict(inputs)
    assert log_p.shape == (targets.size, V)
    truth = targets.T.ravel()
    assert loss == pytest.approx(-log_p[np.arange(len(truth)), truth].mean())
    assert state == ()


def test_the_gradient_of_lanes_is_the_mean_of_theirs(rng):
    model, inputs, targets = example(rng)
    whole, each = model.params.zeros_like(), model.params.zeros_like()
    loss, _ = model.gradient(inputs, targets, (), whole)
    streams = [slice(n, n + 1) for n in range(B)]
    losses = [model.gradient(inputs[:, n], targets[:, n], (), each)[0] for n in streams]
    assert loss == pytest.approx(np.mean(losses))
    np.testing.assert_allclose(whole.flat, each.flat / B, atol=1e-12)


@pytest.mark.parametrize("changed", [0, T - 1])
def test_a_guess_depends_on_both_ends_of_the_text(changed, rng):
    model, _, _ = example(rng)
    text = rng.integers(0, V, (T, 1))
    text[T // 2] = V
    before = model.predict(text)
    text[changed] = (text[changed] + 1) % V
    assert np.abs(model.predict(text) - before).max() > 1e-9


def test_a_filler_is_stored_and_restored(tmp_path, rng):
    model, inputs, _ = example(rng, dropout=0.1)
    vocabulary = Corpus.of_text("abcde" * 9, Split(1, 0, 0)).vocabulary
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")
    found = checkpoint.load(tmp_path / "best.npz").model
    assert isinstance(found, MaskedLanguageModel)
    np.testing.assert_array_equal(found.predict(inputs), model.predict(inputs))
    with pytest.raises(CheckpointError, match=r"fills gaps.*charrnn fill\."):
        load(tmp_path)


@pytest.mark.parametrize("cell", ["jordan", "ngram"])
def test_what_cannot_read_backwards_cannot_fill(cell):
    with pytest.raises(ConfigError, match="cannot be learned with"):
        TrainConfig(task="fill", cell=cell)


def test_options_of_other_tasks_are_refused():
    with pytest.raises(ConfigError, match="--task lm has no use for --mask"):
        TrainConfig.from_mapping({"mask": 0.2}, "")
    with pytest.raises(ConfigError, match="--task fill has no use for --reset"):
        TrainConfig.from_mapping({"task": "fill", "reset": 0.2}, "")
    with pytest.raises(ConfigError, match="mask is 0; it must be above 0"):
        TrainConfig(task="fill", mask=0)


def test_it_learns_what_both_sides_determine():
    """Each symbol is told by the one before and the one after it, and by neither alone."""
    corpus = Corpus.of_text("abcacb" * 200)
    shape = TINY | {"hidden": 12, "batch": 16, "seq": 24}
    config = TrainConfig(**shape, mask=0.12, steps=100, lr=0.03, dropout=0.0)
    events = list(NetworkTrainer(corpus, config).events())
    assert isinstance(events[-1], Finished)
    assert events[-1].losses["test"].nats_per_char < 0.1
    shown = [e.text for e in events if isinstance(e, Sampled)]
    assert all("_" in s.split("\n")[0] and "_" not in s.split("\n")[1] for s in shown)


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    corpus = Corpus.of_text("the quick brown fox jumps " * 12)
    config = TrainConfig(**TINY, steps=12, eval_every=4)
    straight = NetworkTrainer(corpus, config)
    list(straight.events())
    run = Run.create(tmp_path, "r")
    first = NetworkTrainer(corpus, config, run)
    for event in first.events():
        if getattr(event, "step", 0) == 7:
            first.stop()
    again = NetworkTrainer.resume(run, corpus, config)
    list(again.events())
    np.testing.assert_array_equal(straight.model.params.flat, again.model.params.flat)


def test_workers_share_the_windows():
    corpus = Corpus.of_text("the quick brown fox jumps " * 12)
    flat = []
    for workers in (1, 2):
        config = TrainConfig(**TINY | {"workers": workers}, steps=5, dropout=0.0)
        trainer = NetworkTrainer(corpus, config)
        list(trainer.events())
        flat.append(trainer.model.params.flat.copy())
    np.testing.assert_allclose(*flat, atol=1e-4)
