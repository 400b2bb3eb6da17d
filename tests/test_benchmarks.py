"""Every benchmark runs at toy size and prints a table with all its rows. Times are not tested."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="needs the repository"),
]


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def toy(name: str, folder: Path, *options: str) -> tuple[list[list[list[str]]], Any]:
    """The cells of every table (header first) and the results written by `--json`."""
    figures = folder / "figures.json"
    done = run(name, "--toy", "--json", str(figures), *options)
    assert done.returncode == 0, done.stderr
    tables = []
    for block in done.stdout.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        if lines:
            cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
            assert all(len(row) == len(cells[0]) for row in cells)
            tables.append([cells[0], *cells[2:]])
    data = json.loads(figures.read_text("utf-8"))
    assert data["benchmark"] == name
    return tables, data["results"]


def test_training_has_a_row_per_cell_and_a_column_per_installed_package(
    tmp_path: Path,
) -> None:
    [[head, *rows]], results = toy("training", tmp_path)
    for package, shown in (("torch", "PyTorch"), ("jax", "JAX")):
        assert (f"charrnn / {shown}" in head) == bool(find_spec(package))
    cells = [row[0] for row in rows if row[0] != "geometric mean"]
    assert cells == ["lstm", "gru", "rnn"]
    assert [r["shape"]["cell"] for r in results] == cells


def test_training_tries_all_settings_and_names_the_one_it_uses(
    tmp_path: Path,
) -> None:
    options = ["--cell", "rnn", "--contestant", "charrnn", "--threads", "1,2", "--rounds", "2"]
    [[_, row]], [result] = toy("training", tmp_path, "--trial-seconds", "0.01", *options)
    entry = result["contestants"]["charrnn"]
    assert entry["setting"]["threads"] in (1, 2)
    assert len(entry["rounds"]) == 2
    assert "thread" in row[-1]


def test_bound_has_a_row_for_each_cell_and_their_mean(tmp_path: Path) -> None:
    [[_, *rows]], results = toy("bound", tmp_path)
    assert [row[0] for row in rows] == ["lstm", "gru", "rnn", "geometric mean"]
    assert all({"charrnn", "products"} == set(r["rounds"]) for r in results)


def test_sampling_has_a_row_for_each_number_of_streams(tmp_path: Path) -> None:
    [[head, *rows]], _ = toy("sampling", tmp_path)
    assert [row[1] for row in rows] == ["1", "3"]
    assert ("charrnn / PyTorch" in head) == bool(find_spec("torch"))


def test_startup_has_a_row_for_each_command(tmp_path: Path) -> None:
    [[_, *rows]], times = toy("startup", tmp_path)
    expected = ["charrnn --version", "charrnn --help", "charrnn sample --length 1"]
    assert [row[0].strip("`") for row in rows][3:] == expected
    assert all(len(seconds) == 1 for seconds in times.values())


def test_memory_has_a_row_for_each_file_and_each_size_of_the_network(tmp_path: Path) -> None:
    [[_, *files], [_, *growth]], _ = toy("memory", tmp_path)
    assert [row[0] for row in files] == ["1", "2"]
    assert [row[0] for row in growth] == [
        a for a in ("hidden", "batch", "seq", "symbols") for _ in range(2)
    ]


def test_scaling_has_a_row_for_each_network_and_each_bandwidth(tmp_path: Path) -> None:
    [[_, *steps], [_, *gains], [_, *shares]], results = toy("scaling", tmp_path)
    assert [row[1] for row in steps] == [row[1] for row in shares] == ["1", "8"]
    assert [row[2] for row in gains] == ["1", "10", "100"] * 2
    assert gains[0][-2:] == ["1.00", "1"]  # one stream cannot be divided
    assert [r["bytes"] for r in results] == [25412, 33860]


def test_filling_has_a_row_for_each_model_and_method(tmp_path: Path) -> None:
    [[_, *rows]], results = toy("filling", tmp_path)
    assert [row[0] for row in rows] == [
        *["fill gru 1x8"] * 2, *["gru 1x8"] * 2, *["ngram 6"] * 2,
    ]  # fmt: skip
    assert all(r["chars"] == 45 and 0 <= r["accuracy"] <= 1 for r in results)


def test_naming_has_a_row_for_the_network_and_for_n_grams(tmp_path: Path) -> None:
    [[head, *rows]], results = toy("naming", tmp_path)
    assert head[1:] == ["Accuracy, %", "Macro F1, %"]
    assert [row[0] for row in rows] == list(results) == ["network", "n-grams"]
    assert all(0 <= figure["accuracy"] <= 1 for figures in results.values() for figure in figures)
    assert results["n-grams"][0]["accuracy"] > 0.8  # the classes differ in their letters


def test_an_unknown_row_is_bad_usage() -> None:
    done = run("training", "--row", "2x128")
    assert done.returncode == 2
    assert "is no row" in done.stderr


def test_quality_shows_a_loss_for_every_installed_package(tmp_path: Path) -> None:
    [[head, *rows]], [curves] = toy("quality", tmp_path)
    assert "charrnn, nats/char" in head
    assert rows
    assert all(point["nats"] > 0 for curve in curves.values() for point in curve)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("char_rnn", ["own-gru"]),
        ("war_and_peace", ["rnn-1x141", "own-gru-3x44"]),
        ("tiny_shakespeare", ["3-minutes", "hour"]),
        ("tang_poems", ["gru", "2-gram"]),
        ("shipped_model", ["shakespeare"]),
    ],
)
def test_published_results_are_rows_of_finished_runs(
    name: str, rows: list[str], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text(
        "\n".join(f"{n * n % 97} men, {n * n % 89} doors." for n in range(900)), "utf-8"
    )
    chosen = [part for row in rows for part in ("--row", row)]
    command = (f"published.{name}", str(text), "--toy", "--out", str(tmp_path / "runs"), *chosen)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("    charrnn train ") == len(rows)
    names = [row if "gram" in row else f"toy-{row}" for row in rows]
    logs = [tmp_path / "runs" / name / "log.jsonl" for name in names]
    before = [log.stat().st_mtime_ns for log in logs]
    assert run(*command).returncode == 0
    assert [log.stat().st_mtime_ns for log in logs] == before


def test_an_interrupted_row_of_published_results_is_resumed(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{n * n % 97} men." for n in range(900)), "utf-8")
    command = ("published.war_and_peace", str(text), "--toy", "--row", "gru-1x76")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = run(*command, "--out", str(whole))
    shutil.copytree(whole, cut)
    log = (cut / "toy-gru-1x76" / "log.jsonl").read_text("utf-8").splitlines()
    (cut / "toy-gru-1x76" / "log.jsonl").write_text("\n".join(log[:-1]) + "\n", "utf-8")
    again = run(*command, "--out", str(cut))
    assert again.returncode == 0, again.stderr
    assert _figures(again.stdout) == _figures(done.stdout)
    for file in (cut / "toy-gru-1x76").iterdir():  # as if killed before anything was saved
        file.unlink()
    assert _figures(run(*command, "--out", str(cut)).stdout) == _figures(done.stdout)


def test_a_run_with_other_options_or_text_is_not_reused_for_a_row(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{n * n % 97} men." for n in range(900)), "utf-8")
    out = ["--out", str(tmp_path / "runs"), "--name", "toy-gru-1x76"]
    command = [sys.executable, "-m", "charrnn", "train", str(text), "--hidden", "8", "--steps", "4"]
    subprocess.run([*command, *out], check=True, capture_output=True)
    done = run("published.war_and_peace", str(text), "--toy", "--row", "gru-1x76", *out[:2])
    assert done.returncode == 1
    assert "was trained with --unit char, not byte" in done.stderr
    other = text.with_name("other.txt")
    other.write_text("men and doors. " * 900, "utf-8")
    done = run("published.war_and_peace", str(other), "--toy", "--row", "gru-1x76", *out[:2])
    assert done.returncode == 1
    assert f"was trained on {text}" in done.stderr


def _figures(table: str) -> list[str]:
    """The cells of the last row, without the seconds."""
    return [line for line in table.splitlines() if line.startswith("|")][-1].split("|")[:-2]
