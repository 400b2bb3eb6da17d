"""The classifier: gradient, padding, training, saving and predictions."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike

import charrnn
from charrnn.classification.text_classifier import (
    ClassificationLoss,
    ConfusionMatrix,
    TextClassifier,
    evaluate_classifier,
    log_probabilities,
)
from charrnn.config.resolve import resolve_for_length
from charrnn.data.examples import Examples
from charrnn.data.padding import PAD, padded
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, Classifier, ClassifierConfig, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.params import Ids, Params
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.find import find_checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import ClassifyConfig, LanguageModelConfig, make_config
from charrnn.tasks.classification import class_weights
from charrnn.training.events import Evaluated, Sampled, Stepped, to_json
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.data_parallel import DataParallel
from tests.conftest import network_trainer, resume_network
from tests.labelled_texts import LETTERS, labelled, some_examples, source, words

V, K = 6, 3
CLASSES = ("a", "b", "c")
SMALL = ClassifyConfig(hidden=12, batch=10, steps=30, eval_every=10, lr=0.01, dropout=0.2)


def model_of(
    rng: np.random.Generator, cell: str = "gru", dtype: DTypeLike = np.float64, **fields: Any
) -> Classifier:
    config = ClassifierConfig(V, cell, 4, classes=CLASSES, **({"layers": 1} | fields))
    model = Classifier.initialized(config, rng, dtype)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters).astype(dtype)
    return model


def texts_of(rng: np.random.Generator, lengths: Iterable[int]) -> list[Ids]:
    return [rng.integers(0, V, n) for n in lengths]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_training_gradient_matches_finite_differences(
    cell: str, bidirectional: bool, rng: np.random.Generator
) -> None:
    """Two layers, texts of several lengths, dropout, weighted classes."""
    model = model_of(rng, cell, layers=2, dropout=0.3, bidirectional=bidirectional,
                     weights=(0.5, 1.5, 2.0))  # fmt: skip
    texts, labels = padded(texts_of(rng, [5, 1, 3, 7])), np.array([0, 2, 1, 2])
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps: float, into: Params) -> float:
        model.params.flat[:] = at + eps * direction
        return model.loss_and_gradient(texts, labels, (), into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_neither_output_nor_loss_nor_gradient(
    cell: str, bidirectional: bool, rng: np.random.Generator
) -> None:
    """Texts in a padded batch give the same results as texts read one at a time."""
    model = model_of(rng, cell, layers=2, bidirectional=bidirectional)
    texts, labels = texts_of(rng, [1, 6, 3, 9, 2]), np.array([0, 1, 2, 1, 0])
    side_by_side = padded(texts)
    alone = np.concatenate([model.classify(text[:, None]) for text in texts])
    np.testing.assert_allclose(model.classify(side_by_side), alone, atol=1e-12)
    longer = np.concatenate([side_by_side, np.full((4, 5), PAD)])
    np.testing.assert_allclose(model.classify(longer), alone, atol=1e-12)
    together, apart = model.params.zeros_like(), model.params.zeros_like()
    loss, _ = model.loss_and_gradient(longer, labels, (), together)
    losses = [
        model.loss_and_gradient(text[:, None], labels[n : n + 1], (), apart)[0]
        for n, text in enumerate(texts)
    ]
    assert loss == pytest.approx(np.mean(losses), rel=1e-12)
    np.testing.assert_allclose(together.flat, apart.flat / len(texts), atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_symbol_of_a_text_affects_the_output(
    bidirectional: bool, rng: np.random.Generator
) -> None:
    model = model_of(rng, bidirectional=bidirectional)
    text = rng.integers(0, V, 5)
    for n in range(len(text)):
        other = text.copy()
        other[n] = (other[n] + 1) % V
        assert not np.allclose(model.classify(text[:, None]), model.classify(other[:, None]))


def test_several_workers_compute_the_gradient_of_one(rng: np.random.Generator) -> None:
    model = model_of(rng, bidirectional=True, weights=(0.5, 1.0, 4.0))
    texts, labels = padded(texts_of(rng, range(1, 9))), rng.integers(0, K, 8)
    alone, shared = model.params.zeros_like(), model.params.zeros_like()
    loss, state = model.loss_and_gradient(texts, labels, model.initial_state(8), alone)
    shared_loss, after = DataParallel(model, 8, 3).gradient(
        texts, labels, (), shared, np.random.default_rng
    )
    assert (state, after) == ((), ())
    assert shared_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shared.flat, alone.flat, atol=1e-14)


def test_batched_predictions_keep_the_order_of_the_texts(
    rng: np.random.Generator,
) -> None:
    model = model_of(rng)
    texts = texts_of(rng, rng.integers(1, 30, 40))
    few, many = (log_probabilities(model, texts, symbols=n) for n in (1, 10**6))
    np.testing.assert_allclose(few, many, atol=1e-12)
    np.testing.assert_allclose(np.exp(many).sum(axis=1), 1)
    np.testing.assert_allclose(many[7], model.classify(texts[7][:, None])[0], atol=1e-12)


def f1_score(true: list[int], named: list[int], k: int) -> float:
    """F1 by its definition."""
    right = sum(t == n == k for t, n in zip(true, named, strict=True))
    if not right:
        return 0.0
    precision, recall = right / named.count(k), right / true.count(k)
    return 2 * precision * recall / (precision + recall)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_the_confusion_matrix_and_its_metrics_follow_their_definitions(
    pairs: list[tuple[int, int]],
) -> None:
    true, named = map(list, zip(*pairs, strict=True))
    confusion = ConfusionMatrix.of(tuple("abcd"), np.array(true), np.array(named))
    assert confusion.counts.sum() == len(pairs)
    assert confusion.counts[true[0], named[0]] == pairs.count(pairs[0])
    assert confusion.accuracy == pytest.approx(np.mean([t == n for t, n in pairs]))
    met = sorted({*true, *named})
    assert confusion.macro_f1 == pytest.approx(np.mean([f1_score(true, named, k) for k in met]))
    assert np.isnan(confusion.f1).sum() == 4 - len(met)


def test_the_loss_is_weighted_as_in_training(rng: np.random.Generator) -> None:
    weights = (0.5, 1.0, 4.0)
    model = model_of(rng, weights=weights)
    texts, labels = texts_of(rng, [3, 3, 3]), np.array([2, 0, 2])
    log_p = model.classify(padded(texts))
    nats = -log_p[np.arange(3), labels]
    evaluated, confusion = evaluate_classifier(model, texts, labels)
    assert evaluated.nats_per_char == pytest.approx(
        (4 * nats[0] + 0.5 * nats[1] + 4 * nats[2]) / 8.5
    )
    assert evaluated.accuracy == confusion.accuracy == np.mean(log_p.argmax(axis=1) == labels)
    loss, _ = model.loss_and_gradient(padded(texts), labels, (), model.params.zeros_like())
    assert loss == pytest.approx((4 * nats[0] + 0.5 * nats[1] + 4 * nats[2]) / 3)


def test_balanced_weights_equalise_classes_and_square_root_weights_lie_between() -> None:
    examples = Examples.read([source(labelled(40) + labelled(300).replace("cow", "bird"))])
    count = np.bincount(examples.labels[examples.parts["train"]])
    balanced, root = (np.array(class_weights(examples, power)) for power in (1.0, 0.5))
    np.testing.assert_allclose(balanced * count, (balanced * count)[0])
    np.testing.assert_allclose(balanced / balanced[0], (root / root[0]) ** 2)
    for weights in (balanced, root):
        assert np.average(weights, weights=count) == pytest.approx(1)
    assert class_weights(examples, 0) == ()


def train(
    examples: Examples, run: Run | None = None, **changes: Any
) -> tuple[NetworkTrainer, list[Any]]:
    trainer = network_trainer(examples, dataclasses.replace(SMALL, **changes), run)
    return trainer, list(trainer.events())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell_learns_to_classify(cell: str, bidirectional: bool) -> None:
    _, events = train(
        some_examples(), cell=cell, hidden=24, steps=None, epochs=25, bidirectional=bidirectional
    )
    assert events[-1].losses["test"].accuracy == 1


def test_events_report_nats_per_example_and_accuracy() -> None:
    trainer, events = train(some_examples())
    keys = {"nats_per_example", "accuracy", "macro_f1", "examples"}
    evaluated = next(e for e in events if isinstance(e, Evaluated))
    data = to_json(evaluated)
    assert keys <= set(data)
    assert set(data["valid"]) == keys
    assert data["nats_per_example"] == data["valid"]["nats_per_example"]
    assert data["valid"]["examples"] == len(trainer.dataset.parts["valid"])
    stepped = to_json(next(e for e in events if isinstance(e, Stepped)))
    assert stepped["train"]["accuracy"] is None
    finished = to_json(events[-1])
    assert set(finished["losses"]) == {"train", "valid", "test"}
    sampled = next(e for e in events if isinstance(e, Sampled))
    assert len(sampled.text.splitlines()) == 3


def test_the_best_model_has_the_lowest_validation_loss(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    _, events = train(some_examples(), run, steps=60, eval_every=5, lr=0.1, schedule="constant")
    losses = {e.step: e.valid.nats_per_char for e in events if isinstance(e, Evaluated) and e.valid}
    best = min(losses, key=lambda step: losses[step])
    assert events[-1].best_step == best
    stored = checkpoint.load(run.best)
    assert stored.record.metrics
    assert stored.record.metrics.per == "example"
    assert stored.record.metrics.valid == pytest.approx(losses[best])


@pytest.mark.parametrize("stop_at", [1, 11, 17])
def test_a_stopped_run_resumes_bit_for_bit(stop_at: int, tmp_path: Path) -> None:
    examples = some_examples()
    whole, _ = train(examples)
    run = Run.create(tmp_path, "r")
    trainer = network_trainer(examples, SMALL, run)
    for event in trainer.events():
        if isinstance(event, Stepped) and event.step == stop_at:
            trainer.stop()
    resumed = resume_network(run, some_examples(), SMALL)
    list(resumed.events())
    np.testing.assert_array_equal(resumed.model.params.flat, whole.model.params.flat)
    np.testing.assert_array_equal(resumed.best_params, whole.best_params)


def test_evaluation_of_part_of_a_split_covers_all_classes() -> None:
    trainer, _ = train(some_examples())
    few = trainer.task.evaluate(trainer.model, "train", 100)
    assert 10 < few.chars < 40
    all_of_it = trainer.task.evaluate(trainer.model, "train")
    assert all_of_it.chars == len(trainer.dataset.parts["train"])


def saved(tmp_path: Path, name: str = "names", **changes: Any) -> Run:
    run = Run.create(tmp_path, name)
    train(some_examples(), run, **changes)
    return run


def test_a_saved_classifier_classifies(tmp_path: Path) -> None:
    run = saved(tmp_path, hidden=24, steps=300)
    model = charrnn.load(run.path)
    assert model.classes == tuple(LETTERS)
    assert re.fullmatch(
        r"TextClassifier\(gru 1x24.*, [\d,]+ parameters, \d+ characters, 3 classes\)", repr(model)
    )
    for label in LETTERS:
        (probabilities,) = model.classify(words(label, 41)[-1])
        assert next(iter(probabilities)) == label
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
        assert sum(probabilities.values()) == pytest.approx(1)
    a, b = model.classify("moo", "titi")
    assert (next(iter(a)), next(iter(b))) == ("cow", "bird")
    stored = checkpoint.load(run.best)
    assert isinstance(stored.model, Classifier)
    fresh, _ = train(some_examples(), hidden=24, steps=1)
    assert isinstance(fresh.model, Classifier)
    assert stored.model.config == fresh.model.config


def test_an_unseen_character_is_read_as_unknown(tmp_path: Path) -> None:
    model = charrnn.load(saved(tmp_path).path)
    assert model.unknown(model.encode("mōō")) == 2
    assert model.classify("mōo") == model.classify("mēo")
    assert model.classify("mōo") != model.classify("mo")
    assert model.classify(" moo \n") == model.classify("moo")
    with pytest.raises(CorpusError, match="empty"):
        model.classify(" ")


def test_only_the_beginning_of_a_long_text_is_read(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    vocabulary = Vocabulary(b"abcde", unknown=True)
    model = TextClassifier(model_of(rng, longest=4), vocabulary)
    assert model.classify("abcdee") == model.classify("abcd") != model.classify("abc")


def test_load_returns_the_kind_of_model_that_the_file_holds(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    classifier = saved(tmp_path).path
    network = CharRNN.initialized(NetworkConfig(3, "gru", 4, 1), rng)
    checkpoint.save(Checkpoint(network, Vocabulary.of("abc")), tmp_path / "lm" / "best.npz")
    assert isinstance(charrnn.load(classifier), TextClassifier)
    assert isinstance(charrnn.load(tmp_path / "lm"), TextModel)
    message = r"classifies texts and cannot write or score a text.*charrnn classify\."
    with pytest.raises(CheckpointError, match=message):
        charrnn.load(classifier, task="lm")
    with pytest.raises(CheckpointError, match="does not classify texts; train one"):
        charrnn.load(tmp_path / "lm", task="classify")
    with pytest.raises(ConfigError, match="There is no task 'tag'; there are: lm, fill"):
        charrnn.load(classifier, task="tag")


def test_find_checkpoint_returns_the_newest_run_of_a_task(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    runs = tmp_path / "checkpoints"
    with pytest.raises(CheckpointError, match="no run with --task classify"):
        find_checkpoint(None, runs, ["classify"])
    run = saved(runs)
    network = CharRNN.initialized(NetworkConfig(3, "gru", 4, 1), rng)
    lm = Run(runs / "lm")
    checkpoint.save(Checkpoint(network, Vocabulary.of("abc")), lm.best)
    assert find_checkpoint(None, runs, ["classify"]) == run.best
    assert find_checkpoint(None, runs, ["lm"]) == find_checkpoint(None, runs) == lm.best


def test_arrays_that_contradict_the_configuration_are_an_error(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    model = model_of(rng, dtype=np.float32)
    shape = model.config_json() | {"classes": ["a", "b"]}
    with pytest.raises(ValueError, match="is \\(4, 3\\), not \\(4, 2\\)"):
        Classifier.restore(shape, model.arrays())
    assert Classifier.restore(model.config_json(), model.arrays()).config == model.config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "ngram"}, "--task classify does not work with --cell ngram"),
        ({"cell": "jordan"}, "--task classify does not work with --cell jordan"),
        ({"reset": 0.1}, "--task classify has no use for --reset"),
        ({"order": 3}, "has no use for --order"),
        ({"class_weights": "some"}, "no class weights 'some'"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({"task": "classify", **options}, "")


def test_options_of_classifiers_are_refused_for_language_models() -> None:
    with pytest.raises(ConfigError, match="--task lm has no use for --bidirectional"):
        make_config({"bidirectional": False}, "")


def test_defaults_depend_on_the_task() -> None:
    lm, classify = LanguageModelConfig(), ClassifyConfig()
    assert (lm.hidden, lm.layers, lm.split) == (None, None, "0.9,0.05,0.05")
    assert (classify.layers, classify.split) == (1, "0.8,0.1,0.1")
    assert ClassifyConfig(hidden=192).hidden == 192
    assert resolve_for_length(classify, 1000).budgets != resolve_for_length(lm, 1000).budgets


def test_a_classification_loss_reports_its_metrics() -> None:
    loss = ClassificationLoss(0.5, 10, accuracy=0.9, macro_f1=0.8)
    assert list(loss.figures) == ["nats", "macro F1", "accuracy"]
    assert list(loss.figures.values()) == [0.5, 0.8, 0.9]
    assert loss.to_json()["examples"] == 10
