"""Layers: every matrix product of a network, in the order and the shape that suits it best."""

from charrnn.layers.base import Layer, Pullback
from charrnn.layers.output import OUTPUTS, Jordan, JordanForced, Output
from charrnn.layers.plain import Dense, Dropout
from charrnn.layers.recurrent import Bidirectional, Recurrent
from charrnn.layers.stack import Residual, Stack
from charrnn.layers.summary import End, Max, Mean

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
