"""The n-gram model against its definition, and as a model like any other."""

import dataclasses
import json
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, ConfigError
from charrnn.language.evaluate import _agree, evaluate, surprisal
from charrnn.language.sampling import SamplingConfig
from charrnn.language.text_model import TextModel
from charrnn.models import MODELS, NGram, NGramConfig, ngram
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import language_modeling as predict
from charrnn.training.events import Evaluated, Finished, Sampled, Saved, Started, to_json
from charrnn.training.network_trainer import NetworkTrainer, make_trainer
from charrnn.training.ngram_trainer import NGramTrainer
from tests.conftest import VERSE

V = 5
texts = st.one_of(  # with and without symbols that never occur
    st.lists(st.integers(low, low + 2), min_size=1, max_size=60) for low in range(V - 2)
)
orders = st.integers(1, 7)
pasts = st.lists(st.integers(0, V - 1), max_size=9)


class Slow:
    """The equations of `NGram`, with dictionaries, one probability at a time."""

    def __init__(self, text, symbols, order):
        self.symbols, self.order = symbols, order
        self.counts = []
        for length in range(order):
            before = {}
            for t in range(length, len(text)):
                gram = tuple(text[t - length : t + 1])
                if length == order - 1:
                    neighbour = t
                else:
                    neighbour = text[t - length - 1] if t > length else "the beginning"
                before.setdefault(gram, set()).add(neighbour)
            self.counts.append({gram: len(found) for gram, found in before.items()})

    @cache  # noqa: B019
    def discount(self, length, count):
        n = [sum(c == k for c in self.counts[length].values()) for k in range(5)]
        k = min(count, 3)
        if n[1] and n[k]:
            found = k - (k + 1) * n[1] / (n[1] + 2 * n[2]) * n[k + 1] / n[k]
            if 0 < found < k:
                return found
        return k / 2

    def p(self, past, w):
        past = tuple(past[max(0, len(past) - self.order + 1) :])
        shorter = self.p(past[1:], w) if past else 1 / self.symbols
        counts = self.counts[len(past)]
        after = [c for gram, c in counts.items() if gram[:-1] == past]
        if not after:
            return shorter
        left = sum(self.discount(len(past), c) for c in after) / sum(after)
        c = counts.get((*past, w))
        own = (c - self.discount(len(past), c)) / sum(after) if c else 0
        return own + left * shorter


def after(model, past):
    """P(next) `(V,)` after a text."""
    _, state = model.read(np.array(past, int)[:, None], model.initial_state(1))
    return np.exp(model.predict(state)[0])


@given(texts, orders, pasts)
@settings(max_examples=150)
def test_probabilities_are_those_of_the_definition(text, order, past):
    model, slow = NGram.counted(np.array(text), V, order), Slow(text, V, order)
    wanted = [slow.p(past, w) for w in range(V)]
    np.testing.assert_allclose(after(model, past), wanted, rtol=1e-10)


@pytest.mark.parametrize("order", range(1, 7))
def test_at_the_beginning_only_what_was_read_counts(order):
    text = [0, 1, 2, 0, 1, 1, 2, 2, 2, 1, 0, 2, 1, 2]
    model, slow = NGram.counted(np.array(text), 3, order), Slow(text, 3, order)
    for past in ([], [0], [1], [2], [1, 2], [2, 0]):
        wanted = [slow.p(past, w) for w in range(3)]
        np.testing.assert_allclose(after(model, past), wanted, rtol=1e-10)


@given(texts, orders, pasts)
def test_probabilities_sum_to_one_after_everything_and_none_is_zero(text, order, past):
    p = after(NGram.counted(np.array(text), V, order), past)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p.min() > 0


@given(texts, orders)
@settings(max_examples=40)
def test_the_loss_of_a_text_is_that_of_the_definition(text, order):
    model, slow = NGram.counted(np.array(text), V, order), Slow(text, V, order)
    heard = [*text[len(text) // 2 :], V - 1, *text[:7]]
    wanted = -np.mean([math.log(slow.p(heard[:t], w)) for t, w in enumerate(heard)])
    assert evaluate(model, np.array(heard)).nats_per_char == pytest.approx(wanted, rel=1e-10)


@given(texts, orders)
@settings(max_examples=40)
def test_what_is_stored_is_restored(text, order):
    model = NGram.counted(np.array(text), V, order)
    found = NGram.restore(json.loads(json.dumps(model.config_json())), model.arrays())
    assert found.config == model.config
    for name in ("contexts", "grams", "counts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(model, name))


@pytest.fixture(scope="module")
def verse():
    """A model of order 6, its vocabulary, and a text it was not made of."""
    vocabulary = Vocabulary.of(VERSE)
    ids = vocabulary.encode(VERSE)
    return NGram.counted(ids[:60000], len(vocabulary), 6), vocabulary, ids[60000:64001]


def test_the_numbers_do_not_depend_on_lanes_or_chunks_or_blocks(verse, monkeypatch):
    model, _, ids = verse
    state, wanted = model.initial_state(1), []
    for symbol in ids[:1500]:
        wanted.append(-model.predict(state)[0, symbol])
        _, state = model.read(np.array([[symbol]]), state)
    for streams, chunk, block in [(1, 64, 1), (5, 20, 700), (40, 3, 1 << 20), (64, 2, 1)]:
        monkeypatch.setattr(ngram, "_BLOCK", block)
        found = surprisal(model, ids[:1500], streams=streams, chunk=chunk)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_streams_side_by_side_are_read_as_alone_and_in_chunks_as_whole(verse):
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


def test_the_state_is_the_newest_symbols_and_nothing_before_the_text_begins():
    model = NGram.counted(np.array([0, 1, 2, 0, 1]), 3, 4)
    _, state = model.read(np.array([[2], [1]], np.uint8), model.initial_state(1))
    assert state[0].tolist() == [[-1, 2, 1]]
    assert [s.shape for s in NGram.counted(np.array([0, 1]), 2, 1).initial_state(3)] == [(3, 0)]


def test_states_of_whole_numbers_agree_only_where_they_are_the_same():
    a, b = np.array([[200_000, 3], [200_001, 3]]), np.array([[200_000, 3], [200_000, 3]])
    assert _agree((a,), (b,)).tolist() == [True, False]


def test_a_hundred_thousand_symbols_and_long_contexts_do_not_overflow(rng):
    text = rng.integers(0, 100_000, 4000)
    text[2000:2050] = text[1000:1050]
    model, slow = NGram.counted(text, 100_000, 12), Slow(text.tolist(), 100_000, 12)
    assert model.grams.max() > 1 << 32
    assert after(model, text[1000:1020]).argmax() == text[1020]
    past = text[1990:2012]
    assert after(model, past)[text[2012]] == pytest.approx(slow.p(past, text[2012]), rel=1e-10)


def test_an_order_longer_than_the_text_changes_nothing_but_the_name():
    short = np.array([0, 1, 1])
    assert NGram.counted(short, 2, 12).num_parameters == NGram.counted(short, 2, 3).num_parameters


def test_longer_contexts_predict_verse_better(verse):
    _, vocabulary, ids = verse
    text = vocabulary.encode(VERSE)[:60000]
    losses = [
        evaluate(NGram.counted(text, len(vocabulary), n), ids).nats_per_char for n in (1, 2, 3, 4)
    ]
    assert losses == sorted(losses, reverse=True)
    shares = np.bincount(ids, minlength=len(vocabulary)) / len(ids)
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    assert losses[0] == pytest.approx(entropy, abs=0.02)


def test_it_writes_and_each_sample_is_the_one_its_seed_gives_alone(verse):
    model, vocabulary, _ = verse
    writer = TextModel(model, vocabulary)
    alone = ["".join(writer.generate("The ", 60, seed=n)) for n in (4, 5)]
    ids = vocabulary.encode("The ")
    together = zip(*writer.stream(ids, 60, [4, 5], SamplingConfig()), strict=True)
    assert [b"".join(sample).decode() for sample in together] == alone
    words = alone[0].split()[1:-1]
    assert sum(w.strip(".,;:!?'").lower() in VERSE.lower() for w in words) > len(words) / 2


# As a model like any other: files, events, options.


@pytest.fixture
def stored(tmp_path):
    vocabulary = Vocabulary.of("abr cd")
    model = NGram.counted(vocabulary.encode("abracadabra dabra"), len(vocabulary), 4)
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")
    return tmp_path / "best.npz", model


def changed(path, **changes):
    """The checkpoint with other arrays or, under `meta`, other entries of the record."""
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"])) | changes.pop("meta", {})
    arrays |= {f"params/{name}": array for name, array in changes.items()}
    np.savez(path, **{**arrays, "meta": np.array(json.dumps(meta))})


def test_a_checkpoint_holds_a_model_of_any_kind(stored):
    path, model = stored
    found = checkpoint.load(path)
    assert (found.model.kind, found.model.name, found.model.num_parameters) == (
        "ngram",
        "ngram 4",
        model.num_parameters,
    )
    ids = np.array([0, 2, 3, 1])
    np.testing.assert_array_equal(surprisal(found.language_model, ids), surprisal(model, ids))


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
def test_counts_that_do_not_fit_together_are_damage(stored, change):
    path, model = stored
    assert model.num_parameters == 36
    changed(path, **change)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_a_kind_that_is_not_known_is_named(stored):
    changed(stored[0], meta={"kind": "oracle"})
    with pytest.raises(CheckpointError, match="'oracle'; upgrade"):
        checkpoint.load(stored[0])


def test_a_model_that_predicts_nothing_next_is_stored_but_does_not_write(stored, monkeypatch):
    @dataclasses.dataclass
    class Verdict:
        kind = task = "judge"
        vocab_size, num_parameters, name = 6, 1, "judge"

        def config_json(self):
            return {}

        def arrays(self):
            return {"verdict": np.array([0.5], np.float32)}

        @classmethod
        def restore(cls, shape, arrays):
            assert arrays["verdict"] == 0.5
            return cls(**shape)

    monkeypatch.setitem(MODELS, "judge", Verdict)
    checkpoint.save(Checkpoint(Verdict(), Vocabulary.of("abr cd")), stored[0], half=True)
    found = checkpoint.load(stored[0])
    assert isinstance(found.model, Verdict)
    with pytest.raises(CheckpointError, match="is of another kind"):
        _ = found.language_model


CONFIG = TrainConfig(cell="ngram", order=3)


def test_counting_reports_with_the_events_of_training(small_corpus, tmp_path):
    run = Run.create(tmp_path, "r")
    counting = make_trainer(small_corpus, CONFIG, run)
    assert counting.share == 0
    events = list(counting.events())
    assert [type(e) for e in events] == [Started, Evaluated, Sampled, Saved, Finished]
    assert counting.share == 1
    assert counting.best == events[1].valid.nats_per_char
    assert set(events[-1].losses) == {"train", "valid", "test"}
    assert events[0].parameters == events[-1].parameters == counting.model.num_parameters
    assert [r["event"] for r in run.records()] == ["evaluated", "finished"]
    found = checkpoint.load(run.best)
    loss = evaluate(found.language_model, small_corpus.test)
    assert loss == events[-1].losses["test"]
    assert found.meta["metrics"]["valid_nats_per_char"] == counting.best
    assert found.meta["config"]["order"] == 3
    assert "lr" not in found.meta["config"]
    json.dumps([to_json(e) for e in events])


def test_counting_that_is_stopped_keeps_the_model_unmeasured(small_corpus, tmp_path):
    run = Run.create(tmp_path, "r")
    counting = NGramTrainer(small_corpus, CONFIG, run)
    events = []
    for event in counting.events():
        events.append(event)
        counting.stop()
    assert [type(e) for e in events] == [Started, Saved, Finished]
    assert events[-1].stopped
    assert not events[-1].losses
    assert checkpoint.load(run.best).model.num_parameters == counting.model.num_parameters


def test_counting_that_is_stopped_while_it_measures_shows_no_half_of_the_losses(
    small_corpus, monkeypatch
):
    def measure_and_stop(model, ids, *more):
        counting.stop()
        return evaluate(model, ids, *more)

    counting = NGramTrainer(small_corpus, CONFIG)
    monkeypatch.setattr(predict, "evaluate", measure_and_stop)
    assert list(counting.events())[-1].losses == {}


def test_counting_needs_no_validation_part_and_no_run():
    corpus = Corpus.of_text("abracadabra", Split(1, 0, 0))
    events = list(NGramTrainer(corpus, dataclasses.replace(CONFIG, sample_every=0)).events())
    assert [type(e) for e in events] == [Started, Evaluated, Finished]
    assert set(events[-1].losses) == {"train"}


def test_options_that_mean_nothing_to_the_cell_are_refused_when_given():
    with pytest.raises(ConfigError, match="ngram has no use for --lr, --weight-decay"):
        TrainConfig.from_mapping({"cell": "ngram", "lr": 1.0, "weight-decay": 0.0}, "")
    with pytest.raises(ConfigError, match="gru has no use for --order"):
        TrainConfig.from_mapping({"order": 6}, "")
    with pytest.raises(ConfigError, match="between 1 and 12"):
        TrainConfig(cell="ngram", order=13)
    for config in (CONFIG, TrainConfig(hidden=7)):
        assert TrainConfig.from_mapping(config.to_json(), "") == config


def test_a_network_is_not_resumed_from_counts(small_corpus, tmp_path):
    run = Run.create(tmp_path, "r")
    list(NGramTrainer(small_corpus, CONFIG, run).events())
    run.best.rename(run.last)
    with pytest.raises(CheckpointError, match="holds no network"):
        NetworkTrainer.resume(run, small_corpus, TrainConfig(hidden=4))


def test_a_shape_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="order 0"):
        NGramConfig(5, 0)
