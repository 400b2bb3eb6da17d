"""Training options: one frozen record, the same in Python, on the command line and in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from typing import Any, ClassVar, get_args

from charrnn.config.fields import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    Options,
    Range,
    flags,
    option,
    underscored,
)
from charrnn.data.code_points import Unit
from charrnn.data.reading import TextOptions
from charrnn.data.split import Split
from charrnn.errors import ConfigError
from charrnn.models import LANGUAGE_MODEL_CELLS, NetworkConfig, NGram
from charrnn.nn.cells import CELLS
from charrnn.optim.optimizers import OPTIMIZERS
from charrnn.optim.schedules import SCHEDULES

ALL_CELLS = (*LANGUAGE_MODEL_CELLS, NGram.kind)
"""The recurrent cells, and the n-gram model, which has none."""
BUDGETS = ("steps", "minutes", "epochs")
"""The options that limit training."""
BY_TEXT = "chosen by the text and the budget"
_BY_OPTIMIZER = ", ".join(f"{name} {o.default_lr:g}" for name, o in OPTIMIZERS.items())
_HIDDEN, _LAYERS = Range(least=1, most=100_000), Range(least=1, most=1000)
_TEXT: Any = {"group": "Text", "ngrams": True}
_NETWORK: Any = {"group": "Network"}
_BUDGET: Any = {"group": "Budget", "range": POSITIVE}
_OPTIMIZER: Any = {"group": "Optimizer"}
_EVALUATION: Any = {"group": "Evaluation", "ngrams": True, "range": NOT_NEGATIVE}


@dataclass(frozen=True)
class TrainConfig(Options):
    """The options that all tasks have in common. Each task has a class of its own, which adds the
    task's options and changes defaults: `LanguageModelConfig`, `FillConfig`, `ClassifyConfig`.

    Each field is a command-line option of the same name; its help text, range and choices are the
    field's metadata. Fields that are None are open: `resolve` fills them in. A value out of range
    is a ConfigError.
    """

    task: ClassVar[str]
    """The name that `--task` takes."""
    cells: ClassVar[tuple[str, ...]] = tuple(CELLS)
    """What `cell` may be."""
    task_defaults: ClassVar[Mapping[str, float]] = {}
    """Values that the task gives to open options, where the text does not decide."""

    cell: str = option(
        "gru", "Recurrent cell. Language models may also use jordan, jordan-forced and ngram, an "
        "n-gram model.", choices=CELLS, ngrams=True, **_NETWORK,
    )  # fmt: skip
    hidden: int | None = option(
        None,
        "Hidden size: units per layer.",
        range=Range(least=1, most=100_000),
        open=BY_TEXT,
        **_NETWORK,
    )
    layers: int | None = option(
        None,
        "Number of recurrent layers.",
        range=Range(least=1, most=1000),
        open=BY_TEXT,
        **_NETWORK,
    )
    residual: bool = option(
        False, "Add a residual (skip) connection around every layer above the first.", **_NETWORK
    )
    dropout: float | None = option(
        None, "Dropout: fraction of a layer's outputs dropped in training.",
        range=Range(least=0, below=1), open=BY_TEXT, **_NETWORK,
    )  # fmt: skip
    weight_dropout: float = option(
        0.0, "Fraction of the recurrent weights dropped in training.",
        range=Range(least=0, below=1), **_NETWORK,
    )  # fmt: skip
    init: float = option(
        0.0,
        "Draw initial weight matrices (not vectors such as biases) uniformly from [-X, X]; 0 uses "
        "the cell's own scheme.",
        range=NOT_NEGATIVE, **_NETWORK,
    )  # fmt: skip
    batch: int = option(
        50, "Batch size: streams of text processed in parallel.", range=COUNT, **_OPTIMIZER
    )
    seq: int = option(
        50, "Sequence length: symbols between two updates (truncated BPTT).", range=COUNT,
        **_OPTIMIZER,
    )  # fmt: skip
    epochs: float | None = option(
        None, "Passes over the text.", open="chosen by the length of the text", **_BUDGET
    )
    steps: int | None = option(None, "Updates.", **_BUDGET)
    minutes: float | None = option(
        None, "Minutes; the learning rate follows the time elapsed.", **_BUDGET
    )
    optimizer: str = option("adam", "Optimizer.", choices=OPTIMIZERS, **_OPTIMIZER)
    lr: float | None = option(
        None, "Peak learning rate.", range=POSITIVE, open=f"{_BY_OPTIMIZER}; less above 384 units",
        **_OPTIMIZER,
    )  # fmt: skip
    schedule: str = option("cosine", "Learning-rate schedule.", choices=SCHEDULES, **_OPTIMIZER)
    warmup: int = option(
        0, "Updates over which the learning rate rises from zero.", range=NOT_NEGATIVE, **_OPTIMIZER
    )
    decay: float = option(
        0.97, "With --schedule step: factor per epoch; with plateau: factor at each lowering.",
        range=Range(above=0, most=1), **_OPTIMIZER,
    )  # fmt: skip
    decay_after: float = option(
        10.0, "With --schedule step: epochs before the decay begins.", range=NOT_NEGATIVE,
        **_OPTIMIZER,
    )  # fmt: skip
    patience: int = option(
        3, "With --schedule plateau: evaluations without improvement before the learning rate is "
        "lowered.",
        range=COUNT, **_OPTIMIZER,
    )  # fmt: skip
    weight_decay: float | None = option(
        None, "Decoupled weight decay.", range=NOT_NEGATIVE, open=BY_TEXT, **_OPTIMIZER
    )
    clip: float = option(
        1.0, "Clip the norm of the gradient to this; 0 does not clip.", range=NOT_NEGATIVE,
        **_OPTIMIZER,
    )  # fmt: skip
    clip_value: float = option(
        0.0, "Clip each entry of the gradient to this; 0 does not clip.", range=NOT_NEGATIVE,
        **_OPTIMIZER,
    )  # fmt: skip
    workers: int = option(
        0, "Processes that share a batch (on each rank, under mpiexec); 0 uses one per core where "
        "that is faster.", range=NOT_NEGATIVE, **_OPTIMIZER,
    )  # fmt: skip
    seed: int = option(1, "Random seed.", range=NOT_NEGATIVE, group="Optimizer", ngrams=True)
    unit: Unit = option(  # noqa: RUF009
        "char", "What a symbol is: a character, a byte or a word.", choices=get_args(Unit), **_TEXT
    )
    encoding: str = option("utf-8", "Encoding of the text files.", metavar="NAME", **_TEXT)
    keep_newlines: bool = option(
        False, "Keep CRLF and CR instead of turning them into LF.", **_TEXT
    )
    min_count: int = option(
        1, "Replace symbols that occur less often by one unknown symbol.", range=COUNT, **_TEXT
    )
    split: str = option(
        "0.9,0.05,0.05", "Fractions for training, validation and test, in this order.",
        metavar="A,B,C", **_TEXT,
    )  # fmt: skip
    valid: str | None = option(
        None, "A file to validate on, in place of a fraction.", metavar="FILE", **_TEXT
    )
    test: str | None = option(
        None, "A file to test on, in place of a fraction.", metavar="FILE", **_TEXT
    )
    eval_every: int = option(
        0, "Updates between evaluations; 0: once per epoch, but 50 to 1000 updates apart.",
        group="Evaluation", range=NOT_NEGATIVE,
    )  # fmt: skip
    eval_chars: int = option(
        1_000_000, "Maximum number of characters to evaluate in each part; 0 means all.",
        **_EVALUATION,
    )  # fmt: skip
    sample_every: int = option(
        1, "Show a sample at every N-th evaluation; 0 shows none.", **_EVALUATION
    )

    def __post_init__(self) -> None:
        if self.cell not in self.cells and self.cell in ALL_CELLS:
            raise ConfigError(
                f"--task {self.task} does not work with --cell {self.cell}; there are: "
                f"{', '.join(self.cells)}."
            )
        super().__post_init__()
        cell = CELLS.get(self.cell)
        if self.weight_dropout and cell and not cell.has_recurrent_weights:
            raise ConfigError(f"--cell {self.cell} has no recurrent weights to drop.")
        Split.parse(self.split)

    @classmethod
    def default_text(cls, f: Field[Any]) -> str:
        """What the help says of the default of an option."""
        value = cls.task_defaults.get(f.name)
        return super().default_text(f) if value is None else f"{value:g}"

    @property
    def budgets(self) -> dict[str, float]:
        """The amount of training in each unit that limits it; at least one once resolved. Training
        stops at the first that is reached.
        """
        return {unit: n for unit in BUDGETS if (n := getattr(self, unit)) is not None}

    def network_config(self, vocab_size: int) -> NetworkConfig:
        """The shape of the network, once resolved."""
        assert self.hidden is not None
        assert self.layers is not None
        assert self.dropout is not None
        return NetworkConfig(vocab_size, self.cell, self.hidden, self.layers, self.dropout,
                             self.residual, self.weight_dropout)  # fmt: skip

    @property
    def peak_lr(self) -> float:
        """The peak learning rate, once resolved."""
        assert self.lr is not None
        return self.lr

    @property
    def model_name(self) -> str:
        """The cell and its size: `gru 2x192`."""
        return f"{self.cell} {self.layers}x{self.hidden}"

    @property
    def text_options(self) -> TextOptions:
        """How files are read."""
        return TextOptions(self.unit, self.encoding, self.keep_newlines, self.min_count)

    @property
    def option_names(self) -> set[str]:
        """The names of the options that apply to this cell: those of networks, or of n-grams."""
        applies, default = ("ngrams", False) if self.cell == NGram.kind else ("networks", True)
        return {f.name for f in fields(self) if f.metadata.get(applies, default)}

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        applying = {name: v for name, v in asdict(self).items() if name in self.option_names}
        return {"task": self.task, **applying}

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> TrainConfig:
        """The record of these options, whose names may be written with `-` or `_`.

        A ConfigError names an option that there is not, or that does not apply to the cell.
        """
        options = underscored(options)
        config = cls(**options)
        if unused := set(options) - config.option_names:
            raise ConfigError(f"--cell {config.cell} has no use for {flags(unused)}.")
        return config
