"""What training reports. The trainer yields these; whoever listens decides what to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.language.evaluate import Loss


@dataclass(frozen=True)
class Started:
    """Before the first step of this session."""

    parameters: int
    batch: int
    seq: int
    steps_per_epoch: int
    chars: dict[str, int]
    """Characters in each part."""
    step: int
    """Steps already done, above 0 when a run is resumed."""
    ranks: int
    """Processes that share the streams."""
    workers: int
    """Threads of each of them."""
    chosen: dict[str, Any]
    """Options that were left open, and what they are for this text and budget."""


@dataclass(frozen=True)
class Stepped:
    """One update was made."""

    step: int
    epoch: float
    share: float
    """Of the budget, 0 to 1."""
    train: Loss
    """Running mean over the last steps."""
    lr: float
    gradient_norm: float
    chars_per_second: float
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    """The validation part was read."""

    step: int
    epoch: float
    train: Loss
    valid: Loss | None
    best: bool
    """Whether this is the best so far."""
    lr: float
    chars_per_second: float
    seconds: float


@dataclass(frozen=True)
class Sampled:
    """A line or two that the model writes now."""

    step: int
    text: str


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class Recovered:
    """The loss blew up: training went back and goes on with half the learning rate."""

    step: int
    back_to: int
    lr: float
    attempt: int


@dataclass(frozen=True)
class Finished:
    """The end: the budget is used up, or somebody asked to stop."""

    step: int
    epoch: float
    stopped: bool
    losses: dict[str, Loss]
    """Of the best model, on each part that is not empty; nothing after a stop."""
    best_step: int
    parameters: int
    chars_per_second: float
    seconds: float


Event = Started | Stepped | Evaluated | Sampled | Saved | Recovered | Finished


def to_json(event: Event) -> dict[str, Any]:
    """An event as plain data. `event` names its kind; a loss becomes its three units, those of
    validation (or else training) also at the top level.
    """
    data: dict[str, Any] = {"event": type(event).__name__.lower()}
    for name, value in vars(event).items():
        data[name] = _plain(value)
    chief = data.get("valid") or data.get("train")
    return data | {k: v for k, v in (chief or {}).items() if isinstance(event, Stepped | Evaluated)}


def _plain(value: Any) -> Any:
    if isinstance(value, Loss):
        return value.to_json()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return str(value) if isinstance(value, Path) else value
