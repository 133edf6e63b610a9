"""From trajectories to graphs, chunk by chunk: in memory, or in a directory that grows in place."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf._version import __version__
from gdynet_tf.errors import InputError, file_path, whole_number
from gdynet_tf.files import is_single_component, output_path
from gdynet_tf.graphs.chunks import (
    PlannedArray,
    chunk_ranges,
    compute_graphs,
    graph_size,
    plan_arrays,
    read_chunk,
    store_chunk,
    write_chunk,
)
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.expansion import expansion_settings
from gdynet_tf.graphs.neighbors import check_reachable
from gdynet_tf.graphs.parallel.cluster import connected
from gdynet_tf.graphs.parallel.frames import Stretch, run_stretches
from gdynet_tf.graphs.parallel.shards import check_shard, part_of, shard_path
from gdynet_tf.graphs.partial import FILES, LONGEST_NAME, PartialDirectory, check_output, check_space, human_size
from gdynet_tf.graphs.store import FORMAT_VERSION
from gdynet_tf.graphs.targets import find_targets
from gdynet_tf.locks import locked
from gdynet_tf.spool import pieces
from gdynet_tf.trajectory import Trajectory, check_spacing, pooled_charges

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["build_graphs"]

logger = logging.getLogger(__name__)

_MOST_NEIGHBORS = 10_000


def build_graphs(
    trajectories: Trajectory | Sequence[Trajectory],
    targets: str | Path | np.ndarray | Sequence | None = None,
    *,
    n_neighbors: int = 12,
    edges: str = "distance",
    expansion: Mapping[str, float] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    n_workers: int = 1,
    scheduler: str | None = None,
    shard: tuple[int, int] | None = None,
    progress: bool = True,
) -> GraphDataset:
    """Graphs of one or more trajectories of the same atoms, in memory or as a directory.

    Parameters
    ----------
    trajectories : Trajectory or list of Trajectory
    targets : str, path, (n_targets,) or (n_targets, k) int array, optional
        Atoms whose states are asked for; the k atoms of a row are pooled. Or what `select_targets` understands: "Li",
        "Li,Na", "all", "molecules H2O", a file of atom indices. Default: those that the trajectory names.
    n_neighbors : int
        At most 10,000.
    edges : {"distance", "gaussian"}
        The distances, expanded inside the model, or 36 times larger the Gaussian-expanded distances.
    expansion : dict, optional
        dmin, dmax, step, sigma of the Gaussians, Å; by default 0, 7, 0.2, 0.2.
    out : path-like, optional
        Directory to write; by default the graphs stay in memory.
    overwrite, resume : bool
        What to do with an ``out`` that exists, or with an interrupted build of it.
    n_workers : int
        Processes. A script that asks for more than one needs the usual ``if __name__ == "__main__":``.
    scheduler : str, optional
        Dask does it: "local" starts ``n_workers`` here, "tcp://host:8786" is the address of a scheduler. The workers
        are sent frames and send back graphs, which this process writes.
    shard : (int, int), optional
        (i, n), i from 1 to n: the i-th of n parts of the frames alone, into ``out.shard-i-of-n``, for `merge_graphs`.
    progress : bool
        Show how far it is, and the time left.

    Returns
    -------
    GraphDataset

    Raises
    ------
    InputError
        If the trajectories do not belong together, there are no such targets, ``out`` exists or is being written by
        another process, the disk is too small, an atom has too few neighbours, or there is no such scheduler: nothing
        is left behind. If ``out`` cannot be written, a process dies or a scheduler is lost: what is done stays, for
        ``resume``.
    """
    n_neighbors = whole_number(n_neighbors, "n_neighbors", least=1, most=_MOST_NEIGHBORS)
    n_workers = whole_number(n_workers, "n_workers", least=1)
    if not isinstance(edges, str) or edges not in ("gaussian", "distance"):
        raise InputError(f"`edges={edges!r}`: must be gaussian or distance")
    expansion = expansion_settings(expansion)
    out = None if out is None else output_path(file_path(out, "out", longest=LONGEST_NAME))
    trajectories = _set_of(trajectories, n_neighbors)
    for name, asked in (("scheduler", scheduler), ("shard", shard)):
        if asked is not None and out is None:
            raise InputError(f"`{name}`: needs `out`, a directory to write")
    if shard is not None:
        check_shard(shard)
    targets = find_targets(targets, trajectories[0])
    trajectories = [trajectory.unwrap() for trajectory in trajectories]
    meta = _describe(trajectories, targets, n_neighbors, edges, expansion)
    constants = {"atomic_numbers": np.asarray(trajectories[0].atomic_numbers, np.int32), "targets": targets}
    charges, said = pooled_charges([(t.attributes.get("charges"), len(t.positions)) for t in trajectories])
    for finding in said:
        logger.warning(finding.text)
    if charges is not None and charges.any():
        constants["charges"] = charges
    if out is None:
        _check_memory(graph_size(trajectories, n_neighbors, edges, expansion))
        return _in_memory(trajectories, meta, constants, n_workers, progress)
    if shard is not None:
        out, (trajectories, meta) = shard_path(out, shard), part_of(trajectories, meta, shard)
    with connected(scheduler, n_workers) as client, locked(out):
        check_output(out, overwrite, resume)
        partial = PartialDirectory(out, meta)
        if not resume:
            partial.remove()
        size, compact = (graph_size(trajectories, n_neighbors, form, expansion) for form in (edges, "distance"))
        check_space(partial, size, compact)
        return _in_directory(partial, trajectories, constants, resume, n_workers, progress, client)


def _describe(
    trajectories: list[Trajectory], targets: np.ndarray, n_neighbors: int, edges: str, expansion: Mapping[str, float]
) -> dict[str, Any]:
    """What ``meta.json`` says, but for the arrays."""
    first = trajectories[0]
    return {
        "format_version": FORMAT_VERSION,
        "length_unit": "angstrom",
        "time_unit": first.time_unit or "frames",
        "frame_interval": first.frame_interval or 1.0,
        "periodic": [bool(p) for p in first.periodic],
        "n_atoms": len(first.atomic_numbers),
        "n_neighbors": n_neighbors,
        "n_targets": len(targets),
        "group_size": targets.shape[1],
        "edges": edges,
        "expansion": expansion,
        "versions": {"gdynet_tf": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "trajectories": [
            {
                "name": name,
                "n_frames": len(trajectory.positions),
                "segments": [int(n) for n in trajectory.segments],
                "findings": [finding.to_dict() for finding in trajectory.findings],
                "sources": [{"path": s.path, "sha256": s.sha256} for s in trajectory.sources],
            }
            for name, trajectory in zip(_unique([t.name for t in trajectories]), trajectories, strict=True)
        ],
    }


def _each(
    trajectories: list[Trajectory], meta: Mapping[str, Any]
) -> list[tuple[str, Trajectory, dict[str, PlannedArray]]]:
    """Name, trajectory and plan of each."""
    settings = (meta["n_neighbors"], meta["edges"], meta["expansion"])
    names = [entry["name"] for entry in meta["trajectories"]]
    return [(name, t, plan_arrays(t, *settings)) for name, t in zip(names, trajectories, strict=True)]


def _in_memory(
    trajectories: list[Trajectory],
    meta: dict[str, Any],
    constants: Mapping[str, np.ndarray],
    n_workers: int,
    progress: bool,
) -> GraphDataset:
    arrays: dict[str, np.ndarray] = dict(constants)
    jobs: dict[Stretch, tuple] = {}
    for name, trajectory, plan in _each(trajectories, meta):
        arrays |= {f"{name}/{array}": np.empty(p.shape, p.dtype) for array, p in plan.items()}
        arrays[f"{name}/lattices"][:] = trajectory.lattices
        for start, part in pieces(trajectory.positions):
            arrays[f"{name}/positions"][start : start + len(part)] = part
        for start, stop in chunk_ranges(plan):
            piece = tuple(arrays[f"{name}/{array}"][start:stop] for array in ("positions", "lattices"))
            jobs[name, start, stop] = (*piece, meta)

    def finished(job: Stretch, graph: dict[str, np.ndarray]) -> None:
        name, start, stop = job
        for array, values in graph.items():
            arrays[f"{name}/{array}"][start:stop] = values

    run_stretches(compute_graphs, jobs, finished, n_workers, progress)
    return GraphDataset(None, meta, arrays)


def _in_directory(
    partial: PartialDirectory,
    trajectories: list[Trajectory],
    constants: Mapping[str, np.ndarray],
    resume: bool,
    n_workers: int,
    progress: bool,
    client: Client | None,
) -> GraphDataset:
    """Everything but neighbours and edges is written at once; each chunk is noted when it is done."""
    meta, known, planned = partial.meta, dict(constants), {}
    for name, trajectory, plan in _each(trajectories, meta):
        for array, p in plan.items():
            if array in ("lattices", "positions"):
                known[f"{name}/{array}"] = getattr(trajectory, array)
            else:
                planned[f"{name}/{array}"] = p
    jobs = {
        (name, start, stop): (str(partial.path / name), start, stop, meta)
        for name, _, plan in _each(trajectories, meta)
        for start, stop in chunk_ranges(plan)
    }

    def run(jobs: Mapping[Stretch, tuple], note: Callable[[Stretch, dict[str, str]], None]) -> None:
        if client is None:
            run_stretches(write_chunk, jobs, note, n_workers, progress)
            return

        def received(job: Stretch, graph: dict[str, np.ndarray]) -> None:
            name, start, _ = job
            note(job, store_chunk(str(partial.path / name), start, graph))

        run_stretches(compute_graphs, _ToSend(jobs), received, n_workers, progress, client)

    return partial.fill(known, planned, jobs, run, resume)


class _ToSend(Mapping[Stretch, tuple]):
    """Arguments of `compute_graphs`, read when they are asked for, by the arguments of `read_chunk`."""

    def __init__(self, jobs: Mapping[Stretch, tuple]) -> None:
        self._jobs = jobs

    def __getitem__(self, job: Stretch) -> tuple:
        return read_chunk(*self._jobs[job])

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)


def _set_of(given: Any, n_neighbors: int) -> list[Trajectory]:
    """The trajectories, after a check that graphs of them make one directory."""
    trajectories = [given] if isinstance(given, Trajectory) or not hasattr(given, "__iter__") else list(given)
    for trajectory in trajectories:
        if not isinstance(trajectory, Trajectory):
            raise InputError(f"`trajectories`: Trajectory objects are needed, not {type(trajectory).__name__}")
    if not trajectories:
        raise InputError("no trajectory to build graphs from")
    first = trajectories[0]
    for trajectory in trajectories:
        if not is_single_component(trajectory.name):
            raise InputError(
                f"{trajectory.name!r}: the name of a trajectory must be that of a folder, no path, in one line"
            )
        check_reachable(n_neighbors, len(trajectory.atomic_numbers), trajectory.periodic)
    for name in _unique([trajectory.name for trajectory in trajectories]):
        if name.lower() in FILES:  # on some systems capitals make no difference
            raise InputError(f"trajectory {name!r}: a file of every graph directory is called so; give it another name")
    if not 1e-12 <= (first.frame_interval or 1.0) <= 1e12:
        raise InputError(
            f"`frame_interval={first.frame_interval:g}`: must be from 1e-12 to 1e12; another `time_unit` makes it so"
        )
    for other in trajectories[1:]:
        for field in ("atomic_numbers", "periodic"):
            if not np.array_equal(getattr(first, field), getattr(other, field)):
                shown = [_short(getattr(t, field)) for t in (first, other)]
                raise InputError(
                    f"{other.name}: {field.replace('_', ' ')} {shown[1]} differ from those of {first.name}, "
                    f"{shown[0]}; build separate graph directories"
                )
        check_spacing(first, other)
    return trajectories


def _unique(names: list[str]) -> list[str]:
    seen: set[str] = set()
    unique = []
    for name in names:
        name = name.lstrip(".") or "trajectory"  # hidden folders are not looked for
        candidate, n = name, 1
        while candidate in seen:
            n += 1
            candidate = f"{name}_{n}"
        seen.add(candidate)
        unique.append(candidate)
    return unique


def _short(value: Any) -> str:
    return f"of {len(value)} atoms" if isinstance(value, np.ndarray) else str(value)


def _check_memory(size: int) -> None:
    """InputError where graphs would not fit into the memory of the machine."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return
    if size > memory:
        raise InputError(
            f"graphs of {human_size(size)} do not fit into the memory of {human_size(memory)}; "
            "`out` writes them to a directory"
        )
