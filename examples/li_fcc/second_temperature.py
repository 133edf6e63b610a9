"""Populations and timescales of runs with two states, all frames, beside counting by site.

python examples/li_fcc/second_temperature.py runs/demo runs/demo_li80
"""

import sys

import numpy as np
from sites import N_OCTAHEDRAL, core_sites, nearest_sites

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import read

LAG_TIMES = (2.0, 5.0, 10.0, 20.0)  # ps


def report(name, chi, run):
    """One line: tetrahedral population and timescale at each lag time, with 95 % intervals."""
    population = ga.estimated_populations(chi, run.tau)
    lags = [round(time / run.frame_interval) for time in LAG_TIMES]
    slow = ga.implied_timescales(chi, lags, run.frame_interval, run.time_unit)
    times = ", ".join(
        f"{t:.1f} ({a:.0f} to {b:.0f})"
        for t, a, b in zip(slow.timescales[0], slow.lower[0], slow.upper[0], strict=True)
    )
    print(
        f"  {name:13s} {population.value[1]:.3f} ({population.lower[1]:.3f} to {population.upper[1]:.3f})   {times} ps"
    )


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        run = ga.load_run(path)
        chi = ga.load_chi(run)
        trajectory = read(run.config["data"]["trajectories"][0]["sources"][0]["path"])
        arguments = (trajectory.positions[:, 0], trajectory.lattices[0])
        print(f"{path}: tetrahedral population; timescale at lags of {', '.join(f'{t:g}' for t in LAG_TIMES)} ps")
        report("learned", chi, run)
        counted = {"nearest site": nearest_sites(*arguments), "cores": core_sites(*arguments)}
        for name, sites in counted.items():
            report(name, np.eye(2, dtype=np.float32)[(sites >= N_OCTAHEDRAL).astype(int)][:, None], run)
        same = (chi[0][:, 0, 1] > 0.5) == (counted["nearest site"] >= N_OCTAHEDRAL)
        print(
            f"  likeliest state = nearest site: {100 * same.mean():.1f} %, above 0.9: {100 * ga.crispness(chi):.1f} %"
        )


if __name__ == "__main__":
    main()
