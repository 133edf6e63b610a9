"""Hosts of a training wait for each other, and not for ever."""

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from gdynet_tf.commands.train import main
from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.learning.epochs import hosts as module
from gdynet_tf.learning.epochs.hosts import read_hosts, wait_for_hosts

SCRIPT = Path(__file__).with_name("several_devices.py")
COMMAND = ["--n-states", "2", "--tau", "2", "--distribute", "multiworker"]


@pytest.fixture
def ports():
    """Three that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return found


@pytest.fixture
def impatient(monkeypatch):
    """Two seconds in the place of half an hour, half of one in the place of a minute."""
    monkeypatch.setattr(module, "PATIENCE", 2.0)
    monkeypatch.setattr(module, "REMINDER", 0.5)
    monkeypatch.setattr(module, "_ASKED_AGAIN", 0.1)


def config(hosts, index):
    return json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}})


def test_all_come(ports, monkeypatch):
    """By whatever name; each goes on at once, when it has heard of the others, and is still heard of."""
    monkeypatch.setattr(module, "_ASKED_AGAIN", 0.05)
    monkeypatch.setattr(module, "PATIENCE", 30.0)
    hosts = [
        f"{name}:{port}" for name, port in zip(("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"), ports, strict=True)
    ]
    both = Barrier(2)

    def host(k):
        wait_for_hosts(hosts, k)
        with socket.create_server(("127.0.0.1", ports[k])):  # its TensorFlow, which listens there from then on
            both.wait(timeout=30)

    with ThreadPoolExecutor(2) as pool:
        early = [pool.submit(host, k) for k in (0, 1)]
        assert not any(waiting.done() for waiting in early)
        with socket.create_server(("127.0.0.1", ports[2])):  # of the one that comes last
            for waiting in early:
                waiting.result(timeout=60)


def test_one_alone():
    """Asks nobody."""
    wait_for_hosts(["127.0.0.1:0"], 0)


def test_some_never_come(ports, impatient, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", config([f"127.0.0.1:{port}" for port in ports], 1))
    with socket.create_server(("127.0.0.1", ports[2])):
        assert main(COMMAND) == 1
    said, error = capsys.readouterr()
    assert f"still waiting: nothing answers at 127.0.0.1:{ports[0]}\n" in said
    assert error == (
        f"error: nothing answers at 127.0.0.1:{ports[0]}, for 0 minutes now; start all hosts of this training again\n"
    )


def test_a_host_without_an_address(ports, impatient):
    missing = ["host.invalid:1234", f"127.0.0.1:{ports[0]}"]
    with pytest.raises(TrainingError, match=f"^nothing answers at host.invalid:1234, 127.0.0.1:{ports[0]}, for"):
        wait_for_hosts([*missing, f"127.0.0.1:{ports[1]}"], 2)


def test_the_port_is_taken(ports):
    with (
        socket.create_server(("", ports[0])),
        pytest.raises(
            InputError, match=f"`distribute=multiworker`: this host cannot listen at port {ports[0]}: Address already"
        ),
    ):
        wait_for_hosts([f"127.0.0.1:{port}" for port in ports], 0)


@pytest.mark.parametrize("address", ["node2", "node2:", "node2:port", "node2:0", "node2:65536", ""])
def test_no_address(address):
    with pytest.raises(InputError, match=f"^`distribute=multiworker`: TF_CONFIG: {address}: must be HOST:PORT$"):
        read_hosts(config(["node1:1", address], 0))


def test_ctrl_c_ends_the_waiting(ports, monkeypatch, capsys):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", interrupted)
    monkeypatch.setenv("TF_CONFIG", config([f"127.0.0.1:{port}" for port in ports], 0))
    assert main(COMMAND) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_one_ends_before_it_joins(ports, monkeypatch):
    """It was heard of, so TensorFlow waits for it, and lets nothing of Python run: the process ends all the same."""
    monkeypatch.setenv("TF_CONFIG", config([f"127.0.0.1:{port}" for port in ports[:2]], 0))
    with socket.create_server(("127.0.0.1", ports[1])):
        asked = [sys.executable, str(SCRIPT), "stuck", *COMMAND]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "all hosts are there; they join within 0 minutes, or this one ends"
