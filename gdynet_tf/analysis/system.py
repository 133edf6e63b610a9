"""The atoms behind chi: positions, cells and targets of the same frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import ChiLike
from gdynet_tf.analysis.runs import Run, load_run
from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.graphs.dataset import FrameRange
from gdynet_tf.trajectory.cells import toroidal_paths

__all__ = ["System", "load_system"]

_FRAMES, _BYTES = 500, 1 << 24  # that are read at once, at most
_STILL = 1e-6  # Å that an atom may move by rounding and count as held


@dataclass(frozen=True)
class System:
    """Frames of one system, a piece for each segment, as chi has them.

    Attributes
    ----------
    positions : list of (F, N, 3) arrays or FrameRange
        Å, unwrapped. Only parts are ever read, so that memory does not grow with the trajectory.
    lattices : list of (F, 3, 3) arrays
        Å, rows are lattice vectors.
    atomic_numbers : (N,) int array
    targets : (n_targets, k) int array
    periodic : tuple of bool
        Along each lattice vector.
    findings : tuple of Finding
        What building the graphs showed: frames too far apart to unwrap.
    charges : (N,) array, optional
        Elementary charges, where the trajectory told them.

    Raises
    ------
    ValueError
        If shapes do not fit together.
    """

    positions: list
    lattices: list
    atomic_numbers: np.ndarray
    targets: np.ndarray
    periodic: tuple = (True, True, True)
    findings: tuple[Finding, ...] = ()
    charges: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("positions", "lattices"):
            value = getattr(self, name)
            object.__setattr__(self, name, [value] if isinstance(value, np.ndarray) else list(value))
        object.__setattr__(self, "atomic_numbers", np.asarray(self.atomic_numbers))
        object.__setattr__(self, "targets", np.asarray(self.targets))
        n_atoms = len(self.atomic_numbers)
        if self.targets.ndim != 2 or not self.targets.size:
            raise ValueError(f"targets must have shape (n_targets, k), got {self.targets.shape}")
        if self.targets.min() < 0 or self.targets.max() >= n_atoms:
            raise ValueError(f"target atom {self.targets.max()} is not one of the {n_atoms} atoms")
        if not self.positions or len(self.positions) != len(self.lattices):
            raise ValueError(f"{len(self.positions)} segments of positions, {len(self.lattices)} of lattices")
        for n, (x, cell) in enumerate(zip(self.positions, self.lattices, strict=True)):
            if x.ndim != 3 or x.shape[1:] != (n_atoms, 3):
                raise ValueError(f"positions of segment {n} must have shape (F, {n_atoms}, 3), got {x.shape}")
            if cell.shape != (len(x), 3, 3):
                raise ValueError(f"lattices of segment {n} must have shape ({len(x)}, 3, 3), got {cell.shape}")

    def check(self, chi: ChiLike) -> None:
        """Raise ValueError unless ``chi``, a checked list, is of these frames and targets."""
        mine = [(len(x), len(self.targets)) for x in self.positions]
        other = [segment.shape[:2] for segment in chi]
        if mine != other:
            raise ValueError(f"chi is of (frames, targets) {other}, the system of {mine}")

    def target_positions(self) -> list[np.ndarray]:
        """Centre of mass of each target.

        Returns
        -------
        list of (F, n_targets, 3) float64
            Å, unwrapped by whole lattice vectors: for structure; `target_paths` are for displacements.
        """
        single = self.targets.shape[1] == 1
        masses = np.ones(self.targets.shape) if single else _masses(self.atomic_numbers)[self.targets]  # (T, k)
        weights = masses / masses.sum(axis=1, keepdims=True)
        return [self._centers(x, cell, weights) for x, cell in zip(self.positions, self.lattices, strict=True)]

    def _centers(self, x: np.ndarray, cell: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """`target_positions` of a segment, by weights (T, k)."""
        centers, images = np.empty((len(x), len(self.targets), 3)), None
        for part in _parts(x):
            group = np.asarray(x[part, self.targets], np.float64)  # (f, T, k, 3)
            if group.shape[2] == 1:
                centers[part] = group[:, :, 0]
                continue
            if images is None:
                images = _images_of_whole(group[0], np.asarray(cell[0], np.float64), self.periodic)
            centers[part] = ((group + images @ np.asarray(cell[part])[:, None]) * weights[..., None]).sum(axis=2)
        return centers

    def target_paths(self, reference: np.ndarray | None = None) -> list[np.ndarray]:
        """Paths of the targets, for displacements: free of the cell's own motion and of the drift of the whole.

        Where the cell varies, see `toroidal_paths`. The drift is that of a centre of mass, which has to rest where
        momentum is conserved, but does not in many simulations.

        Parameters
        ----------
        reference : (n,) int array, optional
            Atoms whose centre of mass is at rest; empty: nothing is taken away. All atoms when not given, unless there
            is but one, or some never move: these are held, and nothing drifts.

        Returns
        -------
        list of (F, n_targets, 3) float64
            Å.
        """
        paths = [
            toroidal_paths(x, cell, self.periodic)
            for x, cell in zip(self.target_positions(), self.lattices, strict=True)
        ]
        if reference is None:
            n_atoms = len(self.atomic_numbers)
            reference = () if n_atoms == 1 or self._held() else np.arange(n_atoms)
        if not len(reference):
            return paths
        return [x - self._drift(n, np.asarray(reference))[:, None] for n, x in enumerate(paths)]

    def _held(self) -> bool:
        """Whether an atom never moves."""
        for x in self.positions:
            first, still = x[0], np.arange(x.shape[1])
            for part in _parts(x):
                away = np.abs(np.asarray(x[part, still], np.float64) - first[still])
                still = still[away.max(axis=(0, 2)) < _STILL]
                if not len(still):
                    return False
        return True

    def _drift(self, segment: int, atoms: np.ndarray) -> np.ndarray:
        """Displacement of the centre of mass of some atoms since the first frame, (F, 3)."""
        masses = _masses(self.atomic_numbers[atoms])
        x, cell = self.positions[segment], self.lattices[segment]
        drift = np.zeros((len(x), 3))
        for part in _parts(x, overlap=1):  # the last frame is the first of the next part
            path = toroidal_paths(np.asarray(x[part], np.float64)[:, atoms], np.asarray(cell[part]), self.periodic)
            drift[part] = drift[part.start] + np.einsum("fad,a->fd", path - path[0], masses / masses.sum())
        return drift

    def frames(self, n_frames: int) -> list:
        """Evenly spaced frames of all segments.

        Parameters
        ----------
        n_frames : int
            At most about so many.

        Returns
        -------
        list of (segment, frame)
        """
        total = sum(len(x) for x in self.positions)
        stride = max(1, -(-total // n_frames))
        return [(n, t) for n, x in enumerate(self.positions) for t in range(0, len(x), stride)]


def _images_of_whole(group: np.ndarray, cell: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
    """Lattice vectors that make molecules whole, (T, k, 3), from their atoms in one frame, (T, k, 3) Å.

    The atoms may lie in different cells. The atom nearest to those that have been placed is placed next, beside the
    one it is nearest to: a molecule may be longer than half the cell, as long as its bonds are short.
    """
    fractional, rows = group @ np.linalg.inv(cell), np.arange(len(group))
    images = np.zeros_like(fractional)
    nearest = np.zeros(group.shape[:2], int)  # placed atom
    distance = np.full(group.shape[:2], np.inf)
    placed = np.zeros(len(group), int)
    distance[:, 0] = -1  # never again
    for _ in range(group.shape[1] - 1):
        steps = fractional - fractional[rows, placed][:, None]
        steps -= np.where(periodic, np.round(steps), 0.0)
        new = np.linalg.norm(steps @ cell, axis=2)
        closer = new < distance
        distance[closer], nearest[closer] = new[closer], np.broadcast_to(placed[:, None], closer.shape)[closer]
        placed = np.where(distance < 0, np.inf, distance).argmin(axis=1)
        beside = nearest[rows, placed]
        away = fractional[rows, placed] - fractional[rows, beside]
        images[rows, placed] = images[rows, beside] - np.where(periodic, np.round(away), 0.0)
        distance[rows, placed] = -1
    return images


def _parts(x: np.ndarray, overlap: int = 0) -> Iterator[slice]:
    """Stretches of frames (F, N, 3), each some megabytes, with so many frames of the next."""
    step = int(np.clip(_BYTES // (x.shape[1] * 24), 1, _FRAMES))
    return (slice(start, start + step + overlap) for start in range(0, len(x) - overlap, step))


def _masses(atomic_numbers: np.ndarray) -> np.ndarray:
    """Atomic masses (N,), u."""
    from pymatgen.core.periodic_table import Element  # slow to import

    return np.array([float(Element.from_Z(int(z)).atomic_mass) for z in atomic_numbers])


def load_system(run: Run, split: str = "all") -> System:
    """Positions, cells and targets of the frames of `load_chi`, from the graph directory of the run.

    Parameters
    ----------
    run : path-like or Run
    split : {"all", "train", "validation", "test"}

    Returns
    -------
    System
        Whose positions are read when they are needed.

    Raises
    ------
    InputError
        If the graph directory is gone or is another one.
    """
    run = run if isinstance(run, Run) else load_run(run)
    if run.config.get("model") == "vampnet" and run.config["data"]["group_size"] > 1:
        raise InputError(f"{run.path}: a global model: its states are of the system as a whole, not of an atom")
    graphs = run.graphs()
    blocks = run.blocks(split)
    return System(
        positions=[FrameRange(graphs, trajectory, "positions", start, stop) for trajectory, start, stop in blocks],
        lattices=[np.array(graphs.array(trajectory, "lattices")[start:stop]) for trajectory, start, stop in blocks],
        atomic_numbers=graphs.atomic_numbers,
        targets=graphs.targets,
        periodic=tuple(graphs.meta["periodic"]),
        findings=tuple(
            Finding(**finding) for entry in graphs.meta["trajectories"] for finding in entry.get("findings", ())
        ),
        charges=graphs.charges,
    )
