"""What the three-dimensional view of the page shows, as plain numbers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga

if TYPE_CHECKING:
    from gdynet_tf.report.atomistic import AtomisticResults

__all__ = ["scene"]

_VOXELS = 600_000  # of all states together, a byte each
_INSIDE = 0.7  # share of the targets within the surface
_SMOOTHING = 0.25  # Å, standard deviation; a surface through counts would be ragged
_HOST = 2000  # atoms of the cell that are shown around the densities, at most


def scene(found: AtomisticResults) -> dict[str, Any]:
    """Atoms, lines and densities of the three-dimensional view.

    Parameters
    ----------
    found : AtomisticResults

    Returns
    -------
    dict
        For JSON. ``states``: a list with, for each state, ``symbols``, ``positions`` (Å), ``own`` (how many of the
        first atoms are the target's), ``bonds`` and ``contacts``, or null; ``density``: null, or the cell, its atoms
        and the densities, see ``_density``; ``colors``: of the elements; ``state_colors``.
    """
    from gdynet_tf.report.plots.style import state_color

    states = [None if one is None else _atoms(one) for one in found.surroundings]
    density = None if found.density is None else _density(found.density, found.system)
    shown = {name for one in [*states, density] if one is not None for name in one["symbols"]}
    return {
        "states": states,
        "density": density,
        "colors": {name: element_color(name) for name in sorted(shown)},
        "state_colors": [state_color(i) for i in range(len(states))],
    }


def element_color(symbol: str) -> str:
    """Jmol's colour of an element, #rrggbb."""
    from ase.data import atomic_numbers
    from ase.data.colors import jmol_colors
    from matplotlib.colors import to_hex

    return to_hex(jmol_colors[atomic_numbers[symbol]])


def _atoms(one: ga.Surroundings) -> dict[str, Any]:
    return {
        "symbols": one.symbols,
        "positions": one.positions.round(3).tolist(),
        "own": int(one.own.sum()),
        "bonds": one.bonds.tolist(),
        "contacts": one.contacts.tolist(),
    }


def _density(result: ga.StateDensity, system: ga.System) -> dict[str, Any]:
    """Densities, one byte a voxel, with the cell and the atoms that are no targets.

    Returns
    -------
    dict
        ``lattice`` and ``voxels`` (3, 3), ``origin``, the middle of the first voxel, Å; ``shape``; for each state
        ``values`` (base64 of bytes, the last index fastest; the first planes are repeated at the end) and ``levels``,
        the byte that bounds the densest voxels which hold 70 % of the state's targets; ``symbols``, ``positions``.
    """
    from gdynet_tf.trajectory.elements import symbol

    values = _coarse(result.density, _VOXELS)
    n = np.array(values.shape[1:])
    size = np.linalg.norm(result.lattice, axis=1) / n  # Å
    others = np.setdiff1d(np.arange(len(system.atomic_numbers)), system.targets)[:_HOST]
    fractional = np.asarray(system.positions[0][0], np.float64)[others] @ np.linalg.inv(system.lattices[0][0])
    surfaces = [_surface(one, _SMOOTHING / size) for one in values]
    return {
        "lattice": result.lattice.round(4).tolist(),
        "origin": (result.lattice / n[:, None] / 2).sum(axis=0).round(4).tolist(),
        "voxels": (result.lattice / n[:, None]).round(6).tolist(),
        "shape": (n + 1).tolist(),
        "values": [values for values, _ in surfaces],
        "levels": [level for _, level in surfaces],
        "symbols": [symbol(int(z)) for z in system.atomic_numbers[others]],
        "positions": ((fractional % 1.0) @ result.lattice).round(3).tolist(),
    }


def _coarse(density: np.ndarray, most: int) -> np.ndarray:
    """Means of (n_states, A, B, C) over as few voxels together as leave ``most``."""
    factor = 1
    while np.prod([len(density), *(-(-k // factor) for k in density.shape[1:])]) > most:
        factor += 1
    for axis in (1, 2, 3):
        starts = np.arange(0, density.shape[axis], factor)
        width = np.diff(np.append(starts, density.shape[axis]))
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        density = np.add.reduceat(density, starts, axis=axis) / width.reshape(shape)
    return density


def _surface(density: np.ndarray, sigma: np.ndarray) -> tuple[str, int]:
    """A state's density as bytes in base64, and the byte at which the surface lies; 0 where there is none."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(density, sigma, mode="wrap")
    scaled = np.round(255 * smooth / (smooth.max() or 1.0)).astype(np.uint8)
    falling = np.sort(scaled, axis=None)[::-1]
    inside = np.searchsorted(np.cumsum(falling, dtype=np.int64), _INSIDE * falling.sum(dtype=np.int64))
    level = max(int(falling[min(inside, falling.size - 1)]), 1) if scaled.any() else 0
    return base64.b64encode(np.pad(scaled, (0, 1), mode="wrap").tobytes()).decode(), level
