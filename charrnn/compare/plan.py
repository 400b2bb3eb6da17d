"""The plan of a comparison: which models are trained, with which options and seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from charrnn.compare.sizing import hidden_for
from charrnn.compare.trial import Trial
from charrnn.config.resolve import resolve
from charrnn.data.corpus import Corpus
from charrnn.errors import ConfigError
from charrnn.models import LANGUAGE_MODEL_CELLS, NGram, count_parameters
from charrnn.tasks import LanguageModelConfig, TextFiles


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

    def model_configs(self, corpus: Corpus) -> list[LanguageModelConfig]:
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

    def trials(self, text: TextFiles, corpus: Corpus, folder: Path) -> list[Trial]:
        """All runs: n-grams, then the first run of each cell, then the second runs, and so on."""
        trials = []
        for n in range(self.seeds):
            for model in self.model_configs(corpus):
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
