"""A run directory, read for analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.analysis.chi import Chi
from gdynet_tf.errors import InputError, shown
from gdynet_tf.files import digest, read_json
from gdynet_tf.findings import Finding
from gdynet_tf.manifest import check_manifest

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = ["Run", "check_data", "chi_of_blocks", "load_chi", "load_explanation", "load_run", "segment_blocks"]

_SPLITS = ("all", "train", "validation", "test")


def segment_blocks(segments: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Blocks of frames that the segments of all trajectories are.

    Parameters
    ----------
    segments : list of list of int
        Frames of each segment of each trajectory.

    Returns
    -------
    list of (trajectory, start, stop)
    """
    blocks = []
    for trajectory, lengths in enumerate(segments):
        ends = np.cumsum(lengths)
        blocks += [(trajectory, int(end - n), int(end)) for n, end in zip(lengths, ends, strict=True)]
    return blocks


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes
    ----------
    path : Path
    config : dict
        Content of ``config.json``.
    scores : dict
        Content of ``scores.json``.
    """

    path: Path
    config: dict[str, Any]
    scores: dict[str, Any]

    @property
    def tau(self) -> int:
        """Lag time in frames."""
        return self.config["tau"]

    @property
    def frame_interval(self) -> float:
        """Time between frames in ``time_unit``."""
        return self.config["data"]["frame_interval"]

    @property
    def time_unit(self) -> str:
        """Unit of all times."""
        return self.config["data"]["time_unit"]

    @property
    def history(self) -> pd.DataFrame | None:
        """``history.csv`` as a DataFrame with a row an epoch; None for a run that was not trained, but applied."""
        import pandas as pd

        file = self.path / "history.csv"
        if not file.is_file():
            return None
        try:
            table = pd.read_csv(file)
            missing = {"epoch", "train_vamp2", "validation_vamp2"} - set(table)
        except ValueError as error:  # of pandas' parser too
            raise InputError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
        if missing:
            raise InputError(f"{file}: altered, no column {' and '.join(sorted(missing))}")
        return table

    @property
    def findings(self) -> list[Finding]:
        """What was found when chi was made: by the identification, or of data that the training never saw."""
        return [Finding(**content) for content in self.scores.get("findings", [])]

    def blocks(self, split: str = "all") -> list[tuple[int, int, int]]:
        """Blocks (trajectory, start, stop) of frames of a part of the data.

        Parameters
        ----------
        split : {"all", "train", "validation", "test"}

        Returns
        -------
        list of (int, int, int)
        """
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {', '.join(_SPLITS)}, got {split!r}")
        if split != "all":
            return [tuple(block) for block in self.config["split"][split]]
        return segment_blocks([trajectory["segments"] for trajectory in self.config["data"]["trajectories"]])

    def chi_arrays(self) -> list[np.ndarray]:
        """State probabilities of all frames, (F, n_targets, n_states) float32 for each trajectory; memory-mapped.

        Raises
        ------
        InputError
            If a file is missing or does not fit ``config.json``.
        """
        arrays = []
        for trajectory in self.config["data"]["trajectories"]:
            file = self.path / "chi" / f"{trajectory['name']}.npy"
            try:
                array = np.load(file, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(f"{file}: cannot be read: {error}") from None
            n_frames = sum(trajectory["segments"])
            if array.dtype.kind not in "fiu":
                raise InputError(f"{file}: altered, {array.dtype} are no probabilities")
            targets = self.config["data"].get("n_targets")  # older versions do not tell
            wanted = {"frames": n_frames, "targets": targets, "states": self.config["n_states"]}
            fits = [n in (size, None) for n, size in zip(wanted.values(), array.shape, strict=False)]
            if array.ndim != 3 or not all(fits):
                said = ", ".join(f"{n} {name}" for name, n in wanted.items() if n is not None)
                raise InputError(f"{file}: altered, shape {array.shape} where config.json says {said}")
            arrays.append(array)
        return arrays

    def graphs(self) -> GraphDataset:
        """The graphs that the run was trained on.

        Raises
        ------
        InputError
            If the graph directory is gone or is another one.
        """
        from gdynet_tf.graphs.store import open_graphs

        if self.config["graphs"]["path"] is None:
            raise InputError(f"{self.path / 'config.json'}: names no graph directory")
        graphs = open_graphs(self.config["graphs"]["path"])
        if graphs.sha256 != self.config["graphs"]["sha256"]:
            raise InputError(f"{graphs.path}: is not the graph directory that {self.path} was trained on")
        return graphs


def chi_of_blocks(
    arrays: Sequence[np.ndarray],
    blocks: Sequence[tuple[int, int, int]],
    tau: int,
    frame_interval: float,
    time_unit: str,
) -> Chi:
    """The frames of some blocks as one `Chi`.

    Parameters
    ----------
    arrays : list of (F, n_targets, n_states) arrays
        All frames of each trajectory.
    blocks : list of (trajectory, start, stop)
    tau : int
        Lag time in frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str

    Returns
    -------
    Chi
        Of views.
    """
    return Chi(
        segments=tuple(arrays[trajectory][start:stop] for trajectory, start, stop in blocks),
        tau=tau,
        frame_interval=frame_interval,
        time_unit=time_unit,
        trajectories=tuple(trajectory for trajectory, _, _ in blocks),
    )


def load_run(path: str | Path) -> Run:
    """Open a run directory.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If it is missing, unfinished or damaged, or its graphs, where they are at hand, say something else.
    """
    from gdynet_tf.schema import Config, Scores, check_schema

    path = Path(path)
    for name in ("config.json", "scores.json"):
        if not (path / name).is_file():
            hint = "no such directory" if not path.is_dir() else f"no {name} in it"
            unfinished = "; the training is not finished, train.py --resume continues it" if name[0] == "s" else ""
            raise InputError(f"{path}: not a run directory ({hint}{unfinished})")
    config, scores = read_json(path / "config.json"), read_json(path / "scores.json")
    known = check_schema(config, Config, path / "config.json")
    meta = _meta_at_hand(known.graphs.path, known.graphs.sha256)
    if meta is not None:
        check_data(config["data"], meta, path / "config.json")
    check_manifest(path, expected=known.versions.get("gdynet_tf", "0.2")[:3] not in ("0.1", "0.2"))
    config |= {"data": known.data.model_dump(), "versions": known.versions}  # with what older versions did not tell
    scores = check_schema(scores, Scores, path / "scores.json").model_dump()
    return Run(path=path, config=config, scores=scores)


def _meta_at_hand(folder: str | None, sha256: str) -> dict[str, Any] | None:
    """``meta.json`` of the graphs that a run tells of, if it is still there and the same."""
    file = None if folder is None else Path(folder) / "meta.json"
    try:
        return read_json(file) if file is not None and file.is_file() and digest(file) == sha256 else None
    except (OSError, InputError):
        return None


def check_data(data: Mapping[str, Any], meta: Mapping[str, Any], file: str | Path) -> None:
    """Make sure that what a run tells of its data is what the graphs tell.

    Parameters
    ----------
    data : mapping
        Of ``config.json``; what it does not tell, as older versions did not, is not compared.
    meta : mapping
        Of the graphs.
    file : path-like
        For the message.

    Raises
    ------
    InputError
        Names the key and both values.
    """
    told = {name: data.get(name) for name in ("frame_interval", "time_unit", "n_atoms", "n_neighbors")}
    found = {name: meta[name] for name in told}
    for key in ("name", "segments"):
        told[f"trajectories: {key}"] = [entry[key] for entry in data["trajectories"]]
        found[f"trajectories: {key}"] = [entry[key] for entry in meta["trajectories"]]
    for name, value in told.items():
        if value is not None and value != found[name]:
            raise InputError(f"{file}: altered, data.{name}: {shown(value)} where its graphs say {shown(found[name])}")


def load_explanation(folder: Path) -> dict[str, Any] | None:
    """Content of ``explanation.json`` of a run, as `gdynet_tf.networks.explanation.Explanation` describes it.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict or None
        None where there is none: a VAMPnet, an older training, a model applied to other data.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    from gdynet_tf.schema import ExplanationContent, check_schema

    file = folder / "explanation.json"
    if not file.is_file():
        return None
    content = read_json(file)
    check_schema(content, ExplanationContent, file)
    return content


def load_chi(run: str | Path | Run, split: str = "all") -> Chi:
    """State probabilities of a run, one array per trajectory or segment.

    Parameters
    ----------
    run : path-like or Run
    split : {"all", "train", "validation", "test"}
        Which frames.

    Returns
    -------
    Chi
        Of (F, n_targets, n_states) float32 segments, memory-mapped.

    Raises
    ------
    InputError
        If a file is missing or does not fit ``config.json``.
    """
    run = run if isinstance(run, Run) else load_run(run)
    arrays = run.chi_arrays()
    blocks = run.blocks(split)
    if not blocks:
        raise InputError(f"{run.path / 'config.json'}: altered, no block of frames for {split}")
    try:
        return chi_of_blocks(arrays, blocks, run.tau, run.frame_interval, run.time_unit)
    except ValueError as error:
        raise InputError(f"{run.path / 'chi'}: altered, {error}") from None
