"""The folder of an experiment, which stores the runs of a comparison.

The folder holds ordinary runs, named `<cell>-<layers>x<hidden>-seed<n>` or `ngram-<order>`, and
`compare.json`, which records what they share: the text and the training options. The same command
uses the same folder again and skips finished runs; more cells or seeds add runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.errors import CheckpointError, ConfigError, os_reason
from charrnn.runs.folders import numbered
from charrnn.runs.run import Run
from charrnn.system.files import replacing
from charrnn.tasks import LanguageModelConfig, make_config

RECORD = "compare.json"
_OF_ONE_RUN = {"cell", "hidden", "layers", "order", "seed", "workers", "sample_every"}


def experiment_folder(corpus: Corpus, config: LanguageModelConfig, out: Path | None = None) -> Path:
    """Find or create the folder for runs on this corpus with these options.

    Without `out`, this is `checkpoints/compare-<corpus>`, with the suffix -2, -3 ... if other
    comparisons use that name. Raises ConfigError, which names the difference, if `out` belongs to
    a comparison with other options.
    """
    record = _record(corpus, config)
    if out is not None:
        return _claim(out, record)
    for folder in numbered(Path("checkpoints"), f"compare-{corpus.name}"):
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
            if any(path.name != f".{RECORD}.part" for path in folder.iterdir()):
                raise ConfigError(f"{folder} holds something else; give an empty or new folder.")
            with replacing(folder / RECORD) as stream:
                stream.write(json.dumps(record, ensure_ascii=False, indent=1).encode())
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
