"""A run: one or more trainings of the same network, the best of them identified, scored and applied to every frame."""

import json
import platform
import secrets
import shutil
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from gdynet_tf._version import __version__
from gdynet_tf.analysis import (
    canonical_correlations,
    collapsed_states,
    crispness,
    populations,
    restart_agreement,
)
from gdynet_tf.analysis.runs import Run, load_chi
from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, write_json
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.learning.identification import identify_states
from gdynet_tf.learning.prediction import predict_blocks, stream_vamp2, write_chi
from gdynet_tf.learning.splits import Split
from gdynet_tf.learning.training import TrainingSettings, train_network
from gdynet_tf.networks.attribution import attribute_states
from gdynet_tf.networks.explanation import explain_states

__all__ = ["new_config", "resume_config", "train_run"]

_AGREEMENT_SAMPLES = 200_000  # frames x targets compared between restarts


def new_config(graphs, split, settings, seed=None, n_restarts=1):
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
    """
    packages = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn")
    return {
        "seed": secrets.randbelow(2**31) if seed is None else seed,
        "n_restarts": n_restarts,
        **asdict(settings),
        "split": split.to_dict(),
        "graphs": {"path": str(graphs.path.resolve()), "sha256": digest(graphs.path / "meta.json")},
        "data": {
            "frame_interval": graphs.meta["frame_interval"],
            "time_unit": graphs.meta["time_unit"],
            "n_atoms": graphs.meta["n_atoms"],
            "n_targets": graphs.n_targets,
            "group_size": graphs.targets.size // graphs.n_targets,
            "n_neighbors": graphs.meta["n_neighbors"],
            "trajectories": [
                {key: entry[key] for key in ("name", "segments", "sources")} for entry in graphs.meta["trajectories"]
            ],
        },
        "versions": {
            "gdynet_tf": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
        "backend": keras.backend.backend(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def resume_config(run):
    """Configuration of an interrupted run, after a check that its graphs are still the same.

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
    file = Path(run) / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        graphs = open_inputs(config["graphs"]["path"], config["model"])
    except FileNotFoundError:
        raise InputError(f"{run}: no config.json in it, there is nothing to resume") from None
    except (ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: cannot be read: {error!r}") from None
    if digest(graphs.path / "meta.json") != config["graphs"]["sha256"]:
        raise InputError(f"{graphs.path}: is not the graph directory that {run} was begun with")
    return config, graphs


def train_run(graphs, run, config, *, resume=False, progress=True):
    """Train, identify the states, score them and write chi of every frame.

    Parameters
    ----------
    graphs : GraphDataset
    run : path-like
        Directory; gets config.json, history.csv, best.weights.h5, model.keras, checkpoints/, chi/, explanation.json
        (of a GDyNet: what tells its states apart) and, at the end, scores.json.
    config : dict
        From `new_config` or `resume_config`.
    resume : bool
        Continue from the checkpoints.
    progress : bool

    Returns
    -------
    dict
        Content of ``scores.json``.
    """
    run = Path(run)
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / "config.json", config)
    settings = TrainingSettings(**{name: config[name] for name in TrainingSettings.__dataclass_fields__})
    split = Split.from_dict(config["split"])
    restarts, models, chis = [], [], []
    for k in range(config["n_restarts"]):
        seed = config["seed"] + k
        if progress and config["n_restarts"] > 1:
            print(f"training {k + 1} of {config['n_restarts']}, seed {seed}", flush=True)
        folder = run / "checkpoints" / f"seed_{seed}"
        model, history = train_network(graphs, split, settings, seed, folder, resume=resume, progress=progress)
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
            }
        )
        models.append(model)
        chis.append(_sample(model, graphs, split.validation))
    chosen = max(range(len(restarts)), key=lambda k: restarts[k]["validation_vamp2"])
    model, seed = models[chosen], restarts[chosen]["seed"]
    shutil.copyfile(run / "checkpoints" / f"seed_{seed}" / "history.csv", run / "history.csv")
    model.save_weights(run / "best.weights.h5")
    model.save(run / "model.keras")
    write_chi(model, graphs, run / "chi", progress=progress)
    if settings.model == "gdynet":
        explanation = explain_states(attribute_states(model, graphs, split.validation))
        write_json(run / "explanation.json", explanation.to_dict())
    scores = {
        "best_seed": seed,
        "vamp2": {
            name: stream_vamp2(model, graphs, getattr(split, name), settings.tau)
            for name in ("train", "validation", "test")
        },
        "restarts": restarts,
    }
    test = load_chi(Run(run, config, {}), "test")
    every = load_chi(Run(run, config, {}))
    scores |= {
        "crispness": crispness(every),
        "populations": populations(every).tolist(),
        "collapsed": collapsed_states(test, settings.tau).messages,
        "agreement": _agreement(chis, chosen),
    }
    write_json(run / "scores.json", scores)
    return scores


def _sample(model, graphs, blocks):
    """chi (1 array per block) of evenly spaced frames, for the comparison of restarts."""
    n_samples = sum(stop - start for _, start, stop in blocks) * graphs.n_targets
    stride = max(1, n_samples // _AGREEMENT_SAMPLES)
    return [np.concatenate([chi[::stride] for chi in predict_blocks(model, graphs, block)]) for block in blocks]


def _agreement(chis, chosen):
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
