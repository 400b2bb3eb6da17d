"""Training, validation and test parts: contiguous parts of a text, stratified parts of examples."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.params import Ids, IntArray

PARTS = ("train", "valid", "test")
PART_NAMES = {"train": "training", "valid": "validation", "test": "test"}
"""The parts as messages name them."""


@dataclass(frozen=True)
class Split:
    """The shares of the training, validation and test parts. They add up to 1."""

    train: float = 0.9
    valid: float = 0.05
    test: float = 0.05

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `0.9,0.05,0.05`; a missing share is zero.

        Raises ConfigError if these are not one to three shares that add up to 1.
        """
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if not 1 <= len(shares) <= 3 or not all(0 <= s <= 1 for s in shares) or shares[0] == 0:
            raise ConfigError(f"'{text}' is not a split; write three shares such as 0.9,0.05,0.05.")
        if abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(
                f"The shares of the split {text} add up to {sum(shares):g}, not to 1."
            )
        return cls(*shares, *[0.0] * (3 - len(shares)))

    def __str__(self) -> str:
        return f"{self.train:g},{self.valid:g},{self.test:g}"

    def without(self, parts: Container[str]) -> Split:
        """The split of the main files if `parts` come from files of their own.

        Training takes over the shares of these parts.
        """
        valid, test = (0.0 if p in parts else getattr(self, p) for p in ("valid", "test"))
        return Split(1 - valid - test, valid, test)

    def cut(self, ids: Ids) -> dict[str, Ids]:
        """Three contiguous parts of ids `(N,)`: training, then validation, then test."""
        ends = [0, *(round(len(ids) * s) for s in np.cumsum([self.train, self.valid])), len(ids)]
        if not self.test:
            ends[2] = len(ids)
        if not self.test and not self.valid:
            ends[1] = len(ids)
        return {s: ids[a:b] for s, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True)}

    def check(self, parts: Mapping[str, Ids], text: str) -> None:
        """Raise CorpusError if a part whose share is above zero is empty.

        `text` begins the message: what was split, and how much of it there is.
        """
        for part, share in vars(self).items():
            if share and len(parts[part]) == 0:
                raise CorpusError(
                    f"{text}, too few for a {PART_NAMES[part]} part of {share:g}; "
                    "choose another --split (1 trains on everything)."
                )


def divide(labels: IntArray, split: Split, seed: int) -> dict[str, IntArray]:
    """A random stratified split: the indices of the examples in each part, in ascending order.

    Every class is split on its own. One random offset per class decides whether its boundaries are
    rounded up or down, so each part is less than one example away from its share of every class,
    and rounding does not favour any part over many classes. Every class keeps at least one
    training example. `labels` are class numbers `(N,)`.
    """
    rng = np.random.default_rng([4, seed])
    shares = np.cumsum([0.0, *vars(split).values()])
    pieces: dict[str, list[IntArray]] = {part: [] for part in PARTS}
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = (shares / shares[-1] * len(members) + rng.random()).astype(np.intp)
        ends[1:] = np.maximum(ends[1:], 1)
        for part, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True):
            pieces[part].append(members[a:b])
    return {part: np.sort(np.concatenate(indices)) for part, indices in pieces.items()}
