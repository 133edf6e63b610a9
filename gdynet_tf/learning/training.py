"""Training of one network: epochs, exact validation score, early stopping, checkpoints."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import keras

from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.learning.epochs.checkpoint import Checkpoint
from gdynet_tf.learning.epochs.pieces import MEMORY, compile_for_pieces, fit_in_pieces, plan_batches
from gdynet_tf.learning.pairs import LaggedChains, chain_batches, count_pairs
from gdynet_tf.learning.prediction import stream_vamp2
from gdynet_tf.learning.settings import TrainingSettings, default_batch_size
from gdynet_tf.learning.splits import Split
from gdynet_tf.networks.gdynet import GDyNet, load_model
from gdynet_tf.networks.vampnet import VAMPnet
from gdynet_tf.progress import Progress

if TYPE_CHECKING:
    from gdynet_tf.learning.distribution import Distribution

__all__ = [
    "TrainingSettings",
    "assist_training",
    "best_precision",
    "default_batch_size",
    "float32_model",
    "starting_model",
    "train_network",
]

logger = logging.getLogger(__name__)


def best_precision() -> str:
    """``"mixed_float16"`` where a GPU is there, else ``"float32"``."""
    return "mixed_float16" if any("gpu" in name for name in keras.distribution.list_devices()) else "float32"


def _new_model(settings: TrainingSettings, graphs: GraphDataset) -> keras.Model:
    n_features = cast(int, settings.n_features)
    if settings.model == "vampnet":
        (n_coordinates,), _ = graphs.input_shapes["coordinates"]
        return VAMPnet(settings.n_states, n_coordinates, settings.n_conv, n_features, settings.precision)
    return GDyNet(
        settings.n_states,
        n_conv=settings.n_conv,
        n_features=n_features,
        expansion=graphs.meta["expansion"],
        variant=settings.variant,
        precision=settings.precision,
    )


def starting_model(settings: TrainingSettings, graphs: GraphDataset) -> keras.Model:
    """A new network, with drawn weights or those of the run that ``settings.start_from`` names.

    Parameters
    ----------
    settings : TrainingSettings
    graphs : GraphDataset

    Returns
    -------
    GDyNet or VAMPnet
        Not identified: which states its outputs are is for the data to tell again.

    Raises
    ------
    InputError
        If that run has no network, or one of another architecture.
    """
    model = _new_model(settings, graphs)
    if settings.start_from is None:
        return model
    start = load_model(settings.start_from)
    if type(start) is not type(model):
        raise InputError(f"`start_from={settings.start_from}`: is a {type(start).__name__}, not {type(model).__name__}")
    old, new = start.get_config(), model.get_config()
    for name in sorted(set(new) - {"name", "trainable", "dtype", "precision"}):
        if old[name] != new[name]:
            raise InputError(f"`start_from={settings.start_from}`: its network has {name} {old[name]}, not {new[name]}")
    not_identified = model.state_map.get_weights()
    model.set_weights(start.get_weights())
    model.state_map.set_weights(not_identified)
    return model


def float32_model(model: keras.Model) -> keras.Model:
    """The same network in full precision, with a copy of the weights."""
    copy = type(model).from_config({**model.get_config(), "precision": "float32"})
    copy.set_weights(model.get_weights())
    return copy


def _fit_whole(
    model: keras.Model,
    graphs: GraphDataset,
    chains: LaggedChains,
    seed: int,
    epoch: int,
    batch_ended: Callable[[], Any],
) -> float:
    """One epoch of whole batches; see `fit_in_pieces`."""
    batches = chain_batches(graphs, chains, seed, epoch)
    bar = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch_ended())
    callbacks = [bar, keras.callbacks.TerminateOnNaN()]
    # A generator does not tell its length; tf.data does, and is used up.
    n_batches = None if keras.backend.backend() == "tensorflow" else chains.n_batches
    done = model.fit(batches, steps_per_epoch=n_batches, verbose=0, shuffle=False, callbacks=callbacks)
    return done.history["loss"][0]


def train_network(
    graphs: GraphDataset,
    split: Split,
    settings: TrainingSettings,
    seed: int,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    progress: bool = True,
    epoch_ended: Callable[[dict[str, Any]], None] | None = None,
    distribution: "Distribution | None" = None,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Train one network and return it with the weights of its best epoch.

    Parameters
    ----------
    graphs : GraphDataset
    split : Split
    settings : TrainingSettings
    seed : int
        Of the initial weights and the order of the pairs.
    folder : path-like, optional
        Gets ``history.csv``, ``best.weights.h5`` and ``checkpoints/``; by default nothing is written.
    resume : bool
        Continue from the checkpoint in ``folder`` if there is one.
    progress : bool
        Show how far each epoch is.
    epoch_ended : callable, optional
        Takes the row of the history of each epoch that has ended.
    distribution : Distribution, optional
        Devices and hosts that share each batch, of which this is the chief; default: one device.

    Returns
    -------
    model : GDyNet
        In float32, not yet identified.
    history : list of dict
        epoch, train_vamp2 (mean of the batches), validation_vamp2 (exact), learning_rate, seconds.

    Raises
    ------
    TrainingError
        If the loss is no number.
    InputError
        If the checkpoint to resume from is damaged.
    """
    settings = settings.for_data(graphs.n_targets, count_pairs(split.train, settings.tau))
    folder = None if folder is None else Path(folder)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    if resume and folder is not None and (folder / "checkpoints" / "state.json").is_file():
        checkpoint, model = Checkpoint.load(folder)
    else:
        checkpoint = Checkpoint(folder)
        model = starting_model(settings, graphs)
    n_replicas = 1 if distribution is None else distribution.n_replicas
    chains, n_pieces = plan_batches(model, graphs, settings, split.train, n_replicas)
    if n_pieces > 1:
        n_pairs = -(-chains.batch_size // n_replicas)
        logger.info(f"{n_pairs} pairs of frames go in {n_pieces} pieces of at most {MEMORY / 2**20:.0f} MB each")
    compile_for_pieces(model, settings, n_pieces if distribution is None else 1)
    if distribution is not None:
        distribution.begin(model, graphs, settings, chains, n_pieces)
        fit = partial(distribution.fit, model)
    else:
        fit = partial(fit_in_pieces if n_pieces > 1 else _fit_whole, model, graphs, chains)
    while (rate := checkpoint.learning_rate(settings)) is not None:
        model.optimizer.learning_rate = rate
        epoch, began = len(checkpoint.history), time.monotonic()
        with Progress(chains.n_batches, "batch", f"epoch {epoch + 1}", shown=progress) as bar:
            loss = fit(seed, epoch, bar.update)
        if loss != loss:
            where, kept = (f"{folder}: ", "; best.weights.h5 holds the best epoch before") if folder else ("", "")
            raise TrainingError(
                f"{where}the loss is not a number in epoch {epoch + 1}; a smaller `learning_rate` "
                f"(now {settings.learning_rate:g}) helps most often{kept}"
            )
        row = {
            "epoch": epoch + 1,
            "train_vamp2": -loss,
            "validation_vamp2": stream_vamp2(model, graphs, split.validation, settings.tau),
            "learning_rate": rate,
            "seconds": round(time.monotonic() - began, 2),
        }
        checkpoint.history.append(row)
        checkpoint.save(model)
        best = checkpoint.history[checkpoint.best]
        logger.info(
            f"epoch {row['epoch']:3d}  VAMP-2: batches {row['train_vamp2']:.4f}, "
            f"validation {row['validation_vamp2']:.4f} (best {best['validation_vamp2']:.4f} "
            f"in epoch {best['epoch']})  {row['seconds']:.1f} s"
        )
        if epoch_ended is not None:
            epoch_ended(row)
    checkpoint.restore_best(model)
    return float32_model(model), checkpoint.history


def assist_training(distribution: "Distribution") -> None:
    """On another host than the chief: take part in all trainings of a run; nothing is written.

    Parameters
    ----------
    distribution : Distribution

    Raises
    ------
    InputError
        If the graphs are not here, under the same path as on the chief.
    TrainingError
        If another host has ended.
    """
    config = distribution.share(None)
    graphs = open_inputs(config["graphs"]["path"], config["model"])
    if graphs.sha256 != config["graphs"]["sha256"]:
        raise InputError(f"{graphs.path}: is not the graph directory that the chief has there")
    settings = TrainingSettings.from_config(config)
    model = starting_model(replace(settings, start_from=None), graphs)
    compile_for_pieces(model, settings, 1)
    blocks = Split.from_dict(config["split"]).train
    distribution.begin(model, graphs, settings, *plan_batches(model, graphs, settings, blocks, distribution.n_replicas))
    distribution.assist(model)
