"""A training that is killed at any operation on files goes on to the same files, whatever was left."""

import builtins
import csv
import itertools
import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.learning.epochs.checkpoint import Checkpoint

SCORES = (1.2, 1.5, 1.4)  # the best epochs: 1, 2, 2


class Killed(BaseException):
    pass


def small_model():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    return model


def train(folder):
    """The epochs that are missing, of a training whose weights are the number of the epoch; the best weights."""
    if (folder / "checkpoints" / "state.json").is_file():
        checkpoint, model = Checkpoint.load(folder)
    else:
        checkpoint, model = Checkpoint(folder), small_model()
    if checkpoint.history:
        assert model.get_weights()[0][0, 0] == len(checkpoint.history)
    while len(checkpoint.history) < len(SCORES):
        epoch = len(checkpoint.history) + 1
        model.set_weights([np.full((2, 1), epoch)])
        checkpoint.history.append({"epoch": epoch, "validation_vamp2": SCORES[epoch - 1], "learning_rate": 0.01})
        checkpoint.save(model)
    checkpoint.restore_best(model)
    return model.get_weights()[0][0, 0]


def content(folder):
    with open(folder / "history.csv") as file:
        rows = [float(row["validation_vamp2"]) for row in csv.DictReader(file)]
    model = small_model()
    model.load_weights(folder / "best.weights.h5")
    names = sorted(file.name for file in (folder / "checkpoints").iterdir())
    return rows, model.get_weights()[0][0, 0], names


@pytest.fixture
def operations(monkeypatch):
    """All that the checkpoint does to files, in order; the one with the number ``at[0]`` is the last."""
    done, at = [], [None]

    def watch(owner, name, writes=lambda *arguments, **options: True):
        real = getattr(owner, name)

        def operation(*arguments, **options):
            if writes(*arguments, **options):
                if at[0] is not None and len(done) >= at[0]:
                    raise Killed
                done.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, operation)

    watch(os, "replace")
    watch(Path, "mkdir")
    watch(Path, "unlink")
    watch(Path, "write_text")
    watch(keras.Model, "save")
    watch(keras.Model, "save_weights")
    watch(builtins, "open", lambda file, mode="r", *_, **__: "w" in mode and str(file).endswith(".tmp"))
    return done, at


def test_killed_anywhere(tmp_path, operations):
    done, at = operations
    (tmp_path / "whole").mkdir()
    assert train(tmp_path / "whole") == 2
    assert content(tmp_path / "whole") == (list(SCORES), 2, ["epoch_0002.keras", "epoch_0003.keras", "state.json"])
    for n in itertools.count():
        folder = tmp_path / str(n)
        folder.mkdir()
        done.clear()
        at[0] = n
        try:
            train(folder)
            break  # it has no more operations
        except Killed:
            at[0] = None
        assert train(folder) == 2
        assert content(folder) == content(tmp_path / "whole")
    assert n > 15


@pytest.mark.parametrize("name", ["state.json", "epoch_0003.keras"])
@pytest.mark.parametrize("damage", ["cut", "gone", "text"])
def test_damaged_checkpoint(tmp_path, name, damage):
    train(tmp_path)
    file = tmp_path / "checkpoints" / name
    if damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "text":
        file.write_text(json.dumps({"history": [{"epoch": 1}]}) if name == "state.json" else "no model")
    elif name != "state.json":
        file.unlink()
    else:
        file.write_text("{}")
    with pytest.raises(
        InputError, match=rf"{name}: cannot be read, .*`overwrite=True` starts afresh|state.json: cannot"
    ):
        Checkpoint.load(tmp_path)


def test_checkpoint_of_an_older_version(tmp_path):
    train(tmp_path)
    file = tmp_path / "checkpoints" / "state.json"
    history = json.loads(file.read_text())["history"]
    file.write_text(
        json.dumps({"history": [{k: v for k, v in row.items() if k != "learning_rate"} for row in history]})
    )
    with pytest.raises(
        InputError, match=rf"^{file}: begun by version 0\.6 or older, .*; `overwrite=True` starts afresh$"
    ):
        Checkpoint.load(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes(tmp_path, seed):
    """The checksums of the archive notice them; what they do not cover does not matter."""
    train(tmp_path)
    file = tmp_path / "checkpoints" / "epoch_0003.keras"
    content = bytearray(file.read_bytes())
    for at in np.random.default_rng(seed).integers(0, len(content), 3):
        content[at] ^= 0x55
    file.write_bytes(content)
    said, weight = "", 3
    try:
        weight = Checkpoint.load(tmp_path)[1].get_weights()[0][0, 0]
    except InputError as error:
        said = str(error)
    assert "epoch_0003.keras: cannot be read" in said if said else weight == 3
