"""Pictures of atoms: balls and sticks with depth, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

import gdynet_tf.analysis as ga
from gdynet_tf.report.plots.style import panel_row, state_color

__all__ = ["surroundings"]

_BALL = 0.5  # of the covalent radius
_FADE = 0.65  # of the colour that the farthest atom loses
_TILT = np.deg2rad(18)  # out of the plane of the most atoms, so that none hides behind another
_BAR = 2.0  # Å
_ROOM = 1.0  # Å about the outermost atoms
_BOND: dict[str, Any] = {"lw": 3.0, "solid_capstyle": "butt"}
_CONTACT: dict[str, Any] = {"lw": 1.2, "ls": (0, (2, 2))}


def _view(positions: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) that lays the atoms into the page as flat as they go, tilted a little; z points at the reader."""
    _, _, axes = np.linalg.svd(positions - positions.mean(axis=0), full_matrices=True)
    axes = axes * np.where(axes[np.arange(3), np.abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    axes[2] *= np.sign(np.linalg.det(axes))
    c, s = np.cos(_TILT), np.sin(_TILT)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return about_y @ about_x @ axes


def _faded(color: np.ndarray, depth: float) -> tuple[float, ...]:
    """A colour, the paler the farther away; depth 0 is the farthest, 1 the nearest."""
    return tuple(1 - (1 - np.asarray(color)) * (1 - _FADE * (1 - depth)))


def _draw(ax: Axes, result: ga.Surroundings, color: str, reach: float) -> None:
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors

    x = result.positions @ _view(result.positions).T
    low, high = x[:, 2].min(), x[:, 2].max()
    depth = (x[:, 2] - low) / max(high - low, 1e-9)
    names = result.symbols
    radii, colors = covalent_radii[result.atomic_numbers] * _BALL, jmol_colors[result.atomic_numbers]
    for pairs, style in ((result.contacts, _CONTACT), (result.bonds, _BOND)):
        for a, b in pairs:
            middle = (x[a] + x[b]) / 2
            for end in (a, b):  # from the surface of the ball to the middle
                toward = (middle - x[end]) / max(float(np.linalg.norm(middle - x[end])), 1e-9)
                line = np.array([x[end] + 0.9 * radii[end] * toward, middle])
                shade = _faded(0.8 * colors[end] if style is _BOND else np.zeros(3), depth[end])
                ax.plot(line[:, 0], line[:, 1], color=shade, zorder=line[:, 2].mean() - low, **style)
    for k, (place, radius) in enumerate(zip(x, radii, strict=True)):
        edge, width = (color, 2.2) if result.own[k] else (_faded(np.zeros(3), depth[k]), 0.6)
        ball = Circle(
            place[:2], radius, facecolor=_faded(colors[k], depth[k]), edgecolor=edge, lw=width, zorder=place[2] - low
        )
        ax.add_patch(ball)
        shade = "black" if colors[k] @ (0.3, 0.6, 0.1) > 0.4 else "white"
        ax.text(
            place[0],
            place[1],
            names[k],
            ha="center",
            va="center_baseline",
            color=shade,
            alpha=0.3 + 0.7 * depth[k],
            zorder=place[2] - low + 1e-3,
        )
    ax.set_aspect("equal")
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach - 0.8, reach)
    ax.set_axis_off()
    left, bottom = -reach + 0.3, -reach - 0.3
    ax.plot([left, left + _BAR], [bottom, bottom], color="black", lw=2, solid_capstyle="butt")
    ax.text(left + _BAR / 2, bottom + 0.15, f"{_BAR:g} Å", ha="center", va="bottom")


def surroundings(results: Sequence[ga.Surroundings | None], axes: np.ndarray | None = None) -> np.ndarray:
    """The atoms about a target of each state, the target's own ringed in the colour of the state.

    Seen along the direction in which they extend least, with a tilt of 18 degrees; far atoms are pale. Thick lines are
    bonds, dashed ones lead to the atoms of the first coordination shell. Elements have Jmol's colours and symbols.

    Parameters
    ----------
    results : list of Surroundings or None
        None for a state that never occurs: its panel stays empty.
    axes : sequence of matplotlib Axes, optional
        One for each state.

    Returns
    -------
    array of matplotlib Axes
    """
    from ase.data.colors import jmol_colors

    axes = panel_row(
        len(results), axes, width=4.4 if len(results) < 3 else 3.0, height=4.0 if len(results) < 3 else 3.0
    )
    elements: dict[str, int] = {}
    reach = _ROOM + max((float(np.linalg.norm(one.positions, axis=1).max()) for one in results if one), default=0.0)
    for state, (ax, result) in enumerate(zip(axes, results, strict=True)):
        ax.set_title(f"state {state}")
        if result is None:
            ax.set_axis_off()
            continue
        _draw(ax, result, state_color(state), reach)
        elements |= dict(zip(result.symbols, result.atomic_numbers.tolist(), strict=True))
    balls = [
        Line2D([], [], ls="", marker="o", ms=9, mfc=jmol_colors[z], mec="black", mew=0.6, label=name)
        for name, z in sorted(elements.items(), key=lambda item: item[1])
    ]
    axes[0].figure.legend(handles=balls, loc="outside upper center", ncols=min(len(balls), 8))
    return axes
