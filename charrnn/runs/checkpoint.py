"""Checkpoints: one `.npz` of named arrays and a `meta` record in JSON, written atomically.

Reading one cannot run code (`allow_pickle=False`). Errors distinguish a damaged file, a foreign
file and a file that a newer charrnn wrote.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CharRNNError, CheckpointError, os_reason
from charrnn.models import MODELS, CharRNN, Classifier, LanguageModel, Model
from charrnn.nn.params import Array
from charrnn.runs.record import RunRecord

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
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as stream:
                np.savez(stream, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(f"Cannot write {path}: {os_reason(error)}.") from None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. A CheckpointError says what is wrong with the file."""
    meta, arrays = _read(path)
    try:
        kind = meta.get("kind", CharRNN.kind)  # the oldest files hold a network and have no kind
        if kind not in MODELS:
            raise CheckpointError(
                f"{path} holds a model of a kind that this charrnn does not know, '{kind}'; "
                "upgrade with: pip install --upgrade charrnn."
            )
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        learned = _as_floats(_named("params/", arrays), meta["dtype"])
        model = MODELS[kind].restore(meta["model"], learned)
        if len(vocabulary) != model.vocab_size:
            raise ValueError(f"{len(vocabulary)} symbols for {model.vocab_size} outputs")
        record = RunRecord.from_json(meta)
    except CharRNNError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from None
    return Checkpoint(model, vocabulary, record, _named("training/", arrays))


def read_meta(path: Path) -> dict[str, Any]:
    """The `meta` JSON alone, without the arrays."""
    return _read(path, arrays=False)[0]


def task_of(path: Path) -> str | None:
    """The task of the model in a file; None if this charrnn cannot read it (`load` says why)."""
    try:
        return MODELS[read_meta(path).get("kind", CharRNN.kind)].task
    except (CheckpointError, KeyError):
        return None


def _read(path: Path, *, arrays: bool = True) -> tuple[dict[str, Any], dict[str, Array]]:
    foreign = f"{path} is not a charrnn checkpoint."
    try:
        with path.open("rb") as stream:
            start = stream.read(2)
            stream.seek(0)
            if start not in (b"PK", b""):
                raise CheckpointError(foreign)
            with np.load(stream, allow_pickle=False) as file:
                meta = json.loads(str(file["meta"])) if "meta" in file else {}
                if not isinstance(meta, dict) or meta.get("program") != _MAGIC:
                    raise CheckpointError(foreign)
                if meta["format"] > FORMAT:
                    raise CheckpointError(
                        f"{path} was written by a newer charrnn (format {meta['format']}, this one "
                        f"reads {FORMAT}); upgrade with: pip install --upgrade charrnn."
                    )
                names = [name for name in file.files if arrays and name != "meta"]
                return meta, {name: file[name] for name in names}
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


def _named(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _as_floats(arrays: Mapping[str, Array], dtype: str | None) -> dict[str, Array]:
    """The same arrays, with floats in this precision."""
    return {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in arrays.items()}
