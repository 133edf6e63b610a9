"""The commands with JAX, where TensorFlow cannot be imported."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import ase
import ase.io
import keras
import numpy as np
import pytest

from gdynet_tf.commands.train import main
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.networks.backend import load_backend

sys.path.insert(0, str(Path(__file__).parent))
from several_devices import jumping_atoms, steepest_descent

sys.path.pop(0)

SCRIPT = Path(__file__).with_name("without_tensorflow.py")
OPTIONS = [
    f"--{o}"
    for o in [
        "seed=3",
        "n-states=2",
        "tau=2",
        "n-conv=1",
        "n-features=4",
        "batch-size=18",
        "epochs=2",
        "learning-rate=0.1",
    ]
]

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")


def trained(run):
    model = keras.models.load_model(run / "model.keras")
    return np.concatenate([np.ravel(w) for w in model.trainable_variables])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of one epoch, and one by TensorFlow that goes on from its network, both by steepest descent."""
    folder = tmp_path_factory.mktemp("backends")
    build_graphs(jumping_atoms(), "Li", n_neighbors=4, edges="distance", out=folder / "graphs", progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.optimizers, "Adam", steepest_descent)
        options = [*OPTIONS, "--graphs", str(folder / "graphs"), "--quiet"]
        assert main([*options, "--epochs", "1", "--run", str(folder / "start")]) == 0
        assert main([*options, "--start-from", str(folder / "start"), "--run", str(folder / "tensorflow")]) == 0
    return folder


def command(*argv, **environment):
    """A command with JAX and without TensorFlow; warnings are errors."""
    silent = ["-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning"]
    asked = [sys.executable, *silent, str(SCRIPT), *map(str, argv)]
    done = subprocess.run(asked, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@needs_jax
@pytest.mark.parametrize("n_devices", [1, 2])
def test_training(runs, n_devices):
    """The weights are those of TensorFlow; two devices share the batches by Keras's own distribution."""
    run = runs / f"jax_{n_devices}"
    options = [*OPTIONS, "--graphs", runs / "graphs", "--start-from", runs / "start", "--run", run]
    flags = f"--xla_force_host_platform_device_count={n_devices}"
    code, _, error = command("train", *options, XLA_FLAGS=flags)
    assert (code, error) == (0, "")
    np.testing.assert_allclose(trained(run), trained(runs / "tensorflow"), atol=1e-5)
    found, expected = (np.load(folder / "chi/liquid.npy") for folder in (run, runs / "tensorflow"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_jax
def test_report(runs):
    assert command("report", runs / "tensorflow")[0] == 0
    assert (runs / "tensorflow/report.html").is_file()


@needs_jax
def test_apply(runs):
    """A run of TensorFlow on its trajectory backwards: the states that TensorFlow found, backwards."""
    trajectory = jumping_atoms()
    frames = [
        ase.Atoms(trajectory.atomic_numbers, x, cell=trajectory.lattices[0], pbc=True) for x in trajectory.positions
    ]
    ase.io.write(runs / "back.xyz", frames[::-1], format="extxyz")
    code, said, error = command(
        "apply", runs / "tensorflow", runs / "back.xyz", "--n-workers", 1, "--out", runs / "back"
    )
    assert (code, error) == (0, "")
    assert f"written: {runs / 'back'}; next: python analysis/report.py" in said
    found, expected = (np.load(runs / name) for name in ("back/chi/back.npy", "tensorflow/chi/liquid.npy"))
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(found, expected[::-1], atol=1e-5)


@needs_jax
def test_select_model(runs):
    """One epoch on a hundred frames recommends nothing, and says so by its exit code."""
    sizes = ["--n-states", 2, "--tau", 2, "--n-splits", 2, "--n-restarts", 1, "--epochs", 1, "--seed", 3]
    code, _, error = command("select_model", "--graphs", runs / "graphs", "--out", runs / "selection", *sizes)
    assert (code, error) == (1, "")
    assert len(list((runs / "selection/trainings").iterdir())) == 2
    assert (runs / "selection/recommendation.json").is_file()


@needs_jax
def test_what_needs_tensorflow(runs):
    code, _, error = command("train", *OPTIONS, "--graphs", runs / "graphs", "--run", runs / "no", "--tensorboard")
    assert code == 2
    assert error == "error: --tensorboard: TensorFlow, which writes its files, is not installed\n"


def test_what_keras_computes_with_is_not_installed(monkeypatch):
    def missing(name, *args, **kwargs):
        if name == "keras":
            raise ModuleNotFoundError("No module named 'jax'", name="jax")
        return real(name, *args, **kwargs)

    real = __import__
    monkeypatch.setattr("builtins.__import__", missing)
    with pytest.raises(InputError, match=r"jax is not installed, with which Keras is to compute; .* KERAS_BACKEND"):
        load_backend()
