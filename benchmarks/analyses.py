"""Time of the analyses beside deeptime, on the same chi and with the same results.

OMP_NUM_THREADS=1 python benchmarks/analyses.py        # needs `pip install deeptime`

A Markov chain of three states, blurred, of several lengths. Both take turns; ratios are taken within a turn; printed
are medians and the smallest and largest, and the largest difference of the results. deeptime has no intervals of these
quantities: what `implied_timescales` takes with its intervals is told by itself.
"""

import time

import numpy as np
from deeptime.covariance import Covariance
from deeptime.decomposition import VAMP

import gdynet_tf.analysis as ga

LAGS, LENGTHS, TURNS = (1, 2, 5, 10, 20, 50), (10_000, 100_000, 1_000_000), 7
MATRIX = np.array([[0.99, 0.008, 0.002], [0.01, 0.985, 0.005], [0.003, 0.007, 0.99]])


def markov_chi(n_frames):
    """(F, 1, 3): most of the probability on the state of the chain."""
    rng = np.random.default_rng(0)
    cumulative, state = np.cumsum(MATRIX, axis=1), np.zeros(n_frames, int)
    for t, draw in enumerate(rng.random(n_frames - 1)):
        state[t + 1] = min(np.searchsorted(cumulative[state[t]], draw), 2)
    chi = 0.05 * rng.dirichlet(np.ones(3), n_frames)
    chi[np.arange(n_frames), state] += 0.95
    return chi[:, None].astype(np.float32)


def covariances(chi, lag):
    """deeptime's, uncentred."""
    estimator = Covariance(lag, compute_c00=True, compute_c0t=True, compute_ctt=True, bessels_correction=False)
    return estimator.fit(chi[:, 0].astype(np.float64)).fetch_model()


def koopman_matrices(chi):
    models = [covariances(chi, lag) for lag in LAGS]
    return np.array([np.linalg.solve(model.cov_00, model.cov_0t) for model in models])


def score(chi):
    return VAMP(LAGS[-1]).fit_from_covariances(covariances(chi, LAGS[-1])).fetch_model().score(2)


ANALYSES = {
    f"Koopman matrices at {len(LAGS)} lags": (
        lambda chi: np.array([ga.koopman_matrix([chi], lag) for lag in LAGS]),
        koopman_matrices,
    ),
    "VAMP-2 score": (lambda chi: ga.vamp2_score([chi], LAGS[-1]), score),
}


def seconds(function, chi):
    began = time.perf_counter()
    function(chi)
    return time.perf_counter() - began


def main():
    print("   frames  analysis                       here, ms  deeptime, ms  time here beside it     difference")
    for n_frames in LENGTHS:
        chi = markov_chi(n_frames)
        for name, (ours, other) in ANALYSES.items():
            apart = np.abs(ours(chi) - other(chi)).max()
            times = np.array([(seconds(ours, chi), seconds(other, chi)) for _ in range(TURNS)])
            ratio = times[:, 0] / times[:, 1]
            here, there = 1e3 * np.median(times, axis=0)
            print(
                f"{n_frames:9,d}  {name:28s}  {here:9.1f}  {there:12.1f}  "
                f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})  {apart:.1e}",
                flush=True,
            )
        with_intervals = seconds(lambda x: ga.implied_timescales([x], LAGS), chi)
        print(f"{n_frames:9,d}  timescales with intervals     {1e3 * with_intervals:9.1f}")


if __name__ == "__main__":
    main()
