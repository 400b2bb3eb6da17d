"""The classifier: its gradient, what padding does to it (nothing), training, and its verdicts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn.classification.text_classifier import (
    ClassificationLoss,
    ConfusionMatrix,
    TextClassifier,
    evaluate_classifier,
    load_classifier,
    log_probabilities,
    padded,
)
from charrnn.config.defaults import resolve_defaults
from charrnn.config.train_config import TrainConfig
from charrnn.data.examples import Examples
from charrnn.data.padding import PAD
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, Classifier, ClassifierConfig, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run, find_checkpoint
from charrnn.tasks.classification import class_weights
from charrnn.training.events import Evaluated, Sampled, Stepped, to_json
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.data_parallel import DataParallel
from tests.naming import LETTERS, labelled, some_examples, source, words

V, K = 6, 3
CLASSES = ("a", "b", "c")
SMALL = TrainConfig(
    task="classify", hidden=12, batch=10, steps=30, eval_every=10, lr=0.01, dropout=0.2
)


def model_of(rng, cell="gru", dtype=np.float64, **more):
    config = ClassifierConfig(V, cell, 4, classes=CLASSES, **({"layers": 1} | more))
    model = Classifier.initialised(config, rng, dtype)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters).astype(dtype)
    return model


def texts_of(rng, lengths):
    return [rng.integers(0, V, n) for n in lengths]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_training_gradient_is_that_of_the_loss(cell, bidirectional, rng):
    """Two layers, texts of several lengths, dropout, weighted classes."""
    model = model_of(rng, cell, layers=2, dropout=0.3, bidirectional=bidirectional,
                     weights=(0.5, 1.5, 2.0))  # fmt: skip
    texts, labels = padded(texts_of(rng, [5, 1, 3, 7])), np.array([0, 2, 1, 2])
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps, into):
        model.params.flat[:] = at + eps * direction
        return model.gradient(texts, labels, (), into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell, bidirectional, rng):
    """Neither the answer, nor the loss, nor the gradient: side by side texts are as if alone."""
    model = model_of(rng, cell, layers=2, bidirectional=bidirectional)
    texts, labels = texts_of(rng, [1, 6, 3, 9, 2]), np.array([0, 1, 2, 1, 0])
    side_by_side = padded(texts)
    alone = np.concatenate([model.classify(text[:, None]) for text in texts])
    np.testing.assert_allclose(model.classify(side_by_side), alone, atol=1e-12)
    longer = np.concatenate([side_by_side, np.full((4, 5), PAD)])
    np.testing.assert_allclose(model.classify(longer), alone, atol=1e-12)
    together, apart = model.params.zeros_like(), model.params.zeros_like()
    loss, _ = model.gradient(longer, labels, (), together)
    losses = [
        model.gradient(t[:, None], labels[n : n + 1], (), apart)[0] for n, t in enumerate(texts)
    ]
    assert loss == pytest.approx(np.mean(losses), rel=1e-12)
    np.testing.assert_allclose(together.flat, apart.flat / len(texts), atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_symbol_of_a_text_counts(bidirectional, rng):
    model = model_of(rng, bidirectional=bidirectional)
    text = rng.integers(0, V, 5)
    for n in range(len(text)):
        other = text.copy()
        other[n] = (other[n] + 1) % V
        assert not np.allclose(model.classify(text[:, None]), model.classify(other[:, None]))


def test_workers_compute_the_gradient_of_one(rng):
    model = model_of(rng, bidirectional=True, weights=(0.5, 1.0, 4.0))
    texts, labels = padded(texts_of(rng, range(1, 9))), rng.integers(0, K, 8)
    alone, shared = model.params.zeros_like(), model.params.zeros_like()
    loss, state = model.gradient(texts, labels, model.initial_state(8), alone)
    found, after = DataParallel(model, 8, 3).gradient(
        texts, labels, (), shared, np.random.default_rng
    )
    assert (state, after) == ((), ())
    assert found == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shared.flat, alone.flat, atol=1e-14)


def test_texts_are_answered_in_their_order_whatever_is_read_side_by_side(rng):
    model = model_of(rng)
    texts = texts_of(rng, rng.integers(1, 30, 40))
    few, many = (log_probabilities(model, texts, symbols=n) for n in (1, 10**6))
    np.testing.assert_allclose(few, many, atol=1e-12)
    np.testing.assert_allclose(np.exp(many).sum(axis=1), 1)
    np.testing.assert_allclose(many[7], model.classify(texts[7][:, None])[0], atol=1e-12)


def counted(true, named, k):
    """F1 from its definition."""
    right = sum(t == n == k for t, n in zip(true, named, strict=True))
    if not right:
        return 0.0
    precision, recall = right / named.count(k), right / true.count(k)
    return 2 * precision * recall / (precision + recall)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_a_confusion_counts_right(pairs):
    true, named = map(list, zip(*pairs, strict=True))
    found = ConfusionMatrix.of(tuple("abcd"), np.array(true), np.array(named))
    assert found.counts.sum() == len(pairs)
    assert found.counts[true[0], named[0]] == pairs.count(pairs[0])
    assert found.accuracy == pytest.approx(np.mean([t == n for t, n in pairs]))
    met = sorted({*true, *named})
    assert found.macro_f1 == pytest.approx(np.mean([counted(true, named, k) for k in met]))
    assert np.isnan(found.f1).sum() == 4 - len(met)


def test_the_loss_is_weighted_as_in_training(rng):
    weights = (0.5, 1.0, 4.0)
    model = model_of(rng, weights=weights)
    texts, labels = texts_of(rng, [3, 3, 3]), np.array([2, 0, 2])
    log_p = model.classify(padded(texts))
    nats = -log_p[np.arange(3), labels]
    found, confusion = evaluate_classifier(model, texts, labels)
    assert found.nats_per_char == pytest.approx((4 * nats[0] + 0.5 * nats[1] + 4 * nats[2]) / 8.5)
    assert found.accuracy == confusion.accuracy == np.mean(log_p.argmax(axis=1) == labels)
    loss, _ = model.gradient(padded(texts), labels, (), model.params.zeros_like())
    assert loss == pytest.approx((4 * nats[0] + 0.5 * nats[1] + 4 * nats[2]) / 3)


def test_balanced_weights_have_every_class_count_the_same_and_their_roots_are_between():
    examples = Examples.read([source(labelled(40) + labelled(300).replace("cow", "bird"))])
    count = np.bincount(examples.labels[examples.parts["train"]])
    balanced, root = (np.array(class_weights(examples, power)) for power in (1.0, 0.5))
    np.testing.assert_allclose(balanced * count, (balanced * count)[0])
    np.testing.assert_allclose(balanced / balanced[0], (root / root[0]) ** 2)
    for weights in (balanced, root):
        assert np.average(weights, weights=count) == pytest.approx(1)
    assert class_weights(examples, 0) == ()


def train(examples, run=None, **changes):
    trainer = NetworkTrainer(examples, dataclasses.replace(SMALL, **changes), run)
    return trainer, list(trainer.events())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell_learns_to_tell_classes_apart(cell, bidirectional):
    _, events = train(
        some_examples(), cell=cell, hidden=24, steps=None, epochs=25, bidirectional=bidirectional
    )
    assert events[-1].losses["test"].accuracy == 1


def test_the_events_tell_nats_per_example_and_accuracy():
    trainer, events = train(some_examples())
    keys = {"nats_per_example", "accuracy", "macro_f1", "examples"}
    evaluated = next(e for e in events if isinstance(e, Evaluated))
    data = to_json(evaluated)
    assert keys <= set(data)
    assert set(data["valid"]) == keys
    assert data["nats_per_example"] == data["valid"]["nats_per_example"]
    assert data["valid"]["examples"] == len(trainer.corpus.parts["valid"])
    stepped = to_json(next(e for e in events if isinstance(e, Stepped)))
    assert stepped["train"]["accuracy"] is None
    finished = to_json(events[-1])
    assert set(finished["losses"]) == {"train", "valid", "test"}
    sampled = next(e for e in events if isinstance(e, Sampled))
    assert len(sampled.text.splitlines()) == 3


def test_the_best_model_is_that_of_the_lowest_validation_loss(tmp_path):
    run = Run.create(tmp_path, "r")
    _, events = train(some_examples(), run, steps=60, eval_every=5, lr=0.1, schedule="constant")
    losses = {e.step: e.valid.nats_per_char for e in events if isinstance(e, Evaluated)}
    best = min(losses, key=losses.get)
    assert events[-1].best_step == best
    stored = checkpoint.load(run.best)
    assert stored.meta["metrics"]["valid_nats_per_example"] == pytest.approx(losses[best])


@pytest.mark.parametrize("stop_at", [1, 11, 17])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(stop_at, tmp_path):
    examples = some_examples()
    whole, _ = train(examples)
    run = Run.create(tmp_path, "r")
    trainer = NetworkTrainer(examples, SMALL, run)
    for event in trainer.events():
        if isinstance(event, Stepped) and event.step == stop_at:
            trainer.stop()
    resumed = NetworkTrainer.resume(run, some_examples(), SMALL)
    list(resumed.events())
    np.testing.assert_array_equal(resumed.model.params.flat, whole.model.params.flat)
    np.testing.assert_array_equal(resumed.best_flat, whole.best_flat)


def test_a_part_is_measured_on_some_of_all_its_classes():
    trainer, _ = train(some_examples())
    few = trainer.task.evaluate(trainer.model, "train", 100)
    assert 10 < few.chars < 40
    all_of_it = trainer.task.evaluate(trainer.model, "train")
    assert all_of_it.chars == len(trainer.corpus.parts["train"])


def saved(tmp_path, name="names", **changes):
    run = Run.create(tmp_path, name)
    train(some_examples(), run, **changes)
    return run


def test_a_stored_classifier_names_classes(tmp_path):
    run = saved(tmp_path, hidden=24, steps=300)
    model = load_classifier(run.path)
    assert model.classes == tuple(LETTERS)
    for label in LETTERS:
        (found,) = model.classify(words(label, 41)[-1])
        assert next(iter(found)) == label
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert sum(found.values()) == pytest.approx(1)
    a, b = model.classify("moo", "titi")
    assert (next(iter(a)), next(iter(b))) == ("cow", "bird")
    stored = checkpoint.load(run.best)
    assert isinstance(stored.model, Classifier)
    assert (
        stored.model.config
        == NetworkTrainer(some_examples(), dataclasses.replace(SMALL, hidden=24)).model.config
    )


def test_a_character_that_was_never_met_is_read_as_unknown(tmp_path):
    model = load_classifier(saved(tmp_path).path)
    assert model.unknown(model.encode("mōō")) == 2
    assert model.classify("mōo") == model.classify("mēo")
    assert model.classify("mōo") != model.classify("mo")
    assert model.classify(" moo \n") == model.classify("moo")
    with pytest.raises(CorpusError, match="empty"):
        model.classify(" ")


def test_only_the_beginning_of_a_long_text_is_read(tmp_path, rng):
    vocabulary = Vocabulary(b"abcde", unknown=True)
    model = TextClassifier(model_of(rng, longest=4), vocabulary)
    assert model.classify("abcdee") == model.classify("abcd") != model.classify("abc")


def test_what_writes_and_measures_texts_refuses_a_classifier_and_the_other_way_round(tmp_path, rng):
    run = saved(tmp_path)
    message = r"names the class of a text and cannot write or score a text.*charrnn classify\."
    with pytest.raises(CheckpointError, match=message):
        charrnn.load(run.path)
    network = CharRNN.initialised(NetworkConfig(3, "gru", 4, 1), rng)
    checkpoint.save(Checkpoint(network, Vocabulary.of("abc")), tmp_path / "lm" / "best.npz")
    with pytest.raises(CheckpointError, match="names no classes; train one"):
        load_classifier(tmp_path / "lm")
    assert isinstance(charrnn.load(tmp_path / "lm"), TextModel)


def test_the_newest_run_of_a_kind_is_found(tmp_path, rng):
    runs = tmp_path / "checkpoints"
    with pytest.raises(CheckpointError, match="no run with --task classify"):
        find_checkpoint(None, runs, ["classify"])
    run = saved(runs)
    network = CharRNN.initialised(NetworkConfig(3, "gru", 4, 1), rng)
    lm = Run(runs / "lm")
    checkpoint.save(Checkpoint(network, Vocabulary.of("abc")), lm.best)
    assert find_checkpoint(None, runs, ["classify"]) == run.best
    assert find_checkpoint(None, runs, ["lm"]) == find_checkpoint(None, runs) == lm.best


def test_a_damaged_shape_is_told(tmp_path, rng):
    model = model_of(rng, dtype=np.float32)
    shape = model.config_json() | {"classes": ["a", "b"]}
    with pytest.raises(ValueError, match="is \\(4, 3\\), not \\(4, 2\\)"):
        Classifier.restore(shape, model.arrays())
    assert Classifier.restore(model.config_json(), model.arrays()).config == model.config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "ngram"}, "classify cannot be learned with --cell ngram"),
        ({"cell": "jordan"}, "classify cannot be learned with --cell jordan"),
        ({"reset": 0.1}, "--task classify has no use for --reset"),
        ({"order": 3}, "has no use for --order"),
        ({"class_weights": "some"}, "no class weights 'some'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_mapping({"task": "classify", **options}, "")


def test_options_of_classifiers_mean_nothing_to_language_models():
    with pytest.raises(ConfigError, match="--task lm has no use for --bidirectional"):
        TrainConfig.from_mapping({"bidirectional": False}, "")


def test_defaults_depend_on_the_task():
    lm, classify = TrainConfig(), TrainConfig(task="classify")
    assert (lm.hidden, lm.layers, lm.split) == (None, None, "0.9,0.05,0.05")
    assert (classify.layers, classify.split) == (1, "0.8,0.1,0.1")
    assert TrainConfig(task="classify", hidden=192).hidden == 192
    assert resolve_defaults(classify, 1000).budgets != resolve_defaults(lm, 1000).budgets


def test_a_recognition_is_a_loss_of_texts():
    found = ClassificationLoss(0.5, 10, 0.9, 0.8)
    assert list(found.figures) == ["nats", "macro F1", "accuracy"]
    assert found.to_json()["examples"] == 10
