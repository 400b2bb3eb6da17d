"""Experiments: their runs and the folder that records them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.compare.comparison import Comparison
from charrnn.compare.experiment import RECORD, experiment_folder, runs_in
from charrnn.compare.plan import Plan
from charrnn.compare.trained_runs import group_by_model, measure_run
from charrnn.data.reading import Source
from charrnn.errors import ConfigError, CorpusError
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from tests.conftest import VERSE
from tests.small_comparison import CONFIG, PLAN, TEXT, compared


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared(tmp_path_factory.mktemp("whole") / "experiment")


def test_parameters_are_matched_by_the_hidden_size(whole: Comparison) -> None:
    plan = replace(PLAN, cells=("rnn", "lstm"), params=5000)
    sizes = {m.cell: m.hidden or 0 for m in plan.model_configs(whole.corpus) if m.cell != "ngram"}
    assert sizes["rnn"] > sizes["lstm"] > 8


def test_finished_runs_are_reused_and_new_ones_added(
    whole: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "charrnn.compare.comparison.run_trial", lambda trial: pytest.fail(f"{trial.name} again")
    )
    assert not Comparison(PLAN, TEXT, whole.folder).pending
    extended = Comparison(replace(PLAN, seeds=3, cells=("gru", "lstm")), TEXT, whole.folder)
    missing = [t.path.name for t in extended.pending]
    assert missing == ["lstm-1x8-seed1", "lstm-1x8-seed2", "gru-1x8-seed3", "lstm-1x8-seed3"]


def test_other_options_need_another_folder(
    whole: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(PLAN, config=replace(PLAN.config, lr=0.5, steps=13))
    with pytest.raises(ConfigError, match=r"--steps 12 \(now 13\), --lr 0.004 \(now 0\.5\)"):
        Comparison(other, TEXT, whole.folder)
    text = replace(TEXT, sources=(Source("verse.txt", VERSE[:4000].encode()),))
    with pytest.raises(ConfigError, match="was begun with another text"):
        Comparison(PLAN, text, whole.folder)
    with pytest.raises(ConfigError, match="holds something else"):
        Comparison(PLAN, TEXT, whole.folder / "ngram-1")
    monkeypatch.chdir(tmp_path)
    usual = [experiment_folder(whole.corpus, c) for c in (PLAN.config, other.config, PLAN.config)]
    assert [str(f) for f in usual] == [
        f"checkpoints/compare-verse{n}" for n in ("", "-2", "")
    ]  # fmt: skip


def test_hidden_size_and_layers_can_change_within_a_folder(whole: Comparison) -> None:
    wider = Comparison(replace(PLAN, config=replace(PLAN.config, hidden=9)), TEXT, whole.folder)
    assert {t.path.name for t in wider.pending} == {
        "rnn-1x9-seed1", "rnn-1x9-seed2", "gru-1x9-seed1", "gru-1x9-seed2"
    }  # fmt: skip


def test_repeated_seeds_and_unfinished_runs_are_ignored(whole: Comparison, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    log = folder / "gru-1x8-seed2" / "log.jsonl"
    log.write_text("".join(log.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")
    runs = runs_in(folder)
    assert "gru-1x8-seed2" not in {run.name for run in runs}
    results = [
        measure_run(Run(path), checkpoint.load(path / "best.npz"), whole.corpus.test)
        for path in runs * 2
    ]
    counts = {s.title: len(s.results) for s in group_by_model(results)}
    assert counts == {"ngram 1": 1, "ngram 3": 1, "rnn 1x8": 2, "gru 1x8": 1}


def test_runs_are_grouped_by_model(whole: Comparison) -> None:
    ids = whole.corpus.test
    results = [
        measure_run(Run(path), checkpoint.load(path / "best.npz"), ids)
        for path in runs_in(whole.folder)
    ]
    summaries = {s.title: s for s in group_by_model(results)}
    assert summaries.keys() == {"ngram 1", "ngram 3", "rnn 1x8", "gru 1x8"}
    for before in whole.summaries():
        now = summaries[before.title]
        assert now.loss == before.loss
        np.testing.assert_array_equal(now.losses, before.losses)
    other = replace(results[0], config=replace(results[0].config, lr=0.1))
    assert len(group_by_model([results[0], other])) == 2
    with pytest.raises(CorpusError, match="999, 1,000"):
        group_by_model([results[0], replace(results[1], chars=999)])


def test_an_invalid_plan_is_an_error() -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"cells": ("nope",)}, "no cell 'nope'"),
        ({"orders": (13,)}, "order is 13"),
        ({"seeds": 0}, "seeds is 0"),
        ({"cells": (), "orders": ()}, "nothing to compare"),
    ]
    for change, words in changes:
        with pytest.raises(ConfigError, match=words):
            replace(PLAN, **change)


def test_a_comparison_needs_a_test_split(tmp_path: Path) -> None:
    text = replace(TEXT, config=replace(CONFIG, split="0.9,0.1,0"))
    with pytest.raises(ConfigError, match="nothing to test on"):
        Comparison(PLAN, text, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_record_is_plain_json(whole: Comparison) -> None:
    record = json.loads((whole.folder / RECORD).read_text("utf-8"))
    assert record["corpus"]["name"] == "verse"
    assert record["options"]["steps"] == 12
    assert not {"cell", "hidden", "layers", "seed"} & set(record["options"])


def test_a_record_can_lack_newer_options(tmp_path: Path) -> None:
    plan = replace(PLAN, cells=("rnn",), seeds=1, orders=())
    file = compared(tmp_path / "x", plan).folder / RECORD
    record = json.loads(file.read_text("utf-8"))
    del record["options"]["init"]
    file.write_text(json.dumps(record), "utf-8")
    assert not Comparison(plan, TEXT, tmp_path / "x").pending
    record["options"]["of_the_future"] = 1
    file.write_text(json.dumps(record), "utf-8")
    with pytest.raises(ConfigError, match="holds something else"):
        Comparison(plan, TEXT, tmp_path / "x")


def test_open_options_are_resolved_once_for_all_models(tmp_path: Path) -> None:
    open_ = replace(CONFIG, hidden=None, dropout=None)
    one, other = (
        Comparison(Plan(open_, cells, 1), TEXT, tmp_path / "x")
        for cells in (("rnn", "gru"), ("gru", "lstm"))
    )
    assert one.config == other.config
    for model in (*one.model_configs, *other.model_configs):
        assert (model.hidden, model.dropout) == (one.config.hidden, one.config.dropout)
        assert model.hidden
        assert model.dropout is not None
    sized = Comparison(Plan(open_, ("rnn", "gru"), 1, params=5000), TEXT, tmp_path / "y")
    assert len({m.hidden for m in sized.model_configs}) == 2
    assert len({m.dropout for m in sized.model_configs}) == 1
