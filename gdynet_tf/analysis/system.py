"""The atoms behind chi: positions, cells and targets of the same frames."""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.runs import Run, load_run
from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.cells import toroidal_paths

__all__ = ["System", "load_system"]


@dataclass(frozen=True)
class System:
    """Frames of one system, a piece for each segment, as chi has them.

    Attributes
    ----------
    positions : list of (F, N, 3) arrays
        Å, unwrapped.
    lattices : list of (F, 3, 3) arrays
        Å, rows are lattice vectors.
    atomic_numbers : (N,) int array
    targets : (n_targets, k) int array
    periodic : tuple of bool
        Along each lattice vector.

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

    def __post_init__(self):
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

    def check(self, chi):
        """Raise ValueError unless ``chi``, a checked list, is of these frames and targets."""
        mine = [(len(x), len(self.targets)) for x in self.positions]
        other = [segment.shape[:2] for segment in chi]
        if mine != other:
            raise ValueError(f"chi is of (frames, targets) {other}, the system of {mine}")

    def target_positions(self):
        """Centre of mass of each target.

        Returns
        -------
        list of (F, n_targets, 3) float64
            Å, unwrapped.
        """
        if self.targets.shape[1] == 1:
            return [np.asarray(x[:, self.targets[:, 0]], np.float64) for x in self.positions]
        masses = _masses(self.atomic_numbers)[self.targets]  # (T, k)
        weights = masses / masses.sum(axis=1, keepdims=True)
        centers = []
        for x, cell in zip(self.positions, self.lattices, strict=True):
            group = np.asarray(x[:, self.targets], np.float64)  # (F, T, k, 3)
            # The atoms of a molecule may lie in different cells; the first frame tells which image belongs to it.
            first = group[0] - group[0, :, :1]
            image = np.where(self.periodic, -np.round(first @ np.linalg.inv(cell[0])), 0.0)
            centers.append(((group + image @ np.asarray(cell)[:, None]) * weights[..., None]).sum(axis=2))
        return centers

    def target_paths(self):
        """Centre of mass of each target on its way, for displacements alone.

        Where the cell varies, steps are those of the atoms and not of the cell (`toroidal_paths`); the drift of the
        centre of mass of all atoms is taken out.

        Returns
        -------
        list of (F, n_targets, 3) float64
            Å.
        """
        masses = _masses(self.atomic_numbers)
        paths = []
        for x, cell, centers in zip(self.positions, self.lattices, self.target_positions(), strict=True):
            path = toroidal_paths(centers, cell, self.periodic)
            if len(self.targets) * self.targets.shape[1] < len(masses):  # all of them: their motion is the drift
                everything = toroidal_paths(x, cell, self.periodic)
                mean = np.einsum("fnd,n->fd", everything, masses / masses.sum())  # (F, 3)
                path = path - (mean - mean[0])[:, None]
            paths.append(path)
        return paths

    def frames(self, n_frames):
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


def _masses(atomic_numbers):
    """Atomic masses (N,), u."""
    from pymatgen.core.periodic_table import Element  # slow to import

    return np.array([float(Element.from_Z(int(z)).atomic_mass) for z in atomic_numbers])


def load_system(run, split="all"):
    """Positions, cells and targets of the frames of `load_chi`, from the graph directory of the run.

    Parameters
    ----------
    run : path-like or Run
    split : {"all", "train", "validation", "test"}

    Returns
    -------
    System
        Memory-mapped.

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
    arrays = {
        name: [graphs.array(trajectory, name)[start:stop] for trajectory, start, stop in blocks]
        for name in ("positions", "lattices")
    }
    return System(
        **arrays,
        atomic_numbers=graphs.atomic_numbers,
        targets=graphs.targets,
        periodic=tuple(graphs.meta["periodic"]),
    )
