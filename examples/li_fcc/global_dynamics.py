"""Local and global dynamics of lithium in FCC sulfur: the paper's comparison.

python examples/li_fcc/global_dynamics.py LOCAL_RUN [GLOBAL_RUN ...]

LOCAL_RUN is a GDyNet with two states, GLOBAL_RUN a VAMPnet (train.py --model vampnet) of the same trajectory.
"""

import sys

import numpy as np
from sites import KINDS, core_sites, nearest_sites, site_neighbors

import gdynet_tf.analysis as ga

TEST_LAG = 10.0  # ps, of the Chapman-Kolmogorov tests
LAG_TIMES = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # ps
N_SLOW = 3  # global relaxations that are equal by symmetry: exchange between the four octahedral sites


def timescales(K, lag_time, n):
    """The n slowest timescales of a transition matrix."""
    return np.array([ga.timescale(complex(value), lag_time)[0] for value in ga.eigenvalues(K)[1 : n + 1]])


def mean_timescale(times):
    """Inverse of the mean rate."""
    return len(times) / np.sum(1 / times)


def find_sites(run, split):
    """Site of the Li in each frame, by the nearest one and by cores: two lists with a (F,) array for each segment."""
    system = ga.load_system(run, split)
    positions, cells = [x[:, 0] for x in system.target_positions()], [cell[0] for cell in system.lattices]
    return [[find(x, cell) for x, cell in zip(positions, cells, strict=True)] for find in (nearest_sites, core_sites)]


def count_visits(path, split="test"):
    """How often the Li entered the core of a tetrahedral site from an octahedral one."""
    kinds = [KINDS[sites] for sites in find_sites(ga.load_run(path), split)[1]]
    return sum(int((np.diff(kind) == 1).sum()) for kind in kinds)


def compare(path, split="test"):
    """Rows (lag time, local, its counted value, reconstructed, counted by nearest site, counted by cores).

    Counted for the local one are the two kinds of nearest site; the last two are threefold.
    """
    run = ga.load_run(path)
    chi, counted = ga.load_chi(run, split), find_sites(run, split)
    rows = []
    for lag_time in LAG_TIMES:
        tau = round(lag_time / run.frame_interval)
        K = ga.koopman_matrix(chi, tau, "constrained")
        try:  # states are numbered by population: the octahedral one is 0, as in KINDS
            rebuilt = ga.global_transition_matrix(K, KINDS, site_neighbors(), lag_time)
            slowest = timescales(rebuilt, lag_time, 1)[0]
        except ValueError:  # all is over within the lag time
            slowest = np.nan
        rows.append(
            (
                lag_time,
                timescales(K, lag_time, 1)[0],
                timescales(ga.site_matrix([KINDS[sites] for sites in counted[0]], 2, tau), lag_time, 1)[0],
                slowest,
                *(timescales(ga.site_matrix(sites, len(KINDS), tau), lag_time, N_SLOW) for sites in counted),
            )
        )
    return rows


def describe(path, split="test"):
    """Chapman-Kolmogorov test and timescales of a run, in lines."""
    run = ga.load_run(path)
    chi = ga.load_chi(run, split)
    units = {"frame_interval": run.frame_interval, "time_unit": run.time_unit}
    tau = round(TEST_LAG / run.frame_interval)
    test = ga.chapman_kolmogorov_test(chi, tau, 5, **units)
    result = ga.implied_timescales(chi, [round(t / run.frame_interval) for t in LAG_TIMES[:-1]], **units)
    lines = [
        f"{path}: {run.config.get('model', 'gdynet')}, {run.config['n_states']} states, trained at a lag of "
        f"{run.tau * run.frame_interval:g} ps, "
        f"VAMP-2 {ga.vamp2_score(chi, run.tau):.4f}",
        f"  Chapman-Kolmogorov test, K({TEST_LAG:g} ps)^n: {test.finding.kind} up to {test.lag_times[-1]:g} ps, "
        f"largest deviation {test.max_deviation:.4f}, noticeable {test.noticeable:.4f}",
        "  slowest (ps): "
        + ", ".join(
            f"{t:.4g} ({low:.4g} to {high:.4g}) at {lag:g}"
            for t, low, high, lag in zip(
                result.timescales[0], result.lower[0], result.upper[0], result.lag_times, strict=True
            )
        ),
    ]
    crisp = [np.eye(chi[0].shape[-1])[segment.argmax(axis=-1)] for segment in chi]
    if ga.populations(crisp).all():
        test = ga.chapman_kolmogorov_test(crisp, tau, 5, **units)
        lines.append(
            f"  every frame given to its likeliest state: {test.finding.kind}, largest deviation "
            f"{test.max_deviation:.4f}, noticeable {test.noticeable:.4f}"
        )
    agreement = run.scores["agreement"]
    if agreement:
        lines.append(
            f"  {agreement['n_restarts']} trainings: likeliest state agrees for at least "
            f"{100 * agreement['same_likeliest_state']:.1f} %, canonical correlations at least "
            + ", ".join(f"{c:.3f}" for c in agreement["canonical_correlations"])
        )
    return lines


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        print("\n".join(describe(path)))
    print(f"\n{count_visits(sys.argv[1])} visits to the cores of tetrahedral sites")
    print("slowest timescales (ps); the global counted ones are three that symmetry makes equal, and their mean rate")
    print("          local                  global")
    print("lag (ps)  GDyNet  nearest site   reconstructed  nearest site              cores")
    for lag_time, local, two_sites, rebuilt, *counted in compare(sys.argv[1]):
        shown = ["{:4.0f} {:4.0f} {:4.0f}, mean {:4.0f}".format(*times, mean_timescale(times)) for times in counted]
        print(f"{lag_time:8g}  {local:6.1f}  {two_sites:12.1f}   {rebuilt:13.0f}  {shown[0]}  {shown[1]}")


if __name__ == "__main__":
    main()
