"""Where the states are: profiles along the cell and densities in it."""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.uncertainty import confidence_interval

__all__ = ["PopulationProfile", "StateDensity", "population_profile", "state_density"]


def _fractional(x, cell, periodic):
    """Coordinates in the cell, (F, T, 3) in [0, 1) along periodic directions."""
    fractional = np.asarray(x, np.float64) @ np.linalg.inv(cell)
    return fractional - np.where(periodic, np.floor(fractional), 0.0)


@dataclass(frozen=True)
class PopulationProfile:
    """Targets in each state along one lattice vector.

    Attributes
    ----------
    axis : {0, 1, 2}
        Lattice vector; the profile is along the normal of the plane of the two others.
    position : (B,) float
        Middles of the bins, Å, in the mean cell.
    density, lower, upper : (n_states, B) float
        Targets per Å along the axis.
    fraction : (n_states, B) float
        Share of each state among the targets of a bin; NaN where there never is one.
    interval : str
    """

    axis: int
    position: np.ndarray
    density: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    fraction: np.ndarray
    interval: str


def population_profile(chi, system, axis=2, bin_width=0.5, n_chunks=5):
    """Profile of the populations along x, y or z of the cell (Xie et al. 2019, Fig. 3c).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
    axis : {0, 1, 2}
    bin_width : float
        Å.
    n_chunks : int
        Consecutive parts of time for the 95 % intervals.

    Returns
    -------
    PopulationProfile

    Raises
    ------
    ValueError
        If the system is not periodic along the axis: it has no cell to refer to.
    """
    chi = as_chi(chi)
    system.check(chi)
    if axis not in (0, 1, 2):
        raise ValueError(f"axis must be 0, 1 or 2, got {axis}")
    if not system.periodic[axis]:
        raise ValueError(f"the system is not periodic along {'xyz'[axis]}: there is no cell to refer the profile to")
    from gdynet_tf.trajectory.cells import plane_spacings

    height = float(np.mean(np.concatenate([plane_spacings(np.asarray(cell))[:, axis] for cell in system.lattices])))
    if not 0 < bin_width <= height:
        raise ValueError(f"bin_width must be positive and at most the cell's {height:.4g} Å, got {bin_width:g}")
    n_bins, n = round(height / bin_width), chi[0].shape[2]
    # Frames of all segments laid end to end are cut into chunks.
    cuts = np.linspace(0, sum(map(len, chi)), n_chunks + 1).round().astype(int)
    counts, frames, offset = np.zeros((n_chunks, n, n_bins)), np.zeros(n_chunks), 0
    for p, x, cell in zip(chi, system.target_positions(), system.lattices, strict=True):
        where = _fractional(x, cell, system.periodic)[..., axis]  # (F, T)
        place = np.minimum((where * n_bins).astype(int), n_bins - 1)
        for k in range(n_chunks):
            part = slice(max(cuts[k] - offset, 0), max(cuts[k + 1] - offset, 0))
            frames[k] += len(place[part])
            for i in range(n):
                counts[k, i] += np.bincount(place[part].ravel(), np.asarray(p[part, :, i]).ravel(), n_bins)
        offset += len(p)
    width, seen = height / n_bins, frames > 0
    total = counts.sum(axis=0)
    lower, upper = confidence_interval(counts[seen] / frames[seen, None, None] / width)
    return PopulationProfile(
        axis,
        (np.arange(n_bins) + 0.5) * width,
        total / frames.sum() / width,
        lower,
        upper,
        np.divide(total, total.sum(axis=0), out=np.full_like(total, np.nan), where=total.sum(axis=0) > 0),
        f"{int(seen.sum())} time chunks",
    )


@dataclass(frozen=True)
class StateDensity:
    """Mean density of the targets in each state on a grid over the cell.

    Attributes
    ----------
    lattice : (3, 3) float
        Mean cell, Å.
    density : (n_states, A, B, C) float
        Targets per Å^3; voxel (a, b, c) begins at the fractional coordinates (a/A, b/B, c/C).
    """

    lattice: np.ndarray
    density: np.ndarray


def state_density(chi, system, spacing=0.25):
    """Density of chi in space, for targets that visit the same sites again and again.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
        Periodic in all directions.
    spacing : float
        Edge of a voxel, Å, about.

    Returns
    -------
    StateDensity
    """
    chi = as_chi(chi)
    system.check(chi)
    if not all(system.periodic):
        raise ValueError("a density in the cell needs a system that is periodic in all directions")
    lattice = np.mean([np.asarray(cell).mean(axis=0) for cell in system.lattices], axis=0)
    if not 0 < spacing <= np.linalg.norm(lattice, axis=1).min():
        raise ValueError(f"spacing must be positive and at most the shortest edge of the cell, got {spacing:g}")
    shape = np.maximum(np.round(np.linalg.norm(lattice, axis=1) / spacing), 1).astype(int)
    n = chi[0].shape[2]
    counts = np.zeros((n, int(np.prod(shape))))
    for p, x, cell in zip(chi, system.target_positions(), system.lattices, strict=True):
        voxel = np.minimum((_fractional(x, cell, system.periodic) * shape).astype(int), shape - 1)
        place = np.ravel_multi_index(voxel.reshape(-1, 3).T, shape)
        for i in range(n):
            counts[i] += np.bincount(place, np.asarray(p[..., i]).ravel(), counts.shape[1])
    volume = abs(np.linalg.det(lattice)) / counts.shape[1]
    return StateDensity(lattice, (counts / sum(map(len, chi)) / volume).reshape(n, *shape))
