"""The register of cells. Everything that offers a choice of cell reads it here."""

from __future__ import annotations

from charrnn.cells.base import Cell
from charrnn.cells.coupled import Coupled
from charrnn.cells.ctrnn import CTRNN
from charrnn.cells.elman import Elman
from charrnn.cells.gru import GRU
from charrnn.cells.lstm import LSTM
from charrnn.cells.minimal import MinGRU, MinLSTM
from charrnn.cells.peephole import Peephole
from charrnn.cells.relu import ReLU

_CELLS: tuple[Cell, ...] = (
    Elman(), ReLU(), LSTM(), Peephole(), Coupled(), GRU(), CTRNN(), MinGRU(), MinLSTM(),
)  # fmt: skip

CELLS: dict[str, Cell] = {cell.name: cell for cell in _CELLS}
"""Every cell by the name that `--cell` takes."""

__all__ = ["CELLS", "Cell"]
