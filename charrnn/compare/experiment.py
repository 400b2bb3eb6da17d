"""Experiments: which runs a comparison consists of, and the folder that keeps them.

The folder holds ordinary runs, `<cell>-<layers>x<hidden>-seed<n>` and `ngram-<order>`, and a record
of what they have in common, `compare.json`: the text and the training options. The same command
finds the same folder again, and in it the runs that are done; more cells or seeds add to them.
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
from charrnn.models import NETWORKS, NGram, parameters
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, Text, make_config

RECORD = "compare.json"
_OF_ONE_RUN = {"cell", "hidden", "layers", "order", "seed", "workers", "sample_every"}


@dataclass(frozen=True)
class Plan:
    """What is compared. A ConfigError where that makes no sense."""

    config: LanguageModelConfig
    """What all runs have in common. `seed` is that of the first run of each cell."""
    cells: tuple[str, ...] = ("rnn", "gru", "lstm")
    seeds: int = 3
    """Runs of each cell."""
    orders: tuple[int, ...] = ()
    """Of n-gram models, which are counted once."""
    params: int | None = None
    """Parameters of each network, about; without it the hidden size is that of `config`."""

    def __post_init__(self) -> None:
        for cell in self.cells:
            if cell not in NETWORKS:
                raise ConfigError(f"There is no cell '{cell}'; there are: {', '.join(NETWORKS)}.")
        for order in self.orders:
            replace(self.config, cell=NGram.kind, order=order)
        if len(self.config.budgets) > 1:
            raise ConfigError("Give one budget: epochs, steps or minutes.")
        if self.seeds < 1:
            raise ConfigError(f"seeds is {self.seeds}; it must be 1 or more.")
        if not self.cells and not self.orders:
            raise ConfigError("There is nothing to compare; name some --cells, or --ngram orders.")

    def common(self, corpus: Corpus) -> LanguageModelConfig:
        """The options of all runs on this corpus, whatever cells are compared: what is left open is
        chosen once, for the network that `config` names.
        """
        plain = replace(self.config, workers=1, sample_every=0)
        hidden = self._hidden(plain, corpus, strict=False)
        return resolve(replace(plain, hidden=hidden), corpus).config

    def models(self, corpus: Corpus) -> list[LanguageModelConfig]:
        """The options of each model's first run."""
        common = self.common(corpus)
        grams = (replace(common, cell=NGram.kind, order=n) for n in dict.fromkeys(self.orders))
        networks = (replace(common, cell=cell) for cell in dict.fromkeys(self.cells))
        return [*grams, *(replace(c, hidden=self._hidden(c, corpus)) for c in networks)]

    def _hidden(
        self, config: LanguageModelConfig, corpus: Corpus, *, strict: bool = True
    ) -> int | None:
        """The hidden size with which all have as many parameters, if that is asked for. Unless
        `strict` the least there can be will do.
        """
        if self.params is None:
            return config.hidden
        narrow = resolve(replace(config, hidden=1), corpus).config
        shape = narrow.network(len(corpus.vocabulary))
        return hidden_for(shape, self.params if strict else max(self.params, parameters(shape)))

    def trials(self, text: Text, corpus: Corpus, folder: Path) -> list[Trial]:
        """The runs: n-grams, then the first of each cell, then the second of each, and so on."""
        found = []
        for n in range(self.seeds):
            for model in self.models(corpus):
                if model.cell != NGram.kind:
                    one = replace(model, seed=model.seed + n)
                    found.append(Trial(text, corpus.sha256, one, folder / run_name(one)))
                elif n == 0:
                    found.append(Trial(text, corpus.sha256, model, folder / run_name(model)))
        return found


def run_name(config: LanguageModelConfig) -> str:
    """What the folder of a run is called."""
    name = config.model_name.replace(" ", "-")
    return name if config.cell == NGram.kind else f"{name}-seed{config.seed}"


def experiment_folder(corpus: Corpus, config: LanguageModelConfig, out: Path | None = None) -> Path:
    """The folder for runs on this corpus with these options: one that is there already, or a new
    one.

    Without `out`, `checkpoints/compare-<corpus>`, or with -2, -3 ... behind it where others have
    been there. A ConfigError names what differs where `out` was begun with other options.
    """
    record = _record(corpus, config)
    if out is not None:
        return _claim(out, record)
    for folder in _usual(corpus.name):
        if not folder.exists() or _read(folder) == record:
            return _claim(folder, record)
    raise AssertionError("there is always a next name")


def runs_in(folder: Path) -> list[Path]:
    """The run in a folder, or all those in its folders, if it holds such; of a comparison those
    that came to their end.
    """
    within = sorted(path.parent for path in folder.glob("*/best.npz"))
    if (folder / RECORD).is_file():
        ends = {path: Run(path).records()[-1:] for path in within}
        within = [path for path, end in ends.items() if end and end[0]["event"] == "measured"]
        if not within:
            raise CheckpointError(f"No run of {folder} is finished yet.")
    return within or [folder]


def _usual(name: str) -> Iterator[Path]:
    number = 1
    while True:
        yield Path("checkpoints", f"compare-{name}" + (f"-{number}" if number > 1 else ""))
        number += 1


def _record(corpus: Corpus, config: LanguageModelConfig) -> dict[str, Any]:
    text = {"name": corpus.name, "sha256": corpus.sha256}
    return {"corpus": text, "options": _shared(config)}


def _shared(config: TrainConfig) -> dict[str, Any]:
    """The options that all runs of an experiment have in common."""
    return {k: v for k, v in config.to_json().items() if k not in _OF_ONE_RUN}


def _read(folder: Path) -> dict[str, Any] | None:
    """The record of an experiment; None where there is none. Options that are newer than it have
    their defaults.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text("utf-8"))
        options = make_config(record["options"], RECORD)
        return {"corpus": record["corpus"], "options": _shared(options)}
    except (OSError, ValueError, TypeError, KeyError, ConfigError):
        return None


def _claim(folder: Path, record: dict[str, Any]) -> Path:
    """The folder, made if need be, with this record in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _read(folder)
        if before is None:
            new = folder / f".{RECORD}.part"
            if any(path != new for path in folder.iterdir()):
                raise ConfigError(f"{folder} holds something else; name a folder of its own.")
            new.write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")
            new.replace(folder / RECORD)
        elif before != record:
            raise ConfigError(
                f"{folder} was begun with {_difference(before, record)}; name another folder."
            )
    except OSError as error:
        raise CheckpointError(
            f"Cannot use {folder} for a comparison: {os_reason(error)}."
        ) from None
    return folder


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """In what two records differ, in words."""
    if before["corpus"] != now["corpus"]:
        return "another text"
    old, new = before["options"], now["options"]
    changed = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return ", ".join(f"--{k.replace('_', '-')} {old.get(k)} (now {new.get(k)})" for k in changed)
