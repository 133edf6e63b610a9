"""The calibration that docs/calibration.md reports, with a few kinds and repetitions."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["one target, middling", "two targets", "memory, many targets"])
def test_intervals_hold_the_truth(calibration, kind):
    """24 draws: with 95 % for each, the mean over a quantity's components stays above 85 % in all but rare cases."""
    result = calibration.run(calibration.CASES[kind], 24, seed=1)
    for name in ("populations", "K", "timescales", "residence times"):
        found = np.array(result["counts"][name], float)
        assert found[0].sum() > 0.5 * 24 * found.shape[1]
        assert found[1].sum() / found[0].sum() > 0.85
        assert found[2].sum() == 0  # an estimate lies inside its own interval
    if result["markovian"]:
        assert result["verdicts"].get("refuted", 0) <= 4


def test_what_is_too_short_has_none(calibration):
    result = calibration.run(calibration.CASES["together, short"], 24, seed=1)
    assert np.array(result["counts"]["populations"])[0].mean() <= 3


def test_memory_is_seen(calibration):
    """Better than the yardstick, a paired t-test of ten parts."""
    result = calibration.run(calibration.CASES["memory, middling"], 24, seed=1)
    assert result["verdicts"]["refuted"] >= max(12, result["by_parts"][0])
    # The deviation that would have been noticed, beside the true one.
    assert 0.5 < result["noticeable"] / calibration.CHAINS["memory, middling"].deviation() < 2


def test_tables_name_every_kind(calibration):
    result = calibration.run(calibration.CASES["two targets"], 2)
    text = calibration.tables({"two targets": result})
    assert text.count("two targets") == 2
    assert "| first passage times |" in text


def test_answers_of_infinite_data(calibration):
    """The truth of a chain of three states is that of its matrix."""
    chain = calibration.CHAINS["one target"]
    truth = chain.truth()
    np.testing.assert_allclose(truth["timescales"], [[60] * 3, [24] * 3], rtol=1e-6)
    np.testing.assert_allclose(truth["populations"], [0.5, 0.3, 0.2], rtol=1e-9)
    np.testing.assert_allclose(truth["residence times"][0], 60 / 0.5, rtol=1e-6)
    assert chain.deviation() < 1e-9
    assert calibration.CHAINS["memory, strong"].deviation() > 0.03
