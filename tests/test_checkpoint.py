"""Checkpoint files: atomic writes, and clear errors for bad files."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.find import find_checkpoint
from charrnn.runs.record import Position, RunRecord
from charrnn.runs.run import Run
from tests.conftest import network_in

Saved = tuple[Path, CharRNN, Vocabulary]


@pytest.fixture
def saved(tmp_path: Path, rng: np.random.Generator) -> Saved:
    vocabulary = Vocabulary.of("春眠不觉晓🌸\0")
    model = CharRNN.initialized(NetworkConfig(len(vocabulary), "lstm", 5, 2), rng)
    path = tmp_path / "运行" / "best.npz"
    checkpoint.save(
        Checkpoint(model, vocabulary, RunRecord(position=Position(7)), {"m": np.arange(3.0)}), path
    )
    return path, model, vocabulary


def test_a_checkpoint_round_trips(saved: Saved) -> None:
    path, model, vocabulary = saved
    loaded = checkpoint.load(path)
    assert isinstance(loaded.model, CharRNN)
    np.testing.assert_array_equal(loaded.model.params.flat, model.params.flat)
    assert loaded.model.config == model.config
    assert loaded.vocabulary == vocabulary
    assert loaded.record.step == 7
    np.testing.assert_array_equal(loaded.training["m"], [0, 1, 2])


def test_half_precision_makes_a_smaller_file(saved: Saved, tmp_path: Path) -> None:
    path, model, vocabulary = saved
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "half.npz", half=True)
    with np.load(tmp_path / "half.npz") as file:
        assert {file[f"params/{name}"].dtype.name for name in model.params} == {"float16"}
    loaded = network_in(tmp_path / "half.npz")
    assert loaded.params.flat.dtype == np.float32
    np.testing.assert_allclose(loaded.params.flat, model.params.flat, atol=1e-3)
    assert (tmp_path / "half.npz").stat().st_size < path.stat().st_size


@pytest.mark.parametrize("keep", [0, 10, 500, -300])
def test_a_truncated_file_is_reported_as_damaged(saved: Saved, keep: int) -> None:
    path = saved[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_flipped_bytes_are_reported_as_damage(saved: Saved) -> None:
    path = saved[0]
    data = bytearray(path.read_bytes())
    at = data.index(b"params/1.U") + 200
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_a_foreign_file_is_reported_as_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello, this is no checkpoint")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    np.save(tmp_path / "c.npy", np.zeros(3))
    for name in ("a.txt", "b.npz", "c.npy"):
        with pytest.raises(CheckpointError, match="not a charrnn checkpoint"):
            checkpoint.load(tmp_path / name)


def rewrite_meta(path: Path, **changes: Any) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"])) | changes
    meta = {name: value for name, value in meta.items() if value is not None}
    np.savez(path, **{**arrays, "meta": np.array(json.dumps(meta))})


def test_a_file_of_a_newer_version_is_reported_as_such(saved: Saved) -> None:
    rewrite_meta(saved[0], format=checkpoint.FORMAT + 1)
    with pytest.raises(CheckpointError, match="newer charrnn"):
        checkpoint.load(saved[0])


def test_a_file_without_a_model_kind_holds_a_network(saved: Saved) -> None:
    path, model, _ = saved
    rewrite_meta(path, kind=None)
    np.testing.assert_array_equal(network_in(path).params.flat, model.params.flat)


def test_arrays_of_the_wrong_shape_are_reported_as_damage(saved: Saved) -> None:
    rewrite_meta(saved[0], model={"symbols": 7, "cell": "lstm", "hidden": 6, "layers": 2})
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(saved[0])


def test_a_file_with_pickled_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Evil.ran.append, (1,))

        ran: ClassVar[list[int]] = []

    np.savez(tmp_path / "evil.npz", meta=np.array([Evil()], dtype=object))
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "evil.npz")
    assert not Evil.ran


def test_a_failed_write_leaves_the_old_file_intact(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model, vocabulary = saved
    before = path.read_bytes()

    def full(*args: Any, **kwargs: Any) -> None:
        args[0].write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(CheckpointError, match="no space left"):
        checkpoint.save(Checkpoint(model, vocabulary), path)
    assert path.read_bytes() == before
    assert [f.name for f in path.parent.iterdir()] == ["best.npz"]


def test_a_checkpoint_is_an_ordinary_npz_with_readable_meta(saved: Saved) -> None:
    with zipfile.ZipFile(saved[0]) as archive:
        assert "params/0.U.npy" in archive.namelist()
    assert checkpoint.read_meta(saved[0])["vocabulary"]["unit"] == "char"


def test_find_checkpoint_prefers_the_newest_run_and_its_best_file(
    saved: Saved, tmp_path: Path
) -> None:
    path = saved[0]
    assert find_checkpoint(path.parent) == find_checkpoint(path) == path
    runs = path.parent.parent
    other = Run.create(runs, "b")
    checkpoint.save(checkpoint.load(path), other.last)
    os.utime(path, (1, 1))
    assert find_checkpoint(None, runs) == other.last
    os.utime(other.last, (0, 0))
    assert find_checkpoint(None, runs) == path
    for bad in (tmp_path / "none", Run.create(runs, "empty").path):
        with pytest.raises(CheckpointError):
            find_checkpoint(bad)
