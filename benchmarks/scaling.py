"""Cost of graphs and of a training step against atoms, neighbours, convolutions and frames, up to a million atoms.

    python benchmarks/scaling.py [--into docs/scaling.md]     (needs the extras io and distributed)

Everything is measured in rounds, one size after the other, so that a busy moment of the machine meets all alike. Each
round gives an exponent, the slope of log time against log size; printed are the mean and the standard deviation of the
rounds. Atoms are a shaken lattice at 0.05 per Å^3, to 0.01 Å. Graphs on one core, training steps on all, with pairs
of frames by themselves, as a training takes frames that are too large for chains. With --into the tables replace those
of a page, between its two marks. Three minutes on two quiet cores.
"""

import argparse
import os
import platform
import resource
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for NumPy; TensorFlow has threads of its own
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.chunks import compute_graphs, graph_size
from gdynet_tf.graphs.parallel.cluster import connected, run_on_cluster
from gdynet_tf.trajectory import Trajectory, read

ROUNDS = 5
ATOMS, FRAMES = 1_000_000, 100_000  # of the system that is spoken of
EPOCHS, MACHINE_CORES = 20, 64
META = {"periodic": (True, True, True), "edges": "distance"}
MARKS = ("<!-- benchmarks/scaling.py: begin -->", "<!-- end -->")


def seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def rounds(work):
    """Seconds of each piece of work in each round, (rounds, n)."""
    return np.array([[seconds(function) for function in work] for _ in range(ROUNDS)])


def exponents(sizes, times):
    """Slopes of log time against log size, one per round."""
    return np.polyfit(np.log(sizes), np.log(times).T, 1)[0]


def frames_of(n_atoms, n_frames):
    """A cubic lattice, shaken: as even as a liquid, at 0.05 atoms per Å^3; numbers to 0.01 Å, as XTC has them."""
    n = round(np.cbrt(n_atoms))
    edge, sites = np.cbrt(n_atoms / 0.05), np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    shaken = sites * (edge / n) + np.random.default_rng(0).normal(0, 0.45, (n_frames, n_atoms, 3))
    return np.round(shaken, 2), np.repeat(np.eye(3)[None] * edge, n_frames, axis=0)


def trajectory_of(n_atoms, n_frames):
    positions, lattices = frames_of(n_atoms, n_frames)
    return Trajectory("walk", positions, lattices, np.full(n_atoms, 14), unwrapped=True)


class Table:
    """Rows of Markdown, and the times that they show."""

    def __init__(self):
        self.rows, self.times = ["| what | varied | time | exponent |", "| --- | --- | --- | --- |"], {}

    def add(self, what, varied, sizes, times, unit, per=1):
        """``times`` (rounds, sizes) in seconds; shown is the median of each, in milliseconds per ``per``."""
        median = 1e3 * np.median(times, axis=0) / per
        slope = exponents(sizes, times)
        shown = ", ".join(f"{size:,}: {t:.3g}" for size, t in zip(sizes, median, strict=True))
        self.rows.append(f"| {what} | {varied} | {shown} {unit} | {slope.mean():.2f} ± {slope.std(ddof=1):.2f} |")
        self.times[what, varied[0]] = (np.asarray(sizes), times / per)

    def predicted(self, key, size):
        """Time at another size: the last one measured, and the power law from there; (value, low, high) s."""
        sizes, times = self.times[key]
        slope, last = exponents(sizes, times), np.median(times[:, -1])
        return [last * (size / sizes[-1]) ** s for s in (slope.mean(), slope.min(), slope.max())]


def graphs(table, folder):
    """Graphs on one core: atoms, neighbours, frames."""

    def one(n_atoms, n_neighbors):
        positions, lattices = frames_of(n_atoms, max(1, 3000 // n_atoms))
        return lambda: compute_graphs(positions, lattices, {**META, "n_neighbors": n_neighbors})

    sizes = (1000, 2744, 10_648, 29_791, 97_336)
    times = rounds([one(n, 12) for n in sizes]) / [max(1, 3000 // n) for n in sizes]
    table.add("graph of a frame, M = 12", "N", sizes, times, "ms")
    sizes = (6, 12, 24, 48)
    table.add("graph of a frame, N = 2,744", "M", sizes, rounds([one(2744, m) for m in sizes]), "ms")

    def build(n_frames):
        trajectory = trajectory_of(2744, n_frames)
        options = {"out": folder / "built", "overwrite": True, "progress": False}
        return lambda: build_graphs(trajectory, [0], **options)

    sizes = (25, 50, 100, 200)
    table.add("directory, N = 2,744, M = 12", "F", sizes, rounds([build(n) for n in sizes]), "ms")


def peak_memory():
    """Largest resident memory of this process so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def steps(table):
    """Training steps: atoms (all of them or fifty targets), neighbours, convolutions; bytes for an atom of a pair."""
    from gdynet_tf.networks.backend import load_backend

    load_backend()
    import keras
    import tensorflow as tf

    from gdynet_tf.learning.vamp import VAMPLoss
    from gdynet_tf.networks.gdynet import GDyNet

    def step(n_atoms, n_targets, n_neighbors, n_conv, n_pairs=2):
        rng = np.random.default_rng(0)
        shape = (n_pairs, 2, n_atoms, n_neighbors)
        inputs = {
            "neighbors": rng.integers(0, n_atoms, shape, dtype=np.int32),
            "distances": rng.uniform(2, 7, shape).astype(np.float32),
            "atomic_numbers": np.full(n_atoms, 14, np.int32),
            "targets": rng.permutation(n_atoms)[:n_targets, None].astype(np.int32),
        }
        model = GDyNet(4, n_conv=n_conv)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=VAMPLoss(), jit_compile=True)
        batches = tf.data.Dataset.from_tensors((inputs, np.zeros((n_pairs, 1), np.float32))).repeat()
        n_steps = max(3, 40_000 // n_atoms)

        def run(n=n_steps):
            model.fit(batches, steps_per_epoch=n, verbose=0, shuffle=False)

        run(1)  # compiles
        return run, n_steps * n_pairs

    def scan(what, varied, sizes, cases):
        prepared = [step(*case) for case in cases]
        times = rounds([run for run, _ in prepared]) / [n_pairs for _, n_pairs in prepared]
        table.add(what, varied, sizes, times, "ms")

    sizes, before = (500, 2000, 8000, 32_000), peak_memory()
    scan("pair of frames, all targets, M = 12, K = 3", "N", sizes, [(n, n, 12, 3) for n in sizes])
    memory = (peak_memory() - before) / (2 * sizes[-1])
    scan("pair of frames, 50 targets, M = 12, K = 3", "N", sizes[1:], [(n, 50, 12, 3) for n in sizes[1:]])
    scan("pair of frames, N = 1,000, all targets, K = 3", "M", (6, 12, 24), [(1000, 1000, m, 3) for m in (6, 12, 24)])
    scan("pair of frames, N = 1,000, all targets, M = 12", "K", (1, 2, 4), [(1000, 1000, 12, k) for k in (1, 2, 4)])
    return memory


def reading(folder):
    """Atoms times frames per second that are read and followed from an XTC file."""
    import MDAnalysis as mda

    n_atoms, lengths = 97_336, (5, 55)  # of which the difference counts: a reader starts a process
    positions, lattices = frames_of(n_atoms, 5)
    universe = mda.Universe.empty(n_atoms, trajectory=True)
    universe.dimensions = [*[lattices[0, 0, 0]] * 3, 90, 90, 90]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what else the atoms might have
        for n_frames in lengths:
            with mda.Writer(str(folder / f"{n_frames}.xtc"), n_atoms) as writer:
                for frame in range(n_frames):
                    universe.atoms.positions = positions[frame % 5]
                    universe.trajectory.ts.time = float(frame)
                    writer.write(universe.atoms)
    lines = (f"{1:5d}SI   {'SI':>5}{0:5d}{x:8.3f}{y:8.3f}{z:8.3f}" for x, y, z in positions[0] / 10)
    edges = f"{lattices[0, 0, 0] / 10:.5f} " * 3
    (folder / "walk.gro").write_text("\n".join(["walk", str(n_atoms), *lines, edges]) + "\n")

    def one(n_frames):
        return lambda: read(folder / f"{n_frames}.xtc", folder / "walk.gro", scratch=folder)

    short, long = np.median(rounds([one(n_frames) for n_frames in lengths]), axis=0)
    return n_atoms * (lengths[1] - lengths[0]) / (long - short)


def _zeros(n_bytes):
    return np.zeros(n_bytes, np.uint8)


def through_a_scheduler():
    """Bytes per second that come back from a worker through a scheduler, all on this machine."""
    n_bytes, n = 1 << 24, 40
    with connected("local", 1) as client:
        run_on_cluster(client, _zeros, {0: (n_bytes,)}, lambda key, result: None)
        jobs = {number: (n_bytes,) for number in range(n)}
        took = [seconds(lambda: run_on_cluster(client, _zeros, jobs, lambda key, result: None)) for _ in range(ROUNDS)]
    return n * n_bytes / np.median(took)


def million(table, memory, folder):
    """What the measured times say of a million atoms."""
    positions, lattices = frames_of(ATOMS, 1)
    measured = seconds(lambda: compute_graphs(positions, lattices, {**META, "n_neighbors": 12}))
    graph, *between = table.predicted(("graph of a frame, M = 12", "N"), ATOMS)
    pair, low, high = table.predicted(("pair of frames, all targets, M = 12, K = 3", "N"), ATOMS)
    cores = len(os.sched_getaffinity(0))
    expansion = {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2}
    one = [trajectory_of(ATOMS, 1)]
    compact, gaussian = (graph_size(one, 12, edges, expansion) * FRAMES / 1e12 for edges in ("distance", "gaussian"))
    core_hours, read_rate, sent = measured * FRAMES / 3600, reading(folder), through_a_scheduler()
    read_hours = ATOMS * FRAMES / read_rate / 3600
    sent_hours = (compact * 1e12 - ATOMS * FRAMES * 24) / sent / 3600
    on_one, on_ten = (core_hours / (machines * MACHINE_CORES) for machines in (1, 10))
    epoch = FRAMES / 3600 * cores / MACHINE_CORES
    training = [f"{time_of_pair * epoch * EPOCHS:,.0f}" for time_of_pair in (pair, low, high)]
    machine = f"a machine of {MACHINE_CORES} cores"
    rows = {
        "graph of a frame, one core: power law": f"{graph:.2f} s ({min(between):.2f}-{max(between):.2f})",
        "the same, measured once": f"{measured:.2f} s",
        "graphs of all frames": f"{core_hours:,.0f} core hours; {on_one:.1f} h on {machine}, {on_ten:.2f} h on ten",
        "graph directory, `--edges distance` and `gaussian`": f"{compact:.1f} and {gaussian:.0f} TB",
        "positions in a temporary file, while they are read": f"{ATOMS * FRAMES * 24 / 1e12:.1f} TB",
        "reading and following (XTC), one core": f"{read_rate / 1e6:.1f} million atoms a second, {read_hours:.1f} h",
        "ten shards on ten machines, each reads everything": f"{read_hours + on_ten:.1f} h, and the merge",
        "distances back through a scheduler (loopback)": f"{sent / 1e6:,.0f} MB/s, {sent_hours:.1f} h",
        f"pair of frames, all targets, {cores} cores: power law": f"{pair:.1f} s ({low:.1f}-{high:.1f})",
        "memory of one pair, as from 2 pairs of 32,000 atoms": f"{memory * ATOMS / 1e9:.0f} GB",
        f"training, every pair {EPOCHS} times, {machine}": "{} h ({}-{})".format(*training),
    }
    return ["| | |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, metavar="PAGE", help="replace the tables of a page")
    page = parser.parse_args().into
    table, began = Table(), time.time()
    with tempfile.TemporaryDirectory() as folder:
        graphs(table, Path(folder))
        memory = steps(table)
        extrapolated = million(table, memory, Path(folder))
    told = (
        f"Measured on {time.strftime('%Y-%m-%d')} on {len(os.sched_getaffinity(0))} cores ({_processor()}), load "
        f"{os.getloadavg()[2]:.1f} in the last quarter of an hour, in {time.time() - began:.0f} s; {ROUNDS} rounds."
    )
    text = "\n".join([told, "", *table.rows, "", f"{ATOMS:,} atoms, {FRAMES:,} frames, M = 12:", "", *extrapolated])
    print(text)
    if page is not None:
        content = page.read_text(encoding="utf-8")
        before, _, rest = content.partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        page.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
