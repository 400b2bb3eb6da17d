"""The table at the end of a comparison and the sentences below it."""

import re
from pathlib import Path

import numpy as np
import pytest

from charrnn.cli.views.comparison_table import _columns, _pages, print_standings, to_json
from charrnn.compare.results import ModelSummary, Result, rank
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig


def result(cell: str, nats: float, seed: int = 1, noise: float = 0.0) -> Result:
    """A run with a mean loss of about `nats` in each of ten blocks."""
    blocks = nats + noise * np.sin(np.arange(10) * seed * 1.7)
    config = LanguageModelConfig(cell=cell, hidden=8, layers=1, seed=seed)
    return Result(Run(Path("x")), config, "", 1000, 10_000, blocks, 2.0, 1e5, 60.0, ())


def shown(capsys: pytest.CaptureFixture[str], *summaries: ModelSummary) -> tuple[str, str]:
    print_standings(rank(summaries))
    out, err = capsys.readouterr()
    return out, " ".join(err.split())


def test_the_table_states_which_differences_are_significant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = ModelSummary("lstm", (result("lstm", 1.5), result("lstm", 1.51, 2)))
    near = ModelSummary("gru", (result("gru", 1.505), result("gru", 1.52, 2)))
    far = ModelSummary("ngram", (result("ngram", 3.0, noise=0.1),))
    out, words = shown(capsys, near, far, best)
    assert [line.split()[0] for line in out.splitlines()] == ["model", "lstm", "gru", "ngram"]
    assert re.search(r"lstm +1,000 +1\.5050 ± 0\.0071 +2\.1713 ± 0\.0102 +4\.504 ± 0\.032", out)
    assert "lstm is best. Its lead over gru (p = " in words
    assert "Its lead over all others is significant." in words
    assert "10 paired blocks of 1,000 characters. p is corrected for 2 comparisons" in words
    assert "lstm is best. Its lead is significant." in shown(capsys, best, far)[1]


def test_the_table_states_what_is_not_tested(capsys: pytest.CaptureFixture[str]) -> None:
    alone = ModelSummary("gru", (result("gru", 1.5, noise=0.1),), diverged=1)
    other = ModelSummary("rnn", (result("rnn", 1.6), result("rnn", 1.7, 2)))
    lost = ModelSummary("lstm", (), diverged=2)
    out, words = shown(capsys, lost, other, alone)
    assert "gru (1 diverged)" in out
    assert out.splitlines()[-1].startswith("lstm: diverged")
    assert "Only one run of gru: the effect of the seed is not tested." in words
    assert "The means exclude runs that diverged." in words
    assert to_json([lost])["models"] == [{"model": "lstm", "diverged": 2, "runs": []}]
    out, words = shown(capsys, lost)
    assert "p:" not in words


@pytest.mark.parametrize("width", [20, 40, 50, 80, 1000])
def test_columns_that_do_not_fit_move_to_another_page(width: int) -> None:
    summaries = rank([ModelSummary("gru", (result("gru", 1.5), result("gru", 1.51, 2)))])
    columns = _columns(summaries)
    pages = _pages(columns, width)
    assert sorted(c.rank for page in pages for c in page[1:]) == list(range(1, len(columns)))
    for page in pages:
        assert page[0].head == "model"
        assert [c for c in columns if c in page] == page
        assert len(page) == 2 or sum(c.width + 2 for c in page) - 2 <= width
    assert "perplexity" in {c.head for c in pages[0]}
