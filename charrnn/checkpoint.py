"""Checkpoints: one `.npz` of named arrays and a `meta` record in JSON, written whole or not at all.

Reading one can run no code (`allow_pickle=False`), and tells a damaged file from a foreign one and
from one that a newer charrnn wrote.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.errors import CharRNNError, CheckpointError, why
from charrnn.models import CharRNN, NetworkConfig
from charrnn.params import Array, Params
from charrnn.vocabulary import Vocabulary

FORMAT = 1
_MAGIC = "charrnn"


@dataclass
class Checkpoint:
    """A model with its vocabulary and, for resuming, the state of its training."""

    model: CharRNN
    vocabulary: Vocabulary
    meta: dict[str, Any] = field(default_factory=dict)
    """What training wrote down: options, step, metrics, corpus and so on; plain data."""
    training: dict[str, Array] = field(default_factory=dict)
    """Arrays that only resuming needs: optimiser averages, carried state."""


def save(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Write to a temporary file beside `path`, flush it to disk, then rename it into place.

    With `half` the parameters are stored in half precision, in half the space, for use only.
    """
    model = checkpoint.model
    params = model.params.astype(np.float16) if half else model.params
    arrays: dict[str, Any] = {f"params/{name}": params[name] for name in params}
    arrays |= {f"training/{name}": array for name, array in checkpoint.training.items()}
    meta = {
        **checkpoint.meta,
        "program": _MAGIC,
        "format": FORMAT,
        "model": asdict(model.config),
        "dtype": model.params.flat.dtype.name,
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
        raise CheckpointError(f"Cannot write {path}: {why(error)}.") from None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. A CheckpointError says what is wrong with a file that is none."""
    meta, arrays = _read(path)
    try:
        config = NetworkConfig(**meta["model"])
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        model = CharRNN.blank(config, meta["dtype"])
        _fill(model.params, arrays)
        if len(vocabulary) != config.symbols:
            raise ValueError(f"{len(vocabulary)} symbols for {config.symbols} outputs")
    except CharRNNError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from None
    training = {
        n.removeprefix("training/"): a for n, a in arrays.items() if n.startswith("training/")
    }
    return Checkpoint(model, vocabulary, meta, training)


def read_meta(path: Path) -> dict[str, Any]:
    """Only the record, without the arrays."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
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
                return meta, {name: file[name] for name in file.files if name != "meta"}
    except CharRNNError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint {path}.") from None
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {why(error)}.") from None
    except Exception as error:  # whatever a broken archive makes its readers raise
        what = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path} is damaged (cut short or overwritten) and cannot be read: {what}."
        ) from None


def _fill(params: Params, arrays: dict[str, Array]) -> None:
    for name in params:
        stored = arrays[f"params/{name}"]
        if stored.shape != params[name].shape:
            raise ValueError(f"{name} is {stored.shape}, not {params[name].shape}")
        params[name][...] = stored
