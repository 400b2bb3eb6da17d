"""The masked language model: masking, gradients, training and checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.data.batches import Windows
from charrnn.data.corpus import Corpus
from charrnn.data.masking import mask, masked_in_text, masked_places
from charrnn.data.split import Split
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import MaskedLanguageModel, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.params import Array, Ids, Params
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import FillConfig, load, make_config
from charrnn.training.events import Finished, Sampled
from tests.conftest import network_trainer, resume_network

V, T, B, H = 5, 9, 3, 4
TINY: dict[str, Any] = {
    "hidden": 8,
    "layers": 1,
    "batch": 4,
    "seq": 12,
    "workers": 1,
}


def spans(places: Array) -> Ids:
    """The lengths of all runs of hidden symbols."""
    edges = np.diff(np.pad(places.astype(int), ((0, 0), (1, 1))), axis=1)
    return np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 60), st.floats(0.01, 1), st.integers(0, 99))
def test_every_stream_hides_the_same_number_of_symbols(
    streams: int, length: int, share: float, seed: int
) -> None:
    places = masked_places(streams, length, share, np.random.default_rng(seed))
    assert places.shape == (streams, length)
    assert set(places.sum(axis=1)) == {max(1, round(share * length))}


def test_half_of_the_spans_are_single_symbols_and_a_quarter_pairs(rng: np.random.Generator) -> None:
    lengths = spans(masked_places(20, 5000, 0.01, rng))
    shares = np.bincount(lengths, minlength=4)[1:4] / len(lengths)
    np.testing.assert_allclose(shares, [1 / 2, 1 / 4, 1 / 8], atol=0.06)


def test_every_position_is_equally_likely_to_be_hidden(rng: np.random.Generator) -> None:
    often = masked_places(20000, 20, 0.2, rng).mean(axis=0)
    np.testing.assert_allclose(often, 0.2, atol=0.015)


def test_hidden_positions_of_a_text_are_reproducible() -> None:
    a, b = masked_in_text(1030, 0.15), masked_in_text(1030, 0.15)
    np.testing.assert_array_equal(a, b)
    assert (a != masked_in_text(1030, 0.15, seed=1)).any()
    assert 150 <= a.sum() <= 155
    assert masked_in_text(1, 0.15).all()


@settings(max_examples=30)
@given(st.integers(2, 120), st.integers(1, 9), st.integers(1, 40), st.integers(0, 3))
def test_every_epoch_reads_all_of_the_text(length: int, batch: int, seq: int, epoch: int) -> None:
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
            np.testing.assert_array_equal(np.diff(whole), 1)  # a contiguous piece of the text
            read |= set(whole.tolist())
    assert read == set(range(length))


def test_windows_differ_between_epochs_and_are_reproducible() -> None:
    windows = Windows.of(np.arange(5000), 10, 20, 5000, 0.15, seed=1)
    starts = [windows.starts(3, epoch).tolist() for epoch in range(5)]
    assert len({tuple(s) for s in starts}) > 1
    for a, b in zip(windows.chunk(3, 2), windows.chunk(3, 2), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_mask_id_fits_a_vocabulary_of_all_bytes() -> None:
    ids = np.arange(256, dtype=np.uint8)
    assert mask(ids, ids == 7, 256)[7] == 256


def example(
    rng: np.random.Generator,
    cell: str = "gru",
    layers: int = 2,
    residual: bool = False,
    dropout: float = 0.0,
) -> tuple[MaskedLanguageModel, Ids, Ids]:
    config = NetworkConfig(V, cell, H, layers, dropout, residual)
    model = MaskedLanguageModel.initialized(config, rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    text = rng.integers(0, V, (B, T))
    places = masked_places(B, T, 0.3, rng)
    return model, mask(text, places, V).T, text[places].reshape(B, -1).T


@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, True)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_matches_finite_differences(
    cell: str, layers: int, residual: bool, rng: np.random.Generator
) -> None:
    model, inputs, targets = example(rng, cell, layers, residual, dropout=0.3)
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps: float, into: Params) -> float:
        model.params.flat[:] = at + eps * direction
        return model.loss_and_gradient(inputs, targets, (), into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


def test_the_loss_covers_hidden_symbols_only(rng: np.random.Generator) -> None:
    model, inputs, targets = example(rng)
    loss, state = model.loss_and_gradient(inputs, targets, (), model.params.zeros_like())
    log_p = model.predict(inputs)
    assert log_p.shape == (targets.size, V)
    truth = targets.T.ravel()
    assert loss == pytest.approx(-log_p[np.arange(len(truth)), truth].mean())
    assert state == ()


def test_the_gradient_of_a_batch_is_the_mean_over_its_streams(rng: np.random.Generator) -> None:
    model, inputs, targets = example(rng)
    whole, summed = model.params.zeros_like(), model.params.zeros_like()
    loss, _ = model.loss_and_gradient(inputs, targets, (), whole)
    streams = [slice(n, n + 1) for n in range(B)]
    losses = [model.loss_and_gradient(inputs[:, n], targets[:, n], (), summed)[0] for n in streams]
    assert loss == pytest.approx(np.mean(losses))
    np.testing.assert_allclose(whole.flat, summed.flat / B, atol=1e-12)


@pytest.mark.parametrize("changed", [0, T - 1])
def test_a_prediction_depends_on_both_ends_of_the_text(
    changed: int, rng: np.random.Generator
) -> None:
    model, _, _ = example(rng)
    text = rng.integers(0, V, (T, 1))
    text[T // 2] = V
    before = model.predict(text)
    text[changed] = (text[changed] + 1) % V
    assert np.abs(model.predict(text) - before).max() > 1e-9


def test_a_masked_language_model_is_saved_and_restored(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    model, inputs, _ = example(rng, dropout=0.1)
    vocabulary = Corpus.of_text("abcde" * 9, Split(1, 0, 0)).vocabulary
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")
    loaded = checkpoint.load(tmp_path / "best.npz").model
    assert isinstance(loaded, MaskedLanguageModel)
    np.testing.assert_array_equal(loaded.predict(inputs), model.predict(inputs))
    with pytest.raises(CheckpointError, match=r"fills gaps.*charrnn fill\."):
        load(tmp_path, task="lm")


@pytest.mark.parametrize("cell", ["jordan", "ngram"])
def test_models_that_cannot_be_bidirectional_are_refused(cell: str) -> None:
    with pytest.raises(ConfigError, match="--task fill does not work with --cell"):
        FillConfig(cell=cell)


def test_options_of_other_tasks_are_refused() -> None:
    with pytest.raises(ConfigError, match="--task lm has no use for --mask"):
        make_config({"mask": 0.2}, "")
    with pytest.raises(ConfigError, match="--task fill has no use for --reset"):
        make_config({"task": "fill", "reset": 0.2}, "")
    with pytest.raises(ConfigError, match="mask is 0; it must be above 0"):
        FillConfig(mask=0)


def test_the_model_learns_what_both_sides_determine() -> None:
    """Each symbol is determined by both of its neighbours, but by neither alone."""
    corpus = Corpus.of_text("abcacb" * 200)
    shape = TINY | {"hidden": 12, "batch": 16, "seq": 24}
    config = FillConfig(**shape, mask=0.12, steps=100, lr=0.03, dropout=0.0)
    events = list(network_trainer(corpus, config).events())
    assert isinstance(events[-1], Finished)
    assert events[-1].losses["test"].nats_per_char < 0.1
    shown = [e.text for e in events if isinstance(e, Sampled)]
    assert all("_" in s.split("\n")[0] and "_" not in s.split("\n")[1] for s in shown)


def test_a_resumed_run_gives_the_same_bits(tmp_path: Path) -> None:
    corpus = Corpus.of_text("the quick brown fox jumps " * 12)
    config = FillConfig(**TINY, steps=12, eval_every=4)
    straight = network_trainer(corpus, config)
    list(straight.events())
    run = Run.create(tmp_path, "r")
    first = network_trainer(corpus, config, run)
    for event in first.events():
        if getattr(event, "step", 0) == 7:
            first.stop()
    again = resume_network(run, corpus, config)
    list(again.events())
    np.testing.assert_array_equal(straight.model.params.flat, again.model.params.flat)


def test_workers_divide_the_windows() -> None:
    corpus = Corpus.of_text("the quick brown fox jumps " * 12)
    flat = []
    for workers in (1, 2):
        config = FillConfig(**TINY | {"workers": workers}, steps=5, dropout=0.0)
        trainer = network_trainer(corpus, config)
        list(trainer.events())
        flat.append(trainer.model.params.flat.copy())
    one, two = flat
    np.testing.assert_allclose(two, one, atol=1e-4)
