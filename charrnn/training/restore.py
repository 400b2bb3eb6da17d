"""Reading back what a run needs to continue."""

from __future__ import annotations

from typing import Any

from charrnn.data.dataset import Dataset
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import Trainable
from charrnn.nn.params import Array
from charrnn.runs import log
from charrnn.runs.checkpoint import Checkpoint, load
from charrnn.runs.record import TrainingState
from charrnn.runs.run import Run


def restore(
    run: Run, dataset: Dataset, model: Trainable
) -> tuple[dict[str, Any], dict[str, Array], Array]:
    """The newest state of a run, as `TrainingStep.load_state_dict` takes it, and the best
    parameters. Drops the log records of later steps.

    A CheckpointError if the run was trained on another text, a ConfigError if its network is not
    like `model`.
    """
    last = load(run.last)
    record = last.record
    if last.model.kind != model.kind:
        raise CheckpointError(f"{run.path} holds no network to train, but: {last.model.name}.")
    if record.corpus is None or not isinstance(record.position, TrainingState):
        raise CheckpointError(f"{run.last} has no training state; it cannot be resumed.")
    if record.corpus.sha256 != dataset.sha256:
        raise CheckpointError(
            f"{run.path} was trained on another text than {dataset.name}: the SHA-256 differs."
        )
    if last.vocabulary != dataset.vocabulary:
        raise CheckpointError(
            f"{run.path} was trained with another vocabulary than {dataset.name}'s."
        )
    flat = best = _parameters(run, last, model)
    if run.best.exists():
        best = _parameters(run, load(run.best), model)
    log.rewind(run.log_file, record.position.step)
    numbers = {
        "position": record.position,
        "updates": record.updates,
        "reduction_order": record.reduction_order,
    }
    return numbers, {"flat": flat, **last.training}, best


def _parameters(run: Run, checkpoint: Checkpoint, like: Trainable) -> Array:
    """The parameters of a checkpoint whose network has the same shape as `like`."""
    model: Any = checkpoint.model
    if model.config_json() != like.config_json():
        raise ConfigError(f"{run.path} holds another network than these options ask for.")
    flat: Array = model.params.flat
    return flat
