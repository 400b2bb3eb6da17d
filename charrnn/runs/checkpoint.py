"""Checkpoints: one `.npz` of named arrays and a `meta` record in JSON, written atomically.

Reading one cannot run code (`allow_pickle=False`). Errors distinguish a damaged file, a foreign
file and a file that a newer charrnn wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CharRNNError, CheckpointError, os_reason
from charrnn.models import MODELS, CharRNN, Classifier, LanguageModel, Model
from charrnn.nn.params import Array
from charrnn.runs.archive import read_archive
from charrnn.runs.record import RunRecord, typed
from charrnn.system.files import is_regular, replacing

FORMAT = 1
_MAGIC = "charrnn"


@dataclass
class Checkpoint:
    """A model with its vocabulary and, for resuming, the state of its training."""

    model: Model
    vocabulary: Vocabulary
    record: RunRecord = field(default_factory=RunRecord)
    """What is known about the run that trained it."""
    training: dict[str, Array] = field(default_factory=dict)
    """Arrays that only resuming needs: optimizer slots, carried state."""

    @property
    def language_model(self) -> LanguageModel:
        """The model, if it predicts the next symbol of a text; a CheckpointError if not."""
        if isinstance(self.model, LanguageModel):
            return self.model
        raise CheckpointError(
            f"This model ({self.model.name}) {self.model.purpose} and cannot write or score a "
            f"text; use it with: charrnn {self.model.command}."
        )

    @property
    def classifier(self) -> Classifier:
        """The model, if it classifies texts; a CheckpointError if not."""
        if isinstance(self.model, Classifier):
            return self.model
        raise CheckpointError(
            f"This model ({self.model.name}) does not classify texts; train one that does with: "
            "charrnn train TEXT --task classify"
        )


def save(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Write to a temporary file beside `path`, flush it to disk, then rename it into place.

    `half` stores floats in half precision: half the space, for use but not for resuming.
    A CheckpointError if the disk refuses the file.
    """
    model = checkpoint.model
    learned = model.arrays()
    dtype = next((a.dtype.name for a in learned.values() if a.dtype.kind == "f"), None)
    if half:
        learned = _as_floats(learned, "float16")
    arrays: dict[str, Any] = {f"params/{name}": array for name, array in learned.items()}
    arrays |= {f"training/{name}": array for name, array in checkpoint.training.items()}
    meta = {
        **checkpoint.record.to_json(),
        "program": _MAGIC,
        "format": FORMAT,
        "kind": model.kind,
        "model": model.config_json(),
        "dtype": dtype,
        "vocabulary": checkpoint.vocabulary.to_json(),
    }
    arrays["meta"] = np.array(json.dumps(meta))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            np.savez(stream, **arrays)
    except OSError as error:
        raise CheckpointError(f"Cannot write {path}: {os_reason(error)}.") from None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. A CheckpointError says what is wrong with the file."""
    meta, arrays = _read(path)
    try:
        # The oldest files hold a network and have no kind.
        kind = typed(meta.get("kind", CharRNN.kind), str)
        if kind not in MODELS:
            raise CheckpointError(
                f"{path} holds a model of a kind that this charrnn does not know, '{kind[:40]}'; "
                "upgrade with: pip install --upgrade charrnn."
            )
        vocabulary = Vocabulary.from_json(typed(meta["vocabulary"], dict))
        shape = typed(meta["model"], dict)
        symbols = shape.get("symbols", len(vocabulary))
        if type(symbols) is not int or symbols != len(vocabulary):
            raise ValueError(f"{len(vocabulary)} symbols for {str(symbols)[:40]} outputs")
        if meta["dtype"] not in (None, "float32", "float64"):
            raise ValueError(f"weights of type {str(meta['dtype'])[:40]!r}")
        learned = _as_floats(_named("params/", arrays), meta["dtype"])
        if not all(np.isfinite(a).all() for a in learned.values()):
            raise ValueError("some of its weights are not finite")
        model = MODELS[kind].restore(shape, learned)
        if model.vocab_size != len(vocabulary):
            raise ValueError(f"{len(vocabulary)} symbols for {model.vocab_size} outputs")
        record = RunRecord.from_json(meta)
    except CharRNNError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {_reason(error)}.") from None
    return Checkpoint(model, vocabulary, record, _named("training/", arrays))


def _reason(error: Exception) -> str:
    """What is wrong, on one short line."""
    text = str(error).partition("\n")[0][:200]
    return f"it lacks {text}" if isinstance(error, KeyError) else text


def read_meta(path: Path) -> dict[str, Any]:
    """The `meta` JSON alone, without the arrays."""
    return _read(path, arrays=False)[0]


def task_of(path: Path) -> str | None:
    """The task of the model in a file; None if this charrnn cannot read it (`load` says why)."""
    try:
        return MODELS[read_meta(path).get("kind", CharRNN.kind)].task
    except (CheckpointError, KeyError, TypeError):
        return None


def _read(path: Path, *, arrays: bool = True) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        if is_regular(path):
            with path.open("rb") as stream:
                if stream.read(2) not in (b"PK", b""):
                    raise CheckpointError(f"{path} is not a charrnn checkpoint.")
        meta, found = read_archive(path, lambda name: arrays)
    except CharRNNError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint {path}.") from None
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {os_reason(error)}.") from None
    except Exception as error:  # a broken archive can raise anything
        what = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path} is damaged (cut short or overwritten) and cannot be read: {what}."
        ) from None
    if not isinstance(meta, dict) or meta.get("program") != _MAGIC:
        raise CheckpointError(f"{path} is not a charrnn checkpoint.")
    if type(version := meta.get("format")) is not int:
        raise CheckpointError(f"{path} is damaged: its format is {str(version)[:40]!r}.")
    if version > FORMAT:
        raise CheckpointError(
            f"{path} was written by a newer charrnn (format {version}, this one reads {FORMAT}); "
            "upgrade with: pip install --upgrade charrnn."
        )
    return meta, found


def _named(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _as_floats(arrays: Mapping[str, Array], dtype: str | None) -> dict[str, Array]:
    """The same arrays, with floats in this precision."""
    return {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in arrays.items()}
