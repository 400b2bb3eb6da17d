"""charrnn: character-level recurrent language models in NumPy.

import charrnn

for event in charrnn.NetworkTrainer(charrnn.Corpus.read(["poems.txt"]), charrnn.TrainConfig()).events():
    print(event)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from charrnn.classification.text_classifier import TextClassifier, load_classifier
    from charrnn.config.train_config import TrainConfig
    from charrnn.data.corpus import Corpus, Split
    from charrnn.data.examples import Examples
    from charrnn.data.reading import TextOptions
    from charrnn.data.vocabulary import Vocabulary
    from charrnn.errors import CharRNNError
    from charrnn.filling.text_filler import TextFiller, load_filler
    from charrnn.language.evaluate import Loss
    from charrnn.language.sampling import SamplingConfig
    from charrnn.language.score import Score
    from charrnn.language.text_model import TextModel, load
    from charrnn.runs.run import Run
    from charrnn.training.events import Evaluated
    from charrnn.training.network_trainer import NetworkTrainer

_HOMES = {
    "CharRNNError": "errors",
    "Corpus": "data.corpus",
    "Evaluated": "training.events",
    "Examples": "data.examples",
    "Loss": "language.evaluate",
    "Run": "runs.run",
    "Score": "language.score",
    "Split": "data.corpus",
    "SamplingConfig": "language.sampling",
    "TextClassifier": "classification.text_classifier",
    "TextFiller": "filling.text_filler",
    "TextModel": "language.text_model",
    "TextOptions": "data.reading",
    "TrainConfig": "config.train_config",
    "NetworkTrainer": "training.network_trainer",
    "Vocabulary": "data.vocabulary",
    "load": "language.text_model",
    "load_classifier": "classification.text_classifier",
    "load_filler": "filling.text_filler",
}

__all__ = [
    "CharRNNError",
    "Corpus",
    "Evaluated",
    "Examples",
    "Loss",
    "NetworkTrainer",
    "Run",
    "SamplingConfig",
    "Score",
    "Split",
    "TextClassifier",
    "TextFiller",
    "TextModel",
    "TextOptions",
    "TrainConfig",
    "Vocabulary",
    "__version__",
    "load",
    "load_classifier",
    "load_filler",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `--help` need not load NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute '{name}'")
    value = getattr(import_module(f"charrnn.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
