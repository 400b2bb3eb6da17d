"""Training options: one frozen record, the same in Python, on the command line and in a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from charrnn.config.fields import ByTask, check, check_kind, kinds_of, one_of, option
from charrnn.data.code_points import Unit
from charrnn.data.reading import TextOptions
from charrnn.data.split import Split
from charrnn.errors import ConfigError
from charrnn.models import NETWORKS, NetworkConfig, NGram
from charrnn.nn.cells import CELLS
from charrnn.optim.optimizers import OPTIMIZERS, SCHEDULES

LEARNERS = (*NETWORKS, NGram.kind)
"""What `--cell` takes: every recurrent cell, and the n-gram model, which has none."""
CLASS_WEIGHTS = {"none": 0.0, "root": 0.5, "balanced": 1.0}
"""A text counts as the frequency of its class to minus this power."""
TASK_NAMES = ("lm", "fill", "classify")
"""What `--task` takes; `tasks.TASKS` has them."""
BUDGETS = ("steps", "minutes", "epochs")
"""What training may be measured in."""
_OF_NGRAMS = {"order"}
_OF_TASKS = {
    "lm": {"reset"}, "fill": {"mask"}, "classify": {"bidirectional", "class_weights"},
}  # fmt: skip
"""What means something to one task only."""
_OF_BOTH = {"task", "cell", "seed", "unit", "encoding", "keep_newlines", "min_count", "split",
            "valid", "test", "eval_chars", "sample_every"}  # fmt: skip


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a training run goes.

    Each field is a command-line option of the same name; its help text and its choices are the
    field's metadata. A value out of range is a ConfigError.
    """

    task: str = option(
        "lm", "What to learn: lm, the next character; fill, hidden ones; classify, the class of a "
        "text.", choices=TASK_NAMES,
    )  # fmt: skip
    cell: str = option("gru", "Recurrent cell; or ngram, which counts.", choices=LEARNERS)
    order: int = option(6, "Length of the n-grams, 1 to 12, with --cell ngram.")
    hidden: int | None = option(
        ByTask(None, fill=192, classify=128), "Hidden size: units in a layer."
    )
    layers: int | None = option(ByTask(None, fill=2, classify=1), "Recurrent layers, stacked.")
    residual: bool = option(
        False, "Add a residual (skip) connection around every layer above the first."
    )
    bidirectional: bool = option(True, "With --task classify, read the text in both directions.")
    dropout: float | None = option(
        ByTask(None, fill=0.1, classify=0.3),
        "Share of a layer's outputs dropped in training.",
    )
    weight_dropout: float = option(0.0, "Share of the recurrent weights dropped in training.")
    batch: int = option(50, "Batch size: streams of text processed in parallel.")
    seq: int = option(
        ByTask(50, classify=256),
        "Symbols between two updates: the length of truncated BPTT. With --task classify, those "
        "that are read of a text.",
    )
    init: float = option(
        0.0,
        "Draw initial weights (not biases) uniformly from [-X, X]; 0 uses the cell's own scheme.",
    )
    reset: float = option(0.01, "Chance that a stream forgets its state before a chunk.")
    mask: float = option(0.15, "Share of the characters that is hidden, with --task fill.")
    class_weights: str = option(
        "none", "With --task classify: balanced has every class count the same, root is half way.",
        choices=CLASS_WEIGHTS,
    )  # fmt: skip
    epochs: float | None = option(
        None, "Budget: passes over the text.  [default: by its length; 20 to fill, 15 to classify]"
    )
    steps: int | None = option(None, "Budget: updates.")
    minutes: float | None = option(
        None,
        "Budget: minutes; the schedule follows the clock. If several budgets are given, training "
        "stops at the first one reached.",
    )
    optimizer: str = option("adam", "Update rule.", choices=OPTIMIZERS)
    lr: float | None = option(
        None, "Peak learning rate.  [default: adam 4e-3, rmsprop 2e-3, adagrad 5e-2, sgd 0.2; less "
        "above 384 units]",
    )  # fmt: skip
    schedule: str = option("cosine", "How the learning rate changes.", choices=SCHEDULES)
    warmup: int = option(0, "Updates over which the learning rate rises from zero.")
    decay: float = option(0.97, "What step (each epoch) and plateau multiply the rate by.")
    decay_after: float = option(10.0, "Epochs before the schedule step begins.")
    patience: int = option(3, "Evaluations without a best before plateau lowers the rate.")
    weight_decay: float | None = option(
        ByTask(None, fill=0.0, classify=0.0), "Decoupled weight decay."
    )
    clip: float = option(1.0, "Largest norm of the gradient; 0 does not clip.")
    clip_value: float = option(0.0, "Largest gradient entry; 0 does not clip.")
    seed: int = option(1, "Random seed.")
    workers: int = option(
        0,
        "Processes that share a batch (of each rank, under mpiexec); 0 uses one a core where that "
        "is faster.",
    )
    unit: Unit = option(  # noqa: RUF009
        "char", "What a symbol is: a character, a byte, a word.", choices=get_args(Unit)
    )
    encoding: str = option("utf-8", "Encoding of the text files.")
    keep_newlines: bool = option(False, "Leave CRLF and CR instead of turning them into LF.")
    min_count: int = option(1, "Fold symbols that occur less often into one unknown symbol.")
    split: str = option(
        ByTask("0.9,0.05,0.05", classify="0.8,0.1,0.1"),
        "Shares for training, validation and test, in order; to classify, of each class.",
    )
    valid: str | None = option(None, "A file to validate on, in place of a share.", metavar="FILE")
    test: str | None = option(None, "A file to test on, in place of a share.", metavar="FILE")
    eval_every: int = option(
        0, "Updates between evaluations; 0 means once an epoch, clamped to 50-1000 updates."
    )
    eval_chars: int = option(1_000_000, "Most characters of a part to evaluate; 0 is no limit.")
    sample_every: int = option(1, "Evaluations between two lines the model writes; 0: none.")

    def __post_init__(self) -> None:
        for f in fields(self):
            if isinstance(default := getattr(self, f.name), ByTask):
                object.__setattr__(self, f.name, default.of(self.task))
        for name, kinds in kinds_of(TrainConfig).items():
            check_kind(name, getattr(self, name), kinds)
        one_of("task", self.task, TASK_NAMES)
        one_of("cell", self.cell, LEARNERS)
        if self.task != "lm" and self.cell not in CELLS:
            raise ConfigError(
                f"--task {self.task} cannot be learned with --cell {self.cell}; there are: "
                f"{', '.join(CELLS)}."
            )
        if self.weight_dropout and self.cell in CELLS and not CELLS[self.cell].recurrent:
            raise ConfigError(f"--cell {self.cell} has no recurrent weights to drop.")
        one_of("class weights", self.class_weights, CLASS_WEIGHTS)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("unit", self.unit, get_args(Unit))
        for name in ("layers", "batch", "seq", "min_count", "patience"):
            check(name, v := getattr(self, name), v is None or v >= 1, "1 or more")
        for name in ("hidden", "epochs", "steps", "minutes", "lr"):
            check(name, v := getattr(self, name), v is None or v > 0, "above 0")
        for name in ("clip", "clip_value", "workers", "warmup", "weight_decay", "seed", "init",
                     "decay_after", "eval_every", "eval_chars", "sample_every"):  # fmt: skip
            check(name, getattr(self, name), (getattr(self, name) or 0) >= 0, "0 or more")
        check("order", self.order, 1 <= self.order <= 12, "between 1 and 12")
        for name in ("dropout", "weight_dropout"):
            value = getattr(self, name)
            check(name, value, 0 <= (value or 0) < 1, "at least 0 and below 1")
        check("reset", self.reset, 0 <= self.reset <= 1, "between 0 and 1")
        check("mask", self.mask, 0 < self.mask <= 1, "above 0 and at most 1")
        check("decay", self.decay, 0 < self.decay <= 1, "above 0 and at most 1")
        Split.parse(self.split)

    def resolved_fields(self, given: TrainConfig) -> dict[str, Any]:
        """The options that `given` leaves open and that are settled here."""
        mine, theirs = vars(self), vars(given)
        return {n: v for n, v in mine.items() if v is not None and theirs[n] is None}

    @property
    def budgets(self) -> dict[str, float]:
        """The amount of training in each unit that it is measured in, one at least once it is
        `defaults.resolve_defaults`. What is used up first ends it.
        """
        return {unit: n for unit in BUDGETS if (n := getattr(self, unit)) is not None}

    def network(self, symbols: int) -> NetworkConfig:
        """The shape of a network for so many distinct symbols, once it is
        `defaults.resolve_defaults`.
        """
        assert self.hidden is not None
        assert self.layers is not None
        assert self.dropout is not None
        return NetworkConfig(symbols, self.cell, self.hidden, self.layers, self.dropout,
                             self.residual, self.weight_dropout)  # fmt: skip

    @property
    def rate(self) -> float:
        """The peak learning rate, once it is `defaults.resolve_defaults`."""
        assert self.lr is not None
        return self.lr

    @property
    def model_name(self) -> str:
        """What learns, as its model says: `gru 2x192`, `ngram 6`."""
        shape = self.order if self.cell == NGram.kind else f"{self.layers}x{self.hidden}"
        return f"{self.cell} {shape}"

    @property
    def text_options(self) -> TextOptions:
        """How files are read."""
        return TextOptions(self.unit, self.encoding, self.keep_newlines, self.min_count)

    @property
    def options(self) -> set[str]:
        """The names of the options that mean something to what learns."""
        if self.cell == NGram.kind:
            return _OF_NGRAMS | _OF_BOTH
        of_others = set().union(*(names for task, names in _OF_TASKS.items() if task != self.task))
        return {f.name for f in fields(self)} - _OF_NGRAMS - of_others

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return {name: value for name, value in asdict(self).items() if name in self.options}

    @classmethod
    def from_mapping(cls, data: dict[str, Any], origin: str) -> TrainConfig:
        """From plain data, option names written with `-` or `_`; `origin` is named in errors.

        An option that means nothing to the cell or the task is a ConfigError, too.
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
                by_task = set(idle) <= set().union(*_OF_TASKS.values()) - _OF_NGRAMS
                what = f"task {config.task}" if by_task else f"cell {config.cell}"
                raise ConfigError(f"--{what} has no use for {names}.")
            return config
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}" if origin else str(error)) from None
