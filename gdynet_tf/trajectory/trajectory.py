"""The one Trajectory type that every reader returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import SourceFile
from gdynet_tf.findings import Finding
from gdynet_tf.spool import FileArray, Spool, pieces
from gdynet_tf.trajectory.elements import elements_of
from gdynet_tf.trajectory.following import Follower, pooled_charges
from gdynet_tf.trajectory.objects import checked_fields, fields_of_ase, fields_of_mdanalysis, frame_selection

__all__ = ["Trajectory", "check_spacing", "concatenate", "gathered"]

_SAME_INTERVAL = 1e-3  # relative: times may be rounded


@dataclass(frozen=True)
class Trajectory:
    """Frames of one system, equally spaced in time.

    Made by `read` from files, or by `from_ase`, `from_mdanalysis` and `from_arrays` from what is in memory.

    Attributes
    ----------
    name : str
        File name without folder and suffixes.
    positions : (F, N, 3) float64
        Å. `read` follows the atoms, and keeps what is larger than 64 MiB in a temporary file, a `FileArray`
        that is indexed like an array. Arrays of a trajectory cannot be written to; those that it is made of are
        copied, unless they are read-only (``array.setflags(write=False)``, ``np.load(file, mmap_mode="r")``).
    lattices : (F, 3, 3) float64
        Å, rows are lattice vectors.
    atomic_numbers : (N,) int32
    periodic : tuple of bool
        Along each lattice vector.
    frame_interval : float, optional
        Time between frames in ``time_unit``; None when the file does not tell.
    time_unit : str, optional
    frame_steps : float, optional
        Time steps of the simulation between frames, where the file numbers them and nothing tells their length.
    segments : tuple of int
        Frames of each contiguous piece; they add up to F.
    targets : (n_targets, k) int32, optional
        When the file names them.
    unwrapped : bool
        Whether the coordinates are known to be unwrapped.
    sources : tuple of SourceFile
        Files read, with their digests.
    findings : tuple of Finding
        What reading and unwrapping showed.
    attributes : mapping of str to array
        What else is known of the atoms, by MDAnalysis' names: names, types, resids, resnames, masses, charges (e),
        each (N,), and bonds (n, 2).

    Raises
    ------
    InputError
        If the arrays do not fit together or hold impossible values; the message names the file and the value.
    """

    name: str
    positions: np.ndarray | FileArray = field(repr=False)
    lattices: np.ndarray = field(repr=False)
    atomic_numbers: np.ndarray = field(repr=False)
    periodic: tuple[bool, ...] = (True, True, True)
    frame_interval: float | None = None
    time_unit: str | None = None
    segments: tuple[int, ...] = ()
    targets: np.ndarray | None = field(default=None, repr=False)
    unwrapped: bool = False
    sources: tuple[SourceFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    frame_steps: float | None = None

    def __post_init__(self) -> None:
        for name, value in checked_fields(self.origin, vars(self)).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_ase(
        cls,
        frames: Iterable[Any],
        *,
        frame_interval: float | None = None,
        time_unit: str | None = None,
        name: str = "trajectory",
    ) -> Trajectory:
        """From a list of ASE's Atoms.

        Parameters
        ----------
        frames : list of ase.Atoms
            Of the same atoms; positions and cells in Å.
        frame_interval : float, optional
            Time between frames in ``time_unit``, which ASE's frames do not know.
        time_unit : str, optional
            "ps" when a frame interval is given.
        name : str

        Returns
        -------
        Trajectory

        Raises
        ------
        InputError
            If there is no frame, or atoms or periodicity change.
        """
        return cls(name=name, **fields_of_ase(frames, name), **_time_scale(frame_interval, time_unit))

    @classmethod
    def from_mdanalysis(
        cls,
        universe: Any,
        select: str | None = None,
        *,
        start: int | None = None,
        stop: int | None = None,
        stride: int | None = None,
        name: str = "trajectory",
    ) -> Trajectory:
        """From an MDAnalysis universe or a group of its atoms.

        All frames from start to stop are read, so that paths can be followed, and every stride-th is kept.

        Parameters
        ----------
        universe : MDAnalysis.Universe or MDAnalysis.AtomGroup
            Positions and box in Å, times in ps. A universe whose format has no times gives none, unless it was opened
            with ``dt=``, ps. Elements are those of its topology, or guessed from the names of the atoms, which a
            warning tells. It stays at the frame where it is.
        select : str, optional
            Atoms to take, in MDAnalysis's selection language; default all. Neighbours are sought among these.
        start, stop, stride : int, optional
        name : str

        Returns
        -------
        Trajectory

        Raises
        ------
        InputError
            If the selection is none or empty, elements cannot be told, or frames are not equally spaced in time.
        """
        start, stop, stride = frame_selection(start, stop, stride)
        whole = cls(name=name, **fields_of_mdanalysis(universe, select, start, stop, name))
        return whole if stride is None else whole.select(stride=stride)

    @classmethod
    def from_arrays(
        cls,
        positions: np.ndarray,
        lattices: np.ndarray,
        species: Sequence[int] | Sequence[str] | np.ndarray,
        *,
        frame_interval: float | None = None,
        time_unit: str | None = None,
        periodic: Sequence[bool] = (True, True, True),
        segments: Sequence[int] = (),
        name: str = "trajectory",
    ) -> Trajectory:
        """From arrays.

        Parameters
        ----------
        positions : (F, N, 3) array
            Å, wrapped or not. Copied, unless it is read-only.
        lattices : (3, 3) or (F, 3, 3) array
            Å, rows are lattice vectors.
        species : (N,) int or str
            Atomic numbers or element symbols.
        frame_interval : float, optional
            Time between frames in ``time_unit``.
        time_unit : str, optional
            "ps" when a frame interval is given.
        periodic : tuple of bool
            Along each lattice vector.
        segments : sequence of int
            Frames of each contiguous piece; default one piece.
        name : str

        Returns
        -------
        Trajectory

        Raises
        ------
        InputError
            If the arrays do not fit together or hold impossible values.
        """
        given: dict[str, Any] = {"positions": positions, "lattices": lattices, "periodic": periodic}
        given |= {"segments": segments, **_time_scale(frame_interval, time_unit)}
        return cls(name=name, atomic_numbers=elements_of(species, f"{name}: species"), **given)

    @property
    def origin(self) -> str:
        """The file or name by which messages call it."""
        return self.sources[0].path if self.sources else self.name

    def unwrap(self) -> Trajectory:
        """The same with every atom followed by its nearest image within each segment; itself when the file has done so.

        Returns
        -------
        Trajectory
            With a finding where the frames are too far apart for that.
        """
        if self.unwrapped:
            return self
        follower = Follower(self.atomic_numbers, self.periodic)
        paths = Spool(self.origin, getattr(self.positions, "folder", None))
        starts = np.cumsum([0, *self.segments[:-1]])
        for start, length in zip(starts, self.segments, strict=True):
            follower.cut()
            for a, part in pieces(self.positions, range(start, start + length)):
                paths.append(follower.follow(part, self.lattices[a : a + len(part)]))
        coarse = follower.coarse_steps(starts)
        findings = self.findings + ((coarse,) if coarse else ())
        return replace(self, positions=paths.array(), unwrapped=True, findings=findings)

    def select(self, start: int | None = None, stop: int | None = None, stride: int | None = None) -> Trajectory:
        """Frames ``start:stop:stride``, as Python slices count them, within each segment alike.

        Atoms are followed through all frames before some are left out, or they would be lost between those chosen.

        Parameters
        ----------
        start, stop, stride : int, optional

        Returns
        -------
        Trajectory
        """
        start, stop, stride = frame_selection(start, stop, stride)
        chosen = range(len(self.positions))[start:stop:stride]
        if not len(chosen):
            raise InputError(
                f"{self.origin}: `start={start}` `stop={stop}` `stride={stride}` selects none of "
                f"{len(self.positions)} frames"
            )
        counts = np.histogram(chosen, np.concatenate([[0], np.cumsum(self.segments)]))[0]
        whole = self.unwrap() if (stride or 1) > 1 else self
        return replace(
            whole,
            positions=gathered(self.origin, [whole.positions], chosen),
            lattices=whole.lattices[chosen],
            segments=tuple(int(n) for n in counts if n),
            frame_interval=self.frame_interval and self.frame_interval * (stride or 1),
            frame_steps=self.frame_steps and self.frame_steps * (stride or 1),
        )


def gathered(what: str, arrays: Sequence[np.ndarray | FileArray], rows: range | None = None) -> Any:
    """Arrays end to end, or some rows of one; in a temporary file when that is large."""
    spool = Spool(what, getattr(arrays[0], "folder", None))
    for array in arrays:
        for _, part in pieces(array, rows):
            spool.append(part)
    return spool.array()


def _time_scale(frame_interval: float | None, time_unit: str | None) -> dict[str, Any]:
    """Both, the unit being ps unless it is told."""
    if time_unit and frame_interval is None:
        raise InputError(f"`time_unit={time_unit}`: needs `frame_interval`")
    return {"frame_interval": frame_interval, "time_unit": time_unit or ("ps" if frame_interval is not None else None)}


def check_spacing(first: Trajectory, other: Trajectory) -> None:
    """InputError where times or time steps say that frames of two trajectories are not equally far apart."""
    known = [t.frame_interval for t in (first, other) if t.frame_interval is not None]
    differ = len(known) == 1 or (len(known) == 2 and not isclose(*known, rel_tol=_SAME_INTERVAL))
    if differ or first.time_unit != other.time_unit:
        shown = [
            f"{t.frame_interval:.7g} {t.time_unit or 'frames'}" if t.frame_interval else "not known"
            for t in (other, first)
        ]
        raise InputError(
            f"{other.origin}: frame interval {shown[0]} differs from that of {first.origin}, {shown[1]}; they are no "
            "trajectories of one set"
        )
    here, there = other.frame_steps, first.frame_steps
    if here is not None and there is not None and here != there:
        raise InputError(
            f"{other.origin}: frames are {here:g} time steps apart, those of {first.origin} {there:g}; `timestep` "
            "makes times of them, and `frame_interval` says that they are equally far apart"
        )


def concatenate(trajectories: Sequence[Trajectory]) -> Trajectory:
    """Several trajectories as the segments of one run.

    Parameters
    ----------
    trajectories : list of Trajectory
        Of the same atoms.

    Returns
    -------
    Trajectory
        Under the name of the first.

    Raises
    ------
    InputError
        If atoms, periodicity, frame interval or the time steps between frames differ.
    """
    first = trajectories[0]
    for other in trajectories[1:]:
        if len(other.atomic_numbers) != len(first.atomic_numbers):
            n, expected = len(other.atomic_numbers), len(first.atomic_numbers)
            raise InputError(f"{other.origin}: {n} atoms where {first.origin} has {expected}")
        for field_ in ("atomic_numbers", "periodic"):
            if not np.array_equal(getattr(first, field_), getattr(other, field_)):
                raise InputError(f"{other.origin}: {field_.replace('_', ' ')} differ from those of {first.origin}")
        check_spacing(first, other)
    charges, said = pooled_charges([(t.attributes.get("charges"), len(t.positions)) for t in trajectories])
    return replace(
        first,
        attributes={k: v for k, v in first.attributes.items() if k != "charges"}
        | ({} if charges is None else {"charges": charges}),
        positions=gathered(first.origin, [t.positions for t in trajectories]),
        lattices=np.concatenate([t.lattices for t in trajectories]),
        segments=tuple(n for t in trajectories for n in t.segments),
        unwrapped=all(t.unwrapped for t in trajectories),
        sources=tuple(s for t in trajectories for s in t.sources),
        findings=tuple(f for t in trajectories for f in t.findings) + said,
    )
