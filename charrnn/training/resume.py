"""Resuming a run: its texts and options, which options may change, and its training state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charrnn.config.fields import flags, underscored
from charrnn.config.train_config import BUDGETS, TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import NGram, Trainable
from charrnn.nn.params import Array
from charrnn.runs import checkpoint, log
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.record import RunRecord, TrainingState
from charrnn.runs.run import Run
from charrnn.system.files import is_regular
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
    record = _record_of(run.last)
    stored = make_config(record.config, str(run.last))
    given = underscored(options)
    now = {**vars(stored), "task": stored.task}
    if changed := {k for k, v in given.items() if k not in _ADJUSTABLE and v != now.get(k)}:
        raise ConfigError(f"A resumed run keeps its options; {flags(changed)} cannot change.")
    config = make_config(override(stored.to_json(), given), origin)
    names = tuple(sources) or (record.corpus.sources if record.corpus else ())
    if not names:
        raise CheckpointError(
            f"{where} does not say which text it was trained on; name it: charrnn train TEXT "
            "--resume RUN"
        )
    for name in () if sources else names:
        path = Path(name)
        if path_exists(path) and not path.is_dir() and not is_regular(path):
            raise CheckpointError(f"{where} was trained on {name[:80]}, which is not a file.")
    return run, names, config


def _record_of(path: Path) -> RunRecord:
    """The record of a checkpoint; a CheckpointError if it is damaged."""
    try:
        return RunRecord.from_json(checkpoint.read_meta(path))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {str(error)[:200]}.") from None


def override(options: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """`options` overridden by `by`. A budget in `by` replaces all budgets of `options`."""
    if any(by.get(budget) is not None for budget in BUDGETS):
        options = {k: v for k, v in options.items() if k not in BUDGETS}
    return {**options, **by}


def restore(
    run: Run, dataset: Dataset, model: Trainable, like: Mapping[str, Array], chunks: int
) -> tuple[dict[str, Any], dict[str, Array], Array]:
    """The newest state of a run, as `TrainingStep.load_state_dict` takes it, and the best
    parameters. Drops the log records of later steps.

    `like` are the arrays of a fresh state and `chunks` is the number of chunks per epoch: what is
    restored must fit them. A CheckpointError if the run was trained on another text or its state is
    damaged, a ConfigError if its network is not like `model`.
    """
    last = checkpoint.load(run.last)
    record = last.record
    if last.model.kind != model.kind:
        raise CheckpointError(f"{run.path} holds no network to train, but: {last.model.name}.")
    position = record.position
    if record.corpus is None or not isinstance(position, TrainingState) or record.updates is None:
        raise CheckpointError(f"{run.last} has no training state; it cannot be resumed.")
    if record.corpus.sha256 != dataset.sha256:
        raise CheckpointError(
            f"{run.path} was trained on another text than {dataset.name}: the SHA-256 differs."
        )
    if last.vocabulary != dataset.vocabulary:
        raise CheckpointError(
            f"{run.path} was trained with another vocabulary than {dataset.name}'s."
        )
    _check_state(run.last, position, last.training, like, chunks)
    params = best_params = _parameters(run, last, model)
    if run.best.exists():
        best_params = _parameters(run, checkpoint.load(run.best), model)
    log.rewind(run.log_file, position.step)
    record_fields = {
        "position": position,
        "updates": record.updates,
        "reduction_order": record.reduction_order,
    }
    return record_fields, {"flat": params, **last.training}, best_params


def _check_state(
    path: Path,
    position: TrainingState,
    arrays: Mapping[str, Array],
    like: Mapping[str, Array],
    chunks: int,
) -> None:
    """A CheckpointError if a training state lacks an array or has an impossible value."""
    for name, array in like.items():
        if name != "flat" and (name not in arrays or arrays[name].shape != array.shape):
            raise CheckpointError(
                f"{path} cannot be resumed: it has no {name} of shape {array.shape}. (A best.npz "
                "holds the model alone.)"
            )
    counts = (position.step, position.epoch, position.recoveries, position.waiting)
    finite = (position.seconds, position.learning_rate_factor, position.running_loss or 0.0)
    if min(counts) < 0 or not 0 <= position.chunk < chunks or not all(map(math.isfinite, finite)):
        raise CheckpointError(f"{path} is damaged: its position in the text is impossible.")


def _parameters(run: Run, stored: Checkpoint, like: Trainable) -> Array:
    """The parameters of a checkpoint whose network has the same shape as `like`."""
    model: Any = stored.model
    if model.config_json() != like.config_json():
        raise ConfigError(f"{run.path} holds another network than these options ask for.")
    flat: Array = model.params.flat
    return flat
