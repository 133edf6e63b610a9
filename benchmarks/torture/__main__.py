"""Kill, starve and crowd the commands, and see whether what the documentation promises holds.

    python benchmarks/torture [--kills 100] [--points 100] [--minutes 45] [--seed 1] [--folder torture]

Graphs are built by two processes, a training of two restarts runs, a report is written: in processes that are killed at
random times and at every operation on files, on full disks, without handles, where nothing can be written, two at a
time. After each, what opens must be whole, nothing may lie outside of the output, no process may be left after 10 s, no
traceback may be seen; the same command, or --resume, must then come to the files of an undisturbed run. Printed is a
table of how often it was done and what was wrong; the exit code is 1 where something was.
"""

import argparse
import os
import random
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
os.environ |= {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}

import cases
import matplotlib.pyplot  # noqa: F401, the processes that are forked have it
import numpy as np
from cases import Command
from stage import fresh

from gdynet_tf.analysis.runs import load_run
from gdynet_tf.commands import build_graphs, report, train
from gdynet_tf.graphs import chunks
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.networks.backend import load_backend

load_backend()
import tensorflow as tf  # noqa: E402

import gdynet_tf.learning.runs  # noqa: E402
import gdynet_tf.report  # noqa: E402, F401


def write_trajectory(file: Path) -> None:
    """Two Li that hop between three sites in a cube of four S; extended XYZ."""
    rng = np.random.default_rng(0)
    sulfur = np.array([[0, 0, 0], [3, 3, 0], [3, 0, 3], [0, 3, 3]], float)
    sites = np.array([[1.5, 1.5, 1.5], [1.5, 4.5, 1.5], [4.5, 4.5, 1.5]])
    site = np.zeros(2, int)
    with open(file, "w", encoding="utf-8") as out:
        for _ in range(120):
            site = np.where(rng.random(2) < 0.05, rng.integers(0, 3, 2), site)
            atoms = np.concatenate([sulfur, sites[site]]) + rng.normal(0, 0.1, (6, 3))
            out.write('6\nLattice="6 0 0 0 6 0 0 0 6"\n')
            for symbol, (x, y, z) in zip(("S",) * 4 + ("Li",) * 2, atoms, strict=True):
                out.write(f"{symbol} {x:.4f} {y:.4f} {z:.4f}\n")


def eager_train(words: list[str]) -> int:
    """The same training without compiling it, which would take most of the time."""
    tf.config.run_functions_eagerly(True)
    return train.main(words)


def commands(work: Path) -> list[Command]:
    """The three, each with the results of the one before."""
    write_trajectory(work / "md.xyz")
    build = Command(
        name="build",
        main=build_graphs.main,
        words="md.xyz --targets Li --n-neighbors 4 --edges distance --n-workers 2 --frame-interval 0.1 --out out",
        inputs={"md.xyz": work / "md.xyz"},
        opens=open_graphs,
        resumed=lambda here: None if (here / "out").exists() else build.words + " --resume",
    )
    build.measure(work)
    shutil.copytree(work / "build_reference" / "here" / "out", work / "graphs")

    def resumed(here: Path) -> str | None:
        if (here / "out" / "manifest.json").exists():
            return None
        return "--resume --run out" if (here / "out" / "config.json").exists() else training.words

    training = Command(
        name="training",
        main=eager_train,
        words=f"--graphs {work / 'graphs'} --run out --n-states 2 --tau 1 --model vampnet --n-conv 1 --n-features 8 "
        "--epochs 3 --n-restarts 2 --seed 1",
        inputs={},
        opens=load_run,
        resumed=resumed,
    )
    training.measure(work)
    page = Command(
        name="report",
        main=report.main,
        words="out",
        inputs={"out": work / "training_reference" / "here" / "out"},
        opens=load_run,
        resumed=lambda here: page.words,
    )
    page.measure(work)
    return [build, training, page]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of each command, at random (default: %(default)s)")
    parser.add_argument("--points", type=int, default=100, help="operations on files, at most (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=45, help="for all together, about (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("torture"), help="for the files (default: %(default)s)")
    args = parser.parse_args()
    work = fresh(args.folder.resolve())
    (work / "tmp").mkdir()
    os.environ["TMPDIR"] = str(work / "tmp")
    chunks._CHUNK_BYTES = 1 << 10  # as many pieces as a large trajectory has
    begun, draw, wrong = time.monotonic(), random.Random(args.seed), []
    three = commands(work)
    print(f"{'':10} {'':24} {'done':>5} {'wrong':>5}  what, and how often")

    def tell(command: Command, what: str, results: Iterable[list[str]] | str, share: float) -> None:
        """Do one case, for as long as its share of the time lasts."""
        until = time.monotonic() + share * 60 * args.minutes
        found: Counter[str] = Counter()
        n = n_wrong = 0
        if not isinstance(results, str):
            for one in results:
                n, n_wrong = n + 1, n_wrong + bool(one)
                found.update(one)
                if time.monotonic() > until:
                    found["(ended by --minutes)"] += 1
                    break
            results = "; ".join(f"{text} ({times})" for text, times in found.items())
        print(f"{command.name:10} {what:24} {n:5d} {n_wrong:5d}  {results}", flush=True)
        if n_wrong:
            wrong.append(what)

    for command, share in zip(three, (0.1, 0.2, 0.2), strict=True):
        print(f"{command.name}: {command.seconds:.1f} s undisturbed, {command.operations} operations on files")
        tell(command, "killed at random", cases.kills(command, work, args.kills, draw), share)
        tell(command, "killed at an operation", cases.crash_points(command, work, draw, args.points), share)
        tell(command, "size of files limited", cases.limited(command, work, resource.RLIMIT_FSIZE, SIZES), 0.04)
        tell(command, "handles limited", cases.limited(command, work, resource.RLIMIT_NOFILE, HANDLES), 0.04)
        tell(command, "full disk", cases.full_disk(command, work, DISKS), 0.04)
        tell(command, "nothing can be written", cases.read_only(command, work), 0.04)
        tell(command, "Ctrl-C", cases.interrupts(command, work, 10, draw), 0.04)
        tell(command, "two writers", cases.two_writers(command, work, 10, draw), 0.04)
    tell(three[0], "dead worker", cases.dead_worker(three[0], work, 10, draw), 0.04)
    left = [file.name for file in (work / "tmp").iterdir()]
    print(f"temporary files left: {', '.join(left) or 'none'}; {(time.monotonic() - begun) / 60:.1f} minutes")
    shutil.rmtree(work.parent, ignore_errors=True)
    return 1 if wrong or left else 0


SIZES = [0, 100, 1000, 3000, 10_000, 30_000, 100_000]
HANDLES = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24]
DISKS = [0, 4096, 16384, 65536, 131072, 262144, 524288]

if __name__ == "__main__":
    sys.exit(main())
