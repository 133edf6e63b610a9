"""Several devices and several hosts train the network that one device trains."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from gdynet_tf.commands.train import main
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.learning.distribution import start_distribution

sys.path.insert(0, str(Path(__file__).parent))
from several_devices import jumping_atoms, steepest_descent

sys.path.pop(0)

SCRIPT = Path(__file__).with_name("several_devices.py")
OPTIONS = [
    f"--{o}"
    for o in [
        "seed=3",
        "n-states=2",
        "tau=2",
        "n-conv=1",
        "n-features=4",
        "batch-size=20",
        "epochs=6",
        "learning-rate=0.1",
    ]
]
ROUNDING = 1e-6


def weights(file):
    """Of the layers that are trained."""
    model = keras.models.load_model(file)
    return np.concatenate([np.ravel(w) for w in model.trainable_variables])


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Folder with graphs and the run of one device, whose checkpoints are all kept."""
    folder = tmp_path_factory.mktemp("several")
    build_graphs(jumping_atoms(), "Li", n_neighbors=4, edges="distance", out=folder / "graphs", progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.optimizers, "Adam", steepest_descent)
        patch.setattr("gdynet_tf.learning.epochs.checkpoint.Checkpoint._forget_others", lambda self: None)
        assert main([*OPTIONS, "--graphs", str(folder / "graphs"), "--run", str(folder / "one"), "--quiet"]) == 0
    return folder


def checkpoint(run, epoch):
    return weights(run / f"checkpoints/seed_3/checkpoints/epoch_{epoch:04d}.keras")


def test_two_devices(one):
    """Five chains of pairs are shared by two devices, in one piece or in three each; single precision and half."""
    done = subprocess.run([sys.executable, SCRIPT, "devices"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["n_replicas"] == 2
    assert found["n_pieces"] == [1, 3, 1]
    expected = checkpoint(one / "one", 5)  # after 20 steps
    assert np.abs(found["start"] - expected).max() > 0.1
    np.testing.assert_allclose(found["whole"], expected, atol=ROUNDING)
    np.testing.assert_allclose(found["pieces"], checkpoint(one / "one", 1), atol=ROUNDING)
    np.testing.assert_allclose(found["half"], found["half, one device"], atol=0.02)


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_two_hosts_one_of_which_is_killed(one, monkeypatch, capsys):
    """Only the chief writes; the epochs before the other ends are those of one device, which goes on from there."""
    run, hosts = one / "two", [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index, killed in enumerate(("-1", "5")):
        config = json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}})
        options = [*OPTIONS, "--graphs", str(one / "graphs"), "--run", str(run), "--distribute", "multiworker"]
        asked = [sys.executable, str(SCRIPT), "host", killed, *options]
        folder = one / f"host_{index}"
        folder.mkdir()
        monkeypatch.setenv("TF_CONFIG", config)
        processes.append(subprocess.Popen(asked, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    (chief_said, chief_error), (other_said, _) = (process.communicate(timeout=300) for process in processes)
    assert [process.returncode for process in processes] == [1, -9]
    assert chief_error.splitlines()[-1] == (
        "error: another host of this training has ended or cannot be reached; the epochs before are kept: start all "
        "hosts again with --resume"
    )
    assert len(chief_error.splitlines()) == 1
    assert "devices: 2 on 2 hosts; this one is the chief\n" in chief_said
    assert "devices: 2 on 2 hosts; this one is at the chief's service\n" in other_said
    assert list(one.glob("host_*/*")) == []
    np.testing.assert_allclose(checkpoint(run, 5), checkpoint(one / "one", 5), atol=ROUNDING)
    with monkeypatch.context() as patch:
        patch.setattr(keras.optimizers, "Adam", steepest_descent)
        assert main(["--run", str(run), "--resume", "--quiet"]) == 0  # on one device
    np.testing.assert_allclose(weights(run / "model.keras"), weights(one / "one/model.keras"), atol=ROUNDING)


WORKERS = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "%s", "index": %s}}'


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "the environment variable TF_CONFIG, which names the hosts, is needed"),
        ("{", "TF_CONFIG names no chief or workers with this host among them: {"),
        ("[]", "TF_CONFIG names no chief or workers with this host among them"),
        ("{}", "TF_CONFIG names no chief or workers with this host among them"),
        (WORKERS % ("worker", 2), "TF_CONFIG names no chief or workers with this host among them"),
        (WORKERS % ("worker", -1), "TF_CONFIG names no chief or workers with this host among them"),
        (WORKERS % ("ps", 0), "TF_CONFIG names no chief or workers with this host among them"),
    ],
)
def test_bad_hosts(config, message, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", config)
    assert main(["--n-states", "2", "--tau", "2", "--distribute", "multiworker"]) == 2
    assert f"--distribute multiworker: {message}" in capsys.readouterr().err


def test_batch_statistics_are_of_whole_batches(one, capsys):
    options = ["--variant", "gdynet2019", "--graphs", str(one / "graphs"), "--run", str(one / "no")]
    assert main([*OPTIONS, *options, "--distribute", "mirrored"]) == 2
    assert capsys.readouterr().err == (
        "error: --variant gdynet2019: not with --distribute: its batch normalization takes averages over whole "
        "batches\n"
    )
    assert not (one / "no").exists()


def test_another_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="`distribute=mirrored`: needs TensorFlow, Keras computes with jax"):
        start_distribution("mirrored")
