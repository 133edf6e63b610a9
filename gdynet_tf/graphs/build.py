"""From trajectories to a graph directory, chunk by chunk, on several processes.

Everything is written to ``NAME.partial`` and renamed at the end, so a directory called NAME is always whole.
"""

import json
import os
import platform
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gdynet_tf._version import __version__
from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, write_json
from gdynet_tf.graphs.expansion import expand_distances, gaussian_centers
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.graphs.store import FORMAT_VERSION

__all__ = ["build_graphs", "graph_size"]

_CHUNK_BYTES = 1 << 25


def graph_size(trajectories, n_neighbors, edges, expansion):
    """Bytes that the graph directory of these trajectories takes.

    Parameters
    ----------
    trajectories : list of Trajectory
    n_neighbors : int
    edges : {"gaussian", "distance"}
    expansion : dict
        dmin, dmax, step, sigma in Å.

    Returns
    -------
    int
    """
    return sum(
        array["bytes"]
        for trajectory in trajectories
        for array in _plan(trajectory, n_neighbors, edges, expansion).values()
    )


def _plan(trajectory, n_neighbors, edges, expansion):
    """Name -> shape, dtype and size of the arrays of a trajectory."""
    n_frames, n_atoms = trajectory.positions.shape[:2]
    index = np.int16 if n_atoms <= np.iinfo(np.int16).max else np.int32
    shapes = {"neighbors": ((n_frames, n_atoms, n_neighbors), index)}
    if edges == "gaussian":
        n_centers = len(gaussian_centers(expansion["dmin"], expansion["dmax"], expansion["step"]))
        shapes["edges"] = ((n_frames, n_atoms, n_neighbors, n_centers), np.float32)
    else:
        shapes["distances"] = ((n_frames, n_atoms, n_neighbors), np.float32)
    shapes["lattices"] = ((n_frames, 3, 3), np.float64)
    shapes["positions"] = ((n_frames, n_atoms, 3), np.float64)
    return {
        name: {"shape": shape, "dtype": dtype, "bytes": int(np.prod(shape)) * np.dtype(dtype).itemsize}
        for name, (shape, dtype) in shapes.items()
    }


def build_graphs(
    trajectories,
    out,
    targets,
    *,
    n_neighbors=12,
    edges="gaussian",
    expansion=None,
    n_workers=None,
    overwrite=False,
    resume=False,
    progress=True,
):
    """Write the graph directory of one or more trajectories of the same atoms.

    Parameters
    ----------
    trajectories : list of Trajectory
    out : path-like
    targets : (n_targets, k) int array
        Atoms whose states are asked for; the k atoms of a row are pooled.
    n_neighbors : int
    edges : {"gaussian", "distance"}
        Gaussian-expanded distances, or the distances alone, expanded inside the model.
    expansion : dict, optional
        dmin, dmax, step, sigma of the Gaussians, Å.
    n_workers : int, optional
        Processes; default as many as cores.
    overwrite, resume : bool
        What to do with an ``out`` that exists, or with an interrupted build of it.
    progress : bool
        Show a bar with rate and time left.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InputError
        If the trajectories do not belong together, ``out`` exists, the disk is too small, or an atom has too few
        neighbours. Nothing is left behind.
    """
    out = Path(out)
    expansion = {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2, **(expansion or {})}
    targets = np.asarray(targets, np.int32)
    n_workers = n_workers or _n_cores()
    _check(trajectories, targets, n_neighbors, edges, expansion)
    partial = out.with_name(out.name + ".partial")
    _check_output(out, partial, overwrite, resume)
    trajectories = [trajectory.unwrap() for trajectory in trajectories]
    names = _unique([trajectory.name for trajectory in trajectories])
    meta = {
        "format_version": FORMAT_VERSION,
        "length_unit": "angstrom",
        "time_unit": trajectories[0].time_unit or "frames",
        "frame_interval": trajectories[0].frame_interval or 1.0,
        "periodic": [bool(p) for p in trajectories[0].periodic],
        "n_atoms": len(trajectories[0].atomic_numbers),
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
                "sources": [{"path": str(s), "sha256": digest(s)} for s in trajectory.sources],
            }
            for name, trajectory in zip(names, trajectories, strict=True)
        ],
    }
    size = graph_size(trajectories, n_neighbors, edges, expansion)
    free = shutil.disk_usage(_existing_parent(out)).free
    print(f"{out}: {_human(size)} to write, {_human(free)} free", flush=True)
    if size > free:
        compact = graph_size(trajectories, n_neighbors, "distance", expansion)
        hint = f"; --edges distance takes {_human(compact)}" if edges == "gaussian" else ""
        raise InputError(f"{out}: {_human(size)} do not fit on the disk ({_human(free)} free){hint}")

    settings = json.dumps(meta, sort_keys=True)
    done = _finished_chunks(partial, settings) if resume else None
    with _discard_on_error(partial):
        if done is None:
            _start(partial, trajectories, names, targets, meta, settings)
            done = []
        jobs = []
        for name, trajectory in zip(names, trajectories, strict=True):
            plan = _plan(trajectory, n_neighbors, edges, expansion)
            n_frames = len(trajectory.positions)
            per_frame = sum(array["bytes"] for array in plan.values()) // n_frames
            step = max(1, _CHUNK_BYTES // per_frame)
            for start in range(0, n_frames, step):
                job = (str(partial / name), start, min(start + step, n_frames))
                jobs.append((job, f"{name}:{start}"))
        todo = [(job, key) for job, key in jobs if key not in done]
        _run(
            todo,
            done,
            partial,
            settings,
            trajectories[0].periodic,
            n_neighbors,
            expansion,
            n_workers,
            progress,
        )
        _finish(partial, out, names, meta)
    return out


def _run(todo, done, partial, settings, periodic, n_neighbors, expansion, n_workers, progress):
    """Work off the chunks, noting each in the journal from which a later call resumes."""
    total = sum(job[2] - job[1] for job, _ in todo)
    arguments = (periodic, n_neighbors, expansion)
    with tqdm(total=total, unit="frame", desc="graphs", disable=not progress, mininterval=0.5) as bar:

        def finished(job, key):
            done.append(key)
            write_json(partial / "journal.json", {"settings": settings, "done": done})
            bar.update(job[2] - job[1])

        if n_workers == 1 or len(todo) < 2:
            for job, key in todo:
                _build_chunk(*job, *arguments)
                finished(job, key)
            return
        with ProcessPoolExecutor(min(n_workers, len(todo)), mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(_build_chunk, *job, *arguments): (job, key) for job, key in todo}
            try:
                for future in as_completed(futures):
                    future.result()
                    finished(*futures[future])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _build_chunk(folder, start, stop, periodic, n_neighbors, expansion):
    """Neighbours and edges of frames start:stop of a trajectory folder, written in place."""
    folder = Path(folder)
    positions = np.load(folder / "positions.npy", mmap_mode="r")[start:stop]
    lattices = np.load(folder / "lattices.npy", mmap_mode="r")[start:stop]
    neighbors, distances = nearest_neighbors(positions, lattices, n_neighbors, periodic)  # (f, N, M)
    np.load(folder / "neighbors.npy", mmap_mode="r+")[start:stop] = neighbors
    if (folder / "edges.npy").exists():
        np.load(folder / "edges.npy", mmap_mode="r+")[start:stop] = expand_distances(distances, **expansion)
    else:
        np.load(folder / "distances.npy", mmap_mode="r+")[start:stop] = distances


def _finished_chunks(partial, settings):
    """Chunks that an interrupted build has written; None: there is none to continue."""
    if not (partial / "journal.json").is_file():
        return None
    journal = json.loads((partial / "journal.json").read_text(encoding="utf-8"))
    if journal["settings"] != settings:
        raise InputError(f"{partial}: was begun with other settings or sources; --overwrite starts afresh")
    return journal["done"]


def _start(partial, trajectories, names, targets, meta, settings):
    """Lay out the partial directory: everything but neighbours and edges is written at once."""
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    np.save(partial / "atomic_numbers.npy", np.asarray(trajectories[0].atomic_numbers, np.int32))
    np.save(partial / "targets.npy", targets)
    for name, trajectory in zip(names, trajectories, strict=True):
        folder = partial / name
        folder.mkdir()
        plan = _plan(trajectory, meta["n_neighbors"], meta["edges"], meta["expansion"])
        arrays = {
            array: np.lib.format.open_memmap(folder / f"{array}.npy", mode="w+", dtype=p["dtype"], shape=p["shape"])
            for array, p in plan.items()
        }
        arrays["lattices"][:] = trajectory.lattices
        arrays["positions"][:] = trajectory.positions
    write_json(partial / "journal.json", {"settings": settings, "done": []})


def _finish(partial, out, names, meta):
    """Describe every array in meta.json and rename."""
    (partial / "journal.json").unlink()
    meta["arrays"] = _describe(partial)
    for name, entry in zip(names, meta["trajectories"], strict=True):
        entry["arrays"] = _describe(partial / name)
    meta["created"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    write_json(partial / "meta.json", meta)
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)


def _describe(folder):
    described = {}
    for file in sorted(folder.glob("*.npy")):
        array = np.load(file, mmap_mode="r")
        described[file.stem] = {
            "shape": list(array.shape),
            "dtype": array.dtype.str,
            "sha256": digest(file),
        }
    return described


@contextmanager
def _discard_on_error(partial):
    """Remove what was written when the build fails; an interrupted one stays for --resume."""
    try:
        yield
    except Exception:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _check(trajectories, targets, n_neighbors, edges, expansion):
    if not trajectories:
        raise InputError("no trajectory to build graphs from")
    if n_neighbors < 1:
        raise InputError(f"--n-neighbors must be at least 1, got {n_neighbors}")
    if edges not in ("gaussian", "distance"):
        raise InputError(f"--edges must be gaussian or distance, got {edges}")
    if not expansion["sigma"] > 0:
        raise InputError(f"--sigma must be positive, got {expansion['sigma']}")
    try:
        gaussian_centers(expansion["dmin"], expansion["dmax"], expansion["step"])
    except ValueError as error:
        raise InputError(f"--dmin, --dmax, --step: {error}") from None
    first = trajectories[0]
    if targets.ndim != 2 or not targets.size:
        raise InputError(f"targets must be a non-empty (n_targets, k) array, got shape {targets.shape}")
    if targets.min() < 0 or targets.max() >= len(first.atomic_numbers):
        raise InputError(f"target {targets.max()} is not one of the {len(first.atomic_numbers)} atoms")
    for other in trajectories[1:]:
        for field in ("atomic_numbers", "periodic", "frame_interval", "time_unit"):
            if not np.array_equal(getattr(first, field), getattr(other, field)):
                shown = [_short(getattr(t, field)) for t in (first, other)]
                raise InputError(
                    f"{other.name}: {field.replace('_', ' ')} {shown[1]} differ from those of {first.name}, "
                    f"{shown[0]}; build separate graph directories"
                )


def _check_output(out, partial, overwrite, resume):
    if overwrite:
        if out.exists() and not ((out / "meta.json").is_file() or (out.is_dir() and not any(out.iterdir()))):
            raise InputError(f"{out}: exists and is no graph directory; it is not overwritten")
        shutil.rmtree(partial, ignore_errors=True)
    elif out.exists():
        raise InputError(f"{out}: exists; --overwrite replaces it, --out names another")
    elif partial.exists() and not resume:
        raise InputError(f"{partial}: left by an interrupted build; --resume continues it, --overwrite starts afresh")


def _n_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _unique(names):
    seen, unique = set(), []
    for name in names:
        candidate, n = name, 1
        while candidate in seen:
            n += 1
            candidate = f"{name}_{n}"
        seen.add(candidate)
        unique.append(candidate)
    return unique


def _short(value):
    if isinstance(value, np.ndarray):
        return f"of {len(value)} atoms"
    return str(value)


def _existing_parent(path):
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _human(size):
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
