"""The calibration that docs/calibration.md reports, with a few kinds and repetitions."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def calibration():
    return benchmark("calibration")


@pytest.fixture(scope="module")
def transport(calibration):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "calibration", calibration)  # which it takes its cases from
        return benchmark("calibration_transport")


@pytest.fixture(scope="module")
def noticeable(calibration):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "calibration", calibration)
        return benchmark("calibration_noticeable")


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


@pytest.mark.parametrize("kind", ["in a row, 25 frames apart", "in pairs, 60 frames apart"])
def test_targets_that_follow_have_none(calibration, kind):
    result = calibration.run(calibration.CASES[kind], 12, seed=1)
    assert result["bases"].get("none: targets follow", 0) >= 10
    assert result["verdicts"].get("refuted", 0) <= 1


@pytest.mark.parametrize("kind", ["not in equilibrium", "not in equilibrium, trajectories"])
def test_out_of_equilibrium_populations_have_none(calibration, kind):
    """Of trajectories, 4 % are not noticed: more than four of 24 in one of 500 cases."""
    result = calibration.run(calibration.CASES[kind], 24, seed=1)
    assert np.array(result["counts"]["populations"])[0].mean() <= 4
    given, inside, _ = np.array(result["counts"]["K"], float)
    assert given.mean() > 18
    assert inside.sum() / given.sum() > 0.85


def test_averages_over_what_is_weak_and_slow(calibration):
    """Held in 76 % of 24 draws or more, if in 91 % of all, in all but one of a hundred cases."""
    result = calibration.run(calibration.CASES["memory, weak and slow"], 24, seed=1)
    given, inside, _ = np.array(result["counts"]["populations"], float)
    assert given.mean() > 18
    assert inside.sum() / given.sum() > 0.76


@pytest.mark.parametrize("kind", ["eight tracers", "profile, many targets", "bond order, many targets"])
def test_intervals_of_motion_and_surroundings(calibration, transport, kind):
    result = calibration.run(transport.CASES[kind], 16, seed=1)
    for counts in result["counts"].values():
        found = np.array(counts, float)
        assert found[0].sum() > 0.7 * 16 * found.shape[1]
        assert found[1].sum() / found[0].sum() > 0.8
        assert found[2].sum() == 0


def test_memory_is_seen(calibration):
    """Better than the yardstick, a paired t-test of ten parts."""
    result = calibration.run(calibration.CASES["memory, middling"], 24, seed=1)
    assert result["verdicts"]["refuted"] >= max(12, result["by_parts"][0])
    # The deviation that would have been noticed, beside the true one.
    assert 0.5 < result["noticeable"] / calibration.CHAINS["memory, middling"].deviation() < 2


def test_what_is_called_noticeable_is_noticed(noticeable):
    """At a deviation of 0.038, seen in 90 % of many draws: 15 of 24 or fewer in one of a thousand cases."""
    point = noticeable.measure(noticeable.FAMILIES["fuzzy, 40 targets, 400 frames"].chain(0.25), 24, seed=1)
    assert point.refuted > 0.625
    assert 0.5 < point.stated / point.deviation < 2


def test_where_the_power_passes_80_percent(noticeable):
    points = [noticeable.Point(0.01 * k, 1.0, share, 0.02 + 0.01 * k) for k, share in ((1, 0.1), (2, 0.6), (4, 1.0))]
    np.testing.assert_allclose(noticeable.noticed(points), (0.03, 0.05))
    assert np.isnan(noticeable.noticed(points[:2])).all()


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
