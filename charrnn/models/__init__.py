"""Language models: everything that predicts the next symbol of a text."""

from charrnn.models.base import LanguageModel
from charrnn.models.network import CharRNN, NetworkConfig

__all__ = ["CharRNN", "LanguageModel", "NetworkConfig"]
