"""Figures of what surrounds the states and of where they are."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import gdynet_tf.analysis as ga
from gdynet_tf.report.plots.style import WIDE, label_rows, new_axes, panel_row, state_color

__all__ = ["bond_order", "charge_integral", "density", "population_profile", "radial_distribution"]

_ROOM = 1.3  # height of the axis over the largest value: a bound of what was hardly seen may be far above


def _bands(ax: Axes, x: np.ndarray, values: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    """A line with its interval for each state that has values."""
    for i, row in enumerate(values):
        if np.isfinite(row).any():
            ax.plot(x, row, color=state_color(i), lw=1.3, label=f"state {i}")
            ax.fill_between(x, lower[i], upper[i], color=state_color(i), alpha=0.25, lw=0)


def radial_distribution(result: ga.RadialDistribution, axes: np.ndarray | None = None) -> np.ndarray:
    """Radial distribution function of each pair of elements, by state.

    Parameters
    ----------
    result : RadialDistribution
    axes : sequence of matplotlib Axes, optional
        One for each pair that has a distribution.

    Returns
    -------
    array of matplotlib Axes
    """
    shown = [s for s in range(len(result.pairs)) if np.isfinite(result.g[:, s]).any()]
    axes = panel_row(len(shown), axes)
    for ax, s in zip(axes, shown, strict=True):
        _bands(ax, result.r, result.g[:, s], result.lower[:, s], result.upper[:, s])
        ax.axhline(1, color="0.6", lw=0.8, ls=":")
        ax.set_title("–".join(result.pairs[s]))
        ax.set_ylim(0, _ROOM * np.nanmax(result.g[:, s]))
        ax.set_xlim(0, result.edges[-1])
        ax.set_xlabel("r (Å)")
    label_rows(axes, "g(r)")
    axes[0].legend()
    return axes


def charge_integral(result: ga.ChargeIntegral, ax: Axes | None = None) -> Axes:
    """Charge within a sphere about the targets, by state.

    Parameters
    ----------
    result : ChargeIntegral
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    _bands(ax, result.radii, result.charge, result.lower, result.upper)
    ax.axhline(0, color="0.5", lw=0.8)
    ax.set_xlim(0, result.radii[-1])
    ax.set_xlabel("radius (Å)")
    ax.set_ylabel("charge within the radius (e)")
    ax.legend()
    return ax


def population_profile(results: Sequence[ga.PopulationProfile], axes: np.ndarray | None = None) -> np.ndarray:
    """Targets in each state along x, y or z.

    Parameters
    ----------
    results : list of PopulationProfile
        A panel for each.
    axes : sequence of matplotlib Axes, optional

    Returns
    -------
    array of matplotlib Axes
    """
    if axes is None:
        axes = plt.subplots(len(results), 1, squeeze=False, layout="constrained", figsize=(WIDE, 2.0 * len(results)))[1]
    axes = np.ravel(axes)
    for ax, result in zip(axes, results, strict=True):
        width = result.position[1] - result.position[0] if len(result.position) > 1 else 2 * result.position[0]
        edges = np.append(result.position - width / 2, result.position[-1] + width / 2)
        for i, row in enumerate(result.density):
            ax.stairs(row, edges, color=state_color(i), lw=1.4, label=f"state {i}")
            lower, upper = (np.append(bound[i], bound[i][-1]) for bound in (result.lower, result.upper))
            ax.fill_between(edges, lower, upper, step="post", color=state_color(i), alpha=0.2, lw=0)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylim(bottom=0)
        ax.set_xlabel(f"{'xyz'[result.axis]} (Å)")
        ax.set_ylabel("targets per Å")
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return axes


def bond_order(result: ga.StateDistribution, l: int, ax: Axes | None = None) -> Axes:  # noqa: E741
    """Distribution of a bond-order parameter in each state.

    Parameters
    ----------
    result : StateDistribution
    l : int
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    for i, row in enumerate(result.density):
        if np.isfinite(row).any():
            ax.stairs(row, result.edges, color=state_color(i), lw=1.4, label=f"state {i}")
            middles = (result.edges[1:] + result.edges[:-1]) / 2
            ax.fill_between(
                middles, result.lower[i], result.upper[i], step="mid", color=state_color(i), alpha=0.2, lw=0
            )
    ax.set_ylim(0, _ROOM * np.nanmax(result.density))
    ax.set_xlim(result.edges[0], result.edges[-1])
    ax.set_xlabel(f"bond order $q_{l}$")
    ax.set_ylabel("probability density")
    ax.legend()
    return ax


def density(result: ga.StateDensity, axes: np.ndarray | None = None) -> np.ndarray:
    """Density of each state, seen along the third lattice vector.

    Parameters
    ----------
    result : StateDensity
    axes : sequence of n_states matplotlib Axes, optional

    Returns
    -------
    (n_states,) array of matplotlib Axes
    """
    n = len(result.density)
    axes = panel_row(n, axes, width=4.3, height=3.4, columns=2)
    area = np.linalg.norm(np.cross(result.lattice[0], result.lattice[1]))
    for i, ax in enumerate(axes):
        seen = result.density[i].sum(axis=2)  # (A, B)
        per_area = seen * abs(np.linalg.det(result.lattice)) / result.density.shape[3] / area  # targets per Å^2
        image = ax.imshow(per_area.T, origin="lower", extent=(0, 1, 0, 1), cmap="cividis", vmin=0)
        ax.figure.colorbar(image, ax=ax, shrink=0.8, label="targets per Å²")
        ax.set_title(f"state {i}")
        ax.set_xlabel("x / a")
        ax.set_ylabel("y / b")
    return axes
