"""Verdict and caveats on data whose answers are known."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.report.trust import restart_findings


def said(chi, lags, tau=None):
    """Kinds of the caveats, and the verdict."""
    tau = tau or lags[0]
    chi = ga.Chi(chi, tau=tau)
    verdict, caveats = ga.assess(chi, ga.implied_timescales(chi, lags), None)
    assert verdict.kind == "untested"
    return {finding.kind: finding for finding in caveats}


@pytest.mark.parametrize(("leave", "n_frames", "kind"), [(0.005, 80, "extrapolated"), (0.015, 80, "short data")])
def test_short_data_are_called_short(chain, leave, n_frames, kind):
    """A relaxation of 100 frames in 80, and one of 33."""
    found = said(chain(np.array([[1 - leave, leave], [leave, 1 - leave]]), n_frames, 200, seed=5), [1])
    assert found[kind].severity == "warning"
    assert "one stretch of time" in found
    assert "few events" not in found


def test_transitions_are_counted(chain):
    """A state of 1 % that was visited a few times: counted, not estimated from half the frames."""
    chi = chain(np.array([[0.9995, 0.0005], [0.05, 0.95]]), 4000, 2, seed=6)
    found = said(chi, [5])["few events"]
    state = chi[..., 1] > 0.5
    assert 0 < found.numbers["n_transitions"] <= (np.diff(state.astype(int), axis=0) != 0).sum()


def test_no_intervals_are_said(chain):
    assert "no intervals" in said(chain(np.array([[0.99, 0.01], [0.01, 0.99]]), 300, 2, seed=6), [2])


def test_strange_eigenvalues(chain):
    drift = np.geomspace(0.2, 0.8, 200)  # an eigenvalue above one
    assert "unresolved relaxation" in said([np.stack([drift, 1 - drift], axis=-1)[:, None]], [10])
    often = chain(np.array([[0.2, 0.8], [0.8, 0.2]]), 2000, 2, seed=3)
    assert "negative eigenvalue" in said(often, [1])
    cycle = chain(0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3, 3000, 3, seed=2)
    assert "oscillation" in said(cycle, [1])


def test_equilibrium(chain):
    """200 targets that all start in state 0 and relax for two relaxation times; and the same in equilibrium."""
    K = np.array([[0.99, 0.01], [0.01, 0.99]])
    start = chain(K, 100, 200, seed=0, start=0)
    assert abs(said(start, [1])["not in equilibrium"].numbers["difference"]) > 0.05
    late = [seed for seed in range(20) if "not in equilibrium" in said(chain(K, 100, 200, seed=seed), [1])]
    assert len(late) <= 1  # 1 % of twenty: more than one in 1.7 % of the cases


def test_restarts():
    assert [finding.kind for finding in restart_findings(None)] == ["one training"]
    agreement = {
        "n_restarts": 3,
        "canonical_correlations": [0.99, 0.9],
        "same_likeliest_state": 0.9,
        "found_again": [True, True, False],
    }
    found = {finding.kind: finding for finding in restart_findings(agreement)}
    assert found["found again"].numbers["states"] == [0, 1]
    assert found["not found again"].numbers["states"] == [2]
    assert "0.990, 0.900" in found["restarts"].text
