"""Peak memory of building graphs against the number of frames and atoms.

    python benchmarks/memory.py [--atoms N ...] [--frames F ...] [--folder DIR] [--n-workers W]

For every size a random walk in a cube at 0.1 atoms per Å^3 is written frame by frame as a traj.npz of 2019, and
gdynet-build-graphs reads it and writes distances, in a process of its own. Printed are the largest resident memory of
the command and of its largest worker, the wall time, and what was written.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

_BUILD = """
import resource, sys
from gdynet_tf.commands.build_graphs import main
code = main(sys.argv[1:])
own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print("peak", own, workers)
sys.exit(code)
"""


def write(path: Path, n_frames: int, n_atoms: int) -> None:
    """A walk, never more than some frames of it in memory."""
    rng = np.random.default_rng(0)
    edge = np.cbrt(n_atoms / 0.1)
    x = rng.random((n_atoms, 3)) * edge

    def member(name: str, shape: tuple[int, ...], dtype: str, rows) -> None:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for row in rows:
                file.write(np.ascontiguousarray(row, dtype).data)

    def frames():
        nonlocal x
        for _ in range(n_frames):
            x = (x + rng.normal(0, 0.1, x.shape)) % edge
            yield x

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        member("atom_types", (n_atoms,), "i4", [np.where(np.arange(n_atoms) % 10, 16, 3)])
        member("lattices", (n_frames, 3, 3), "f8", (np.eye(3) * edge for _ in range(n_frames)))
        member("traj_coords", (n_frames, n_atoms, 3), "f8", frames())


def measure(folder: Path, n_frames: int, n_atoms: int, n_workers: int) -> None:
    """Write, build, print a line, and remove both."""
    file, out = folder / "walk.npz", folder / "graphs"
    write(file, n_frames, n_atoms)
    arguments = [str(file), "--targets", "Li", "--edges", "distance", "--out", str(out), "--n-workers", str(n_workers)]
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, *arguments, "--frame-interval", "0.1"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    _, own, worker = done.stdout.strip().splitlines()[-1].split()
    size = sum(f.stat().st_size for f in out.rglob("*.npy"))
    print(
        f"{n_atoms:7d} {n_frames:7d} {file.stat().st_size / 1e9:9.3f} {size / 1e9:9.3f} "
        f"{int(own) / 1024:11.0f} {int(worker) / 1024:11.0f} {seconds:9.1f}",
        flush=True,
    )
    file.unlink()
    shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--folder", type=Path, default=Path("memory"), help="for the files (default: %(default)s)")
    parser.add_argument("--n-workers", type=int, default=1)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"n_workers {args.n_workers}; Python and NumPy alone: {idle:.0f} MiB")
    print("  atoms  frames   file_GB graphs_GB peak_MiB_own    _worker   seconds")
    for n_atoms in args.atoms:
        for n_frames in args.frames:
            # The trajectory, the followed positions, and in the graphs both these again and the neighbours.
            needed = n_frames * n_atoms * (3 * 24 + 12 * 8)
            if needed > 0.8 * shutil.disk_usage(args.folder).free:
                print(f"{n_atoms:7d} {n_frames:7d}  left out: {needed / 1e9:.0f} GB do not fit")
                continue
            measure(args.folder, n_frames, n_atoms, args.n_workers)


if __name__ == "__main__":
    main()
