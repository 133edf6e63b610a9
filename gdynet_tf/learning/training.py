"""Training of one network: epochs, exact validation score, early stopping, checkpoints."""

import csv
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import keras
from tqdm import tqdm

from gdynet_tf.errors import TrainingError
from gdynet_tf.learning.pairs import lagged_pairs, pair_batches
from gdynet_tf.learning.prediction import stream_vamp2
from gdynet_tf.learning.vamp import VAMPLoss
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.vampnet import VAMPnet

__all__ = ["TrainingSettings", "best_precision", "default_batch_size", "float32_model", "train_network"]

_SAMPLES_PER_BATCH = 2000  # frames x targets; fewer bias the covariances and so the gradient
_GAIN = 1e-3  # a smaller rise of the validation score does not count: 1 % of a process would be 0.01


@dataclass(frozen=True)
class TrainingSettings:
    """What a training depends on besides the graphs, the split and the seed.

    Attributes
    ----------
    n_states : int
    tau : int
        Lag time in frames.
    model : {"gdynet", "vampnet"}
    n_conv, n_features : int
        Of a VAMPnet, number and width of the hidden layers.
    variant : {"paper", "gdynet2019"}
    batch_size : int
        Pairs of frames in a batch.
    epochs : int
        At most so many.
    learning_rate : float
        Of Adam.
    patience : int
        Epochs without a validation score better by 0.001 after which training stops.
    precision : {"float32", "mixed_float16"}
    """

    n_states: int
    tau: int
    model: str = "gdynet"
    n_conv: int = 3
    n_features: int = 16
    variant: str = "paper"
    batch_size: int = 2000
    epochs: int = 100
    learning_rate: float = 3e-3
    patience: int = 8
    precision: str = "float32"


def default_batch_size(n_targets, n_pairs):
    """Pairs of frames that hold at least 2,000 target samples, or all pairs if they are fewer."""
    return min(-(-_SAMPLES_PER_BATCH // n_targets), n_pairs)


def best_precision():
    """``"mixed_float16"`` where a GPU is there, else ``"float32"``."""
    return "mixed_float16" if keras.distribution.list_devices("gpu") else "float32"


def _new_model(settings, graphs):
    if settings.model == "vampnet":
        (n_coordinates,), _ = graphs.input_shapes["coordinates"]
        return VAMPnet(settings.n_states, n_coordinates, settings.n_conv, settings.n_features, settings.precision)
    return GDyNet(
        settings.n_states,
        n_conv=settings.n_conv,
        n_features=settings.n_features,
        expansion=graphs.meta["expansion"],
        variant=settings.variant,
        precision=settings.precision,
    )


def float32_model(model):
    """The same network in full precision, with a copy of the weights."""
    copy = type(model).from_config({**model.get_config(), "precision": "float32"})
    copy.set_weights(model.get_weights())
    return copy


class _BatchBar(keras.callbacks.Callback):
    """A progress bar over the batches of an epoch."""

    def __init__(self, bar):
        super().__init__()
        self.bar = bar

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()


@dataclass
class _Checkpoint:
    """Where a training stands; written after every epoch, so that --resume continues to the same result."""

    folder: Path
    history: list
    model_file: str = ""

    @classmethod
    def load(cls, folder):
        content = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return cls(folder, content["history"], content["model_file"])

    def save(self, model):
        """The model first, then the small file that names it: whichever is interrupted, the old pair holds."""
        old, self.model_file = self.model_file, f"epoch_{len(self.history):04d}.keras"
        self.folder.mkdir(parents=True, exist_ok=True)
        model.save(self.folder / self.model_file)
        temporary = self.folder / "state.tmp"
        content = {"history": self.history, "model_file": self.model_file}
        temporary.write_text(json.dumps(content), encoding="utf-8")
        os.replace(temporary, self.folder / "state.json")
        if old:
            (self.folder / old).unlink(missing_ok=True)

    @property
    def best(self):
        """Index of the epoch with the highest validation score; -1 before the first."""
        scores = [row["validation_vamp2"] for row in self.history]
        return max(range(len(scores)), key=scores.__getitem__) if scores else -1

    def finished(self, settings):
        """Whether the last epoch is reached or the score has not risen for ``patience`` epochs."""
        reached, since = -float("inf"), 0
        for row in self.history:
            since += 1
            if row["validation_vamp2"] > reached + _GAIN:
                reached, since = row["validation_vamp2"], 0
        return len(self.history) >= settings.epochs or since >= settings.patience


def train_network(graphs, split, settings, seed, folder, *, resume=False, progress=True):
    """Train one network and return it with the weights of its best epoch.

    Parameters
    ----------
    graphs : GraphDataset
    split : Split
    settings : TrainingSettings
    seed : int
        Of the initial weights and the order of the pairs.
    folder : path-like
        Gets ``history.csv``, ``best.weights.h5`` and ``checkpoints/``.
    resume : bool
        Continue from the checkpoint in ``folder`` if there is one.
    progress : bool

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
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    if resume and (folder / "checkpoints" / "state.json").is_file():
        checkpoint = _Checkpoint.load(folder / "checkpoints")
        model = keras.models.load_model(folder / "checkpoints" / checkpoint.model_file)
    else:
        checkpoint = _Checkpoint(folder / "checkpoints", [])
        model = _new_model(settings, graphs)
        # XLA is three times faster on a CPU too, where Keras's "auto" leaves it off.
        jit_compile = keras.backend.backend() != "torch"
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        if settings.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer=optimizer, loss=VAMPLoss(), jit_compile=jit_compile)
    pairs = lagged_pairs(split.train, settings.tau)
    while not checkpoint.finished(settings):
        epoch, began = len(checkpoint.history), time.monotonic()
        batches = pair_batches(graphs, pairs, settings.tau, settings.batch_size, seed, epoch)
        with tqdm(
            total=len(batches), unit="batch", desc=f"epoch {epoch + 1}", leave=False, disable=not progress
        ) as bar:
            callbacks = [_BatchBar(bar), keras.callbacks.TerminateOnNaN()]
            loss = model.fit(batches, verbose=0, shuffle=False, callbacks=callbacks).history["loss"][0]
        if loss != loss:
            raise TrainingError(
                f"{folder}: the loss is not a number in epoch {epoch + 1}; a smaller --learning-rate "
                f"(now {settings.learning_rate:g}) helps most often; best.weights.h5 holds the best epoch before"
            )
        row = {
            "epoch": epoch + 1,
            "train_vamp2": -loss,
            "validation_vamp2": stream_vamp2(model, graphs, split.validation, settings.tau),
            "seconds": round(time.monotonic() - began, 2),
        }
        checkpoint.history.append(row)
        if checkpoint.best == epoch:
            model.save_weights(folder / "best.weights.h5")
        checkpoint.save(model)
        _write_history(folder / "history.csv", checkpoint.history)
        if progress:
            best = checkpoint.history[checkpoint.best]
            tqdm.write(
                f"epoch {row['epoch']:3d}  VAMP-2: batches {row['train_vamp2']:.4f}, "
                f"validation {row['validation_vamp2']:.4f} (best {best['validation_vamp2']:.4f} "
                f"in epoch {best['epoch']})  {row['seconds']:.1f} s"
            )
    model.load_weights(folder / "best.weights.h5")
    return float32_model(model), checkpoint.history


def _write_history(path, history):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
