"""Experiments: the runs of a comparison, and the folder that stores them.

The folder holds ordinary runs, named `<cell>-<layers>x<hidden>-seed<n>` or `ngram-<order>`, and
`compare.json`, which records what they share: the text and the training options. The same command
uses the same folder again and skips finished runs; more cells or seeds add runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn.compare.sizing import hidden_for
from charrnn.compare.trial import Trial
from charrnn.config.resolve import resolve
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.errors import CheckpointError, ConfigError, os_reason
from charrnn.models import LANGUAGE_MODEL_CELLS, NGram, count_parameters
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, Text, make_config

RECORD = "compare.json"
_OF_ONE_RUN = {"cell", "hidden", "layers", "order", "seed", "workers", "sample_every"}


@dataclass(frozen=True)
class Plan:
    """What to compare. Raises ConfigError for invalid values."""

    config: LanguageModelConfig
    """Options that all runs share. `seed` is the seed of the first run of each cell."""
    cells: tuple[str, ...] = ("rnn", "gru", "lstm")
    seeds: int = 3
    """Number of runs per cell."""
    orders: tuple[int, ...] = ()
    """Orders of n-gram models; they have no seed, and so one run each."""
    params: int | None = None
    """Approximate parameters of each network; if None, `config` gives the hidden size."""

    def __post_init__(self) -> None:
        for cell in self.cells:
            if cell not in LANGUAGE_MODEL_CELLS:
                raise ConfigError(
                    f"There is no cell '{cell}'; there are: {', '.join(LANGUAGE_MODEL_CELLS)}."
                )
        for order in self.orders:
            replace(self.config, cell=NGram.kind, order=order)
        if len(self.config.budgets) > 1:
            raise ConfigError("Give one budget: epochs, steps or minutes.")
        if self.seeds < 1:
            raise ConfigError(f"seeds is {self.seeds}; it must be 1 or more.")
        if not self.cells and not self.orders:
            raise ConfigError("There is nothing to compare; give --cells or --ngram orders.")

    def common(self, corpus: Corpus) -> LanguageModelConfig:
        """The options that all runs on this corpus share.

        Open options are resolved once, for the network in `config`, so that they do not depend on
        which cells are compared.
        """
        plain = replace(self.config, workers=1, sample_every=0)
        hidden = self._hidden(plain, corpus, strict=False)
        return resolve(replace(plain, hidden=hidden), corpus).config

    def models(self, corpus: Corpus) -> list[LanguageModelConfig]:
        """The options of the first run of each model."""
        common = self.common(corpus)
        ngrams = (replace(common, cell=NGram.kind, order=n) for n in dict.fromkeys(self.orders))
        networks = (replace(common, cell=cell) for cell in dict.fromkeys(self.cells))
        return [*ngrams, *(replace(c, hidden=self._hidden(c, corpus)) for c in networks)]

    def _hidden(
        self, config: LanguageModelConfig, corpus: Corpus, *, strict: bool = True
    ) -> int | None:
        """The hidden size that gives `params` parameters, if set.

        If even the smallest network has more, raises ConfigError, or returns 1 if not `strict`.
        """
        if self.params is None:
            return config.hidden
        narrow = resolve(replace(config, hidden=1), corpus).config
        shape = narrow.network_config(len(corpus.vocabulary))
        return hidden_for(
            shape, self.params if strict else max(self.params, count_parameters(shape))
        )

    def trials(self, text: Text, corpus: Corpus, folder: Path) -> list[Trial]:
        """All runs: n-grams, then the first run of each cell, then the second runs, and so on."""
        trials = []
        for n in range(self.seeds):
            for model in self.models(corpus):
                if model.cell != NGram.kind:
                    seeded = replace(model, seed=model.seed + n)
                    trials.append(Trial(text, corpus.sha256, seeded, folder / run_name(seeded)))
                elif n == 0:
                    trials.append(Trial(text, corpus.sha256, model, folder / run_name(model)))
        return trials


def run_name(config: LanguageModelConfig) -> str:
    """Name of the folder of a run."""
    name = config.model_name.replace(" ", "-")
    return name if config.cell == NGram.kind else f"{name}-seed{config.seed}"


def experiment_folder(corpus: Corpus, config: LanguageModelConfig, out: Path | None = None) -> Path:
    """Find or create the folder for runs on this corpus with these options.

    Without `out`, this is `checkpoints/compare-<corpus>`, with the suffix -2, -3 ... if other
    comparisons use that name. Raises ConfigError, which names the difference, if `out` belongs to
    a comparison with other options.
    """
    record = _record(corpus, config)
    if out is not None:
        return _claim(out, record)
    for folder in _default_folders(corpus.name):
        if not folder.exists() or _read(folder) == record:
            return _claim(folder, record)
    raise AssertionError("the names never end")


def runs_in(folder: Path) -> list[Path]:
    """The runs in the subfolders of a folder, or the folder itself if it has none.

    For a comparison, only finished runs. Raises CheckpointError if it has none.
    """
    runs = sorted(path.parent for path in folder.glob("*/best.npz"))
    if (folder / RECORD).is_file():
        last = {path: Run(path).records()[-1:] for path in runs}
        runs = [
            path for path, records in last.items() if records and records[0]["event"] == "measured"
        ]
        if not runs:
            raise CheckpointError(f"No run of {folder} is finished yet.")
    return runs or [folder]


def _default_folders(name: str) -> Iterator[Path]:
    number = 1
    while True:
        yield Path("checkpoints", f"compare-{name}" + (f"-{number}" if number > 1 else ""))
        number += 1


def _record(corpus: Corpus, config: LanguageModelConfig) -> dict[str, Any]:
    text = {"name": corpus.name, "sha256": corpus.sha256}
    return {"corpus": text, "options": _shared(config)}


def _shared(config: TrainConfig) -> dict[str, Any]:
    """The options that all runs of an experiment share."""
    return {k: v for k, v in config.to_json().items() if k not in _OF_ONE_RUN}


def _read(folder: Path) -> dict[str, Any] | None:
    """The record of an experiment, or None if there is none.

    Options that it lacks, because they were added later, have their defaults.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text("utf-8"))
        options = make_config(record["options"], RECORD)
        return {"corpus": record["corpus"], "options": _shared(options)}
    except (OSError, ValueError, TypeError, KeyError, ConfigError):
        return None


def _claim(folder: Path, record: dict[str, Any]) -> Path:
    """Create the folder, if it is missing, and write the record."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _read(folder)
        if before is None:
            temporary = folder / f".{RECORD}.part"
            if any(path != temporary for path in folder.iterdir()):
                raise ConfigError(f"{folder} holds something else; give an empty or new folder.")
            temporary.write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")
            temporary.replace(folder / RECORD)
        elif before != record:
            raise ConfigError(
                f"{folder} was begun with {_difference(before, record)}; give another folder."
            )
    except OSError as error:
        raise CheckpointError(
            f"Cannot use {folder} for a comparison: {os_reason(error)}."
        ) from None
    return folder


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Describe the difference of two records."""
    if before["corpus"] != now["corpus"]:
        return "another text"
    old, new = before["options"], now["options"]
    changed = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return ", ".join(f"--{k.replace('_', '-')} {old.get(k)} (now {new.get(k)})" for k in changed)
