"""What surrounds the targets, shell by shell, weighted with the probabilities of their states.

The one search and the one sum behind radial distribution functions, coordination numbers and charge integrals.
"""

import numpy as np

__all__ = ["neighbors_within", "shell_sums"]


def neighbors_within(positions, lattice, centers, radius, periodic=(True, True, True)):
    """All atoms within a radius of some points, periodic images included.

    Parameters
    ----------
    positions : (N, 3) array
        Å.
    lattice : (3, 3) array
        Å.
    centers : (C, 3) array
        Å.
    radius : float
        Å.
    periodic : tuple of bool

    Returns
    -------
    center : (P,) int
        Index into ``centers``.
    atom : (P,) int
        Index into ``positions``.
    vectors : (P, 3) float64
        From the centre to the atom's image, Å.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres  # slow to import

    lattice, inverse = np.asarray(lattice, np.float64), np.linalg.inv(lattice)

    def wrapped(points):
        fractional = np.asarray(points, np.float64) @ inverse
        return np.ascontiguousarray((fractional - np.where(periodic, np.floor(fractional), 0.0)) @ lattice)

    atoms, points = wrapped(positions), wrapped(centers)
    center, atom, image, _ = find_points_in_spheres(
        atoms, points, float(radius), np.asarray(periodic, np.int64), np.ascontiguousarray(lattice)
    )
    return center, atom, atoms[atom] + image @ lattice - points[center]


def shell_sums(chi, system, centers, values, edges, frames, n_samples):
    """Sums of atoms' values in shells about the targets, by state.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
    centers : list of (F, n_targets, 3) arrays
        Å.
    values : (N, S) array
        What each atom counts for, S quantities.
    edges : (B + 1,) array
        Of the shells, Å.
    frames : list of (segment, frame)
    n_samples : int
        Consecutive parts of time that are summed apart.

    Returns
    -------
    sums : (n_samples, n_states, S, B) float64
        Of chi times value over frames, targets and the atoms of each shell; a target's own atoms are left out, and
        so are their images.
    weights : (n_samples, n_states) float64
        Sums of chi.
    density : (n_samples, n_states, S) float64
        Sums of chi times the values in the cell, less the target's own, per Å^3.
    """
    n_targets, n_states = chi[0].shape[1:]
    n_bins, n_values = len(edges) - 1, values.shape[1]
    sums = np.zeros((n_samples, n_states, n_values, n_bins))
    weights, density = np.zeros((n_samples, n_states)), np.zeros((n_samples, n_states, n_values))
    own = np.zeros((n_targets, len(values)), bool)
    own[np.arange(n_targets)[:, None], system.targets] = True
    others = values.sum(axis=0) - values[system.targets].sum(axis=1)  # (n_targets, S)
    for index, (segment, frame) in enumerate(frames):
        sample = index * n_samples // len(frames)
        p = np.asarray(chi[segment][frame], np.float64)  # (n_targets, n_states)
        lattice = np.asarray(system.lattices[segment][frame])
        center, atom, vectors = neighbors_within(
            system.positions[segment][frame], lattice, centers[segment][frame], edges[-1], system.periodic
        )
        shell = np.searchsorted(edges, np.linalg.norm(vectors, axis=1), side="right") - 1
        kept = ~own[center, atom] & (shell >= 0) & (shell < n_bins)
        center, atom, shell = center[kept], atom[kept], shell[kept]
        for s in range(n_values):
            place, counted = center * n_bins + shell, values[atom, s]
            table = np.bincount(place, counted, n_targets * n_bins).reshape(n_targets, n_bins)
            sums[sample, :, s] += p.T @ table
        weights[sample] += p.sum(axis=0)
        density[sample] += p.T @ others / abs(np.linalg.det(lattice))
    return sums, weights, density
