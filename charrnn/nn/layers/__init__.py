"""Layers: every matrix product of a network, in the order and the shape that suits it best."""

from charrnn.nn.layers.base import Layer, Pullback
from charrnn.nn.layers.dense import Dense, Dropout
from charrnn.nn.layers.output import OUTPUTS, Jordan, JordanForced, Output
from charrnn.nn.layers.pooling import End, Max, Mean
from charrnn.nn.layers.recurrent import Bidirectional, Recurrent
from charrnn.nn.layers.sequential import Residual, Stack

__all__ = [
    "OUTPUTS",
    "Bidirectional",
    "Dense",
    "Dropout",
    "End",
    "Jordan",
    "JordanForced",
    "Layer",
    "Max",
    "Mean",
    "Output",
    "Pullback",
    "Recurrent",
    "Residual",
    "Stack",
]
