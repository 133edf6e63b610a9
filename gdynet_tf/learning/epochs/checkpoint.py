"""What a training keeps after every epoch, so that an interrupted one goes on to the same result."""

import csv
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import keras

from gdynet_tf.errors import InputError
from gdynet_tf.files import write_json
from gdynet_tf.learning.settings import TrainingSettings

__all__ = ["Checkpoint", "read_history", "save_weights", "write_history"]

_GAIN = 1e-3  # a smaller rise of the validation score does not count: 1 % of a process would be 0.01
_FALLS, _FALL = 2, 0.3  # times that the learning rate falls, and to what part of itself


@dataclass
class Checkpoint:
    """Where a training stands; written after every epoch, so that a resumed one comes to the same result.

    What counts are the models of the last and of the best epoch, and ``state.json``, which names them and is replaced
    in one step; ``history.csv`` and ``best.weights.h5`` follow from these, and are written anew when they are taken up.
    Without a folder the best weights stay in memory, and nothing can be resumed.
    """

    folder: Path | None
    history: list[dict[str, Any]] = field(default_factory=list)
    best_weights: list | None = None

    @classmethod
    def load(cls, folder: Path) -> tuple["Checkpoint", keras.Model]:
        """Take up a training where it was interrupted.

        Raises
        ------
        InputError
            If what is there cannot be read, or was written by a version that trained otherwise.
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
        if "learning_rate" not in history[-1]:
            state = folder / "checkpoints" / "state.json"
            raise InputError(
                f"{state}: begun by version 0.6 or older, which trained otherwise; `overwrite=True` starts afresh"
            )
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

    def learning_rate(self, settings: TrainingSettings) -> float | None:
        """That of the next epoch; None when there is none.

        Whenever the score has not risen for ``patience`` epochs the rate falls, and the third time the training ends.
        """
        reached, since, falls = -float("inf"), 0, 0
        for row in self.history:
            since += 1
            if row["validation_vamp2"] > reached + _GAIN:
                reached, since = row["validation_vamp2"], 0
            elif since == settings.patience:
                falls, since = falls + 1, 0
        if len(self.history) >= settings.epochs or falls > _FALLS:
            return None
        return settings.learning_rate * _FALL**falls


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
