"""Would it pay to read only the rows of a frame that the receptive field of the targets needs?

python benchmarks/receptive_field.py [--atoms N ...] [--folder DIR]     (two minutes)

A row is an atom's neighbours and distances. K convolutions need the rows of the targets, of their neighbours, and so
on, K - 1 times; each level names the next. First, for random liquids of 0.1 atoms per cubic Å with 50 targets: the
share of the rows that is needed, and of the pages of 4 kB of the distances that these lie in, for atoms in random order
and in that of cells of 8 Å. Then, in files of 0.6 GB: milliseconds a pair of frames for whole frames, as `GraphDataset`
reads them, and for the rows alone, through a memory map, both with the files in the page cache and with none of them
there, and for a training step (by the clock, and processor time in brackets; medians of five).
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from memory_learning import DENSITY, N_STATES, write_liquid

from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.networks.backend import load_backend
from gdynet_tf.spool import FileArray

N_NEIGHBORS, N_TARGETS, CONVOLUTIONS, PAGE, ROUNDS, PAIRS = 20, 50, (1, 2, 3), 4096, 5, 4


def levels(targets, neighbors, n_atoms, n_conv):
    """Rows that each level adds, the targets' first; ``neighbors`` gives those of some atoms."""
    known, new = np.zeros(n_atoms, bool), np.unique(targets)
    for _ in range(n_conv):
        known[new] = True
        yield new
        reached = np.zeros(n_atoms, bool)
        reached[neighbors(new)] = True
        new = np.flatnonzero(reached & ~known)


def shares(n_atoms):
    """Rows and pages that are needed, for each number of convolutions, in either order of the atoms."""
    rng, edge = np.random.default_rng(0), (n_atoms / DENSITY) ** (1 / 3)
    positions = rng.uniform(0, edge, (n_atoms, 3))
    cells = np.floor(positions / 8).astype(int)
    for order, x in (("random", positions), ("by cells", positions[np.lexsort(cells.T)])):
        near = nearest_neighbors(x[None], np.eye(3)[None] * edge, N_NEIGHBORS)[0][0]
        rows, told = np.empty(0, int), []
        for new in levels(rng.choice(n_atoms, N_TARGETS, replace=False), near.__getitem__, n_atoms, CONVOLUTIONS[-1]):
            rows = np.append(rows, new)
            first, last = (np.unique((rows * N_NEIGHBORS * 4 + at) // PAGE) for at in (0, N_NEIGHBORS * 4 - 1))
            pages = len(np.union1d(first, last)) / -(-n_atoms * N_NEIGHBORS * 4 // PAGE)
            told.append(f"{len(rows) / n_atoms:6.1%} {pages:6.1%}")
        print(f"{n_atoms:7d}  {order:8s}  " + "    ".join(told), flush=True)


def times(n_atoms, folder):
    """Whole frames, rows, and a step, for each number of convolutions."""
    graphs = open_graphs(folder)
    files = [folder / "liquid" / f"{name}.npy" for name in ("neighbors", "distances")]
    shape, targets = (n_atoms, N_NEIGHBORS), graphs.targets.ravel()

    def whole(frames, n_conv):
        return [FileArray.open(file).take(frames) for file in files]

    def rows(frames, n_conv):
        neighbors, distances = (np.load(file, mmap_mode="r") for file in files)
        found = np.zeros((len(frames), *shape), np.int32), np.zeros((len(frames), *shape), np.float32)
        for into, values, t in zip(*found, frames, strict=True):
            for new in levels(targets, neighbors[t].__getitem__, n_atoms, n_conv):
                into[new], values[new] = neighbors[t][new], distances[t][new]
        return found

    def prepare(cached):
        for file in files:
            if cached:
                np.load(file, mmap_mode="r").sum()
                continue
            opened = os.open(file, os.O_RDONLY)
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(opened)

    rng = np.random.default_rng(1)
    for n_conv in CONVOLUTIONS:
        told = []
        for cached in (True, False):
            for function in (whole, rows):
                frames = rng.integers(0, graphs.n_frames[0], (ROUNDS, 2 * PAIRS))
                told.append(timed(lambda k, f=function, t=frames, n=n_conv: f(t[k], n), lambda c=cached: prepare(c)))
        told.append(timed(step(graphs, n_conv)))
        print(f"{n_atoms:7d}  K = {n_conv}  " + "  ".join(told), flush=True)


def timed(work, before=lambda: None):
    """Medians of the rounds, ms a pair: by the clock, and processor time."""
    took = []
    for k in range(ROUNDS):
        before()
        began = time.perf_counter(), time.process_time()
        work(k)
        took.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, processor = 1e3 * np.median(took, axis=0) / PAIRS
    return f"{wall:6.1f} ({processor:.1f})"


def step(graphs, n_conv):
    """Function that trains with one batch."""
    from gdynet_tf.learning.epochs.pieces import compile_for_pieces
    from gdynet_tf.learning.pairs import LaggedChains, chain_batches
    from gdynet_tf.learning.settings import TrainingSettings
    from gdynet_tf.learning.training import starting_model

    settings = TrainingSettings(n_states=N_STATES, tau=1, n_conv=n_conv, batch_size=PAIRS)
    model = starting_model(settings, graphs)
    compile_for_pieces(model, settings, 1)
    batch = next(iter(chain_batches(graphs, LaggedChains([(0, 0, graphs.n_frames[0])], 1, PAIRS), 0, 0)))
    model.train_on_batch(*batch)  # is compiled from here on
    return lambda k: model.train_on_batch(*batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 6000, 10_479, 20_000, 50_000, 100_000])
    parser.add_argument("--timed", type=int, nargs="*", default=[10_648, 50_000], metavar="ATOMS")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="for the graphs (default: %(default)s)")
    args = parser.parse_args()
    load_backend()
    print("  atoms  order     " + "  ".join(f"K = {k}: rows, pages" for k in CONVOLUTIONS))
    for n_atoms in args.atoms:
        shares(n_atoms)
    print("  atoms           cached: whole, rows; not cached: whole, rows; step")
    for n_atoms in args.timed:
        folder = Path(tempfile.mkdtemp(prefix="field-", dir=args.folder))
        try:
            n_frames = max(2 * PAIRS, int(6e8 / (n_atoms * N_NEIGHBORS * 8)))
            write_liquid(folder / "graphs", n_atoms, n_frames, N_NEIGHBORS, n_targets=N_TARGETS)
            times(n_atoms, folder / "graphs")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
