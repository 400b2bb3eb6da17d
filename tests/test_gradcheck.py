"""`charrnn gradcheck` accepts correct gradients and detects wrong ones."""

import json
from collections.abc import Iterable

import numpy as np
import pytest

from charrnn.cli import run
from charrnn.diagnostics.gradcheck import NumericComparison, check_network
from charrnn.models import LANGUAGE_MODEL_CELLS, NetworkConfig
from charrnn.nn.cells import CELLS, Cell
from charrnn.nn.cells.base import Cache, Step
from charrnn.nn.cells.elman import Elman
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.layers import JORDAN
from charrnn.nn.params import Array, Params


class WrongSign(Elman):
    """The gradient through U has the wrong sign."""

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        dh *= -1
        return super().backward(dh, dstate, step)


class Forgetful(LSTM):
    """The gradient of the previous cell state is dropped."""

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        past_the_product = super().backward(dh, dstate, step)
        dstate[0][...] = 0
        return past_the_product


class Lost(GRU):
    """The gradient is NaN or infinite."""

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        dh /= 0.0
        return super().backward(dh, dstate, step)


class Slightly(GRU):
    """The gradient of the recurrent bias has a relative error of 1e-5."""

    def parameter_gradients(self, k: Cache, grads: Params) -> Array:
        da = super().parameter_gradients(k, grads)
        grads["q"][...] *= 1.00001
        return da


class Incomplete(GRU):
    """One entry of the gradient is missing, so that it is correct along itself only."""

    def parameter_gradients(self, k: Cache, grads: Params) -> Array:
        da = super().parameter_gradients(k, grads)
        grads["q"][0] = 0
        return da


class Bent(Elman):
    """A correct gradient of a function with a kink: h' = |a + u| / 2."""

    def forward(self, p: Params, u: Array, step: Step) -> None:
        a, h1 = step
        np.abs(a + u, out=h1)
        h1 *= 0.5
        a += u

    def local_gradients(self, p: Params, k: Cache) -> Iterable[Step]:
        k["z"][...] = np.sign(k["z"]) / 2
        return zip(k["z"][::-1], strict=True)


def gradcheck(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["gradcheck", *arguments])
    return code, *capsys.readouterr()


def test_every_registered_cell_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = gradcheck(capsys, "--json", "--layers", "2", "--hidden", "4", "--seq", "6")
    data = json.loads(out)
    assert (code, err, data["agree"]) == (0, "", True)
    assert [cell["cell"] for cell in data["cells"]] == list(LANGUAGE_MODEL_CELLS)
    for cell in data["cells"]:
        names = [g["of"] for g in cell["gradients"]]
        top = "out.W" if cell["cell"] in JORDAN else "1.W"
        assert {"0.W", top, "out.V", "x", "state"} <= set(names)
        assert all(g["agree"] and g["relative_error"] < 1e-6 for g in cell["gradients"])
        silent = {g["of"] for g in cell["gradients"] if g["analytic"] == 0}
        assert silent <= ({"state"} if cell["cell"] == "jordan-forced" else set())
        assert [g["of"] for g in cell["rtrl"]] == ([] if cell["cell"] != "rnn" else
               ["0.W", "0.U", "0.b", "1.W", "1.U", "1.b", "out.V", "out.c"])  # fmt: skip


def test_the_table_shows_each_gradient_twice(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = gradcheck(capsys, "--cell", "rnn")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    for name in ("0.W", "0.U", "0.b", "x", "state", "out.V"):
        row = next(r for r in rows if r and r[0] == name)
        assert float(row[1]) == pytest.approx(float(row[2]), rel=1e-6)
    assert out.splitlines()[-1].startswith("All 7 gradients agree")
    assert "RTRL too" in out
    assert "central differences" in err
    assert "float32" in err


@pytest.mark.parametrize(
    ("planted", "named"),
    [(WrongSign(), "rnn 0.U ("), (WrongSign(), "rnn 0.U (BPTT is not RTRL)"),
     (Forgetful(), "lstm 0.U ("), (Lost(), "gru 0.W (nan"), (Slightly(), "1 gradient disagrees"),
     (Incomplete(), "1 gradient disagrees: gru 0.q (")],
    ids=lambda v: type(v).__name__ if not isinstance(v, str) else None,
)  # fmt: skip
def test_a_wrong_derivative_is_detected_and_named(
    planted: Cell, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CELLS, planted.name, planted)
    code, out, err = gradcheck(capsys, "--cell", planted.name)
    assert code == 1
    assert "agree:" not in out
    assert named in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("Error: ")


def test_a_wrong_derivative_is_reported_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CELLS, "gru", Lost())
    code, out, err = gradcheck(capsys, "--json")
    data = json.loads(out, parse_constant=pytest.fail)
    assert (code, data["agree"]) == (1, False)
    wrong = {c["cell"] for c in data["cells"] if not all(g["agree"] for g in c["gradients"])}
    assert wrong == {"gru"}
    assert err.count("\n") == 1


def test_a_cell_registered_under_a_new_name_is_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CELLS, "mine", WrongSign())
    code, _, err = gradcheck(capsys)
    assert code == 1
    assert "mine 0.W" in err


@pytest.mark.parametrize(("layers", "hidden", "seq"), [(1, 1, 1), (1, 48, 60), (3, 6, 20)])
@pytest.mark.parametrize("cell", CELLS)
def test_correct_gradients_agree_at_any_size(cell: str, layers: int, hidden: int, seq: int) -> None:
    """Neither rounding nor chaotic dynamics causes a false alarm, for any seed."""
    for seed in range(5):
        config = NetworkConfig(6, cell, hidden, layers)
        agreements = check_network(config, seq, 2, np.random.default_rng(seed))
        assert all(a.agrees for a in agreements.values()), (seed, agreements)


def test_a_kink_between_the_two_points_is_tolerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CELLS, "bent", Bent())
    for seed in range(3):
        agreements = check_network(
            NetworkConfig(6, "bent", 48, 1), 60, 8, np.random.default_rng(seed)
        )
        assert all(a.agrees for a in agreements.values()), agreements


def test_a_wrong_derivative_of_a_single_number_is_detected_for_every_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CELLS, "gru", Slightly())
    for seed in range(12):
        agreements = check_network(
            NetworkConfig(6, "gru", 1, 1), 12, 3, np.random.default_rng(seed)
        )
        assert [name for name, a in agreements.items() if not a.agrees] == ["0.q"]


def test_rounding_errors_are_tolerated() -> None:
    assert NumericComparison(1e-11, -3e-11).agrees
    assert not NumericComparison(1e-8, 1.1e-8).agrees
    assert not NumericComparison(1.0, np.nan).agrees
    assert not NumericComparison(np.inf, np.inf).agrees
