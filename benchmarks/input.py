"""Does the training step wait for its input? Graphs in memory, in files that are cached, and in files that are not.

python benchmarks/input.py                      # 0.3 GB of graphs a form, a few minutes
python benchmarks/input.py --size 20 --folder /scratch

A random liquid (`memory_learning.write_liquid`), distances and Gaussian edges. For each place of the graphs, in turns:
pairs of frames per second of the reader alone; of the training step alone, on one batch that is there already; of both
together, as a training runs, the pairs in chains as there. "Waiting" is the share of the time of both in which the step
asked for a batch that was not there yet, from the second batch on; "slower" is what the input adds to the step in all,
the time of processor that it takes from it included; "first" is how long an epoch waits for its first batch. "Not
cached": all pages of the files are dropped from the page cache before each batch is read, as if the memory held none of
them; no part of an epoch can then profit from another, as where the graphs are larger than the memory. Memory is the
resident set without the mapped files, at a tenth of the epoch and at its end.
"""

import argparse
import os
import shutil
import tempfile
import time
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from memory_learning import N_STATES, status, write_liquid

from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.networks.backend import load_backend

ROUNDS = 3
N_NEIGHBORS, TAU, BYTES = 20, 1, {"distance": 6, "gaussian": 146}  # of an edge, in the files


class Uncached(GraphDataset):
    """Graphs in files of which the system keeps nothing."""

    def read(self, trajectories, frames):
        for file in self.path.rglob("*.npy"):
            opened = os.open(file, os.O_RDONLY)
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(opened)
        return super().read(trajectories, frames)


def places(graphs):
    """The same graphs in memory, in cached files and in files that are not; the last alone where they are too large."""
    size = sum(graphs.array(0, name).nbytes for name in ("neighbors", graphs.edge_array))
    if size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 4:
        yield "not cached", Uncached(graphs.path, graphs.meta)
        return
    arrays = {f"liquid/{name}": np.array(graphs.array(0, name)) for name in ("neighbors", graphs.edge_array)}
    memory = arrays | {"atomic_numbers": graphs.atomic_numbers, "targets": graphs.targets}
    yield "memory", GraphDataset(None, graphs.meta, memory)
    for name in ("neighbors", graphs.edge_array):
        graphs.array(0, name).sum()  # is cached from here on
    yield "files", graphs
    yield "not cached", Uncached(graphs.path, graphs.meta)


def measure(graphs, n_conv, batch_size, n_batches):
    """Medians of what a line shows, in seconds a batch and shares; memory (MB) early and late in the last epoch."""
    import keras

    from gdynet_tf.learning.epochs.pieces import compile_for_pieces
    from gdynet_tf.learning.pairs import LaggedChains, chain_batches
    from gdynet_tf.learning.settings import TrainingSettings
    from gdynet_tf.learning.training import starting_model

    settings = TrainingSettings(n_states=N_STATES, tau=TAU, n_conv=n_conv, batch_size=batch_size)
    chains = LaggedChains.longest([(0, 0, graphs.n_frames[0])], TAU, batch_size)
    n_batches = min(n_batches, chains.n_batches)
    model = starting_model(settings, graphs)
    compile_for_pieces(model, settings, 1)

    def batches(epoch):
        return islice(iter(chain_batches(graphs, chains, 0, epoch)), n_batches)

    (first,) = islice(batches(0), 1)
    model.train_on_batch(*first)  # is compiled from here on
    found, memory = [], []
    for epoch in range(ROUNDS):
        began = time.perf_counter()
        for _ in batches(epoch):
            pass
        reader = (time.perf_counter() - began) / n_batches
        began = time.perf_counter()
        for _ in range(n_batches):
            model.train_on_batch(*first)
        step = (time.perf_counter() - began) / n_batches
        waited, asked = [], time.perf_counter()
        for k, batch in enumerate(batches(epoch)):
            came = time.perf_counter()
            waited.append(came - asked)
            began = came if k == 0 else began
            model.train_on_batch(*batch)
            if k + 1 in (max(1, n_batches // 10), n_batches):
                memory.append(status("RssAnon"))
            asked = time.perf_counter()
        both = (asked - began) / n_batches
        found.append([reader, step, both, sum(waited[1:]) / (asked - began), 1 - step / both, waited[0]])
    keras.backend.clear_session()
    return np.median(found, axis=0), memory[-2:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=0.3, metavar="GB", help="of the graphs (default: %(default)s)")
    parser.add_argument("--atoms", type=int, default=1000)
    parser.add_argument("--n-conv", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=20, help="pairs of frames (default: %(default)s)")
    parser.add_argument("--batches", type=int, default=30, help="at most, of an epoch (default: %(default)s)")
    parser.add_argument("--forms", nargs="+", choices=tuple(BYTES), default=tuple(BYTES))
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="for the graphs (default: %(default)s)")
    args = parser.parse_args()
    load_backend()
    print("edges     place       reader   step   both  pairs/s  waiting  slower   first  memory early and late")
    for form in args.forms:
        n_frames = max(args.batch_size + TAU + 1, int(args.size * 1e9 / (args.atoms * N_NEIGHBORS * BYTES[form])))
        folder = Path(tempfile.mkdtemp(prefix="input-", dir=args.folder))
        try:
            write_liquid(folder / "graphs", args.atoms, n_frames, N_NEIGHBORS, edges=form)
            for place, graphs in places(open_graphs(folder / "graphs")):
                found, (early, late) = measure(graphs, args.n_conv, args.batch_size, args.batches)
                *took, waiting, slower, start = found
                rates = "".join(f"{args.batch_size / seconds:7.0f}" for seconds in took)
                print(
                    f"{form:9s} {place:10s} {rates}  pairs/s  {waiting:6.1%}  {slower:6.1%}  {1e3 * start:4.0f} ms  "
                    f"{early:5.0f} {late:5.0f} MB",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
