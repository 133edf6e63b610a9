"""A run: one or more trainings of the same network, the best of them identified, scored and applied to every frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from gdynet_tf.analysis import (
    canonical_correlations,
    collapsed_states,
    crispness,
    populations,
    restart_agreement,
)
from gdynet_tf.analysis.runs import Run, chi_of_blocks, load_explanation, load_run, segment_blocks
from gdynet_tf.errors import InputError
from gdynet_tf.files import output_path, whole_folder, write_json
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.store import write_graphs
from gdynet_tf.learning.epochs.checkpoint import read_history, save_weights, write_history
from gdynet_tf.learning.identification import identify_states
from gdynet_tf.learning.prediction import predict_blocks, predict_chi, stream_vamp2
from gdynet_tf.learning.settings import (
    NOT_OF_THE_TRAINING,
    TrainingSettings,
    check_run_directory,
    graphs_reference,
    new_config,
    resume_config,
)
from gdynet_tf.learning.splits import Split
from gdynet_tf.learning.training import train_network
from gdynet_tf.locks import locked
from gdynet_tf.manifest import check_outside, write_manifest
from gdynet_tf.networks.attribution import attribute_states
from gdynet_tf.networks.explanation import explain_states
from gdynet_tf.networks.gdynet import load_model
from gdynet_tf.progress import Curves

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.learning.distribution import Distribution

__all__ = [
    "TrainedRun",
    "fit_run",
    "load_trained_run",
    "new_config",
    "resume_config",
    "train_run",
]

logger = logging.getLogger(__name__)

_AGREEMENT_SAMPLES = 200_000  # frames x targets compared between restarts


@dataclass(frozen=True, eq=False)
class TrainedRun(Run):
    """A run with what it was made of, on disk or in memory; for analyses it is a `Run` like any other.

    Attributes
    ----------
    path : Path or None
        The run directory; None for a run in memory.
    model : GDyNet or VAMPnet
        In float32, with its state map.
    epochs : list of dict
        Of the best training: epoch, train_vamp2, validation_vamp2, seconds.
    chi : list of (F, n_targets, n_states) float32
        Of every trajectory.
    explanation : dict or None
        What tells the states of a GDyNet apart.
    memory : GraphDataset or None
        The graphs when they are in no directory.
    """

    path: Path | None  # type: ignore[assignment]  # a run in memory has none
    model: keras.Model = field(repr=False)
    epochs: list[dict[str, Any]] = field(repr=False)
    chi: list[np.ndarray] = field(repr=False)
    explanation: dict[str, Any] | None = field(default=None, repr=False)
    memory: GraphDataset | None = field(default=None, repr=False)

    @property
    def history(self) -> pd.DataFrame:
        """The best training with a row an epoch."""
        import pandas as pd

        return pd.DataFrame(self.epochs)

    def chi_arrays(self) -> list[np.ndarray]:
        """State probabilities of all frames, (F, n_targets, n_states) float32 for each trajectory."""
        return self.chi

    def graphs(self) -> GraphDataset:
        """The graphs that the run was trained on."""
        return super().graphs() if self.memory is None else self.memory

    def save(self, path: str | Path, overwrite: bool = False) -> TrainedRun:
        """Write the run directory, and in it the graphs when they are in memory.

        Parameters
        ----------
        path : path-like
        overwrite : bool
            Replace a run directory that exists.

        Returns
        -------
        TrainedRun
            On disk.

        Raises
        ------
        InputError
            If ``path`` exists, holds what would be overwritten by itself, or is being written by another process.
        """
        path = output_path(path)
        check_outside(path)
        recorded = self.config["graphs"]["path"]
        with locked(path):
            check_run_directory(path, overwrite, [p for p in (recorded, self.path) if p is not None])
            return self._save(path)

    def _save(self, path: Path) -> TrainedRun:
        config = self.config
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(path) as new:
            if self.memory is not None:
                reference = graphs_reference(write_graphs(self.memory, new / "graphs"))
                config = {**config, "graphs": {**reference, "path": str((path / "graphs").resolve())}}
            write_json(new / "config.json", config)
            (new / "chi").mkdir()
            for trajectory, array in zip(config["data"]["trajectories"], self.chi, strict=True):
                np.save(new / "chi" / f"{trajectory['name']}.npy", array)
            self._write_results(new)
        return replace(self, path=path, config=config, memory=None)

    def _write_results(self, path: Path) -> None:
        """Write history.csv, best.weights.h5, model.keras, explanation.json, scores.json and then the manifest."""
        write_history(path / "history.csv", self.epochs)
        save_weights(self.model, path / "best.weights.h5")
        self.model.save(path / "model.keras")
        if self.explanation is not None:
            write_json(path / "explanation.json", self.explanation)
        write_json(path / "scores.json", self.scores)
        write_manifest(path, leave_out=NOT_OF_THE_TRAINING)


def load_trained_run(path: str | Path) -> TrainedRun:
    """Open a run directory with its network.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    TrainedRun

    Raises
    ------
    InputError
        If it is missing, unfinished or damaged, or a network was applied, not trained in it.
    """
    path, run = Path(path), load_run(path)
    if not (path / "history.csv").is_file():
        raise InputError(f"{path}: no history.csv in it: a network was applied here, not trained")
    return TrainedRun(
        path=path,
        config=run.config,
        scores=run.scores,
        model=load_model(path),
        epochs=read_history(path / "history.csv"),
        chi=run.chi_arrays(),
        explanation=load_explanation(path),
    )


def train_run(
    graphs: GraphDataset,
    run: str | Path,
    config: dict[str, Any],
    *,
    resume: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    distribution: Distribution | None = None,
) -> dict[str, Any]:
    """`fit_run` into a run directory, for its scores alone.

    Parameters
    ----------
    graphs : GraphDataset
    run : path-like
    config : dict
        From `new_config` or `resume_config`.
    resume, progress, tensorboard : bool
    distribution : Distribution, optional

    Returns
    -------
    dict
        Content of ``scores.json``.
    """
    return fit_run(
        graphs, config, run, resume=resume, progress=progress, tensorboard=tensorboard, distribution=distribution
    ).scores


def fit_run(
    graphs: GraphDataset,
    config: dict[str, Any],
    path: str | Path | None = None,
    *,
    resume: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    distribution: Distribution | None = None,
) -> TrainedRun:
    """Train, identify the states, score them and take chi of every frame.

    Parameters
    ----------
    graphs : GraphDataset
    config : dict
        From `new_config` or `resume_config`.
    path : path-like, optional
        Directory; gets config.json, history.csv, best.weights.h5, model.keras, checkpoints/, chi/, explanation.json
        (of a GDyNet: what tells its states apart), scores.json and, at the end, manifest.json. By default everything
        stays in memory.
    resume : bool
        Continue from the checkpoints.
    progress : bool
        Show how far it is.
    tensorboard : bool
        Write ``tensorboard/seed_S`` too: the curves of each training, which TensorBoard shows while they grow.
    distribution : Distribution, optional
        Devices and hosts that share the trainings, of which this is the chief; the others are in `assist_training`.

    Returns
    -------
    TrainedRun

    Raises
    ------
    InputError
        If the graphs are replaced or altered meanwhile, or another process writes the directory.
    """
    with nullcontext() if path is None else locked(path):
        if path is not None:
            path = Path(path)
            path.mkdir(parents=True, exist_ok=True)
            write_json(path / "config.json", config)
        with graphs.unchanged():
            run = _train(graphs, config, path, resume, progress, tensorboard, distribution)
        if path is not None:
            run._write_results(path)
        return run


def _train(
    graphs: GraphDataset,
    config: dict[str, Any],
    path: Path | None,
    resume: bool,
    progress: bool,
    tensorboard: bool,
    distribution: Distribution | None,
) -> TrainedRun:
    settings = TrainingSettings.from_config(config)
    if distribution is not None:
        distribution.check(settings.variant)
        distribution.share(config)
    split = Split.from_dict(config["split"])
    restarts, models, histories, samples = [], [], [], []
    for k in range(config["n_restarts"]):
        seed = config["seed"] + k
        if config["n_restarts"] > 1:
            logger.info(f"training {k + 1} of {config['n_restarts']}, seed {seed}")
        folder = None if path is None else path / "checkpoints" / f"seed_{seed}"
        curves = Curves(path / "tensorboard" / f"seed_{seed}").add if tensorboard and path is not None else None
        model, history = train_network(
            graphs,
            split,
            settings,
            seed,
            folder,
            resume=resume,
            progress=progress,
            epoch_ended=curves,
            distribution=distribution,
        )
        subspace_test = stream_vamp2(model, graphs, split.test, settings.tau)
        identified = identify_states(model, graphs, split.train, settings.tau)
        best = max(history, key=lambda row: row["validation_vamp2"])
        restarts.append(
            {
                "seed": seed,
                "epochs": len(history),
                "best_epoch": best["epoch"],
                "seconds": round(sum(row["seconds"] for row in history), 1),
                "validation_vamp2": best["validation_vamp2"],
                "test_vamp2_before_identification": subspace_test,
                "eigenvalues": identified.eigenvalues.tolist(),
                "n_resolved": identified.n_resolved,
                "train_vamp2_before_identification": identified.vamp2_before,
                "train_vamp2_after_identification": identified.vamp2_after,
                "findings": [finding.to_dict() for finding in identified.findings],
            }
        )
        models.append(model)
        histories.append(history)
        samples.append(_sample(model, graphs, split.validation))
    chosen = max(range(len(restarts)), key=lambda k: restarts[k]["validation_vamp2"])
    model = models[chosen]
    chi = predict_chi(model, graphs, None if path is None else path / "chi", progress)
    explanation = None
    if settings.model == "gdynet":
        explanation = explain_states(attribute_states(model, graphs, split.validation)).to_dict()
    units = (settings.tau, graphs.meta["frame_interval"], graphs.meta["time_unit"])
    every = chi_of_blocks(chi, segment_blocks(graphs.segments), *units)
    scores = {
        "best_seed": restarts[chosen]["seed"],
        "vamp2": {
            name: stream_vamp2(model, graphs, getattr(split, name), settings.tau)
            for name in ("train", "validation", "test")
        },
        "restarts": restarts,
        "crispness": crispness(every),
        "populations": populations(every).tolist(),
        "collapsed": collapsed_states(chi_of_blocks(chi, split.test, *units), settings.tau).messages,
        "agreement": _agreement(samples, chosen),
        "findings": restarts[chosen]["findings"],
    }
    memory = graphs if graphs.path is None else None
    return TrainedRun(
        path=path,
        config=config,
        scores=scores,
        model=model,
        epochs=histories[chosen],
        chi=chi,
        explanation=explanation,
        memory=memory,
    )


def _sample(model: keras.Model, graphs: GraphDataset, blocks: Sequence[tuple[int, int, int]]) -> list[np.ndarray]:
    """chi (1 array per block) of evenly spaced frames, for the comparison of restarts."""
    n_samples = sum(stop - start for _, start, stop in blocks) * graphs.n_targets
    stride = max(1, n_samples // _AGREEMENT_SAMPLES)
    return [np.concatenate([chi[::stride] for chi in predict_blocks(model, graphs, block)]) for block in blocks]


def _agreement(chis: list[list[np.ndarray]], chosen: int) -> dict[str, Any] | None:
    """How far the other trainings found the same subspace and the same states; None for a single training."""
    if len(chis) < 2:
        return None
    correlations = [canonical_correlations(chis[chosen], chi) for k, chi in enumerate(chis) if k != chosen]
    states = restart_agreement(chis, chosen)
    return {
        "n_restarts": len(chis),
        "canonical_correlations": np.min(correlations, axis=0).tolist(),
        "same_likeliest_state": states.overall,
        "f1": states.f1.tolist(),
        "found_again": states.found_again.tolist(),
    }
