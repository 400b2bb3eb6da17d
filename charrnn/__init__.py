"""charrnn: character-level recurrent language models in NumPy.

import charrnn

for event in charrnn.Trainer(charrnn.Corpus.read(["poems.txt"]), charrnn.TrainConfig()).events():
    print(event)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from charrnn.classify import TextClassifier, load_classifier
    from charrnn.config import TrainConfig
    from charrnn.errors import CharRNNError
    from charrnn.evaluate import Loss
    from charrnn.filling.text_filler import TextFiller, load_filler
    from charrnn.run import Run
    from charrnn.sample import Style
    from charrnn.score import Score
    from charrnn.text.corpus import Corpus, Split
    from charrnn.text.examples import Examples
    from charrnn.text.reading import TextOptions
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.text_model import TextModel, load
    from charrnn.training.events import Evaluated
    from charrnn.training.train import Trainer

_HOMES = {
    "CharRNNError": "errors",
    "Corpus": "text.corpus",
    "Evaluated": "training.events",
    "Examples": "text.examples",
    "Loss": "evaluate",
    "Run": "run",
    "Score": "score",
    "Split": "text.corpus",
    "Style": "sample",
    "TextClassifier": "classify",
    "TextFiller": "filling.text_filler",
    "TextModel": "text_model",
    "TextOptions": "text.reading",
    "TrainConfig": "config",
    "Trainer": "training.train",
    "Vocabulary": "text.vocabulary",
    "load": "text_model",
    "load_classifier": "classify",
    "load_filler": "filling.text_filler",
}

__all__ = [
    "CharRNNError",
    "Corpus",
    "Evaluated",
    "Examples",
    "Loss",
    "Run",
    "Score",
    "Split",
    "Style",
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
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `--help` need not load NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute '{name}'")
    value = getattr(import_module(f"charrnn.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
