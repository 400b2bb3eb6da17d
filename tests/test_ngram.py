"""N-gram models: against their definition, and in checkpoints and training."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, ConfigError
from charrnn.language.evaluate import Loss, _agree, evaluate, surprisal
from charrnn.language.sampling import SamplingConfig
from charrnn.language.text_model import TextModel
from charrnn.models import MODELS, LanguageModel, NGram, NGramConfig, ngram
from charrnn.nn.params import Array, Ids
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, make_config
from charrnn.tasks import language_modeling as predict
from charrnn.training.events import Evaluated, Finished, Sampled, Saved, Started, to_json
from charrnn.training.train import make_trainer
from tests.conftest import VERSE, last_event, resume_network

V = 5
texts = st.one_of(  # some symbols may never occur
    [st.lists(st.integers(low, low + 2), min_size=1, max_size=60) for low in range(V - 2)]
)
Counted = tuple[NGram, Vocabulary, Ids]
orders = st.integers(1, 7)
pasts = st.lists(st.integers(0, V - 1), max_size=9)


class Reference:
    """A direct implementation of the equations of `NGram`."""

    def __init__(self, text: Sequence[int], symbols: int, order: int) -> None:
        self.symbols, self.order = symbols, order
        self.counts = []
        for length in range(order):
            before: dict[tuple[int, ...], set[int | None]] = {}
            for t in range(length, len(text)):
                gram = tuple(text[t - length : t + 1])
                neighbour: int | None = t  # each occurrence of the longest n-grams counts
                if length < order - 1:
                    neighbour = text[t - length - 1] if t > length else None
                before.setdefault(gram, set()).add(neighbour)
            self.counts.append({gram: len(neighbours) for gram, neighbours in before.items()})

    @cache  # noqa: B019
    def discount(self, length: int, count: int) -> float:
        n = [sum(c == k for c in self.counts[length].values()) for k in range(5)]
        k = min(count, 3)
        if n[1] and n[k]:
            estimate = k - (k + 1) * n[1] / (n[1] + 2 * n[2]) * n[k + 1] / n[k]
            if 0 < estimate < k:
                return estimate
        return k / 2

    def p(self, past: Sequence[int], w: int) -> float:
        past = tuple(past[max(0, len(past) - self.order + 1) :])
        shorter = self.p(past[1:], w) if past else 1 / self.symbols
        counts = self.counts[len(past)]
        after = [c for gram, c in counts.items() if gram[:-1] == past]
        if not after:
            return shorter
        left = sum(self.discount(len(past), c) for c in after) / sum(after)
        c = counts.get((*past, w))
        discounted = (c - self.discount(len(past), c)) / sum(after) if c else 0
        return discounted + left * shorter


def after(model: NGram, past: Sequence[int] | Ids) -> Array:
    """P(next) `(V,)` after a text."""
    _, state = model.read(np.array(past, int)[:, None], model.initial_state(1))
    p: Array = np.exp(model.predict(state)[0])
    return p


@given(texts, orders, pasts)
@settings(max_examples=150)
def test_probabilities_match_the_definition(text: list[int], order: int, past: list[int]) -> None:
    model, reference = NGram.fit(np.array(text), V, order), Reference(text, V, order)
    expected = [reference.p(past, w) for w in range(V)]
    np.testing.assert_allclose(after(model, past), expected, rtol=1e-10)


@pytest.mark.parametrize("order", range(1, 7))
def test_probabilities_at_the_beginning_use_the_symbols_read(order: int) -> None:
    text = [0, 1, 2, 0, 1, 1, 2, 2, 2, 1, 0, 2, 1, 2]
    model, reference = NGram.fit(np.array(text), 3, order), Reference(text, 3, order)
    for past in ([], [0], [1], [2], [1, 2], [2, 0]):
        expected = [reference.p(past, w) for w in range(3)]
        np.testing.assert_allclose(after(model, past), expected, rtol=1e-10)


@given(texts, orders, pasts)
def test_probabilities_are_positive_and_sum_to_one(
    text: list[int], order: int, past: list[int]
) -> None:
    p = after(NGram.fit(np.array(text), V, order), past)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p.min() > 0


@given(texts, orders)
@settings(max_examples=40)
def test_the_loss_of_a_text_matches_the_definition(text: list[int], order: int) -> None:
    model, reference = NGram.fit(np.array(text), V, order), Reference(text, V, order)
    test_text = [*text[len(text) // 2 :], V - 1, *text[:7]]
    expected = -np.mean([math.log(reference.p(test_text[:t], w)) for t, w in enumerate(test_text)])
    assert evaluate(model, np.array(test_text)).nats_per_char == pytest.approx(expected, rel=1e-10)


@given(texts, orders)
@settings(max_examples=40)
def test_a_model_round_trips(text: list[int], order: int) -> None:
    model = NGram.fit(np.array(text), V, order)
    restored = NGram.restore(json.loads(json.dumps(model.config_json())), model.arrays())
    assert restored.config == model.config
    for name in ("contexts", "grams", "counts"):
        np.testing.assert_array_equal(getattr(restored, name), getattr(model, name))


@pytest.fixture(scope="module")
def verse() -> Counted:
    """A model of order 6, its vocabulary and a held-out text."""
    vocabulary = Vocabulary.of(VERSE)
    ids = vocabulary.encode(VERSE)
    return NGram.fit(ids[:60000], len(vocabulary), 6), vocabulary, ids[60000:64001]


@pytest.mark.slow
def test_surprisal_does_not_depend_on_streams_chunks_or_blocks(
    verse: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _, ids = verse
    state, expected = model.initial_state(1), []
    for symbol in ids[:1500]:
        expected.append(-model.predict(state)[0, symbol])
        _, state = model.read(np.array([[symbol]]), state)
    for streams, chunk, block in [(1, 64, 1), (5, 20, 700), (40, 3, 1 << 20), (64, 2, 1)]:
        monkeypatch.setattr(ngram, "_BLOCK", block)
        nats = surprisal(model, ids[:1500], streams=streams, chunk=chunk)
        np.testing.assert_allclose(nats, expected, rtol=1e-12)


def test_reading_does_not_depend_on_batching_or_chunks(verse: Counted) -> None:
    model, _, ids = verse
    text = ids[:400].reshape(40, 10)
    whole, end = model.read(text, model.initial_state(10))
    first, state = model.read(text[:3], model.initial_state(10))
    second, last = model.read(text[3:], state)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    np.testing.assert_array_equal(last[0], end[0])
    alone, _ = model.read(text[:, 7:8], model.initial_state(1))
    np.testing.assert_allclose(alone[:, 0], whole[:, 7], rtol=1e-13)
    np.testing.assert_array_equal(model.predict(end), whole[-1])


def test_the_state_is_the_newest_symbols() -> None:
    model = NGram.fit(np.array([0, 1, 2, 0, 1]), 3, 4)
    _, state = model.read(np.array([[2], [1]], np.uint8), model.initial_state(1))
    assert state[0].tolist() == [[-1, 2, 1]]
    assert [s.shape for s in NGram.fit(np.array([0, 1]), 2, 1).initial_state(3)] == [(3, 0)]


def test_integer_states_agree_only_if_equal() -> None:
    a, b = np.array([[200_000, 3], [200_001, 3]]), np.array([[200_000, 3], [200_000, 3]])
    assert _agree((a,), (b,)).tolist() == [True, False]


def test_a_hundred_thousand_symbols_and_long_contexts_do_not_overflow(
    rng: np.random.Generator,
) -> None:
    text = rng.integers(0, 100_000, 4000)
    text[2000:2050] = text[1000:1050]
    model, reference = NGram.fit(text, 100_000, 12), Reference(text.tolist(), 100_000, 12)
    assert model.grams.max() > 1 << 32
    assert after(model, text[1000:1020]).argmax() == text[1020]
    past = text[1990:2012]
    assert after(model, past)[text[2012]] == pytest.approx(
        reference.p(past.tolist(), text[2012]), rel=1e-10
    )


def test_an_order_beyond_the_length_of_the_text_adds_no_parameters() -> None:
    short = np.array([0, 1, 1])
    assert NGram.fit(short, 2, 12).num_parameters == NGram.fit(short, 2, 3).num_parameters


def test_longer_contexts_predict_verse_better(verse: Counted) -> None:
    _, vocabulary, ids = verse
    text = vocabulary.encode(VERSE)[:60000]
    losses = [
        evaluate(NGram.fit(text, len(vocabulary), n), ids).nats_per_char for n in (1, 2, 3, 4)
    ]
    assert losses == sorted(losses, reverse=True)
    shares = np.bincount(ids, minlength=len(vocabulary)) / len(ids)
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    assert losses[0] == pytest.approx(entropy, abs=0.02)


def test_samples_depend_only_on_their_seeds(verse: Counted) -> None:
    model, vocabulary, _ = verse
    text_model = TextModel(model, vocabulary)
    alone = ["".join(text_model.generate("The ", 60, seed=n)) for n in (4, 5)]
    ids = vocabulary.encode("The ")
    together = zip(*text_model.stream(ids, 60, [4, 5], SamplingConfig()), strict=True)
    assert [b"".join(sample).decode() for sample in together] == alone
    words = alone[0].split()[1:-1]
    assert sum(w.strip(".,;:!?'").lower() in VERSE.lower() for w in words) > len(words) / 2


# Checkpoints, events and options.


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, NGram]:
    vocabulary = Vocabulary.of("abr cd")
    model = NGram.fit(vocabulary.encode("abracadabra dabra"), len(vocabulary), 4)
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")
    return tmp_path / "best.npz", model


def change_checkpoint(path: Path, **changes: Any) -> None:
    """Change arrays or, with `meta`, entries of the record of a checkpoint."""
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"])) | changes.pop("meta", {})
    arrays |= {f"params/{name}": array for name, array in changes.items()}
    np.savez(path, **{**arrays, "meta": np.array(json.dumps(meta))})


def test_a_checkpoint_holds_a_model_of_any_kind(stored: tuple[Path, NGram]) -> None:
    path, model = stored
    loaded = checkpoint.load(path)
    assert (loaded.model.kind, loaded.model.name, loaded.model.num_parameters) == (
        "ngram",
        "ngram 4",
        model.num_parameters,
    )
    ids = np.array([0, 2, 3, 1])
    np.testing.assert_array_equal(surprisal(loaded.language_model, ids), surprisal(model, ids))


@pytest.mark.parametrize(
    "change",
    [
        {"counts": np.zeros(3, np.uint8)},
        {"counts": np.zeros(36, np.uint8)},
        {"contexts": np.array([9, 1], np.uint8)},
        {"grams": np.ones(36, np.uint8)},
        {"meta": {"model": {"symbols": 6, "order": 2}}},
        {"meta": {"model": {"symbols": 6, "order": 0}}},
        {"meta": {"model": {"symbols": 7, "order": 4}}},
        {"meta": {"model": {"symbols": 6, "hidden": 4}}},
    ],
)
def test_inconsistent_counts_are_reported_as_damage(
    stored: tuple[Path, NGram], change: dict[str, Any]
) -> None:
    path, model = stored
    assert model.num_parameters == 36
    change_checkpoint(path, **change)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_an_unknown_model_kind_is_named(stored: tuple[Path, NGram]) -> None:
    change_checkpoint(stored[0], meta={"kind": "oracle"})
    with pytest.raises(CheckpointError, match="'oracle'; upgrade"):
        checkpoint.load(stored[0])


class OneProbability:
    """A model that is no language model."""

    kind: ClassVar[str] = "probability"
    task: ClassVar[str] = "probability"
    purpose: ClassVar[str] = "is a probability"
    command: ClassVar[str] = "info"
    vocab_size, num_parameters, name = 6, 1, "probability"

    def config_json(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, Array]:
        return {"p": np.array([0.5], np.float32)}

    @classmethod
    def restore(cls, shape: dict[str, Any], arrays: Mapping[str, Array]) -> OneProbability:
        assert arrays["p"] == 0.5
        return cls(**shape)


def test_a_model_that_is_no_language_model_is_saved_but_refused_as_one(
    stored: tuple[Path, NGram], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "probability", OneProbability)
    checkpoint.save(Checkpoint(OneProbability(), Vocabulary.of("abr cd")), stored[0], half=True)
    loaded = checkpoint.load(stored[0])
    assert isinstance(loaded.model, OneProbability)
    with pytest.raises(
        CheckpointError, match=r"is a probability and cannot write .* use it with: charrnn info"
    ):
        _ = loaded.language_model


CONFIG = LanguageModelConfig(cell="ngram", order=3)


def test_the_ngram_trainer_yields_the_events_of_training(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    run = Run.create(tmp_path, "r")
    trainer = make_trainer(small_corpus, CONFIG, run=run)
    assert trainer.share == 0
    events = list(trainer.events())
    assert [type(e) for e in events] == [Started, Evaluated, Sampled, Saved, Finished]
    assert trainer.share == 1
    started, evaluated, *_, finished = events
    assert isinstance(started, Started)
    assert isinstance(evaluated, Evaluated)
    assert isinstance(finished, Finished)
    assert evaluated.valid
    assert trainer.best_loss == evaluated.valid.nats_per_char
    assert set(finished.losses) == {"train", "valid", "test"}
    assert started.parameters == finished.parameters == trainer.model.num_parameters
    assert [r["event"] for r in run.records()] == ["evaluated", "finished"]
    stored = checkpoint.load(run.best)
    loss = evaluate(stored.language_model, small_corpus.test)
    assert loss == finished.losses["test"]
    assert stored.record.metrics
    assert stored.record.metrics.valid == trainer.best_loss
    assert stored.record.config["order"] == 3
    assert "lr" not in stored.record.config
    json.dumps([to_json(e) for e in events])


def test_a_stopped_ngram_trainer_saves_the_model_without_losses(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    run = Run.create(tmp_path, "r")
    trainer = make_trainer(small_corpus, CONFIG, run=run)
    events = []
    for event in trainer.events():
        events.append(event)
        trainer.stop()
    assert [type(e) for e in events] == [Started, Saved, Finished]
    assert last_event(events).stopped
    assert not last_event(events).losses
    assert checkpoint.load(run.best).model.num_parameters == trainer.model.num_parameters


def test_a_stop_during_evaluation_reports_no_partial_losses(
    small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_and_stop(model: LanguageModel, ids: Ids, *arguments: Any) -> Loss:
        trainer.stop()
        return evaluate(model, ids, *arguments)

    trainer = make_trainer(small_corpus, CONFIG)
    monkeypatch.setattr(predict, "evaluate", measure_and_stop)
    assert last_event(trainer.events()).losses == {}


def test_the_ngram_trainer_needs_no_validation_split_and_no_run() -> None:
    corpus = Corpus.of_text("abracadabra", Split(1, 0, 0))
    events = list(make_trainer(corpus, dataclasses.replace(CONFIG, sample_every=0)).events())
    assert [type(e) for e in events] == [Started, Evaluated, Finished]
    assert set(last_event(events).losses) == {"train"}


def test_options_the_cell_does_not_use_are_refused() -> None:
    with pytest.raises(ConfigError, match="ngram has no use for --lr, --weight-decay"):
        make_config({"cell": "ngram", "lr": 1.0, "weight-decay": 0.0}, "")
    with pytest.raises(ConfigError, match="gru has no use for --order"):
        make_config({"order": 6}, "")
    with pytest.raises(ConfigError, match="between 1 and 12"):
        LanguageModelConfig(cell="ngram", order=13)
    for config in (CONFIG, LanguageModelConfig(hidden=7)):
        assert make_config(config.to_json(), "") == config


def test_a_network_cannot_resume_from_an_ngram_model(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    list(make_trainer(small_corpus, CONFIG, run=run).events())
    run.best.rename(run.last)
    with pytest.raises(CheckpointError, match="holds no network"):
        resume_network(run, small_corpus, LanguageModelConfig(hidden=4))


def test_an_invalid_order_is_refused() -> None:
    with pytest.raises(ValueError, match="order 0"):
        NGramConfig(5, 0)
