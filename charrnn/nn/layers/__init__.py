"""Layers: every matrix product of a network, in the order and the shape that suits it best."""

from charrnn.nn.layers.base import Backward, Layer
from charrnn.nn.layers.dense import Dense, Dropout
from charrnn.nn.layers.output import OUTPUTS, Jordan, JordanForced, Output
from charrnn.nn.layers.pooling import LastStep, Max, Mean
from charrnn.nn.layers.recurrent import Bidirectional, Recurrent
from charrnn.nn.layers.sequential import Residual, Sequential

__all__ = [
    "OUTPUTS",
    "Backward",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Jordan",
    "JordanForced",
    "LastStep",
    "Layer",
    "Max",
    "Mean",
    "Output",
    "Recurrent",
    "Residual",
    "Sequential",
]
