"""charrnn's training step, as `charrnn train` takes it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.shapes import CLIP, RATE, Setting, Shape, text_of
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.vocabulary import Vocabulary
from charrnn.tasks import LanguageModelConfig, make_task
from charrnn.training.training_step import TrainingStep


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """One whole step; BLAS took its thread number from the environment when it was loaded."""
    learner = TrainingStep(make_task(corpus_of(shape), config_of(shape, setting.workers)))
    assert learner.batches.chunk(0)[0].shape == (shape.seq, shape.batch)
    return lambda: learner.update(RATE)[0]


def corpus_of(shape: Shape) -> Corpus:
    """A random text of exactly the shape's vocabulary, all of it to train on."""
    vocabulary = Vocabulary(range(0x4E00, 0x4E00 + shape.symbols))
    ids = text_of(shape).astype(vocabulary.dtype)
    return Corpus("random", vocabulary, ids, ids[:0], ids[:0], "")


def config_of(shape: Shape, workers: int = 1) -> TrainConfig:
    """The options that make charrnn's step that of the other contestants."""
    return LanguageModelConfig(
        cell=shape.cell,
        hidden=shape.hidden,
        layers=shape.layers,
        batch=shape.batch,
        seq=shape.seq,
        workers=workers,
        steps=1_000_000,  # the budget, which is never used up
        dropout=0.0,  # the others have neither dropout nor resets
        reset=0.0,
        clip=CLIP,
    )
