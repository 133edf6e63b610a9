"""Local beside global dynamics of lithium in FCC sulfur: timescales, assignment of the sites, Chapman-Kolmogorov test.

python examples/li_fcc/figures.py LOCAL_RUN GLOBAL_RUN FOLDER

LOCAL_RUN is a GDyNet, GLOBAL_RUN a VAMPnet of the same trajectory, both with two states (the paper's Fig. 2b-d).
Writes three figures into FOLDER, each with its numbers.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from global_dynamics import TEST_LAG
from sites import N_OCTAHEDRAL, SITES

import gdynet_tf.analysis as ga

LAG_TIMES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # ps
POINTS = 3000
BORDER = 0.15  # of the cell, below which no atom on an octahedral site falls
TITLES = ("local (GDyNet)", "global (VAMPnet)")


def in_frames(run, time):
    return round(time / run.frame_interval)


def draw_timescales(runs, chis):
    """Relaxation time over the lag time; figure and columns."""
    figure, axes = plt.subplots(1, 2, sharey=True, layout="constrained", figsize=(8, 3.4))
    columns = {}
    for ax, name, title, run, chi in zip(axes, ("local", "global"), TITLES, runs, chis, strict=True):
        lags = [in_frames(run, time) for time in LAG_TIMES]
        result = ga.implied_timescales(chi, lags, run.frame_interval, run.time_unit)
        ga.plots.timescales(result, ax)
        ax.set_xscale("log")
        ax.set_title(title)
        columns |= {f"{name}_{key}": values for key, values in result.to_dataframe().items()}
    axes[1].set_ylabel("")
    axes[0].set_ylim(0.5, 5000)
    return figure, columns


def draw_sites(runs, chis):
    """Positions of the Li along z, coloured by the probability of state 0; figure and columns."""
    figure, axes = plt.subplots(1, 2, sharey=True, layout="constrained", figsize=(8, 3.8))
    columns = {}
    for ax, name, title, run, chi in zip(axes, ("local", "global"), TITLES, runs, chis, strict=True):
        system = ga.load_system(run, "test")
        cell = system.lattices[0][0]
        every = max(1, len(chi[0]) // POINTS)
        fractional = system.target_positions()[0][::every, 0] @ np.linalg.inv(cell)
        x, y = (((fractional[:, :2] + BORDER) % 1 - BORDER) * cell.diagonal()[:2]).T
        p = chi[0][::every, 0, 0]
        points = ax.scatter(x, y, c=p, s=4, cmap="cividis", vmin=0, vmax=1, rasterized=True)
        for sites, marker, kind in (
            (SITES[:N_OCTAHEDRAL], "s", "octahedral"),
            (SITES[N_OCTAHEDRAL:], "^", "tetrahedral"),
        ):
            ax.plot(
                *(sites[:, :2] * cell.diagonal()[:2]).T,
                marker,
                ms=11,
                mfc="none",
                mec="#D55E00",
                mew=1.5,
                ls="",
                label=kind,
            )
        ax.set_title(title)
        ax.set_aspect("equal")
        ax.set_xlabel("x (Å)")
        columns |= {f"{name}_x_angstrom": x, f"{name}_y_angstrom": y, f"{name}_probability_of_state_0": p}
    axes[0].set_ylabel("y (Å)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    figure.colorbar(points, ax=axes, label="probability of state 0")
    return figure, columns


def draw_test(runs, chis):
    """Chapman-Kolmogorov test, the two diagonal elements of each model; figure and columns."""
    figure, axes = plt.subplots(1, 4, layout="constrained", figsize=(11, 3.2))
    columns = {}
    for k, (name, title, run, chi) in enumerate(zip(("local", "global"), TITLES, runs, chis, strict=True)):
        test = ga.chapman_kolmogorov_test(chi, in_frames(run, TEST_LAG), 5, run.frame_interval, run.time_unit)
        for i, ax in enumerate(axes[2 * k : 2 * k + 2]):
            time, (low, high) = test.lag_times, test.predicted_interval[:, :, i, i]
            ax.plot(
                time, test.predicted[:, i, i], color=ga.plots.state_color(0), label=f"predicted, K({TEST_LAG:g} ps)ⁿ"
            )
            ax.fill_between(time, low, high, color=ga.plots.state_color(0), alpha=0.25, lw=0)
            estimated, (low, high) = test.estimated[:, i, i], test.estimated_interval[:, :, i, i]
            errors = np.clip([estimated - low, high - estimated], 0, None)
            ax.errorbar(
                time, estimated, errors, fmt="o", ms=4, capsize=3, color=ga.plots.state_color(1), label="estimated"
            )
            ax.set_title(f"{title}\n{i} → {i}", fontsize="medium")
            ax.set_xlabel("time (ps)")
        columns |= {f"{name}_{key}": values for key, values in test.to_dataframe().items()}
    axes[0].set_ylabel("transition probability")
    axes[0].legend(fontsize="small")
    return figure, columns


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    runs = [ga.load_run(path) for path in sys.argv[1:3]]
    chis = [ga.load_chi(run, "test") for run in runs]
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("timescales", draw_timescales), ("sites", draw_sites), ("chapman_kolmogorov", draw_test)):
        figure, columns = draw(runs, chis)
        print(ga.plots.save_figure(figure, folder / f"li_fcc_{name}", columns)[0])


if __name__ == "__main__":
    main()
