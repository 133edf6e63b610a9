"""The readers of this package beside those of MDAnalysis and ASE: speed and memory on a large file.

    OMP_NUM_THREADS=1 python benchmarks/readers.py [--megabytes 1000] [--formats lammps xdatcar extxyz]

2,700 atoms, each reader in a process of its own that reads all frames once and keeps none. Frames per second of
processor time, so that other work on the machine counts less; peak memory less that of the process before it opens the
file.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

N_ATOMS = 2700
EDGE = 30.0  # Å


def lammps(x):
    rows = np.column_stack([np.arange(1, N_ATOMS + 1), np.tile([1, 2, 2], N_ATOMS // 3), x])
    text = "%d %d %.6g %.6g %.6g\n" * N_ATOMS % tuple(rows.ravel().tolist())
    bounds = f"0 {EDGE}\n" * 3
    return lambda n: (
        f"ITEM: TIMESTEP\n{n}\nITEM: NUMBER OF ATOMS\n{N_ATOMS}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
        f"ITEM: ATOMS id type x y z\n{text}"
    )


def xdatcar(x):
    text = "%.8f %.8f %.8f\n" * N_ATOMS % tuple((x / EDGE).ravel().tolist())
    head = f"water\n1.0\n{EDGE} 0 0\n0 {EDGE} 0\n0 0 {EDGE}\nH O\n1800 900\n"
    return lambda n: (head if n == 0 else "") + f"Direct configuration= {n + 1:5d}\n{text}"


def extxyz(x):
    text = "O %.8f %.8f %.8f\nH %.8f %.8f %.8f\nH %.8f %.8f %.8f\n" * (N_ATOMS // 3) % tuple(x.ravel().tolist())
    lattice = f'Lattice="{EDGE} 0 0 0 {EDGE} 0 0 0 {EDGE}" Properties=species:S:1:pos:R:3 pbc="T T T"'
    return lambda n: f"{N_ATOMS}\n{lattice} energy={-n}\n{text}"


WRITERS = {"lammps": lammps, "xdatcar": xdatcar, "extxyz": extxyz}


def write(path, kind, size):
    """Frames of ten kinds in turn until the file has its size."""
    rng = np.random.default_rng(0)
    frames, n = [WRITERS[kind](rng.random((N_ATOMS, 3)) * EDGE) for _ in range(10)], 0
    with open(path, "w") as file:
        while file.tell() < size:
            file.write(frames[n % 10](n))
            n += 1
    return n


def ours(path, kind):
    from gdynet_tf.trajectory.readers import open_source

    for chunk in open_source(path, species=["O", "H"] if kind == "lammps" else None).chunks:
        yield from chunk.positions


def mdanalysis(path, kind):
    from MDAnalysis.coordinates.core import get_reader_for

    kind = {"lammps": "LAMMPSDUMP", "extxyz": "XYZ"}[kind]
    for step in get_reader_for(path, format=kind)(path, n_atoms=N_ATOMS):
        yield step.positions


def of_ase(path, kind):
    from ase.io import iread

    name = {"lammps": "lammps-dump-text", "xdatcar": "vasp-xdatcar", "extxyz": "extxyz"}[kind]
    for atoms in iread(path, index=":", format=name):
        yield atoms.positions


READERS = {"ours": ours, "MDAnalysis": mdanalysis, "ASE": of_ase}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path, kind, reader):
    """Printed by a process of its own: frames, seconds of processor, of the clock, MB."""
    import ase.io
    import MDAnalysis.coordinates
    import pandas  # noqa: F401

    import gdynet_tf.trajectory.readers

    assert ase.io
    assert MDAnalysis.coordinates
    assert gdynet_tf.trajectory.readers
    warnings.simplefilter("ignore")
    before, clock, processor = peak(), time.perf_counter(), time.process_time()
    n = sum(1 for _ in READERS[reader](path, kind))
    print(n, time.process_time() - processor, time.perf_counter() - clock, peak() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--formats", nargs="+", choices=sorted(WRITERS), default=sorted(WRITERS))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(*args.measure)
    print("| format | reader | frames | frames/s | MB/s | memory, MB |\n|---|---|---|---|---|---|", flush=True)
    for kind in args.formats:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "XDATCAR" if kind == "xdatcar" else Path(folder) / f"t.{kind}"
            n_frames = write(path, kind, args.megabytes * 1e6)
            size = path.stat().st_size / 1e6
            for reader in READERS:
                if (kind, reader) == ("xdatcar", "MDAnalysis"):
                    continue  # has none
                command = [sys.executable, __file__, "--measure", str(path), kind, reader]
                said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
                n, processor, _, memory = map(float, said.stdout.split()[-4:])
                assert n == n_frames
                print(
                    f"| {kind} | {reader} | {n_frames} | {n / processor:.0f} | {size / processor:.0f} | {memory:.0f} |",
                    flush=True,
                )
    return None


if __name__ == "__main__":
    main()
