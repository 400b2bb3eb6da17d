"""Events that a trainer yields. `to_json` gives them as JSON, so field names are JSON keys.

`seconds` is the time spent training and evaluating so far; a resumed run counts on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.language.evaluate import Loss


@dataclass(frozen=True)
class Started:
    """Training starts or resumes."""

    parameters: int
    batch: int
    seq: int
    steps_per_epoch: int
    chars: Mapping[str, int]
    """Characters in each part."""
    step: int
    """Steps already done: above 0 if the run is resumed."""
    ranks: int
    """MPI ranks that split the streams."""
    workers: int
    """Workers per rank, including the rank itself."""
    chosen: dict[str, Any]
    """Values chosen for this text and budget of options that were not given."""


@dataclass(frozen=True)
class Stepped:
    """One training step is done."""

    step: int
    epoch: float
    share: float
    """Fraction of the budget used, from 0 to 1."""
    train: Loss
    """Running mean of the training loss."""
    lr: float
    gradient_norm: float
    """L2 norm of the gradient, after clipping by value and before clipping by norm."""
    chars_per_second: float
    """Running mean of the training speed, evaluation excluded."""
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    """The model was evaluated on the validation part."""

    step: int
    epoch: float
    train: Loss
    valid: Loss | None
    best: bool
    """Whether the loss is the lowest so far."""
    lr: float
    chars_per_second: float
    seconds: float


@dataclass(frozen=True)
class Sampled:
    """A sample from the current model."""

    step: int
    text: str


@dataclass(frozen=True)
class Saved:
    """A checkpoint was saved."""

    step: int
    path: Path


@dataclass(frozen=True)
class Recovered:
    """The loss diverged: training went back and continues with half the learning rate."""

    step: int
    back_to: int
    lr: float
    attempt: int


@dataclass(frozen=True)
class Finished:
    """Training ended: the budget is used up, or a stop was requested."""

    step: int
    epoch: float
    stopped: bool
    losses: dict[str, Loss]
    """Losses of the best model on each part that is not empty; empty after a stop."""
    best_step: int
    parameters: int
    chars_per_second: float
    seconds: float


Event = Started | Stepped | Evaluated | Sampled | Saved | Recovered | Finished


def to_json(event: Event) -> dict[str, Any]:
    """An event as a JSON object. The key `event` names its type.

    A loss becomes an object of three units. For `Stepped` and `Evaluated`, the units of the
    validation loss, or else of the training loss, are also at the top level.
    """
    data: dict[str, Any] = {"event": type(event).__name__.lower()}
    for name, value in vars(event).items():
        data[name] = _jsonable(value)
    main_loss = data.get("valid") or data.get("train")
    if main_loss and isinstance(event, Stepped | Evaluated):
        data |= main_loss
    return data


def _jsonable(value: Any) -> Any:
    if isinstance(value, Loss):
        return value.to_json()
    if isinstance(value, dict):
        return {k: _jsonable(v) for k, v in value.items()}
    return str(value) if isinstance(value, Path) else value
