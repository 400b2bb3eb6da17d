"""charrnn: character-level recurrent language models in NumPy.

import charrnn

model = charrnn.train("poems.txt", minutes=1)
print("".join(model.generate("The ", temp=0.8)))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from charrnn.version import __version__

if TYPE_CHECKING:
    from charrnn.classification.text_classifier import TextClassifier
    from charrnn.config.train_config import TrainConfig
    from charrnn.data.corpus import Corpus
    from charrnn.data.examples import Examples
    from charrnn.data.reading import TextOptions
    from charrnn.data.split import Split
    from charrnn.data.vocabulary import Vocabulary
    from charrnn.errors import CharRNNError
    from charrnn.filling.text_filler import TextFiller
    from charrnn.language.evaluate import Loss
    from charrnn.language.sampling import SamplingConfig
    from charrnn.language.score import Score
    from charrnn.language.text_model import TextModel
    from charrnn.runs.run import Run
    from charrnn.tasks import ClassifyConfig, FillConfig, LanguageModelConfig, load
    from charrnn.training.events import Evaluated
    from charrnn.training.train import make_trainer, resume, train
    from charrnn.training.trainer import Trainer

_MODULES = {
    "CharRNNError": "errors",
    "ClassifyConfig": "tasks",
    "Corpus": "data.corpus",
    "Evaluated": "training.events",
    "Examples": "data.examples",
    "FillConfig": "tasks",
    "LanguageModelConfig": "tasks",
    "Loss": "language.evaluate",
    "Run": "runs.run",
    "SamplingConfig": "language.sampling",
    "Score": "language.score",
    "Split": "data.split",
    "TextClassifier": "classification.text_classifier",
    "TextFiller": "filling.text_filler",
    "TextModel": "language.text_model",
    "TextOptions": "data.reading",
    "TrainConfig": "config.train_config",
    "Trainer": "training.trainer",
    "Vocabulary": "data.vocabulary",
    "load": "tasks",
    "make_trainer": "training.train",
    "resume": "training.train",
    "train": "training.train",
}

__all__ = [
    "CharRNNError",
    "ClassifyConfig",
    "Corpus",
    "Evaluated",
    "Examples",
    "FillConfig",
    "LanguageModelConfig",
    "Loss",
    "Run",
    "SamplingConfig",
    "Score",
    "Split",
    "TextClassifier",
    "TextFiller",
    "TextModel",
    "TextOptions",
    "TrainConfig",
    "Trainer",
    "Vocabulary",
    "__version__",
    "load",
    "make_trainer",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `--help` does not load NumPy."""
    if name not in _MODULES:
        raise AttributeError(f"module 'charrnn' has no attribute '{name}'")
    value = getattr(import_module(f"charrnn.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for `dir()` and tab completion."""
    return __all__
