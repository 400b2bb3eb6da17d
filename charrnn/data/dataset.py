"""The interface of datasets: what a text (`Corpus`) and labelled texts (`Examples`) share."""

from __future__ import annotations

from typing import Any, Protocol

from charrnn.data.reading import TextOptions
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.nn.params import Ids


class Dataset(Protocol):
    """A dataset in three parts, with its vocabulary."""

    @property
    def name(self) -> str:
        """What runs on it are called."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols."""
        ...

    @property
    def parts(self) -> dict[str, Ids]:
        """The parts `train`, `valid` and `test`: symbols, or numbers of examples."""
        ...

    @property
    def chars(self) -> dict[str, int]:
        """The size of each part in characters, or in examples."""
        ...

    @property
    def contents(self) -> str:
        """What `chars` counts, in words."""
        ...

    @property
    def notes(self) -> list[str]:
        """Remarks for people on how it was read."""
        ...

    @property
    def sha256(self) -> str:
        """Identifies the contents."""
        ...

    @property
    def split(self) -> Split:
        """The split asked for."""
        ...

    @property
    def options(self) -> TextOptions:
        """How the files were read."""
        ...

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it, as plain data."""
        ...
