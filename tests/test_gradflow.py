"""Gradient norms over distance, and `charrnn gradflow`."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.cli import run
from charrnn.cli.views.log_plot import log_plot
from charrnn.diagnostics.gradient_norms import GradientNorms, gradient_flow, windows
from charrnn.errors import CorpusError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.params import Array, Ids, State
from tests.conftest import VERSE

T, B, V, H = 6, 3, 5, 4


def network(
    cell: str, rng: np.random.Generator, layers: int = 1, hidden: int = H, spread: float = 0.3
) -> CharRNN:
    model = CharRNN.initialized(NetworkConfig(V, cell, hidden, layers), rng, np.float64)
    model.params.flat += spread * rng.standard_normal(model.num_parameters)
    return model


def numeric_norms(model: CharRNN, ids: Ids, targets: Ids, k: int) -> tuple[Array, Array]:
    """The norms of the gradients of h and of the whole state at T-k, by finite differences."""
    past, rest = ids[: T - k], ids[T - k :]
    _, at = model.read(past, model.initial_state(B))

    def loss(state: State) -> Array:
        log_p = model.read(rest, state)[0][-1] if len(rest) else model.predict(state)
        return -log_p[np.arange(B), targets]

    squares = []
    for part in range(len(at)):
        total = np.zeros(B)
        for unit in range(at[part].shape[1]):
            sides = []
            for eps in (1e-5, -1e-5):
                moved = [s.copy() for s in at]
                moved[part][:, unit] += eps
                sides.append(loss(tuple(moved)))
            total += ((sides[0] - sides[1]) / 2e-5) ** 2
        squares.append(total)
    outputs = [n for n in range(len(at) - 1) if n % ((len(at) - 1) // model.config.layers) == 0]
    newest = squares[-1]  # the state holds h(T) a second time, as the newest output y
    h = newest + sum(squares[n] for n in outputs)
    return np.sqrt(h), np.sqrt(sum(squares))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_norms_match_finite_differences_of_the_state(
    cell: str, layers: int, rng: np.random.Generator
) -> None:
    model = network(cell, rng, layers)
    ids, targets = rng.integers(0, V, (T, B)), rng.integers(0, V, B)
    flow = gradient_flow(model, ids, targets)
    for k in range(T):
        h, whole = numeric_norms(model, ids, targets, k)
        with np.errstate(divide="ignore"):  # all rectified units may be 0
            typical = np.exp(np.mean(np.log(h)))
        assert flow.h[k] == pytest.approx(np.sqrt(np.mean(h**2)), rel=2e-5), k
        assert flow.state[k] == pytest.approx(np.sqrt(np.mean(whole**2)), rel=2e-5), k
        assert flow.typical[k] == pytest.approx(typical, rel=2e-5), k


def test_the_model_is_unchanged_and_read_in_double_precision(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(V, "lstm", H, 2), rng)
    before = model.params.flat.copy()
    ids, targets = rng.integers(0, V, (T, B)), rng.integers(0, V, B)
    flow = gradient_flow(model, ids, targets)
    np.testing.assert_array_equal(model.params.flat, before)
    np.testing.assert_array_equal(flow.h, gradient_flow(model.astype(np.float64), ids, targets).h)


def test_an_orthogonal_recurrence_keeps_the_norm_and_three_times_it_explodes(
    rng: np.random.Generator,
) -> None:
    """With small weights tanh is linear, and an orthogonal U keeps every norm."""
    model = CharRNN.initialized(NetworkConfig(V, "rnn", 24, 1), rng, np.float64)
    model.params["0.W"][...] *= 1e-8
    ids, targets = windows(rng.integers(0, V, 500), 40, 20)
    constant = gradient_flow(model, ids, targets)
    np.testing.assert_allclose(constant.h, constant.h[0])
    assert (constant.vanished, constant.exploded) == (None, None)
    model.params["0.U"][...] *= 3
    model.params["0.W"][...] *= 1e-16
    grown = gradient_flow(model, ids, targets)
    assert (grown.vanished, grown.exploded) == (None, 7)  # 3^6 < 1000 < 3^7
    model.params["0.U"][...] /= 9
    assert gradient_flow(model, ids, targets).vanished == 7


def test_vanishing_and_exploding_are_reported_at_the_first_crossing() -> None:
    def flow(*h: float) -> GradientNorms:
        return GradientNorms(np.array(h), np.array(h), np.array(h))

    assert flow(2.0, 0.1, 0.002, 0.001).vanished == 2
    assert flow(2.0, 0.1, 0.0021).vanished is None
    assert flow(2.0, 0.1, 2000.0).exploded == 2
    assert flow(2.0, np.inf, np.nan).exploded == 1


@given(
    length=st.integers(2, 60), seq=st.integers(1, 20), count=st.integers(1, 9),
    dtype=st.sampled_from(["uint8", "int64"]),
)  # fmt: skip
def test_windows_are_contiguous_and_span_the_text(
    length: int, seq: int, count: int, dtype: str
) -> None:
    text = np.arange(length, dtype=dtype)
    if length <= seq:
        with pytest.raises(CorpusError, match="lower --seq"):
            windows(text, seq, count)
        return
    ids, targets = windows(text, seq, count)
    assert ids.shape == (seq, count)
    assert (np.diff(ids.astype(int), axis=0) == 1).all()
    assert (targets == ids[-1].astype(int) + 1).all()
    assert ids[0, 0] == 0
    assert count == 1 or targets[-1] == length - 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "verse.txt").write_text(VERSE[:4000], "utf-8")
    return tmp_path


def gradflow(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["gradflow", "verse.txt", *arguments])
    return code, *capsys.readouterr()


SMALL = ("--hidden", "8", "--batch", "5", "--seq", "30")


def test_by_default_the_usual_cells_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = gradflow(capsys, *SMALL)
    assert code == 0
    for cell in {"rnn", "relu", "lstm", "gru"} & set(CELLS):
        assert f" {cell} 1x8" in out
    distances = [line.split()[0] for line in out.splitlines() if re.match(r" *\d+  ", line)]
    assert distances[:7] == ["0", "1", "2", "5", "10", "20", "29"]


def test_json_has_every_distance_of_every_curve(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = gradflow(capsys, *SMALL, "--cells", "gru,lstm", "--train", "3", "--json")
    flows = json.loads(out)["flows"]
    assert [(f["cell"], f["updates"]) for f in flows] == [
        ("gru", 0), ("gru", 3), ("lstm", 0), ("lstm", 3)
    ]  # fmt: skip
    for flow in flows:
        assert [len(flow[n]) for n in ("norm", "state_norm", "typical_norm")] == [30] * 3
        assert all(s >= n > 0 for s, n in zip(flow["state_norm"], flow["norm"], strict=True))
    assert flows[0]["norm"] == flows[0]["state_norm"]
    assert flows[2]["norm"] != flows[2]["state_norm"]
    assert flows[0]["norm"] != flows[1]["norm"]


def test_a_trained_run_is_measured_beside_a_fresh_network(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--cell", "gru", "--hidden", "6", "--layers", "1", "--steps", "5", "--quiet"]
    assert run(["train", "verse.txt", *options, "--name", "mine"]) == 0
    _, out, _ = gradflow(capsys, "--runs", "checkpoints/mine", "--seq", "20", "--json")
    fresh, trained = json.loads(out)["flows"]
    assert (fresh["checkpoint"], fresh["updates"]) == (None, 0)
    assert trained["checkpoint"].startswith("checkpoints")
    assert (trained["updates"], trained["hidden"]) == (5, 6)
    assert fresh["norm"] != trained["norm"]
    _, out, _ = gradflow(capsys, "--runs", "checkpoints/mine", "--seq", "20")
    assert "gru 1x6, 5 updates (mine)" in out


def test_an_exploding_gradient_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = CharRNN.initialized

    def steep(*arguments: Any) -> CharRNN:
        model = fresh(*arguments)
        model.params["0.U"][...] *= 3
        return model

    monkeypatch.setattr(CharRNN, "initialized", steep)
    _, out, _ = gradflow(capsys, "--cells", "rnn", "--hidden", "32")
    assert re.search(r"rnn 1x32 +no: grows 1000-fold in \d+ steps", out)
    _, out, _ = gradflow(capsys, "--cells", "rnn", "--hidden", "32", "--json")
    (flow,) = json.loads(out)["flows"]
    assert flow["vanished_after"] is None
    assert 5 < flow["exploded_after"] < 100


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_plot_is_written_in_the_requested_format(
    ending: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    code, _, err = gradflow(capsys, *SMALL, "--cells", "rnn,lstm", "--plot", f"flow.{ending}")
    assert code == 0, err
    data = (folder / f"flow.{ending}").read_bytes()
    assert {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[ending] in data
    assert ending != "svg" or (b"lstm 1x8" in data and b"<path" in data)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--plot", "flow.xyz"], 2, "'flow.xyz' has no supported extension"),
        (["--plot", "no/flow.png", *SMALL], 1, "Cannot write no/flow.png"),
        (["--cells", "nope"], 2, "There is no cell 'nope'"),
        (["--seq", "5000"], 1, "lower --seq"),
        (["--runs", "verse.txt"], 1, "not a charrnn checkpoint"),
        (["--runs", "x", "--train", "3"], 2, "add --cells to train new networks"),
    ],
)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    done, _, err = gradflow(capsys, *arguments)
    assert done == code
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("Error: ")


def test_without_matplotlib_the_extra_is_named_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = gradflow(capsys, "--plot", "flow.png")
    assert (code, out) == (2, "")
    assert err == "Error: Pictures need an extra: pip install 'charrnn[plots]'.\n"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_the_plot_fits_the_terminal_and_needs_no_colour(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    k = np.arange(100)
    plot = log_plot([0.7**k, 0.9**k, np.where(k < 10, 1.0, 0.0)], "title", "below")
    lines = plot.plain.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert all(letter in plot.plain for letter in "abc")
    assert "0" in lines[-2]
    assert lines[-2].rstrip().endswith("99")
    rows = [n for n, line in enumerate(lines) if "b" in line[7:] and n < 17]
    assert rows == list(range(rows[0], rows[-1] + 1))  # from upper left to lower right
    assert "1e+00" in lines[1]


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.ConsoleOptions.ascii_only", property(lambda self: True))
    assert log_plot([np.array([1.0, 0.1, 0.01])], "title", "below").plain.isascii()


@pytest.mark.parametrize("norms", [[0.0, 0.0], [np.inf, np.nan], [1.0, 1.0], [1e300, 1e-300]])
def test_curves_that_cannot_be_drawn_are_skipped(norms: list[float]) -> None:
    plot = log_plot([np.array(norms)], "title", "below").plain
    assert ("a" in plot.split("title")[1].split("k")[0]) == (norms[0] in (1.0, 1e300))
