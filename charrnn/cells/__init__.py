"""The register of cells. Everything that offers a choice of cell reads it here."""

from __future__ import annotations

from charrnn.cells.base import Cell
from charrnn.cells.elman import Elman
from charrnn.cells.gru import GRU
from charrnn.cells.lstm import LSTM

CELLS: dict[str, Cell] = {cell.name: cell for cell in (Elman(), LSTM(), GRU())}
"""Every cell by the name that `--cell` takes."""

__all__ = ["CELLS", "Cell"]
