"""Training options: one frozen record, the same in Python, on the command line and in a file."""

from __future__ import annotations

import importlib
import math
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from charrnn.corpus import Split
from charrnn.errors import ConfigError, why
from charrnn.models import NETWORKS, NGram
from charrnn.optim import OPTIMIZERS, SCHEDULES
from charrnn.vocabulary import Unit

DEFAULT_RATES = {"adam": 4e-3, "rmsprop": 2e-3, "adagrad": 5e-2, "sgd": 0.2}
"""Learning rates that serve these networks well."""

LEARNERS = (*NETWORKS, NGram.kind)
"""What `--cell` takes: every recurrent cell, and the n-gram model, which has none."""
_OF_NGRAMS = {"order"}
_OF_BOTH = {"cell", "seed", "unit", "encoding", "keep_newlines", "min_count", "split", "valid",
            "test", "eval_chars", "sample_every"}  # fmt: skip


def _option(default: Any, help: str, **more: Any) -> Any:  # noqa: A002
    return field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a training run goes.

    Each field is a command-line option of the same name; its help text and its choices are the
    field's metadata. A value out of range is a ConfigError.
    """

    cell: str = _option("gru", "Recurrent cell; or ngram, which counts.", choices=LEARNERS)
    order: int = _option(6, "Length of the n-grams, 1 to 12, with --cell ngram.")
    hidden: int = _option(192, "Hidden size: units in a layer.")
    layers: int = _option(2, "Recurrent layers, stacked.")
    residual: bool = _option(False, "Layers above the first add to what is below them.")
    dropout: float = _option(0.1, "Share of a layer's outputs dropped in training.")
    batch: int = _option(50, "Lanes of text read side by side.")
    seq: int = _option(50, "Characters between two updates: the length of truncated BPTT.")
    reset: float = _option(0.01, "Chance that a lane forgets its state before a chunk.")
    epochs: float | None = _option(None, "Budget: passes over the text.  [default: 20]")
    steps: int | None = _option(None, "Budget: updates.")
    minutes: float | None = _option(None, "Budget: minutes; the schedule follows the clock.")
    optimizer: str = _option("adam", "Update rule.", choices=OPTIMIZERS)
    lr: float | None = _option(
        None, "Peak learning rate.  [default: adam 4e-3, rmsprop 2e-3, adagrad 5e-2, sgd 0.2]"
    )
    schedule: str = _option("cosine", "How the learning rate changes.", choices=SCHEDULES)
    warmup: int = _option(0, "Updates over which the learning rate rises from zero.")
    decay: float = _option(0.97, "What step (each epoch) and plateau multiply the rate by.")
    decay_after: float = _option(10.0, "Epochs before the schedule step begins.")
    patience: int = _option(3, "Evaluations without a best before plateau lowers the rate.")
    weight_decay: float = _option(0.0, "Decoupled weight decay.")
    clip: float = _option(1.0, "Largest norm of the gradient; 0 does not clip.")
    clip_value: float = _option(0.0, "Largest gradient entry; 0 does not clip.")
    seed: int = _option(1, "Random seed.")
    workers: int = _option(0, "Threads that share the lanes; 0: one a core, if it pays.")
    unit: Unit = _option(  # noqa: RUF009
        "char", "What a symbol is.", choices=("char", "byte")
    )
    encoding: str = _option("utf-8", "Encoding of the text files.")
    keep_newlines: bool = _option(False, "Leave CRLF and CR instead of turning them into LF.")
    min_count: int = _option(1, "Fold characters that occur less often into one unknown symbol.")
    split: str = _option("0.9,0.05,0.05", "Shares for training, validation and test, in order.")
    valid: str | None = _option(None, "A file to validate on, in place of a share.", metavar="FILE")
    test: str | None = _option(None, "A file to test on, in place of a share.", metavar="FILE")
    eval_every: int = _option(0, "Updates between evaluations; 0: an epoch, but 50 to 1000.")
    eval_chars: int = _option(1_000_000, "Most characters of a part to evaluate; 0 is no limit.")
    sample_every: int = _option(1, "Evaluations between two lines the model writes; 0: none.")

    def __post_init__(self) -> None:
        for name, kinds in _kinds().items():
            _check_kind(name, getattr(self, name), kinds)
        _one_of("cell", self.cell, LEARNERS)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("unit", self.unit, ("char", "byte"))
        for name in ("hidden", "layers", "batch", "seq", "min_count", "patience"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("epochs", "steps", "minutes", "lr"):
            value = getattr(self, name)
            _check(name, value, value is None or value > 0, "above 0")
        for name in ("clip", "clip_value", "workers", "warmup", "weight_decay", "seed",
                     "decay_after", "eval_every", "eval_chars", "sample_every"):  # fmt: skip
            _check(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")
        _check("order", self.order, 1 <= self.order <= 12, "between 1 and 12")
        _check("dropout", self.dropout, 0 <= self.dropout < 1, "at least 0 and below 1")
        _check("reset", self.reset, 0 <= self.reset <= 1, "between 0 and 1")
        _check("decay", self.decay, 0 < self.decay <= 1, "above 0 and at most 1")
        if sum(b is not None for b in (self.epochs, self.steps, self.minutes)) > 1:
            raise ConfigError("Give one budget: epochs, steps or minutes.")
        Split.parse(self.split)

    @property
    def budget(self) -> tuple[str, float]:
        """The unit and the amount of training: 20 epochs where nothing is said."""
        for unit in ("steps", "minutes", "epochs"):
            amount = getattr(self, unit)
            if amount is not None:
                return unit, float(amount)
        return "epochs", 20.0

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.lr if self.lr is not None else DEFAULT_RATES[self.optimizer]

    @property
    def title(self) -> str:
        """What learns, in a word or two, as its model says: `gru 2x192`, `ngram 6`."""
        if self.cell == NGram.kind:
            return f"{self.cell} {self.order}"
        return f"{self.cell} {self.layers}x{self.hidden}"

    @property
    def options(self) -> set[str]:
        """The names of the options that mean something to what learns."""
        if self.cell == NGram.kind:
            return _OF_NGRAMS | _OF_BOTH
        return {f.name for f in fields(self)} - _OF_NGRAMS

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return {name: value for name, value in asdict(self).items() if name in self.options}

    @classmethod
    def from_mapping(cls, data: dict[str, Any], origin: str) -> TrainConfig:
        """From plain data, option names written with `-` or `_`; `origin` is named in errors.

        An option that means nothing to the cell is a ConfigError, too.
        """
        known = {f.name for f in fields(cls)}
        named = {key.replace("-", "_"): value for key, value in data.items()}
        unknown = sorted(set(named) - known)
        if unknown:
            raise ConfigError(
                f"{origin} has an option charrnn does not know: {', '.join(unknown)}."
            )
        try:
            config = cls(**named)
            if idle := sorted(set(named) - config.options):
                names = ", ".join("--" + name.replace("_", "-") for name in idle)
                raise ConfigError(f"--cell {config.cell} has no use for {names}.")
            return config
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}" if origin else str(error)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file. Python 3.10 needs the extra `charrnn[toml]` for this."""
    toml: Any = None
    for name in ("tomllib", "tomli"):
        try:
            toml = importlib.import_module(name)
            break
        except ImportError:
            continue
    if toml is None:
        raise ConfigError("Python 3.10 reads TOML with an extra: pip install 'charrnn[toml]'.")
    try:
        data: dict[str, Any] = toml.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {why(error)}.") from None
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    return data


def _one_of(name: str, value: object, choices: Any) -> None:
    if value not in choices:
        raise ConfigError(f"There is no {name} '{value}'; there are: {', '.join(choices)}.")


@cache
def _kinds() -> dict[str, tuple[type, ...]]:
    """The types that each option may have."""
    hints = get_type_hints(TrainConfig)
    found = {}
    for f in fields(TrainConfig):
        hint = hints[f.name]
        plain = (str,) if get_origin(hint) is Literal else get_args(hint) or (hint,)
        found[f.name] = tuple(plain)
    return found


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _check_kind(name: str, value: object, kinds: tuple[type, ...]) -> None:
    """Exact types, but that a whole number will do for a number; and no infinity."""
    good = type(value) in kinds or (float in kinds and type(value) is int)
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        allowed = next(_NAMES[k] for k in kinds if k in _NAMES)
        raise ConfigError(f"{name.replace('_', '-')} is {value!r}; it must be {allowed}.")


def _check(name: str, value: object, good: bool, allowed: str) -> None:
    if not good:
        raise ConfigError(f"{name.replace('_', '-')} is {value}; it must be {allowed}.")
