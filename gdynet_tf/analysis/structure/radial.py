"""What the surroundings of each state look like: radial distributions, coordination numbers and charges."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.structure.shells import shell_sums
from gdynet_tf.analysis.uncertainty import confidence_interval

__all__ = ["ChargeIntegral", "RadialDistribution", "charge_integral", "first_shell", "radial_distribution"]

_EMPTY = 1e-6  # mean probability below which a state has no surroundings to speak of


@dataclass(frozen=True)
class RadialDistribution:
    """Radial distribution functions about the targets by state.

    Attributes
    ----------
    r : (B,) float
        Middles of the shells, Å.
    edges : (B + 1,) float
        Å.
    pairs : tuple of (str, str)
        Element of the targets (formula, for groups) and element around them.
    g, lower, upper : (n_states, n_pairs, B) float
        NaN for a state that never occurs, and for a species of which the target is the only atom.
    coordination, coordination_lower, coordination_upper : (n_states, n_pairs, B) float
        Mean number of atoms up to the outer edge of each shell.
    n_frames : int
        Frames that were counted.
    interval : str
    """

    r: np.ndarray
    edges: np.ndarray
    pairs: tuple
    g: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    coordination: np.ndarray
    coordination_lower: np.ndarray
    coordination_upper: np.ndarray
    n_frames: int
    interval: str


@dataclass(frozen=True)
class ChargeIntegral:
    """Charge within a sphere about the targets by state, the target's own included.

    Attributes
    ----------
    radii : (B + 1,) float
        Å, from zero.
    charge, lower, upper : (n_states, B + 1) float
        Elementary charges; NaN for a state that never occurs.
    n_frames : int
    interval : str
    """

    radii: np.ndarray
    charge: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    n_frames: int
    interval: str

    def at(self, radius):
        """(n_states,) charge within ``radius`` Å."""
        if not 0 <= radius <= self.radii[-1]:
            raise ValueError(f"radius {radius:g} Å is outside 0 to {self.radii[-1]:g} Å")
        return np.array([np.interp(radius, self.radii, row) for row in self.charge])


def _edges(r_max, bin_width):
    if not (bin_width > 0 and r_max >= bin_width):
        raise ValueError(f"r_max {r_max:g} Å must hold at least one shell of width {bin_width:g} Å, which is positive")
    return np.arange(round(r_max / bin_width) + 1) * bin_width


def _sums(chi, system, values, r_max, bin_width, max_frames, n_chunks):
    system.check(chi)
    edges, frames = _edges(r_max, bin_width), system.frames(max_frames)
    n_chunks = max(1, min(n_chunks, len(frames)))
    sums = shell_sums(chi, system, system.target_positions(), values, edges, frames, n_chunks)
    return edges, len(frames), sums


def _means(numerator, denominator):
    """Ratio of the sums over all samples, and its interval over the samples; NaN where the denominator vanishes."""

    def ratio(a, b):
        return np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), np.nan), where=b > 0)

    whole = ratio(numerator.sum(axis=0), denominator.sum(axis=0))
    return whole, *confidence_interval(ratio(numerator, denominator))


def _occupied(weights, n_frames, n_targets):
    """Weights with those of states that never occur set to zero, so that their results are NaN."""
    empty = weights.sum(axis=0) < _EMPTY * n_frames * n_targets
    return np.where(empty, 0.0, weights)


def _said(n_chunks):
    return f"{n_chunks} time chunks" if n_chunks > 1 else "no interval: a single frame"


def radial_distribution(chi, system, r_max=8.0, bin_width=0.05, max_frames=500, n_chunks=5):
    """State-weighted radial distribution function of each pair of elements (Xie et al. 2019, Methods).

    g_i(r) = sum chi_i n(r) / sum chi_i rho 4 pi r^2 dr, over frames and targets. rho is the mean density of the
    other atoms of the element, so that an ideal gas has g = 1. Images of a target's own atoms do not count.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
        Of the same frames, periodic in all directions.
    r_max, bin_width : float
        Å; r_max may exceed half the cell.
    max_frames : int
        Evenly spaced frames that are counted, at most.
    n_chunks : int
        Consecutive parts of time for the 95 % intervals.

    Returns
    -------
    RadialDistribution

    Raises
    ------
    ValueError
        If the system is not periodic in all directions: it has no density.
    """
    from gdynet_tf.trajectory.elements import symbol

    if not all(system.periodic):
        raise ValueError("a radial distribution needs a system that is periodic in all directions: it has no density")
    chi, numbers = as_chi(chi), np.unique(system.atomic_numbers)
    system.check(chi)
    values = (system.atomic_numbers[:, None] == numbers).astype(np.float64)  # (N, S)
    pairs, parts = [], []
    for name, chosen in _kinds_of_targets(system).items():
        own = replace(system, targets=system.targets[chosen])
        some = chi if len(chosen) == len(system.targets) else [segment[:, chosen] for segment in chi]
        edges, n_frames, (sums, weights, density) = _sums(some, own, values, r_max, bin_width, max_frames, n_chunks)
        weights = _occupied(weights, n_frames, len(chosen))
        density = np.where(weights[..., None] > 0, density, 0.0)
        shell = 4 / 3 * np.pi * np.diff(edges**3)  # Å^3
        g = _means(sums, density[..., None] * shell)
        parts.append((*g, *_means(sums.cumsum(axis=-1), weights[:, :, None, None])))
        pairs += [(name, symbol(z)) for z in numbers]
    results = [np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)]  # (n_states, n_pairs, B)
    r = (edges[1:] + edges[:-1]) / 2
    return RadialDistribution(r, edges, tuple(pairs), *results, n_frames, _said(len(sums)))


def _kinds_of_targets(system):
    """Name -> indices of the targets: by element, groups of atoms by formula."""
    from gdynet_tf.trajectory.elements import symbol

    kinds = {}
    for target, atoms in enumerate(system.targets):
        counts = Counter(symbol(z) for z in system.atomic_numbers[atoms])
        name = "".join(f"{element}{n if n > 1 else ''}" for element, n in sorted(counts.items()))
        kinds.setdefault(name, []).append(target)
    return kinds


def first_shell(result, populations):
    """Outer radius of the first coordination shell of each pair: the first minimum of g after its first maximum.

    Parameters
    ----------
    result : RadialDistribution
    populations : (n_states,) array
        Weights of the states in the mean g that is looked at: one radius for all states makes them comparable.

    Returns
    -------
    (n_pairs,) float
        Å; NaN where g has no maximum followed by a minimum.
    """
    weights = np.asarray(populations)[:, None, None]
    g = np.nansum(result.g * weights, axis=0)  # (n_pairs, B)
    radii = np.full(len(g), np.nan)
    width = max(1, round(0.3 / (result.edges[1] - result.edges[0])))  # 0.3 Å, below the width of a shell
    kernel = np.hanning(width + 2)[1:-1]
    for s, row in enumerate(g):
        smooth = np.convolve(row, kernel / kernel.sum(), mode="same")
        above = np.flatnonzero(smooth > 1)
        if not len(above):
            continue
        # The first maximum: the highest point before g falls below 1 again.
        below = np.flatnonzero(smooth[above[0] :] < 1)
        if not len(below):
            continue
        start = above[0] + below[0]
        rising = np.flatnonzero(np.diff(smooth[start:]) > 0)
        if len(rising):
            radii[s] = result.edges[start + rising[0] + 1]
    return radii


def charge_integral(chi, system, charges, r_max=8.0, bin_width=0.05, max_frames=500, n_chunks=5):
    """Mean charge within a radius of the targets by state (Xie et al. 2019, Fig. 4c).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
        Of the same frames.
    charges : (N,) array
        Of each atom, elementary charges.
    r_max, bin_width : float
        Å.
    max_frames, n_chunks : int
        As in `radial_distribution`.

    Returns
    -------
    ChargeIntegral
        It starts from the mean charge of the targets.
    """
    chi, charges = as_chi(chi), np.asarray(charges, np.float64)
    if charges.shape != system.atomic_numbers.shape or not np.isfinite(charges).all():
        raise ValueError(f"{len(system.atomic_numbers)} finite charges are needed, got shape {charges.shape}")
    edges, n_frames, (sums, weights, _) = _sums(chi, system, charges[:, None], r_max, bin_width, max_frames, n_chunks)
    weights = _occupied(weights, n_frames, len(system.targets))[..., None]  # (samples, n_states, 1)
    # A target whose charge differs from the others' needs its own weight.
    own = charges[system.targets].sum(axis=1)
    frames = system.frames(max_frames)
    start = np.zeros_like(weights)
    for index, (segment, frame) in enumerate(frames):
        start[index * len(start) // len(frames), :, 0] += own @ np.asarray(chi[segment][frame], np.float64)
    total = start + np.concatenate([np.zeros_like(start), sums[:, :, 0].cumsum(axis=-1)], axis=-1)
    return ChargeIntegral(edges, *_means(total, weights), n_frames, _said(len(sums)))
