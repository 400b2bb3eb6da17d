"""Resuming a run: its texts and options, and which options may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charrnn.config.fields import flags, underscored
from charrnn.config.train_config import BUDGETS, TrainConfig
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.record import CorpusRecord
from charrnn.runs.run import Run
from charrnn.system.paths import path_exists
from charrnn.tasks import make_config

_ADJUSTABLE = {*BUDGETS, "valid", "test", "workers", "eval_every", "eval_chars", "sample_every"}
"""Options that may change when a run is resumed."""


def stored_run(
    where: Path, sources: Sequence[str] = (), options: Mapping[str, Any] = {}, origin: str = ""
) -> tuple[Run, tuple[str, ...], TrainConfig]:
    """The run in a directory (or of a file in it), the names of its texts, or `sources` instead,
    and its options, changed by `options`.

    A CheckpointError if there is nothing to resume, a ConfigError, which begins with `origin`, if
    an option cannot change.
    """
    if not path_exists(where):
        raise CheckpointError(f"There is no run {str(where)[:80]}.")
    run = Run(where if where.is_dir() else where.parent)
    if run.best.exists() and checkpoint.read_meta(run.best).get("kind") == NGram.kind:
        raise CheckpointError(
            f"There is nothing to resume in {where}: n-grams are counted in one pass. To count "
            "others: charrnn train CORPUS --cell ngram --order N."
        )
    if not run.last.exists():
        raise CheckpointError(f"{where} is not a run that can be resumed: it has no last.npz.")
    meta = checkpoint.read_meta(run.last)
    stored = make_config(meta["config"], str(run.last))
    given = underscored(options)
    now = {**vars(stored), "task": stored.task}
    if changed := {k for k, v in given.items() if k not in _ADJUSTABLE and v != now.get(k)}:
        raise ConfigError(f"A resumed run keeps its options; {flags(changed)} cannot change.")
    config = make_config(override(stored.to_json(), given), origin)
    names = tuple(sources) or CorpusRecord.from_json(meta["corpus"]).sources
    if not names:
        raise CheckpointError(
            f"{where} does not say which text it was trained on; name it: charrnn train TEXT "
            "--resume RUN"
        )
    return run, names, config


def override(options: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """`options` overridden by `by`. A budget in `by` replaces all budgets of `options`."""
    if any(by.get(budget) is not None for budget in BUDGETS):
        options = {k: v for k, v in options.items() if k not in BUDGETS}
    return {**options, **by}
