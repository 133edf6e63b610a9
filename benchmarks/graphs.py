"""Speed of the neighbour search beside vesin and the naive loop over pymatgen, and of the toy system.

OMP_NUM_THREADS=1 python benchmarks/graphs.py          # needs `pip install vesin`

vesin must know its cutoff: it is given the largest distance of an M-th neighbour, the smallest one that finds all,
which nobody knows beforehand. It is timed as it is, and with what it finds sorted by NumPy, so that both give the M
nearest, nearest first. All take turns; ratios are taken within a turn; printed are medians, smallest and largest.
"""

import time

import numpy as np
from pymatgen.core import Lattice, Structure

from gdynet_tf.graphs.neighbors import nearest_neighbors

M = 12


def seconds_per_frame(function, n_frames, repeats=5):
    """Median over repeats."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append((time.perf_counter() - began) / n_frames)
    return float(np.median(times))


def naive(positions, lattice, cutoff):
    """M nearest neighbours of one frame, as one would write it with pymatgen."""
    structure = Structure(Lattice(lattice), ["Li"] * len(positions), positions, coords_are_cartesian=True)
    found = [sorted(near, key=lambda site: site.nn_distance)[:M] for near in structure.get_all_neighbors(cutoff)]
    return [[site.index for site in near] for near in found], [[site.nn_distance for site in near] for near in found]


def find_pairs(positions, lattice, cutoff):
    """i, j and distance of all pairs within the cutoff, in vesin's order."""
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True)
    return search.compute(points=positions, box=lattice, periodic=True, quantities="ijd")


def nearest_by_vesin(positions, lattice, cutoff):
    """Distances (N, M), nearest first."""
    i, _, d = find_pairs(positions, lattice, cutoff)
    order = np.lexsort((d, i))
    first = np.searchsorted(i[order], np.arange(len(positions)))
    return d[order[first[:, None] + np.arange(M)]]


def beside_vesin(n_atoms, n_turns=9):
    """Print one line."""
    positions, lattices = random_frames(n_atoms, 1)
    distances = nearest_neighbors(positions, lattices, M)[1]
    one_frame = positions[0], lattices[0], distances.max() + 1e-6
    np.testing.assert_allclose(nearest_by_vesin(*one_frame), distances[0], atol=1e-9)
    searches = (
        lambda: nearest_neighbors(positions, lattices, M),
        lambda: find_pairs(*one_frame),
        lambda: nearest_by_vesin(*one_frame),
    )
    times = 1e3 * np.array([[seconds_per_frame(search, 1, 1) for search in searches] for _ in range(n_turns)])
    medians = "  ".join(f"{value:8.2f}" for value in np.median(times, axis=0))
    ratios = (times[:, 0] / times[:, k] for k in (1, 2))
    print(
        f"{n_atoms:6d}  {medians}  " + "  ".join(f"{np.median(r):.2f} ({r.min():.2f} to {r.max():.2f})" for r in ratios)
    )


def random_frames(n_atoms, n_frames):
    """Random atoms at 0.05 per Å^3, a usual density of solids."""
    edge = np.cbrt(n_atoms / 0.05)
    positions = np.random.default_rng(0).random((n_frames, n_atoms, 3)) * edge
    return positions, np.repeat(np.eye(3)[None] * edge, n_frames, axis=0)


def main():
    print("atoms  frames/s  ms/frame  (one core)")
    for n_atoms, n_frames in ((5, 20_000), (50, 500), (500, 20), (3000, 4)):
        positions, lattices = random_frames(n_atoms, n_frames)
        if n_atoms == 5:  # the toy system's cell is smaller than the twelfth distance
            positions, lattices = positions * 0 + np.random.default_rng(0).random(positions.shape) * 6.5, lattices * 0
            lattices = lattices + np.eye(3) * 6.5
        each = seconds_per_frame(lambda p=positions, la=lattices: nearest_neighbors(p, la, M), n_frames)
        print(f"{n_atoms:5d}  {1 / each:8.0f}  {1e3 * each:8.3f}")
    positions, lattices = random_frames(500, 1)
    distances = nearest_neighbors(positions, lattices, M)[1]
    ours = seconds_per_frame(lambda: nearest_neighbors(positions, lattices, M), 1, repeats=20)
    # The naive loop needs a cutoff. The first is the smallest that gives each of these atoms its twelve neighbours,
    # which nobody knows beforehand; the second is one that is safe for most solids.
    for cutoff in (distances.max() + 1e-6, 8.0):
        found = naive(positions[0], lattices[0], cutoff)[1]
        np.testing.assert_allclose(found, distances[0], atol=1e-9)
        loop = seconds_per_frame(lambda c=cutoff: naive(positions[0], lattices[0], c), 1)
        print(
            f"500 atoms: pymatgen {1e3 * loop:.0f} ms (cutoff {cutoff:.2f} Å), here {1e3 * ours:.2f} ms: "
            f"{loop / ours:.0f} times"
        )
    print(" atoms  here, ms  vesin, ms  sorted, ms  time here beside vesin, and beside vesin sorted")
    for n_atoms in (500, 3000, 20000):
        beside_vesin(n_atoms)


if __name__ == "__main__":
    main()
