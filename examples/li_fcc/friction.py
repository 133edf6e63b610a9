"""Local and global relaxation of lithium in FCC sulfur by the friction that the thermostat exerts, counted by cores.

python examples/li_fcc/friction.py [--length-ns 200] [--seeds 11 12] [--folder FOLDER]

The paper does not tell its thermostat. Simulates what is not in FOLDER (six minutes each on one core for 200 ns) and
writes friction.png and friction.csv there.
"""

import argparse
from pathlib import Path

import numpy as np
from global_dynamics import N_SLOW, mean_timescale
from simulate import write_trajectory
from sites import KINDS, core_sites

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import read

LANGEVIN, CHAIN = (0.0025, 0.004, 0.005, 0.0055, 0.006, 0.01), 0.1  # ps
TEMPERATURE, LAG_TIME = 64.0, 10.0  # K, ps
PAPER = {"local": 42.3, "global": 528.0}  # ps


def count(file):
    """Relaxation times of a trajectory by cores, ps.

    Parameters
    ----------
    file : path-like
        Compact trajectory.

    Returns
    -------
    dict
        population : of tetrahedral sites; visits : to them; local, lower, upper : exchange of the two kinds of site and
        its 95 % interval; global : inverse of the mean rate of the three slowest relaxations of twelve sites.
    """
    trajectory = read(file)
    lag = round(LAG_TIME / trajectory.frame_interval)
    sites = core_sites(trajectory.positions[:, 0], trajectory.lattices[0])
    tetrahedral = KINDS[sites]
    times = ga.implied_timescales([np.eye(2)[tetrahedral][:, None]], [lag], trajectory.frame_interval, "ps")
    slowest = ga.eigenvalues(ga.site_matrix([sites], len(KINDS), lag))[1 : N_SLOW + 1]
    return {
        "population": tetrahedral.mean(),
        "visits": int((np.diff(tetrahedral) == 1).sum()),
        "local": times.timescales[0, 0],
        "lower": times.lower[0, 0],
        "upper": times.upper[0, 0],
        "global": mean_timescale(np.array([ga.timescale(complex(value), LAG_TIME)[0] for value in slowest])),
    }


def draw(rows, file):
    """Times by damping time beside the paper's; one marker for each simulation."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
    rows = [row for row in rows if row["thermostat"] == "langevin"]
    damping = [1000 * row["damping_ps"] for row in rows]
    for ax, name in zip(axes, PAPER, strict=True):
        times = np.array([row[name] for row in rows])
        errors = None
        if name == "local":
            errors = np.array([[row["local"] - row["lower"], row["upper"] - row["local"]] for row in rows]).T
        ax.errorbar(damping, times, errors, fmt="o", ms=4, capsize=3)
        ax.axhline(PAPER[name], color="0.4", ls="--", label=f"paper, {PAPER[name]:g} ps")
        ax.set(xscale="log", yscale="log", xlabel="damping time (fs)", ylabel=f"{name} relaxation (ps)")
        ax.legend()
    return ga.plots.save_figure(figure, file, {name: [row[name] for row in rows] for name in rows[0]})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length-ns", type=float, default=200.0, help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--folder", type=Path, default=Path("runs/li_fcc_friction"), help="(default: %(default)s)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print("thermostat  damping (ps)  seed  population  visits  local (ps), 95 %       global (ps)")
    rows = []
    for thermostat, damping, seed in [
        *(("langevin", damping, seed) for damping in LANGEVIN for seed in args.seeds),
        *(("chain", CHAIN, seed) for seed in args.seeds),
    ]:
        file = args.folder / f"{thermostat}_{damping:g}_{seed}.npz"
        if not file.is_file():
            how = {"length_ns": args.length_ns, "temperature": TEMPERATURE, "seed": seed}
            write_trajectory(file, **how, thermostat=thermostat, damping=damping)
        row = {"thermostat": thermostat, "damping_ps": damping, "seed": seed, **count(file)}
        print(
            "{thermostat:10}  {damping_ps:12g}  {seed:4d}  {population:10.4f}  {visits:6d}  "
            "{local:6.1f} ({lower:.1f} to {upper:.1f})  {global:8.0f}".format(**row),
            flush=True,
        )
        rows.append(row)
    draw(rows, args.folder / "friction")


if __name__ == "__main__":
    main()
