"""`charrnn gradcheck` accepts correct gradients and rejects wrong ones."""

import json

import numpy as np
import pytest

from charrnn.cli import run
from charrnn.diagnostics.gradcheck import Agreement, check_network
from charrnn.models import NETWORKS, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.elman import Elman
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.layers import JORDAN


class WrongSign(Elman):
    """A cell that passes the gradient through U with the wrong sign."""

    def backward(self, dh, dstate, step):
        dh *= -1
        return super().backward(dh, dstate, step)


class DropsCellState(LSTM):
    """A cell that drops the gradient of the previous cell state."""

    def backward(self, dh, dstate, step):
        super().backward(dh, dstate, step)
        dstate[0][...] = 0


class NotANumber(GRU):
    """A cell whose gradient is not a number."""

    def backward(self, dh, dstate, step):
        dh /= 0.0
        return super().backward(dh, dstate, step)


class SlightlyWrong(GRU):
    """A cell whose gradient of q has a relative error of 1e-5."""

    def parameter_gradients(self, cache, grads):
        da = super().parameter_gradients(cache, grads)
        grads["q"][...] *= 1.00001
        return da


class Incomplete(GRU):
    """A cell that omits one entry of a gradient: right along itself, wrong in other directions."""

    def parameter_gradients(self, cache, grads):
        da = super().parameter_gradients(cache, grads)
        grads["q"][0] = 0
        return da


class Kink(Elman):
    """A correct cell with a kink: h' = |a + u| / 2."""

    def forward(self, p, u, step):
        a, h1 = step
        np.abs(a + u, out=h1)
        h1 *= 0.5
        a += u

    def local_gradients(self, p, cache):
        z = cache["z"]
        z[...] = np.sign(z) / 2
        return zip(z[::-1], strict=True)


def gradcheck(capsys, *arguments):
    code = run(["gradcheck", *arguments])
    return code, *capsys.readouterr()


def test_all_cells_agree(capsys):
    code, out, err = gradcheck(capsys, "--json", "--layers", "2", "--hidden", "4", "--seq", "6")
    data = json.loads(out)
    assert (code, err, data["agree"]) == (0, "", True)
    assert [cell["cell"] for cell in data["cells"]] == list(NETWORKS)
    for cell in data["cells"]:
        names = [g["of"] for g in cell["gradients"]]
        top = "out.W" if cell["cell"] in JORDAN else "1.W"
        assert {"0.W", top, "out.V", "x", "state"} <= set(names)
        assert all(g["agree"] and g["relative_error"] < 1e-6 for g in cell["gradients"])
        silent = {g["of"] for g in cell["gradients"] if g["analytic"] == 0}
        assert silent <= ({"state"} if cell["cell"] == "jordan-forced" else set())
        assert [g["of"] for g in cell["rtrl"]] == ([] if cell["cell"] != "rnn" else
               ["0.W", "0.U", "0.b", "1.W", "1.U", "1.b", "out.V", "out.c"])  # fmt: skip


def test_the_table_shows_both_values_of_each_gradient(capsys):
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
    ("wrong_cell", "message"),
    [(WrongSign(), "rnn 0.U ("), (WrongSign(), "rnn 0.U (BPTT is not RTRL)"),
     (DropsCellState(), "lstm 0.U ("), (NotANumber(), "gru 0.W (nan"),
     (SlightlyWrong(), "1 gradient disagrees"),
     (Incomplete(), "1 gradient disagrees: gru 0.q (")],
    ids=lambda v: type(v).__name__ if not isinstance(v, str) else None,
)  # fmt: skip
def test_a_wrong_derivative_is_detected_and_named(wrong_cell, message, monkeypatch, capsys):
    monkeypatch.setitem(CELLS, wrong_cell.name, wrong_cell)
    code, out, err = gradcheck(capsys, "--cell", wrong_cell.name)
    assert code == 1
    assert "agree:" not in out
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("Error: ")


def test_a_wrong_derivative_is_in_the_json(monkeypatch, capsys):
    monkeypatch.setitem(CELLS, "gru", NotANumber())
    code, out, err = gradcheck(capsys, "--json")
    data = json.loads(out, parse_constant=pytest.fail)
    assert (code, data["agree"]) == (1, False)
    wrong = {c["cell"] for c in data["cells"] if not all(g["agree"] for g in c["gradients"])}
    assert wrong == {"gru"}
    assert err.count("\n") == 1


def test_a_cell_registered_under_a_new_name_is_checked(monkeypatch, capsys):
    monkeypatch.setitem(CELLS, "mine", WrongSign())
    code, _, err = gradcheck(capsys)
    assert code == 1
    assert "mine 0.W" in err


@pytest.mark.parametrize(("layers", "hidden", "seq"), [(1, 1, 1), (1, 48, 60), (3, 6, 20)])
@pytest.mark.parametrize("cell", CELLS)
def test_correct_gradients_agree_at_any_size(cell, layers, hidden, seq):
    """With these seeds, neither rounding nor chaos makes a correct gradient look wrong."""
    for seed in range(5):
        config = NetworkConfig(6, cell, hidden, layers)
        agreements = check_network(config, seq, 2, np.random.default_rng(seed))
        assert all(a.agrees for a in agreements.values()), (seed, agreements)


def test_a_kink_between_the_two_points_does_not_matter(monkeypatch):
    monkeypatch.setitem(CELLS, "bent", Kink())
    for seed in range(3):
        agreements = check_network(
            NetworkConfig(6, "bent", 48, 1), 60, 8, np.random.default_rng(seed)
        )
        assert all(a.agrees for a in agreements.values()), agreements


def test_a_wrong_derivative_of_a_single_entry_is_detected_for_every_seed(monkeypatch):
    monkeypatch.setitem(CELLS, "gru", SlightlyWrong())
    for seed in range(12):
        agreements = check_network(
            NetworkConfig(6, "gru", 1, 1), 12, 3, np.random.default_rng(seed)
        )
        assert [name for name, a in agreements.items() if not a.agrees] == ["0.q"]


def test_differences_within_rounding_agree():
    assert Agreement(1e-11, -3e-11).agrees
    assert not Agreement(1e-8, 1.1e-8).agrees
    assert not Agreement(1.0, np.nan).agrees
    assert not Agreement(np.inf, np.inf).agrees
