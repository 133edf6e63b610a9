"""Training of one network: epochs, exact validation score, early stopping, checkpoints."""

import csv
import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.files import write_json
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.pairs import lagged_pairs, pair_batches
from gdynet_tf.learning.pieces import SlopeLoss, fit_in_pieces, number_of_pieces
from gdynet_tf.learning.prediction import stream_vamp2
from gdynet_tf.learning.settings import TrainingSettings, default_batch_size
from gdynet_tf.learning.splits import Split
from gdynet_tf.learning.vamp import VAMPLoss
from gdynet_tf.networks.gdynet import GDyNet, load_model
from gdynet_tf.networks.vampnet import VAMPnet
from gdynet_tf.progress import Progress

__all__ = [
    "TrainingSettings",
    "best_precision",
    "default_batch_size",
    "float32_model",
    "read_history",
    "save_weights",
    "starting_model",
    "train_network",
    "write_history",
]

logger = logging.getLogger(__name__)

_GAIN = 1e-3  # a smaller rise of the validation score does not count: 1 % of a process would be 0.01


def best_precision() -> str:
    """``"mixed_float16"`` where a GPU is there, else ``"float32"``."""
    return "mixed_float16" if keras.distribution.list_devices("gpu") else "float32"


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


def _compile(model: keras.Model, settings: TrainingSettings, n_pieces: int) -> None:
    """Give the model what it is trained with, in batches of so many pieces."""
    # XLA is three times faster on a CPU too, where Keras's "auto" leaves it off.
    jit_compile = keras.backend.backend() != "torch"
    accumulated = n_pieces if n_pieces > 1 else None
    optimizer = keras.optimizers.Adam(settings.learning_rate, gradient_accumulation_steps=accumulated)
    if settings.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = SlopeLoss() if n_pieces > 1 else VAMPLoss()
    model.compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile)


def _fit_whole(
    model: keras.Model,
    graphs: GraphDataset,
    pairs: np.ndarray,
    settings: TrainingSettings,
    seed: int,
    epoch: int,
    batch_ended: Callable[[], Any],
) -> float:
    """One epoch of whole batches; see `fit_in_pieces`."""
    batches = pair_batches(graphs, pairs, settings.tau, cast(int, settings.batch_size), seed, epoch)
    bar = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch_ended())
    callbacks = [bar, keras.callbacks.TerminateOnNaN()]
    return model.fit(batches, verbose=0, shuffle=False, callbacks=callbacks).history["loss"][0]


@dataclass
class _Checkpoint:
    """Where a training stands; written after every epoch, so that a resumed one comes to the same result.

    What counts are the models of the last and of the best epoch, and ``state.json``, which names them and is replaced
    in one step; ``history.csv`` and ``best.weights.h5`` follow from these, and are written anew when they are taken up.
    Without a folder the best weights stay in memory, and nothing can be resumed.
    """

    folder: Path | None
    history: list[dict[str, Any]] = field(default_factory=list)
    best_weights: list | None = None

    @classmethod
    def load(cls, folder: Path) -> tuple["_Checkpoint", keras.Model]:
        """Take up a training where it was interrupted.

        Raises
        ------
        InputError
            If what is there cannot be read.
        """
        file = folder / "checkpoints" / "state.json"
        try:
            history = json.loads(file.read_text(encoding="utf-8"))["history"]
            checkpoint = cls(folder, history)
            models = {}
            for epoch in {len(history), checkpoint.best + 1}:
                file = checkpoint._model_file(epoch)
                models[epoch] = keras.models.load_model(file)
        except Exception as error:  # of JSON, of the ZIP archive, of HDF5 and Keras: a damaged file may raise any
            raise InputError(
                f"{file}: cannot be read, the training cannot go on from it: {error}; `overwrite=True` starts afresh"
            ) from None
        checkpoint._write_results(models[checkpoint.best + 1])
        checkpoint._forget_others()
        return checkpoint, models[len(history)]

    def _model_file(self, epoch: int) -> Path:
        return cast(Path, self.folder) / "checkpoints" / f"epoch_{epoch:04d}.keras"

    def save(self, model: keras.Model) -> None:
        """Note the epoch that has ended, and keep its weights when it is the best.

        The model is written first, then the small file that counts it: whichever is interrupted, what was noted holds.
        """
        last = len(self.history)
        is_best = self.best == last - 1
        if self.folder is None:
            self.best_weights = model.get_weights() if is_best else self.best_weights
            return
        states = self.folder / "checkpoints"
        states.mkdir(parents=True, exist_ok=True)
        model.save(self._model_file(last))
        write_json(states / "state.json", {"history": self.history})
        self._write_results(model if is_best else None)
        self._forget_others()

    def _forget_others(self) -> None:
        """Remove the models of other epochs than the last and the best one."""
        last = self._model_file(len(self.history))
        for file in set(last.parent.glob("epoch_*")) - {last, self._model_file(self.best + 1)}:
            file.unlink()

    def _write_results(self, best: keras.Model | None) -> None:
        """Write history.csv and, unless they are there, the best weights."""
        folder = cast(Path, self.folder)
        if best is not None:
            save_weights(best, folder / "next.weights.h5")
            os.replace(folder / "next.weights.h5", folder / "best.weights.h5")
        write_history(folder / "history.csv", self.history)

    def restore_best(self, model: keras.Model) -> None:
        """Give the model the weights of its best epoch."""
        if self.folder is None:
            model.set_weights(self.best_weights)
        else:
            model.load_weights(self.folder / "best.weights.h5")

    @property
    def best(self) -> int:
        """Index of the epoch with the highest validation score; -1 before the first."""
        scores = [row["validation_vamp2"] for row in self.history]
        return max(range(len(scores)), key=scores.__getitem__) if scores else -1

    def finished(self, settings: TrainingSettings) -> bool:
        """Whether the last epoch is reached or the score has not risen for ``patience`` epochs."""
        reached, since = -float("inf"), 0
        for row in self.history:
            since += 1
            if row["validation_vamp2"] > reached + _GAIN:
                reached, since = row["validation_vamp2"], 0
        return len(self.history) >= settings.epochs or since >= settings.patience


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

    Returns
    -------
    model : GDyNet
        In float32, not yet identified.
    history : list of dict
        epoch, train_vamp2 (mean of the batches), validation_vamp2 (exact), seconds.

    Raises
    ------
    TrainingError
        If the loss is no number.
    InputError
        If the checkpoint to resume from is damaged.
    """
    pairs = lagged_pairs(split.train, settings.tau)
    settings = settings.for_data(graphs.n_targets, len(pairs))
    folder = None if folder is None else Path(folder)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    if resume and folder is not None and (folder / "checkpoints" / "state.json").is_file():
        checkpoint, model = _Checkpoint.load(folder)
    else:
        checkpoint = _Checkpoint(folder)
        model = starting_model(settings, graphs)
        _compile(model, settings, number_of_pieces(model, graphs, settings))
    while not checkpoint.finished(settings):
        epoch, began = len(checkpoint.history), time.monotonic()
        n_batches = len(pairs) // cast(int, settings.batch_size)
        with Progress(n_batches, "batch", f"epoch {epoch + 1}", shown=progress) as bar:
            fit = fit_in_pieces if isinstance(model.loss, SlopeLoss) else _fit_whole
            loss = fit(model, graphs, pairs, settings, seed, epoch, bar.update)
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


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights of a model, once it is known that there is room for them.

    HDF5 writes when it closes a file, and on a full disk its destructors say so in tracebacks.

    Parameters
    ----------
    model : keras.Model
    path : Path
        Ends in ``.weights.h5``.

    Raises
    ------
    OSError
        If there is no room.
    """
    room = 2**14 + sum(4096 + 4 * math.prod(weight.shape) for weight in model.weights)
    if hasattr(os, "posix_fallocate"):
        try:
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, room)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None
    model.save_weights(path)


def write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the history of a training as CSV.

    Parameters
    ----------
    path : Path
    history : list of dict
        From `train_network`.
    """
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(temporary, path)


def read_history(path: Path) -> list[dict[str, Any]]:
    """The history that `write_history` has written."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
