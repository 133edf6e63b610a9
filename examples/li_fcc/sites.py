"""Nearest-site counting for lithium in FCC sulfur: the answer that the network should find without knowing the sites.

python examples/li_fcc/sites.py [TRAJECTORY.npz]
"""

import sys

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.trajectory import EXAMPLE, read

N_OCTAHEDRAL = 4
KINDS = np.array([0] * 4 + [1] * 8)
SITES = np.array(  # in units of the cell: 4 octahedral, then 8 tetrahedral ones
    [[0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    + [[x, y, z] for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]
)


def nearest_sites(positions, lattice):
    """Index of the nearest site; from `N_OCTAHEDRAL` on they are tetrahedral.

    Parameters
    ----------
    positions : (F, 3) array
        Å.
    lattice : (3, 3) array
        Å, cubic.

    Returns
    -------
    (F,) int
    """
    fractional, found = positions @ np.linalg.inv(lattice), np.empty(len(positions), int)
    for start in range(0, len(found), 50_000):
        difference = fractional[start : start + 50_000, None] - SITES
        difference -= np.round(difference)
        found[start : start + 50_000] = np.square(difference).sum(axis=-1).argmin(axis=1)
    return found


def core_sites(positions, lattice, radius=0.5):
    """Site that was last entered, where only within ``radius`` Å of its middle counts as entering.

    Jitter across the border between two sites, which nearest-site assignment takes for hops, is not seen (milestoning,
    Schütte et al., J. Chem. Phys. 134, 204105 (2011)).

    Parameters
    ----------
    positions : (F, 3) array
        Å.
    lattice : (3, 3) array
        Å, cubic.
    radius : float

    Returns
    -------
    (F,) int
        The nearest site before the first entry.
    """
    found = nearest_sites(positions, lattice)
    difference = positions @ np.linalg.inv(lattice) - SITES[found]
    distance = np.linalg.norm((difference - np.round(difference)) @ lattice, axis=1)
    entered = np.where(distance < radius, np.arange(len(found)), 0)
    return found[np.maximum.accumulate(entered)]


def site_neighbors():
    """Number of ways from each site to each other in one hop: octahedral to tetrahedral ones a sqrt(3)/4 away and back.

    Returns
    -------
    (12, 12) float
        In the periodic cell each site is next to all of the other kind.
    """
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    apart = np.linalg.norm(SITES[:, None, None] - SITES[:, None] - shifts, axis=-1)  # (12, 12, 27)
    return (np.abs(apart - np.sqrt(3) / 4) < 1e-6).sum(axis=-1).astype(float)


def main():
    trajectory = read(sys.argv[1] if len(sys.argv) > 1 else EXAMPLE)
    found = nearest_sites(trajectory.positions[:, 0], trajectory.lattices[0])
    tetrahedral = (found >= N_OCTAHEDRAL).astype(int)
    print(f"{trajectory.sources[0].path}: {len(found)} frames")
    print(f"tetrahedral population {tetrahedral.mean():.4f}")
    print("lag (ps)  two sites (ps)  slowest of twelve (ps)")
    for lag in (20, 50, 100, 200):
        times = [
            ga.implied_timescales(np.eye(n, dtype=np.float32)[states][:, None], [lag], 0.1, "ps").timescales[0, 0]
            for n, states in ((2, tetrahedral), (12, found))
        ]
        print(f"{lag / 10:8g}  {times[0]:14.1f}  {times[1]:22.0f}")


if __name__ == "__main__":
    main()
