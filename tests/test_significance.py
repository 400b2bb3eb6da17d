"""The significance test of differences between models."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.compare.significance import (
    BLOCK,
    Difference,
    block_edges,
    block_sums,
    difference,
    holm,
    two_sided_p_value,
)
from charrnn.nn.params import Array

# From tables: two-sided critical values of t at 5%.
CRITICAL = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 10: 2.2281, 30: 2.0423,
            100: 1.9840}  # fmt: skip

LEGENDRE = np.polynomial.legendre.leggauss(400)


@pytest.mark.parametrize(("freedom", "t"), CRITICAL.items())
def test_students_distribution_matches_tables(freedom: float, t: float) -> None:
    assert two_sided_p_value(t, freedom) == pytest.approx(0.05, rel=1e-4)
    assert two_sided_p_value(-t, freedom) == two_sided_p_value(t, freedom)


@given(st.floats(0, 1e6))
def test_one_and_two_degrees_of_freedom_have_closed_forms(t: float) -> None:
    assert two_sided_p_value(t, 1) == pytest.approx(2 * math.atan2(1, t) / math.pi, rel=1e-9)
    root = math.sqrt(2 + t * t)
    assert two_sided_p_value(t, 2) == pytest.approx(2 / (root * (root + t)), rel=1e-9)


@settings(max_examples=30)
@given(st.floats(0, 8))
def test_many_degrees_of_freedom_are_the_normal_distribution(t: float) -> None:
    assert two_sided_p_value(t, 1e7) == pytest.approx(math.erfc(t / math.sqrt(2)), rel=1e-3)


@settings(max_examples=30)
@given(st.floats(0.05, 20), st.floats(1, 60))
def test_students_distribution_is_the_integral_of_its_density(t: float, freedom: float) -> None:
    """With t = sqrt(f) tan(a), the density is proportional to cos(a)^(f - 1)."""
    nodes, weights = LEGENDRE

    def integral(low: float) -> Any:
        half = (math.pi / 2 - low) / 2
        return half * weights @ np.cos(low + half * (nodes + 1)) ** (freedom - 1)

    share = integral(math.atan2(t, math.sqrt(freedom))) / integral(0)
    assert two_sided_p_value(t, freedom) == pytest.approx(share, rel=1e-3, abs=1e-12)


@given(st.integers(1, 30_000))
def test_blocks_cover_the_text_and_have_similar_sizes(length: int) -> None:
    sizes = np.diff(block_edges(length))
    assert sizes.sum() == length
    assert sizes.max() - sizes.min() <= 1
    if length >= 10 * BLOCK:
        assert 0.9 * BLOCK <= sizes.min() <= sizes.max() <= 1.1 * BLOCK
    elif length >= 1000:
        assert len(sizes) >= 10
    if len(sizes) > 1:
        assert sizes.min() >= 100


def test_the_sum_of_each_block_is_that_of_its_symbols(rng: np.random.Generator) -> None:
    nats = rng.random(2500)
    edges = block_edges(2500)
    sums = block_sums(nats, np.arange(1, 2501))
    assert len(sums) == len(edges) - 1
    for n, total in enumerate(sums):
        assert total == pytest.approx(nats[edges[n] : edges[n + 1]].sum())


def test_a_word_is_in_the_block_of_its_last_character(rng: np.random.Generator) -> None:
    nats, ends = rng.random(3500), np.arange(1, 3501)
    words = np.append(np.sort(rng.choice(ends[:-1], 700, replace=False)), 3500)
    by_word = np.add.reduceat(nats, np.append(0, words[:-1]))
    letters, whole = block_sums(nats, ends), block_sums(by_word, words)
    assert letters.shape == whole.shape
    assert whole.sum() == pytest.approx(letters.sum())
    for n, edge in enumerate(block_edges(3500)[1:], 1):
        ends_here = words[words <= edge][-1]
        assert whole[:n].sum() == pytest.approx(nats[:ends_here].sum())


def draw(
    rng: np.random.Generator,
    runs: int,
    blocks: int,
    *,
    of_run: float = 0.1,
    of_block: float = 0.1,
    noise: float = 0.1,
    text: Array | None = None,
    mean: float = 0.0,
) -> Array:
    """Random losses `(runs, blocks)` of a model."""
    shared = np.zeros(blocks) if text is None else text
    effects = of_run * rng.standard_normal((runs, 1)) + of_block * rng.standard_normal(blocks)
    return mean + shared + effects + noise * rng.standard_normal((runs, blocks))


def difference_of(x: Array, y: Array) -> Difference:
    """The difference of two models with enough blocks for a test."""
    result = difference(x, y)
    assert result is not None
    return result


def test_the_difference_has_a_sign_and_the_test_has_none(rng: np.random.Generator) -> None:
    x, y = draw(rng, 3, 20, mean=0.2), draw(rng, 5, 20)
    forward, reverse = difference_of(x, y), difference_of(y, x)
    assert forward.nats == pytest.approx(x.mean() - y.mean())
    assert reverse.nats == pytest.approx(-forward.nats)
    assert (reverse.error, reverse.degrees_of_freedom, reverse.p) == pytest.approx(
        (forward.error, forward.degrees_of_freedom, forward.p)
    )


def test_difficulty_shared_by_both_models_has_no_effect(rng: np.random.Generator) -> None:
    x, y = draw(rng, 3, 20, mean=0.2), draw(rng, 3, 20)
    hard = 10 * rng.random(20)
    plain, mixed = difference_of(x, y), difference_of(x + hard, y + hard)
    assert (mixed.nats, mixed.error, mixed.p) == pytest.approx((plain.nats, plain.error, plain.p))


def test_with_single_runs_it_is_the_paired_t_test() -> None:
    """Darwin's maize: cross-fertilized and self-fertilized plants (Fisher 1935)."""
    d = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]) / 8
    result = difference_of(d[None], np.zeros((1, 15)))
    assert result.nats / result.error == pytest.approx(2.148, abs=5e-4)
    assert result.degrees_of_freedom == pytest.approx(14)
    assert result.p == pytest.approx(0.0497, abs=5e-5)


def test_with_identical_blocks_it_is_welchs_test() -> None:
    x, y = np.array([27.5, 21.0, 19.0, 23.6, 17.0]), np.array([27.1, 22.0, 20.8])
    result = difference_of(np.repeat(x[:, None], 4, axis=1), np.repeat(y[:, None], 4, axis=1))
    square = x.var(ddof=1) / 5, y.var(ddof=1) / 3
    freedom = sum(square) ** 2 / (square[0] ** 2 / 4 + square[1] ** 2 / 2)
    assert result.error == pytest.approx(math.sqrt(sum(square)))
    assert result.degrees_of_freedom == pytest.approx(freedom)


def test_one_block_gives_no_test_and_constant_differences_are_handled(
    rng: np.random.Generator,
) -> None:
    x = draw(rng, 3, 20)
    assert difference(x[:, :1], x[:, :1]) is None
    assert difference_of(x, x).p == 1
    same = np.ones((2, 4))
    assert difference_of(same, same).p == 1
    assert difference_of(2 * same, same).p == 0


VARYING = [{"of_run": 1.0, "of_block": 0, "noise": 0}, {"of_run": 0, "of_block": 1.0, "noise": 0},
           {"of_run": 0.3, "of_block": 1.0, "noise": 1.0}]  # fmt: skip


@pytest.mark.parametrize("varying", VARYING)
@pytest.mark.parametrize("runs", [3, 5])
def test_the_false_positive_rate_is_five_percent(
    rng: np.random.Generator, varying: dict[str, float], runs: int
) -> None:
    rejections = 0
    for _ in range(600):
        text = rng.standard_normal(20)
        x, y = (draw(rng, runs, 20, text=text, **varying) for _ in "xy")
        rejections += difference_of(x, y).p < 0.05
    assert 0.015 < rejections / 600 < 0.075


def test_a_true_difference_is_detected(rng: np.random.Generator) -> None:
    p_values = [difference_of(draw(rng, 3, 20, mean=0.5), draw(rng, 3, 20)).p for _ in range(100)]
    assert np.mean(np.array(p_values) < 0.05) > 0.9


def test_holm_matches_a_worked_example() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_only_raises_p_values_and_keeps_their_order(ps: list[float]) -> None:
    raised = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, raised, strict=True))
    assert np.all(np.diff(np.array(raised)[np.argsort(ps, kind="stable")]) >= 0)
