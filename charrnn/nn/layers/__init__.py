"""Layers: parameterized functions of a sequence, each with a hand-written backward pass."""

from charrnn.nn.layers.base import INFERENCE, Backward, Context, Layer
from charrnn.nn.layers.dense import Dense, Dropout
from charrnn.nn.layers.jordan import JORDAN, Jordan, JordanForced
from charrnn.nn.layers.recurrent import Bidirectional, Recurrent
from charrnn.nn.layers.selection import LastStep, MaskedSteps
from charrnn.nn.layers.sequential import Residual, Sequential, Stateless

__all__ = [
    "INFERENCE",
    "JORDAN",
    "Backward",
    "Bidirectional",
    "Context",
    "Dense",
    "Dropout",
    "Jordan",
    "JordanForced",
    "LastStep",
    "Layer",
    "MaskedSteps",
    "Recurrent",
    "Residual",
    "Sequential",
    "Stateless",
]
