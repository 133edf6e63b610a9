"""Where the states are: profiles along the cell and densities in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.analysis.blocks import Basis, Blocks, Piece, pieces_of
from gdynet_tf.analysis.chi import Chi, as_chi
from gdynet_tf.analysis.structure.sampling import blocks_of_quantity, sampled_chi
from gdynet_tf.analysis.system import System
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_sums, estimate_table
from gdynet_tf.trajectory.cells import plane_spacings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PopulationProfile", "StateDensity", "density_correlation", "population_profile", "state_density"]

_FRAMES = 5000  # in which it is looked how fast targets change their place
_PARTS = 3  # of the cell, between which they do
_AT_ONCE = 2**18  # targets x frames
_SPREAD = 0.5  # Å, by which places are smeared out before two densities are compared


def _fractional(x: np.ndarray, cell: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
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
    fraction, fraction_lower, fraction_upper : (n_states, B) float
        Share of each state among the targets of a bin; NaN where there never is one.
    basis : Basis
        What the intervals rest on.
    """

    axis: int
    position: np.ndarray
    density: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    fraction: np.ndarray
    fraction_lower: np.ndarray
    fraction_upper: np.ndarray
    basis: Basis

    @property
    def interval(self) -> str:
        """The basis in words, for captions."""
        return str(self.basis)

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state and bin.

        Returns
        -------
        pandas.DataFrame
            ``axis``, ``state``, ``position_angstrom``, ``density_per_angstrom``, ``fraction`` and their bounds,
            ``basis``.
        """
        axes: list[dict[str, Any]] = [{"state": range(len(self.density))}, {"position_angstrom": self.position}]
        density = Estimate(value=self.density, lower=self.lower, upper=self.upper, basis=self.basis)
        fraction = Estimate(value=self.fraction, lower=self.fraction_lower, upper=self.fraction_upper, basis=self.basis)
        table = estimate_table(axes, {"density": density}, "per_angstrom").drop(columns="basis")
        table.insert(0, "axis", "xyz"[self.axis])
        shares = estimate_table(axes, {"fraction": fraction})
        return table.join(shares.drop(columns=["state", "position_angstrom"]))


def population_profile(
    chi: Chi | Sequence[np.ndarray], system: System, axis: int = 2, bin_width: float = 0.5
) -> PopulationProfile:
    """Profile of the populations along x, y or z of the cell (Xie et al. 2019, Fig. 3c).

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    system : System
    axis : {0, 1, 2}
    bin_width : float
        Å.

    Returns
    -------
    PopulationProfile
        With intervals from blocks in which both the states and the place along the axis have relaxed.

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
    height = float(np.mean(np.concatenate([plane_spacings(np.asarray(cell))[:, axis] for cell in system.lattices])))
    if not 0 < bin_width <= height:
        raise ValueError(f"bin_width must be positive and at most the cell's {height:.4g} Å, got {bin_width:g}")
    n_bins, n = round(height / bin_width), chi.n_states
    places = [
        _fractional(x, cell, system.periodic)[..., axis]
        for x, cell in zip(system.target_positions(), system.lattices, strict=True)
    ]
    blocks = _blocks_of_place(chi, system, places)
    counts, frames = [], []
    for pieces in pieces_of(blocks, chi):
        found, seen = np.zeros((n, n_bins)), 0.0
        for piece in pieces:
            where = places[piece.segment][piece.frames, piece.targets]
            p = np.asarray(chi[piece.segment][piece.frames, piece.targets])
            place = np.minimum((where * n_bins).astype(int), n_bins - 1).ravel()
            found += [np.bincount(place, p[..., i].ravel(), n_bins) for i in range(n)]
            seen += where.size / chi.n_targets
        counts.append(found)
        frames.append(seen)
    sums = (np.array(counts), np.array(frames))
    width = height / n_bins
    density = estimate_from_sums(lambda c, f: c / f / width, sums, blocks, (0, np.inf))
    fraction = estimate_from_sums(_fraction, sums[:1], blocks, (0, 1))
    return PopulationProfile(
        axis=axis,
        position=(np.arange(n_bins) + 0.5) * width,
        density=density.value,
        lower=density.lower,
        upper=density.upper,
        fraction=fraction.value,
        fraction_lower=fraction.lower,
        fraction_upper=fraction.upper,
        basis=blocks.basis,
    )


def _fraction(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=0)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def _blocks_of_place(chi: Chi, system: System, places: Sequence[np.ndarray]) -> Blocks:
    """What is independent, states and the third of the cell that a target is in taken together."""
    frames = system.frames(_FRAMES)
    sampled = sampled_chi(chi, frames)
    segments, picked = np.array(frames).T
    angles = [
        2 * np.pi * (places[k][picked[segments == k]][..., None] - np.arange(_PARTS) / _PARTS)
        for k in np.unique(segments)
    ]
    blocks = blocks_of_quantity(sampled, [(1 + np.cos(a)) / _PARTS for a in angles])
    # From the sampled frames back to all of them.
    stride = round(sampled.frame_interval / chi.frame_interval)

    def scaled(piece: Piece) -> Piece:
        last = min(piece.frames.stop * stride, len(chi[piece.segment]))
        return Piece(piece.segment, slice(piece.frames.start * stride, last), piece.targets)

    return Blocks(blocks.basis, [[scaled(piece) for piece in pieces] for pieces in blocks.pieces], blocks.weights)


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

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state and voxel.

        Returns
        -------
        pandas.DataFrame
            ``state``, ``a``, ``b``, ``c`` (fractional coordinates at which the voxel begins),
            ``targets_per_angstrom3``.
        """
        import pandas as pd

        shape = self.density.shape
        state, *voxel = (index.ravel() for index in np.indices(shape))
        places = {name: (k / n).round(6) for name, k, n in zip("abc", voxel, shape[1:], strict=True)}
        return pd.DataFrame({"state": state, **places, "targets_per_angstrom3": self.density.ravel()})


def density_correlation(system: System) -> float:
    """Whether targets keep to places: correlation between their densities in two halves of the data.

    Counted on a grid of about 0.5 Å and smoothed as much, over all states.

    Parameters
    ----------
    system : System
        Periodic in all directions, of two frames or more.

    Returns
    -------
    float
        1 where the halves have the same density, as in a crystal with sites; about 0 where targets are anywhere, or
        too few for a density. NaN where it is the same everywhere.
    """
    from scipy.ndimage import gaussian_filter

    lattice, shape = _grid(system, _SPREAD)
    counts, half, seen = np.zeros((2, int(np.prod(shape)))), sum(len(x) for x in system.positions) // 2, 0
    for places in _places(system, shape):
        first = min(max(half - seen, 0), len(places))
        for n, part in enumerate((places[:first], places[first:])):
            counts[n] += np.bincount(part.ravel(), minlength=counts.shape[1])
        seen += len(places)
    sigma = _SPREAD * shape / np.linalg.norm(lattice, axis=1)
    smooth = [gaussian_filter(one.reshape(shape), sigma, mode="wrap").ravel() for one in counts]
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(smooth)[0, 1])


def _grid(system: System, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean cell (3, 3), Å, and the number of voxels along its edges, (3,)."""
    lattice = np.mean([np.asarray(cell).mean(axis=0) for cell in system.lattices], axis=0)
    return lattice, np.maximum(np.round(np.linalg.norm(lattice, axis=1) / spacing), 1).astype(int)


def _places(system: System, shape: np.ndarray) -> Iterator[np.ndarray]:
    """Voxel of each target, (F, n_targets) int32, of each segment; worked out some megabytes at a time."""
    for x, cell in zip(system.target_positions(), system.lattices, strict=True):
        places, n = np.empty(x.shape[:2], np.int32), max(1, _AT_ONCE // x.shape[1])
        for part in (slice(start, start + n) for start in range(0, len(x), n)):
            voxel = np.minimum((_fractional(x[part], cell[part], system.periodic) * shape).astype(int), shape - 1)
            places[part] = np.ravel_multi_index(tuple(np.moveaxis(voxel, -1, 0)), tuple(shape))
        yield places


def state_density(chi: Chi | Sequence[np.ndarray], system: System, spacing: float = 0.25) -> StateDensity:
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
    lattice, shape = _grid(system, spacing if spacing > 0 else 1.0)
    if not 0 < spacing <= np.linalg.norm(lattice, axis=1).min():
        raise ValueError(f"spacing must be positive and at most the shortest edge of the cell, got {spacing:g}")
    n = chi[0].shape[2]
    counts = np.zeros((n, int(np.prod(shape))))
    for p, places in zip(chi, _places(system, shape), strict=True):
        for i in range(n):
            counts[i] += np.bincount(places.ravel(), np.asarray(p[..., i]).ravel(), counts.shape[1])
    volume = abs(np.linalg.det(lattice)) / counts.shape[1]
    return StateDensity(lattice=lattice, density=(counts / chi.n_frames / volume).reshape(n, *shape))
