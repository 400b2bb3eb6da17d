"""What every way of learning has in common: a corpus, options, a run to write to, events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from charrnn.config.defaults import resolve_defaults
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.language.evaluate import Loss
from charrnn.models import Model
from charrnn.runs.run import Run
from charrnn.tasks import TASKS
from charrnn.training.events import Event, Sampled
from charrnn.training.parallel.group import ProcessGroup
from charrnn.version import __version__


class Trainer(ABC):
    """A model learning a corpus. `events()` does the work; `stop()` ends it at the next pause."""

    model: Model
    chosen: dict[str, Any]
    """Options that were left open, and what they are for this text and budget."""

    @property
    def reduction_changed(self) -> bool:
        """Whether other ranks or workers than before go on with a resumed run."""
        return False

    def __init__(
        self,
        corpus: Corpus,
        config: TrainConfig,
        run: Run | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        """With `run`, checkpoints and a log are written there, by rank 0 of the group."""
        self.corpus, self.run, self.group = corpus, run, group or ProcessGroup()
        self.config = resolve_all(config, corpus)
        self.chosen = self.config.resolved_fields(config)
        self.task = TASKS[config.task](corpus, self.config)

    @abstractmethod
    def events(self) -> Iterator[Event]:
        """Learn, reporting what happens."""

    @property
    @abstractmethod
    def share(self) -> float:
        """How much of the budget is used up: 1 when there is nothing left to learn."""

    @property
    @abstractmethod
    def best(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""

    def stop(self) -> None:
        """Ask for the end: what is going on is finished and saved, then `events()` ends."""
        self.group.stop()

    def _losses(self, model: Any) -> dict[str, Loss]:
        """The loss on each part that is not empty; nothing once somebody asked to stop."""
        losses, limit = {}, self.config.eval_chars or None
        for name, part in self.corpus.parts.items():
            if not self.group.stopping and len(part):
                losses[name] = self.group.run_on_root(
                    partial(self.task.evaluate, model, name, limit)
                )
        return {} if self.group.stopping else losses

    def _sample(self, model: Any, step: int) -> Iterator[Sampled]:
        """Something to look at, where the task has it and it is asked for; by rank 0."""
        if self.config.sample_every and self.group.rank == 0:
            text = self.task.sample(model, step)
            if text is not None:
                yield Sampled(step, text)

    def _record(self) -> dict[str, Any]:
        """What every checkpoint says of where its model comes from."""
        return {
            "version": __version__,
            "config": self.config.to_json(),
            "corpus": self.corpus.record(),
        }


def resolve_all(config: TrainConfig, corpus: Corpus) -> TrainConfig:
    """The options with which a corpus is learned: those that it decides, and those left open."""
    text = corpus.options
    return replace(
        resolve_defaults(config, len(corpus.parts["train"])), split=str(corpus.split),
        unit=text.unit, encoding=text.encoding, keep_newlines=text.keep_newlines,
        min_count=text.min_count,
    )  # fmt: skip
