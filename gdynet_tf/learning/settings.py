"""What the result of a training follows from, as ``config.json`` records it. Loads no network."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gdynet_tf._version import __version__
from gdynet_tf.analysis.runs import check_data
from gdynet_tf.errors import InputError, real_number, whole_number
from gdynet_tf.files import read_json
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.learning.pairs import FEWEST, LONGEST, count_pairs
from gdynet_tf.learning.splits import Split, check_split
from gdynet_tf.manifest import check_own

__all__ = [
    "NOT_OF_THE_TRAINING",
    "TrainingSettings",
    "check_run_directory",
    "default_batch_size",
    "draw_seed",
    "graphs_reference",
    "is_begun",
    "new_config",
    "resume_config",
]

_REPORTS = [
    name.format(part) for part in ("", "_train", "_validation", "_all") for name in ("analysis{}", "report{}.html")
]
NOT_OF_THE_TRAINING = ("graphs", "tensorboard", *_REPORTS)  # have their own manifests, or are written anew
_MAX_SEED = 2**31 - 1
_SAMPLES_PER_BATCH = 2000  # frames x targets; fewer bias the covariances and so the gradient
_N_FEATURES = {"gdynet": 16, "vampnet": 64}
_CHOICES = {
    "model": tuple(_N_FEATURES),
    "variant": ("paper", "gdynet2019"),
    "precision": ("float32", "mixed_float16"),
}
_LEAST = {"n_states": 2, "tau": 1, "n_conv": 1, "n_features": 1, "epochs": 1, "patience": 1, "batch_size": 1}


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    n_states : int
    tau : int
        Lag time in frames.
    model : {"gdynet", "vampnet"}
    n_conv : int
        Convolutions; of a VAMPnet, hidden layers.
    n_features : int, optional
        Length of an embedding, or width of the hidden layers; default 16, of a VAMPnet 64.
    variant : {"paper", "gdynet2019"}
    batch_size : int, optional
        Pairs of frames in a batch; default `default_batch_size`, which the data tell.
    epochs : int
        At most so many, each of 100 batches, or of four passes over all pairs where these are fewer.
    learning_rate : float
        At first; it falls twice, see `patience`.
    patience : int
        Epochs without a validation score better by 0.001 after which the learning rate falls to 0.3 of itself, and,
        the third time, training ends.
    precision : {"float32", "mixed_float16"}
    start_from : str, optional
        Run directory whose network is the starting point, of the same architecture; default: weights drawn anew.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    n_states: int
    tau: int
    model: str = "gdynet"
    n_conv: int = 3
    n_features: int | None = None
    variant: str = "paper"
    batch_size: int | None = None
    epochs: int = 100
    learning_rate: float = 1e-2
    patience: int = 3
    precision: str = "float32"
    start_from: str | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"`{name}={getattr(self, name)!r}`: must be {' or '.join(choices)}")
        if self.n_features is None:
            object.__setattr__(self, "n_features", _N_FEATURES[self.model])
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name == "batch_size":
                continue
            object.__setattr__(self, name, whole_number(value, name, least=least))
        object.__setattr__(self, "learning_rate", real_number(self.learning_rate, "learning_rate"))
        if not 0 < self.learning_rate < 10:
            raise InputError(f"`learning_rate={self.learning_rate:g}`: must be a positive number below 10")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TrainingSettings:
        """Those that ``config.json`` holds among others."""
        return cls(**{field.name: config[field.name] for field in fields(cls) if field.name in config})

    def for_data(self, n_targets: int, n_pairs: int) -> TrainingSettings:
        """The same with the batch size that the data tell, unless one is given.

        Parameters
        ----------
        n_targets : int
        n_pairs : int
            Of the training.

        Returns
        -------
        TrainingSettings

        Raises
        ------
        InputError
            If a batch is larger than the data.
        """
        if self.batch_size is None:
            return replace(self, batch_size=default_batch_size(n_targets, n_pairs))
        if self.batch_size > n_pairs:
            raise InputError(f"`batch_size={self.batch_size}`: there are only {n_pairs} training pairs")
        return self


def default_batch_size(n_targets: int, n_pairs: int) -> int:
    """Pairs of frames that hold 2,000 target samples or more, in two chains at least; all if they are fewer."""
    n_chains = max(FEWEST, -(-_SAMPLES_PER_BATCH // (LONGEST * n_targets)))
    return min(LONGEST * n_chains, n_pairs)


def draw_seed() -> int:
    """A seed for a training that is given none."""
    return secrets.randbelow(_MAX_SEED + 1)


def new_config(
    graphs: GraphDataset,
    split: Split,
    settings: TrainingSettings,
    seed: int | None = None,
    n_restarts: int = 1,
) -> dict[str, Any]:
    """Everything that the result follows from, as ``config.json`` holds it.

    Parameters
    ----------
    graphs : GraphDataset
    split : Split
    settings : TrainingSettings
    seed : int, optional
        Drawn when not given.
    n_restarts : int
        Trainings, with the seeds seed, seed + 1, ...

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If the seed or the number of trainings is out of range, or a batch larger than the data.
    """
    seed = draw_seed() if seed is None else whole_number(seed, "seed")
    if not 0 <= seed <= _MAX_SEED:
        raise InputError(f"`seed={seed}`: must be from 0 to {_MAX_SEED}")
    n_restarts = whole_number(n_restarts, "n_restarts", least=1)
    if split.train:  # else a network is applied, not trained
        settings = settings.for_data(graphs.n_targets, count_pairs(split.train, settings.tau))
    from keras.backend import backend as keras_backend  # loads what Keras computes with

    packages = (keras_backend(), "keras", "numpy", "scipy", "scikit-learn")
    return {
        "seed": seed,
        "n_restarts": n_restarts,
        **asdict(settings),
        "split": split.to_dict(),
        "graphs": graphs_reference(graphs),
        "data": describe_data(graphs),
        "versions": {
            "gdynet_tf": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
        "backend": keras_backend(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def describe_data(graphs: GraphDataset) -> dict[str, Any]:
    """Times, sizes and sources of graphs, as ``config.json`` holds them."""
    return {
        "frame_interval": graphs.meta["frame_interval"],
        "time_unit": graphs.meta["time_unit"],
        "n_atoms": graphs.meta["n_atoms"],
        "n_targets": graphs.n_targets,
        "group_size": graphs.targets.size // graphs.n_targets,
        "n_neighbors": graphs.meta["n_neighbors"],
        "trajectories": [
            {key: entry[key] for key in ("name", "segments", "sources")} for entry in graphs.meta["trajectories"]
        ],
    }


def graphs_reference(graphs: GraphDataset) -> dict[str, str | None]:
    """Where graphs are and how they are known again, as ``config.json`` holds it."""
    return {"path": None if graphs.path is None else str(graphs.path.resolve()), "sha256": graphs.sha256}


def resume_config(run: str | Path) -> tuple[dict[str, Any], GraphDataset]:
    """Configuration of an interrupted run, after a check that its graphs are still the same, and as it says.

    Parameters
    ----------
    run : path-like

    Returns
    -------
    config : dict
    graphs : GraphDataset

    Raises
    ------
    InputError
    """
    from gdynet_tf.schema import Config, check_schema

    file = Path(run) / "config.json"
    if not file.is_file():
        raise InputError(f"{run}: no config.json in it, there is nothing to resume; without `resume=True` it begins")
    config = read_json(file)
    check_schema(config, Config, file)
    if config["graphs"]["path"] is None:
        raise InputError(f"{run}: was trained on graphs in memory, which it does not hold")
    graphs = open_inputs(config["graphs"]["path"], config.get("model", "gdynet"))
    if graphs.sha256 != config["graphs"]["sha256"]:
        raise InputError(f"{graphs.path}: is not the graph directory that {run} was begun with")
    check_data(config["data"], graphs.meta, file)
    check_split(Split.from_dict(config["split"]), graphs.segments, config["tau"], f"{file}: split")
    return config, graphs


def is_begun(path: Path) -> bool:
    """Whether there is anything that a run would replace: not an empty directory, which an interrupted start leaves."""
    return path.exists() and not (path.is_dir() and {file.name for file in path.iterdir()} <= {"config.tmp"})


def check_run_directory(path: Path, overwrite: bool, needed: Sequence[str | Path | None] = ()) -> None:
    """Whether a run may be written there.

    Parameters
    ----------
    path : Path
    overwrite : bool
        Whether a run directory that exists is replaced.
    needed : list of path-like or None
        Directories that must not go with it; None for what is in memory.

    Raises
    ------
    InputError
        Also if one that would be replaced holds a file that was not written with it.
    """
    if not is_begun(path):
        return
    if not overwrite:
        raise InputError(f"{path}: exists; `overwrite=True` replaces it")
    if not (path / "config.json").is_file():
        raise InputError(f"{path}: exists and is no run directory; it is not overwritten")
    check_own(path)
    for other in needed:
        if other is not None and Path(other).resolve().is_relative_to(path.resolve()):
            raise InputError(f"{path}: holds {other}, which is still needed; it is not overwritten")
