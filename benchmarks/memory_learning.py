"""Peak memory of training, prediction and report against the numbers of frames and atoms.

python benchmarks/memory_learning.py                          # 100 frames of 1,000, 3,000 and 10,000 atoms
python benchmarks/memory_learning.py --cases 10000x10000      # 15 GB on disk while it runs

A random liquid of 0.1 atoms per cubic Å, 33 of which are targets; eight frames come again and again, and the targets
walk. Each step runs in a process of its own. Memory is the highest resident set of the step (VmHWM of Linux) beyond
what the process holds once TensorFlow is loaded and an empty network is built, or the report's modules are imported.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DENSITY, N_TARGETS, N_STATES, TEMPLATES = 0.1, 33, 3, 8  # 1/Å^3
EXPANSION = {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2}
STEPS = ("training", "prediction", "report")


def write_liquid(out, n_atoms, n_frames, n_neighbors, group_size=1, n_targets=N_TARGETS, edges="distance"):
    """A graph directory of a random liquid, written frame by frame."""
    from gdynet_tf.graphs.chunks import PlannedArray
    from gdynet_tf.graphs.expansion import expand_distances
    from gdynet_tf.graphs.neighbors import nearest_neighbors
    from gdynet_tf.graphs.partial import PartialDirectory
    from gdynet_tf.graphs.store import FORMAT_VERSION
    from gdynet_tf.spool import FileArray

    rng = np.random.default_rng(0)
    lattice = np.eye(3) * (n_atoms / DENSITY) ** (1 / 3)
    targets = np.arange(n_targets * group_size, dtype=np.int32).reshape(n_targets, group_size)
    numbers = rng.choice([1, 6, 8], n_atoms, p=[0.55, 0.3, 0.15]).astype(np.int32)
    numbers[targets[:, 0]] = 12
    liquid = rng.uniform(0, lattice[0, 0], (n_atoms, 3))
    positions = liquid + rng.normal(0, 0.2, (TEMPLATES, n_atoms, 3))
    graphs = [[part[0] for part in nearest_neighbors(x[None], lattice[None], n_neighbors)] for x in positions]
    if edges == "gaussian":
        graphs = [[near, expand_distances(distances, **EXPANSION)] for near, distances in graphs]
    walk = np.cumsum(rng.normal(0, 0.3, (n_frames, n_targets, 1, 3)), axis=0)
    meta = {
        "format_version": FORMAT_VERSION,
        "length_unit": "angstrom",
        "time_unit": "ps",
        "frame_interval": 1.0,
        "periodic": [True, True, True],
        "n_atoms": n_atoms,
        "n_neighbors": n_neighbors,
        "n_targets": n_targets,
        "group_size": group_size,
        "edges": edges,
        "expansion": EXPANSION,
        "trajectories": [{"name": "liquid", "n_frames": n_frames, "segments": [n_frames], "sources": []}],
    }
    partial = PartialDirectory(out, meta)
    planned = {
        "neighbors": PlannedArray((n_frames, n_atoms, n_neighbors), np.int16 if n_atoms < 2**15 else np.int32),
        "distances" if edges == "distance" else "edges": PlannedArray((n_frames, *graphs[0][1].shape), np.float32),
        "positions": PlannedArray((n_frames, n_atoms, 3), np.float64),
        "lattices": PlannedArray((n_frames, 3, 3), np.float64),
    }
    known = {"atomic_numbers": numbers, "targets": targets}
    partial.begin(known, {f"liquid/{name}": plan for name, plan in planned.items()})
    files = {name: FileArray.open(partial.file(f"liquid/{name}"), "r+b") for name in planned}
    for t in range(n_frames):
        moved = positions[t % TEMPLATES].copy()
        moved[targets] += walk[t]
        for array, values in zip(files.values(), (*graphs[t % TEMPLATES], moved, lattice), strict=True):
            array.write(t, values[None])
    partial.note("liquid", 0, n_frames, dict.fromkeys(planned, ""))
    return partial.finish()


def status(name):
    """A line of /proc/self/status, MB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024


def run_step(step, graphs, run, n_conv):
    """Memory before and at the peak of a step (MB), and seconds; in this process."""
    if step == "report":
        import gdynet_tf.commands.report as command
        import gdynet_tf.report.analyse
        import gdynet_tf.report.html
        import gdynet_tf.report.plots  # noqa: F401
    else:
        from gdynet_tf.networks.backend import load_backend

        load_backend()
        import gdynet_tf.commands.train as command
        from gdynet_tf.learning import runs
        from gdynet_tf.networks.gdynet import GDyNet

        GDyNet(N_STATES)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM from here on
    began = time.perf_counter()
    if step == "training":
        sizes = ["--n-states", str(N_STATES), "--tau", "1", "--epochs", "1", "--seed", "1", "--n-conv", n_conv]
        code = command.main(["--graphs", graphs, "--run", run, "--overwrite", *sizes])
    elif step == "prediction":
        from gdynet_tf.graphs.store import open_graphs

        runs.predict_chi(runs.load_model(run), open_graphs(graphs), Path(run) / "again", progress=False)
        code = 0
    else:
        code = command.main([run])
    if code:
        sys.exit(code)
    return {"before": before, "peak": status("VmHWM"), "seconds": time.perf_counter() - began}


def measure(step, graphs, run, n_conv):
    """`run_step` in a process of its own."""
    asked = [sys.executable, __file__, "--step", step, str(graphs), str(run), str(n_conv)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{step} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=["1000x100", "3000x100", "10000x100"], metavar="ATOMSxFRAMES")
    parser.add_argument("--n-neighbors", type=int, default=20)
    parser.add_argument("--n-conv", type=int, default=3)
    parser.add_argument("--targets", type=int, nargs=2, default=(N_TARGETS, 1), metavar=("NUMBER", "ATOMS"))
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="for the graphs (default: %(default)s)")
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(run_step(*args.step)))
        return
    print("  atoms  frames  step        before  beyond it    time")
    for case in args.cases:
        n_atoms, n_frames = map(int, case.split("x"))
        folder = Path(tempfile.mkdtemp(prefix="memory-", dir=args.folder))
        try:
            write_liquid(folder / "graphs", n_atoms, n_frames, args.n_neighbors, args.targets[1], args.targets[0])
            for step in STEPS:
                found = measure(step, folder / "graphs", folder / "run", args.n_conv)
                print(
                    f"{n_atoms:7d}  {n_frames:6d}  {step:10s}  {found['before']:4.0f} MB  "
                    f"{found['peak'] - found['before']:6.0f} MB  {found['seconds']:6.0f} s",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
