"""charrnn: character-level recurrent language models in NumPy.

import charrnn

corpus = charrnn.Corpus.read(["poems.txt"])
for event in charrnn.make_trainer(corpus, charrnn.TrainConfig()).events():
    print(event)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from charrnn.version import __version__

if TYPE_CHECKING:
    from charrnn.classification.text_classifier import TextClassifier, load_classifier
    from charrnn.config.train_config import TrainConfig
    from charrnn.data.corpus import Corpus
    from charrnn.data.examples import Examples
    from charrnn.data.reading import TextOptions
    from charrnn.data.split import Split
    from charrnn.data.vocabulary import Vocabulary
    from charrnn.errors import CharRNNError
    from charrnn.filling.text_filler import TextFiller, load_filler
    from charrnn.language.evaluate import Loss
    from charrnn.language.sampling import SamplingConfig
    from charrnn.language.score import Score
    from charrnn.language.text_model import TextModel, load
    from charrnn.runs.run import Run
    from charrnn.training.events import Evaluated
    from charrnn.training.network_trainer import make_trainer
    from charrnn.training.trainer import Trainer

_HOMES = {
    "CharRNNError": "errors",
    "Corpus": "data.corpus",
    "Evaluated": "training.events",
    "Examples": "data.examples",
    "Loss": "language.evaluate",
    "Run": "runs.run",
    "Score": "language.score",
    "Split": "data.split",
    "SamplingConfig": "language.sampling",
    "TextClassifier": "classification.text_classifier",
    "TextFiller": "filling.text_filler",
    "TextModel": "language.text_model",
    "TextOptions": "data.reading",
    "TrainConfig": "config.train_config",
    "Trainer": "training.trainer",
    "Vocabulary": "data.vocabulary",
    "load": "language.text_model",
    "load_classifier": "classification.text_classifier",
    "load_filler": "filling.text_filler",
    "make_trainer": "training.network_trainer",
}

__all__ = [
    "CharRNNError",
    "Corpus",
    "Evaluated",
    "Examples",
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
    "load_classifier",
    "load_filler",
    "make_trainer",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `--help` need not load NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute '{name}'")
    value = getattr(import_module(f"charrnn.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for `dir()` and tab completion."""
    return __all__
