"""Splitting a dataset into a training, a validation and a test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.params import Ids

PARTS = ("train", "valid", "test")
PART_NAMES = {"train": "training", "valid": "validation", "test": "test"}
"""What people call the parts."""


@dataclass(frozen=True)
class Split:
    """The shares of the parts: training, validation and test, in this order in a text."""

    train: float = 0.9
    valid: float = 0.05
    test: float = 0.05

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `0.9,0.05,0.05`; a missing share is 0. A ConfigError if the sum is not 1."""
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if not 1 <= len(shares) <= 3 or not all(0 <= s <= 1 for s in shares) or shares[0] == 0:
            raise ConfigError(f"'{text}' is no split; write three shares such as 0.9,0.05,0.05.")
        if abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(
                f"The shares of the split {text} add up to {sum(shares):g}, not to 1."
            )
        return cls(*shares, *[0.0] * (3 - len(shares)))

    def __str__(self) -> str:
        return f"{self.train:g},{self.valid:g},{self.test:g}"

    def without(self, parts: list[str]) -> Split:
        """The split if these parts have files of their own: their shares go to training."""
        valid, test = (0.0 if p in parts else vars(self)[p] for p in ("valid", "test"))
        return Split(1 - valid - test, valid, test) if parts else self

    def cut(self, ids: Ids, name: str) -> dict[str, Ids]:
        """The three parts of `ids` `(N,)`. A CorpusError if a share above zero comes out empty."""
        ends = [0, *(round(len(ids) * s) for s in np.cumsum([self.train, self.valid])), len(ids)]
        if not self.test:
            ends[2] = len(ids)
        if not self.test and not self.valid:
            ends[1] = len(ids)
        parts = {s: ids[a:b] for s, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True)}
        for part, share in vars(self).items():
            if share and len(parts[part]) == 0:
                raise CorpusError(
                    f"{name} has {len(ids):,} characters, too few for a {PART_NAMES[part]} part of "
                    f"{share:g}; give another --split (1 trains on everything)."
                )
        return parts


def divide(labels: Ids, split: Split, seed: int) -> dict[str, Ids]:
    """The numbers of the texts of each part, ascending, from the class of each text `(N,)`.

    Every class is shuffled and cut separately. The two cuts of a class are shifted by one random
    number before rounding, so each part has each class's share to within one text, and over all
    classes neither too many nor too few texts. Every class has at least one training text.
    """
    rng = np.random.default_rng([4, seed])
    shares = np.cumsum([0.0, *vars(split).values()])
    numbers: dict[str, list[Ids]] = {part: [] for part in PARTS}
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = (shares / shares[-1] * len(members) + rng.random()).astype(np.intp)
        ends[1:] = np.maximum(ends[1:], 1)
        for part, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True):
            numbers[part].append(members[a:b])
    return {part: np.sort(np.concatenate(cut)) for part, cut in numbers.items()}
