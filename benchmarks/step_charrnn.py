"""The training step of `charrnn train`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.shapes import CLIP, RATE, Setting, Shape, text_of
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.vocabulary import Vocabulary
from charrnn.tasks import LanguageModelConfig, make_task
from charrnn.training.training_step import TrainingStep


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """One whole step. BLAS has read its number of threads from the environment."""
    learner = TrainingStep(make_task(corpus_of(shape), config_of(shape, setting.workers)))
    assert learner.batches.chunk(0)[0].shape == (shape.seq, shape.batch)
    return lambda: learner.update(RATE)[0]


def corpus_of(shape: Shape) -> Corpus:
    """A random text with exactly the shape's vocabulary, all of it for training."""
    vocabulary = Vocabulary(range(0x4E00, 0x4E00 + shape.symbols))
    ids = text_of(shape).astype(vocabulary.dtype)
    return Corpus("random", vocabulary, ids, ids[:0], ids[:0], "")


def config_of(shape: Shape, workers: int = 1) -> TrainConfig:
    """Options that give charrnn the same step as the other contestants."""
    return LanguageModelConfig(
        cell=shape.cell,
        hidden=shape.hidden,
        layers=shape.layers,
        batch=shape.batch,
        seq=shape.seq,
        workers=workers,
        steps=1_000_000,  # a budget that is never reached
        dropout=0.0,  # the others have neither dropout nor resets
        reset=0.0,
        clip=CLIP,
    )
