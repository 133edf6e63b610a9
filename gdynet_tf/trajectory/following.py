"""Frames checked one after the other, and atoms followed through them."""

from collections.abc import Sequence

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.cells import LONGEST, farthest_coordinate, plane_spacings
from gdynet_tf.trajectory.elements import symbol

__all__ = ["Follower", "MeanCharges", "check_frames", "check_lattices", "pooled_charges", "unwrap"]

_STEP_LIMITS = (0.25, 0.4)  # of the cell
_COARSE = 0.1  # share of the steps beyond the first limit that may lie beyond the second
_FEWEST_STEPS = 3  # beyond the second limit, below which it is chance
_THINNEST = 0.5  # Å, of cells that atoms have; others would need more images than there is room for
_MANY = 20  # atoms of an element, from which on three quarters of them do not hop at once


def check_frames(origin: str, positions: np.ndarray, lattices: np.ndarray, first: int = 0) -> None:
    """InputError where a number is not finite, or a coordinate too large for its precision.

    Parameters
    ----------
    origin : str
        The file, for the message.
    positions : (f, N, 3) array
        Å; in the precision in which they were given.
    lattices : (f, 3, 3) array
        Å.
    first : int
        Number of the first of these frames.
    """
    farthest = farthest_coordinate(positions.dtype)
    if positions.size and not (-farthest <= positions.min() and positions.max() <= farthest):  # NaN is neither
        frame, atom, axis = np.argwhere(~(np.abs(positions) <= farthest))[0]
        value = positions[frame, atom, axis]
        why = f" Å, in {positions.dtype} they are known up to {farthest:.3g} Å" if np.isfinite(value) else ""
        raise InputError(
            f"{origin}: coordinate {'xyz'[axis]} of atom {atom} in frame {first + frame} is {value:g}{why}"
        )
    if not np.isfinite(lattices).all():
        frame = np.argwhere(~np.isfinite(lattices))[0][0]
        wrong = lattices[frame][~np.isfinite(lattices[frame])][0]
        raise InputError(f"{origin}: lattice of frame {first + frame} holds {wrong}")


def check_lattices(origin: str, lattices: np.ndarray, first: int = 0) -> None:
    """InputError where a cell has no volume, or one that no atoms have; parameters as in `check_frames`."""
    lengths = np.linalg.norm(lattices, axis=-1)
    # A flat cell has a determinant that is rounding error beside the product of its edges.
    flat = np.abs(np.linalg.det(lattices)) <= 1e-9 * np.maximum(lengths.prod(axis=1), 1e-300)
    if flat.any():
        frame = int(np.argmax(flat))
        rows = " ".join(f"{x:g}" for x in lattices[frame].ravel())
        raise InputError(f"{origin}: lattice of frame {first + frame} has no volume ({rows})")
    thinnest, longest = float(plane_spacings(lattices).min()), float(lengths.max())
    if thinnest < _THINNEST or longest > LONGEST:
        what = f"lattice planes {thinnest:g} Å apart" if thinnest < _THINNEST else f"a lattice vector of {longest:g} Å"
        raise InputError(f"{origin}: {what}; lengths must be in Å, from {_THINNEST:g} to {LONGEST:g}")


class Follower:
    """Every atom followed by its nearest image from frame to frame, chunk by chunk.

    Parameters
    ----------
    atomic_numbers : (N,) int array
    periodic : tuple of bool
    unwrapped : bool
        Whether the positions are paths already, which stay as they are.
    """

    def __init__(self, atomic_numbers: np.ndarray, periodic: Sequence[bool], unwrapped: bool = False) -> None:
        self.periodic, self.unwrapped = np.asarray(periodic, bool), unwrapped
        self.elements, kind, self._n_members = np.unique(atomic_numbers, return_inverse=True, return_counts=True)
        self._is_kind = np.eye(len(self.elements), dtype=np.float32)[kind]  # (N, E)
        self._last: np.ndarray | None = None  # fractional coordinates of the frame before
        self._images = np.zeros((len(kind), 3))
        self._beyond: list[np.ndarray] = []
        self._typical: list[np.ndarray] = []

    def cut(self) -> None:
        """The next frame begins a segment: it is no neighbour of the last."""
        self._last, self._images = None, np.zeros_like(self._images)

    def follow(self, positions: np.ndarray, lattices: np.ndarray) -> np.ndarray:
        """The next frames as paths.

        Parameters
        ----------
        positions : (f, N, 3) array
            Å.
        lattices : (f, 3, 3) array
            Å.

        Returns
        -------
        (f, N, 3) float64
            Å; the first frame of a segment as it is, the others moved by lattice vectors of their own frame.
        """
        fractional = positions @ np.linalg.inv(lattices)
        before = fractional[:1] if self._last is None else self._last[None]
        begins, self._last = self._last is None, fractional[-1]
        steps = np.diff(fractional, axis=0, prepend=before)
        if not self.unwrapped:
            jumps = np.where(self.periodic, -np.round(steps), 0.0)
            steps += jumps
            images = self._images + np.cumsum(jumps, axis=0)
            self._images = images[-1]
            positions = positions + images @ lattices
        self._measure(steps, lattices, begins)
        return positions

    def _measure(self, steps: np.ndarray, lattices: np.ndarray, begins: bool) -> None:
        along = np.abs(steps[..., self.periodic])  # (f, N, d)
        beyond = [(along > limit).sum(axis=2, dtype=np.float32) @ self._is_kind for limit in _STEP_LIMITS]
        self._beyond.append(np.stack(beyond, axis=1).astype(np.int32))
        squared = np.square(steps @ lattices).sum(axis=2)  # (f, N) Å^2
        typical = np.full((len(steps), len(self.elements)), np.nan, np.float32)
        for e in np.flatnonzero(self._n_members >= _MANY):
            rank = self._n_members[e] // 4
            typical[:, e] = np.sqrt(np.partition(squared[:, self._is_kind[:, e] > 0], rank, axis=1)[:, rank])
        if begins:
            typical[0] = np.nan
        self._typical.append(typical)

    @property
    def typical_steps(self) -> np.ndarray:
        """(F, E) Å: what three quarters of an element's atoms move by or more in the step that leads to each frame.

        NaN for elements of fewer than twenty atoms, and where there is no step.
        """
        return np.concatenate(self._typical)

    def coarse_steps(self, starts: Sequence[int] | np.ndarray = (0,)) -> Finding | None:
        """Whether frames are too far apart to follow the atoms across the border of the cell.

        A step of more than half a cell is taken for a shorter one, so it cannot be seen; but steps become rarer with
        their length, and where many come close to half a cell some were longer. Of the steps beyond a quarter of the
        cell along one of its vectors a tenth or more beyond 0.4 is too many: random walks reach that when 0.2 % of the
        steps are lost. The element that moves most decides.

        Parameters
        ----------
        starts : sequence of int
            Frames that begin a segment: what leads to them is no step.

        Returns
        -------
        Finding or None
            None when the steps are short enough, or the paths were known.
        """
        beyond = np.concatenate(self._beyond)  # (F, 2, E)
        is_step = np.ones(len(beyond), bool)
        is_step[np.asarray(starts, int)] = False
        quarter, half = beyond[is_step].sum(axis=0, dtype=np.int64)
        coarse = (half >= _FEWEST_STEPS) & (half > _COARSE * quarter)
        if self.unwrapped or not coarse.any():
            return None
        worst = int(np.argmax(np.where(coarse, half / self._n_members, -1)))
        n_steps = is_step.sum() * self.periodic.sum() * self._n_members[worst]
        shares = np.array([quarter[worst], half[worst]]) / n_steps
        return Finding(
            kind="coarse frames",
            severity="warning",
            text=(
                f"Frames are too far apart to follow {symbol(self.elements[worst])} across the border of the cell: "
                f"{100 * shares[0]:.2g} % of the steps along its vectors are longer than a quarter, "
                f"{100 * shares[1]:.2g} % longer than 0.4 of the cell, and a step beyond half a cell cannot be told "
                "from a shorter one. "
                "Displacements and diffusion coefficients may be too small; save frames more often, or unwrapped."
            ),
            numbers={
                "atomic_number": int(self.elements[worst]),
                "beyond_quarter": float(shares[0]),
                "beyond_0.4": float(shares[1]),
            },
        )


class MeanCharges:
    """The charge of each atom over all frames, for files that tell it anew in each."""

    def __init__(self) -> None:
        self._n = 0

    def add(self, charges: np.ndarray) -> None:
        """The next frames.

        Parameters
        ----------
        charges : (f, N) array
            e.
        """
        if not self._n:
            self._sum, self._least, self._most = np.zeros(charges.shape[1]), charges[0], charges[0]
        self._n += len(charges)
        self._sum += charges.sum(axis=0)
        self._least = np.minimum(self._least, charges.min(axis=0))
        self._most = np.maximum(self._most, charges.max(axis=0))

    def mean(self, atomic_numbers: np.ndarray) -> tuple[np.ndarray | None, tuple[Finding, ...]]:
        """What the analysis is to use, and what is to be said of it.

        Parameters
        ----------
        atomic_numbers : (N,) int array

        Returns
        -------
        (N,) float64 or None
            e; None where nothing was added.
        tuple of Finding
            One where the charges change with time.
        """
        if not self._n:
            return None, ()
        span = self._most - self._least
        if not span.any():
            return self._least.astype(np.float64), ()
        atom = int(np.argmax(span))
        text = (
            f"Charges change with time, that of atom {atom} ({symbol(int(atomic_numbers[atom]))}) from "
            f"{self._least[atom]:.3g} to {self._most[atom]:.3g} e: the mean of each atom over the frames is used."
        )
        numbers = {"largest_change": float(span[atom]), "atom": atom}
        return self._sum / self._n, (Finding("varying charges", "warning", text, numbers),)


def pooled_charges(told: Sequence[tuple[np.ndarray | None, int]]) -> tuple[np.ndarray | None, tuple[Finding, ...]]:
    """Charges of several trajectories as one.

    Parameters
    ----------
    told : list of (charges, n_frames)
        (N,) e, None where a trajectory tells none.

    Returns
    -------
    (N,) float64 or None
        Their mean over all frames; None where one tells none.
    tuple of Finding
        One where they are not the same.
    """
    known = [np.array(charges, np.float64) for charges, _ in told if charges is not None]
    if len(known) < len(told):
        text = "Some of the trajectories tell charges, others do not: none are kept."
        return None, (Finding("charges of some", "warning", text, {"n_telling": len(known)}),) if known else ()
    change = float(np.ptp(known, axis=0).max())
    if not change:
        return known[0], ()
    text = f"The trajectories tell charges that differ by up to {change:.2g} e: their mean over all frames is used."
    finding = Finding("differing charges", "warning", text, {"largest_change": change})
    return np.average(known, axis=0, weights=[n for _, n in told]), (finding,)


def unwrap(positions: np.ndarray, lattices: np.ndarray, periodic: Sequence[bool] = (True, True, True)) -> np.ndarray:
    """Follow every atom by its nearest image from frame to frame.

    Every frame keeps its images: neighbours, densities and fractional coordinates can be had from it. Where the cell
    varies, `toroidal_paths` makes displacements of the result. Right as long as no atom moves half a cell between two
    frames; `Trajectory.unwrap` tells whether that may be.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, wrapped or not.
    lattices : (F, 3, 3) array
        Å, rows are lattice vectors; may vary.
    periodic : tuple of bool

    Returns
    -------
    (F, N, 3) float64
        The first frame as it is; the others moved by lattice vectors of their own frame.
    """
    positions, lattices = np.asarray(positions, np.float64), np.asarray(lattices, np.float64)
    return Follower(np.zeros(positions.shape[1], int), periodic).follow(positions, lattices)
