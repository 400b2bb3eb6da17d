"""Packaging: the source archive builds, and the wheel is complete."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import charrnn
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel built from it, without network access."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer would."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_under(folder: Path) -> set[str]:
    files = (f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return {f.relative_to(folder).as_posix() for f in files}


def test_the_wheel_holds_the_package_its_types_and_bundled_files(unpacked: Path) -> None:
    bundled = {
        f"bundled/{folder}/{name}"
        for folder in ("corpora", "checkpoints/shakespeare")
        for name in files_under(ROOT / folder)
    }
    assert {"bundled/corpora/elizabethan.txt", "bundled/checkpoints/shakespeare/best.npz"} < bundled
    package = files_under(ROOT / "charrnn")
    assert "py.typed" in package
    assert files_under(unpacked / "charrnn") == package | bundled


def test_the_wheel_holds_nothing_else(unpacked: Path) -> None:
    metadata = f"charrnn-{charrnn.__version__}.dist-info"
    assert {path.name for path in unpacked.iterdir()} == {"charrnn", metadata}


def test_the_metadata_name_the_version_and_what_must_be_installed(unpacked: Path) -> None:
    (file,) = unpacked.glob("*.dist-info/METADATA")
    metadata = Parser().parsestr(file.read_text("utf-8"))
    assert metadata["Version"] == charrnn.__version__
    needed = [r for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert sorted(r.split(">")[0] for r in needed) == ["click", "numpy", "rich", "tomli"]
    (tomli,) = (r for r in needed if r.startswith("tomli"))
    assert "python_version < '3.11'" in tomli.replace('"', "'")
    assert metadata.get_all("Provides-Extra") == ["mpi", "plots"]


def test_the_unpacked_wheel_samples_from_the_bundled_model(unpacked: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "charrnn", "sample", "--length", "20", "--seed-text", "To be"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert len(done.stdout) >= 20


def test_the_source_archive_holds_all_that_building_and_testing_need(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames()}
    expected = ["pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
              "mkdocs.yml", "docs/index.md", "tests/conftest.py", "tests/golden/pytorch.npz",
              "corpora/elizabethan.txt", "checkpoints/shakespeare/best.npz"]  # fmt: skip
    assert set(expected) <= names
    tops = {name.split("/")[0] for name in names}
    assert not tops & {".venv", ".git", "site", "runs", "dist"}
    of_checkpoints = {name.split("/")[1] for name in names if name.startswith("checkpoints/")}
    assert of_checkpoints == {"shakespeare"}
