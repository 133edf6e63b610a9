"""What several trainings on the example found, beside nearest-site counting.

for s in 0 1 2; do python train.py --n-states 2 --tau 20 --seed $s --run runs/seed_$s; done
python examples/li_fcc/check_seeds.py runs/seed_*
"""

import argparse
from pathlib import Path

import numpy as np
from sites import N_OCTAHEDRAL, nearest_sites

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import read

FRAMES_PER_PS = 10


def check(run, tetrahedral):
    """Numbers of one run with two states; times in ps."""
    every, test = ga.load_chi(run), ga.load_chi(run, "test")
    timescales = ga.implied_timescales(test, [50, 71, 100, 141, 200], 1 / FRAMES_PER_PS, "ps")
    tests = [ga.chapman_kolmogorov_test(test, tau, 5, 1 / FRAMES_PER_PS, "ps") for tau in (run.tau, 10 * FRAMES_PER_PS)]
    return {
        "VAMP-2 test": f"{run.scores['vamp2']['test']:.4f}",
        "above 0.9 (%)": f"{100 * ga.crispness(every):.1f}",
        "population": f"{ga.populations(every)[1]:.4f}",
        "counted": f"{tetrahedral.mean():.4f}",
        "likeliest = counted (%)": f"{100 * ((every[0][:, 0, 1] > 0.5) == tetrahedral).mean():.1f}",
        "timescales 5, 10, 20 ps": " ".join(f"{t:.1f}" for t in timescales.timescales[0, [0, 2, 4]]),
        "flat": ga.flat_within_interval(timescales, 5, 20),
        "CK to 10 ps": tests[0].passed,
        "CK at 10 ps": tests[1].passed,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    rows = []
    for path in args.runs:
        run = ga.load_run(path)
        source = run.config["data"]["trajectories"][0]["sources"][0]["path"]
        trajectory = read(source)
        sites = nearest_sites(trajectory.positions[:, 0], trajectory.lattices[0])
        rows.append({"seed": run.config["seed"], **check(run, sites >= N_OCTAHEDRAL)})
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]]
    for line in ([*rows[0]], *(row.values() for row in rows)):
        print("  ".join(str(value).rjust(width) for value, width in zip(line, widths, strict=True)))
    print(f"VAMP-2 at least 1.93: {np.sum([float(row['VAMP-2 test']) >= 1.93 for row in rows])} of {len(rows)}")


if __name__ == "__main__":
    main()
