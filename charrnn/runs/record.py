"""What a checkpoint says about the run that wrote it: typed records of the `meta` JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar, get_args, get_type_hints

T = TypeVar("T")


@dataclass
class Position:
    """How far training is: plain numbers that fit into JSON exactly."""

    step: int = 0
    """Training steps, one chunk each, even if the gradient was not finite and not applied. 1 for an
    n-gram model. `RunRecord.updates` counts the updates that were applied."""
    seconds: float = 0.0
    """Time spent training, in seconds."""


@dataclass
class TrainingState(Position):
    """The position of a network in training, and the running values that decide what comes next."""

    epoch: int = 0
    """Epochs completed."""
    chunk: int = 0
    """Chunks of this epoch already read."""
    learning_rate_factor: float = 1.0
    """The product of all halvings after an explosion and of all plateau decays."""
    recoveries: int = 0
    """Returns to the last good state after an explosion."""
    waiting: int = 0
    """Evaluations since the last improvement."""
    best: float | None = None
    """Lowest validation loss so far, in nats per character or, for classifiers, per text."""
    best_step: int = 0
    """Step of the lowest validation loss."""
    running_loss: float | None = None
    """Running mean of the training loss, in nats per prediction: per symbol or text."""
    evaluated: int = -1
    """Step of the newest evaluation."""


_KEYS = {"running_loss": "recent", "learning_rate_factor": "rate_factor"}
"""Fields that checkpoints store under another key."""


@dataclass(frozen=True)
class CorpusRecord:
    """The text that a model was trained on."""

    name: str
    sha256: str
    sources: tuple[str, ...]
    """Paths or corpus names; none for a string."""
    counts: Mapping[str, int]
    """Characters, or labelled texts, of each part."""
    counted: str = "chars"
    """The key of `counts` in JSON: `chars` or `examples`."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CorpusRecord:
        """The inverse of `to_json`. A KeyError or TypeError if the data is not a record."""
        counted = "examples" if "examples" in data else "chars"
        sources = typed(data["sources"], list)
        return cls(
            typed(data["name"], str), typed(data["sha256"], str),
            tuple(typed(source, str) for source in sources),
            {part: typed(n, int) for part, n in typed(data[counted], dict).items()}, counted,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "sources": list(self.sources),
            "sha256": self.sha256,
            self.counted: dict(self.counts),
        }


@dataclass(frozen=True)
class Metrics:
    """The losses of a run so far."""

    train: float | None
    """Running mean of the training loss, in nats per `per`."""
    valid: float | None
    """Lowest validation loss, in nats per `per`."""
    best_step: int
    """Step of the lowest validation loss."""
    per: str = "char"
    """What a loss is a mean over: `char` or `example`."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Metrics:
        """The inverse of `to_json`. A KeyError or TypeError if the data is not a record."""
        per = "example" if "valid_nats_per_example" in data else "char"
        train, valid = (_number(data[f"{part}_nats_per_{per}"]) for part in ("train", "valid"))
        return cls(train, valid, typed(data["best_step"], int), per)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            f"train_nats_per_{self.per}": self.train,
            f"valid_nats_per_{self.per}": self.valid,
            "best_step": self.best_step,
        }


@dataclass(frozen=True)
class RunRecord:
    """Where a model comes from. A model that was not trained by a run has an empty record."""

    version: str | None = None
    """The version of charrnn that wrote it."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The training options, as `TrainConfig.to_json` gives them."""
    corpus: CorpusRecord | None = None
    position: Position | None = None
    """A `TrainingState` if the model is a network."""
    metrics: Metrics | None = None
    updates: int | None = None
    """Updates that the optimizer has applied; None for an n-gram model."""
    reduction_order: list[int] | None = None
    """Identifies the order in which the gradients of the streams are summed: `[number of workers on
    all ranks, workers per rank]`, with 0 for the second if the order does not depend on it. None
    for an n-gram model."""

    @property
    def step(self) -> int:
        """Training steps; 0 if unknown."""
        return self.position.step if self.position else 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRecord:
        """The inverse of `to_json`; other keys are ignored. A KeyError or TypeError if a
        value is not what it should be.
        """
        return cls(
            _optional(data, "version", lambda value: typed(value, str)),
            _options(typed(data.get("config", {}), dict)),
            _optional(data, "corpus", CorpusRecord.from_json),
            _optional(data, "position", _position_from_json),
            _optional(data, "metrics", Metrics.from_json),
            _optional(data, "updates", lambda value: typed(value, int)),
            _optional(data, "order", _integers),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, without what is unknown."""
        data = {
            "version": self.version,
            "config": dict(self.config) or None,
            "corpus": self.corpus and self.corpus.to_json(),
            "position": self.position and _position_to_json(self.position),
            "metrics": self.metrics and self.metrics.to_json(),
            "updates": self.updates,
            "order": self.reduction_order,
        }
        return {key: value for key, value in data.items() if value is not None}


def typed(value: Any, kind: type[T]) -> T:
    """The value, if it is of exactly this type; a TypeError if not."""
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} is not of type {kind.__name__}")
    return value


def _number(value: Any) -> float | None:
    """A number or None; a TypeError for anything else."""
    return None if value is None else float(value if type(value) is int else typed(value, float))


def _options(config: dict[str, Any]) -> dict[str, Any]:
    """Training options; those that are used with a trained model are checked here, all others when
    training resumes.
    """
    for name, kind in (("encoding", str), ("keep_newlines", bool), ("optimizer", str),
                       ("schedule", str)):  # fmt: skip
        if name in config:
            typed(config[name], kind)
    share = config.get("mask", 1)
    if type(share) not in (int, float) or not 0 < share <= 1:
        raise ValueError(f"mask is {str(share)[:40]!r}")
    return config


def _integers(value: Any) -> list[int]:
    return [typed(number, int) for number in typed(value, list)]


def _optional(data: Mapping[str, Any], key: str, read: Any) -> Any:
    return read(data[key]) if data.get(key) is not None else None


def _position_to_json(position: Position) -> dict[str, Any]:
    return {_KEYS.get(name, name): value for name, value in asdict(position).items()}


def _position_from_json(data: Mapping[str, Any]) -> Position:
    """A `TrainingState`, or if there is only a step and a time (n-grams), a `Position`."""
    names = {_KEYS.get(f.name, f.name): f.name for f in fields(TrainingState)}
    hints = get_type_hints(TrainingState)
    values: dict[str, Any] = {}
    for key, value in typed(data, dict).items():
        name = names[key]
        is_float = float in (hints[name], *get_args(hints[name]))
        values[name] = _number(value) if is_float else typed(value, int)
    return (TrainingState if "chunk" in data else Position)(**values)
