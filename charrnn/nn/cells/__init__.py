"""The registry of cells."""

from __future__ import annotations

from charrnn.nn.cells.base import Cell
from charrnn.nn.cells.coupled import CoupledLSTM
from charrnn.nn.cells.ctrnn import CTRNN
from charrnn.nn.cells.elman import Elman
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.cells.minimal import MinGRU, MinLSTM
from charrnn.nn.cells.peephole import PeepholeLSTM
from charrnn.nn.cells.relu import IRNN

_CELLS: tuple[Cell, ...] = (
    Elman(), IRNN(), LSTM(), PeepholeLSTM(), CoupledLSTM(), GRU(), CTRNN(), MinGRU(), MinLSTM(),
)  # fmt: skip

CELLS: dict[str, Cell] = {cell.name: cell for cell in _CELLS}
"""All cells, by the name that `--cell` takes."""

__all__ = ["CELLS", "Cell"]
