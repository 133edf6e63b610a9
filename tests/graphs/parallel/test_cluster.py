"""Graphs by the workers of a Dask scheduler: the bytes of a build in one process, whoever is lost on the way."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import ModuleType

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs import build as module
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.parallel import cluster as cluster_module
from gdynet_tf.graphs.parallel.cluster import check_scheduler, connected, run_on_cluster

TARGETS = [[0, 1, 2], [3, 4, 5]]


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with two workers, processes of their own."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with connected(cluster.scheduler_address) as client:
        yield client


@pytest.fixture
def build(tmp_path, walk, small_chunks):
    def run(trajectories=None, targets=TARGETS, **options):
        options = {"n_neighbors": 5, "out": tmp_path / "graphs", "progress": False, **options}
        return build_graphs(trajectories or [walk(segments=(10, 13)), walk("b", 1, 7)], targets, **options)

    return run


@pytest.mark.parametrize("edges", ["distance", "gaussian"])
def test_the_same_bytes(build, cluster, same, tmp_path, edges):
    build(edges=edges, out=tmp_path / "serial")
    build(edges=edges, scheduler=cluster.scheduler_address)
    assert same(tmp_path / "serial", tmp_path / "graphs") == 12


def test_a_shard(build, cluster, same, tmp_path):
    build(shard=(2, 3), out=tmp_path / "serial")
    build(shard=(2, 3), scheduler=cluster.scheduler_address)
    same(tmp_path / "serial.shard-2-of-3", tmp_path / "graphs.shard-2-of-3")


def test_a_worker_is_killed(build, cluster, same, tmp_path, monkeypatch):
    """While it computes, and holds what has not been fetched."""
    build(out=tmp_path / "serial")
    received, real = [], module.store_chunk
    pid = next(iter(cluster.workers.values())).pid

    def killing(*args):
        received.append(args[:2])
        if len(received) == 2:
            os.kill(pid, signal.SIGKILL)
        return real(*args)

    monkeypatch.setattr(module, "store_chunk", killing)
    build(scheduler=cluster.scheduler_address)
    assert same(tmp_path / "serial", tmp_path / "graphs") == 12
    assert len(set(received)) == len(received) == 11
    assert pid not in [worker.pid for worker in cluster.workers.values()]


def test_a_connection_that_goes_with_a_worker(build, cluster, same, tmp_path, monkeypatch):
    """Where the worker dies while the scheduler collects what it holds, the scheduler may close the connection."""
    from distributed import Future
    from distributed.comm import CommClosedError

    build(out=tmp_path / "serial")
    asked, real = [], Future.result

    def closing(self, *args):
        asked.append(self.key)
        if len(asked) in (2, 3):
            raise CommClosedError("Stream is closed")
        return real(self, *args)

    monkeypatch.setattr(Future, "result", closing)
    build(scheduler=cluster.scheduler_address)
    assert same(tmp_path / "serial", tmp_path / "graphs") == 12
    assert len(asked) == 11 + 2


def test_what_a_lost_worker_had_is_done_again(client, tmp_path):
    """Each job kills its worker the first time."""
    folder, done = str(tmp_path), {}

    def job(number):  # sent as it is, not by its name
        import os
        import signal

        try:
            os.mkdir(f"{folder}/{number}")
        except FileExistsError:
            return -number
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return -number

    run_on_cluster(client, job, {number: (number,) for number in range(6)}, done.__setitem__)
    assert done == {number: -number for number in range(6)}


def test_frames_that_kill_every_worker(cluster, build, monkeypatch, tmp_path):
    def deadly(*args):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with monkeypatch.context() as patch:
        patch.setattr(module, "compute_graphs", deadly)
        message = (
            "graphs: tcp://.*: the same frames were lost with their worker 1 times, perhaps for want of memory; "
            "`resume=True` continues from what is done"
        )
        with pytest.raises(InputError, match=message):
            build(scheduler=cluster.scheduler_address)
    assert (tmp_path / "graphs.partial").is_dir()


def test_an_interrupted_build_is_resumed_by_others(build, cluster, same, tmp_path, monkeypatch):
    build(out=tmp_path / "serial")
    received, real, write = [], module.store_chunk, module.write_chunk

    def stopping(*args):
        if len(received) == 4:
            raise KeyboardInterrupt
        received.append(args[:2])
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "store_chunk", stopping)
        with pytest.raises(KeyboardInterrupt):
            build(scheduler=cluster.scheduler_address)
    monkeypatch.setattr(module, "write_chunk", lambda *args: received.append(args[:2]) or write(*args))
    build(resume=True)
    assert len(set(received)) == len(received) == 11
    same(tmp_path / "serial", tmp_path / "graphs")


def test_input_that_cannot_work_leaves_nothing(build, cluster, walk, tmp_path):
    with pytest.raises(InputError, match="`n_neighbors=7`: only 5 neighbours can be reached"):
        build([walk(periodic=(False, False, False))], n_neighbors=7, scheduler=cluster.scheduler_address)
    assert not list(tmp_path.iterdir())


def test_the_scheduler_is_lost(build, same, tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(cluster_module, "_SECONDS", 1)  # so long it tries to come back
    build(out=tmp_path / "serial")
    received, real = [], module.store_chunk
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0", silence_logs=60
    ) as lost:

        def closing(*args):
            received.append(args[:2])
            if len(received) == 2:
                lost.close()
            return real(*args)

        address = lost.scheduler_address
        monkeypatch.setattr(module, "store_chunk", closing)
        with pytest.raises(InputError, match=f"graphs: {address}: the scheduler is gone; `resume=True` continues"):
            build(scheduler=address)
    build(resume=True)
    same(tmp_path / "serial", tmp_path / "graphs")


def test_no_more_than_a_few_are_under_way(client, monkeypatch):
    """Arguments are read when they are handed over, in the order of the jobs."""
    under_way, most, order = set(), [], []

    class Jobs(dict):
        def __getitem__(self, key):
            under_way.add(key)
            most.append(len(under_way))
            order.append(key)
            return super().__getitem__(key)

    jobs = Jobs({number: (number,) for number in range(40)})
    run_on_cluster(client, abs, jobs, lambda key, _: under_way.discard(key))
    assert order == list(range(40))
    assert max(most) <= 5  # two for each worker, and one
    monkeypatch.setattr(cluster_module, "_MOST", 2)
    most.clear()
    run_on_cluster(client, abs, jobs, lambda key, _: under_way.discard(key))
    assert max(most) == 2


def test_nothing_to_do(client):
    run_on_cluster(client, abs, {}, None)


def test_large_pieces_are_no_warning(client):
    done = {}
    run_on_cluster(client, np.sum, {0: (np.ones(2_000_000),)}, done.__setitem__)
    assert done == {0: 2_000_000}


def test_workers_of_another_version(build, cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_module, "__version__", "0.0")
    with pytest.raises(InputError, match=r"graphs: a worker has gdynet_tf \d.*, this is 0.0; `resume=True` continues"):
        build(scheduler=cluster.scheduler_address)


def test_workers_without_the_package(client, monkeypatch):
    alone = ModuleType("alone")
    exec("def f(): pass", alone.__dict__)
    monkeypatch.setitem(sys.modules, "alone", alone)
    with pytest.raises(
        ConnectionError, match=r"tcp://.*: a worker cannot import what it needs \(No module named 'alone"
    ):
        run_on_cluster(client, alone.f, {0: ()}, None)


def test_what_is_sent_can_be_opened_without_the_package():
    from distributed.protocol import pickle

    content = pickle.dumps(cluster_module._to_send(abs))
    code = (
        "import sys; sys.modules['gdynet_tf'] = None\n"
        "from distributed.protocol import pickle\n"
        "call = pickle.loads(sys.stdin.buffer.read())\n"
        "try:\n    call(b'')\nexcept ModuleNotFoundError:\n    print('told')"
    )
    process = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, timeout=100)
    assert process.stdout.strip() == b"told"


def test_another_error_is_not_hidden(client):
    with pytest.raises(ZeroDivisionError):
        run_on_cluster(client, divmod, {0: (1, 0)}, None)


def test_without_dask(build, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    for scheduler in ("local", "tcp://127.0.0.1:8786"):
        with pytest.raises(InputError, match=r"`scheduler` needs Dask: pip install 'gdynet_tf\[distributed\]'"):
            build(scheduler=scheduler)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_in_memory(build):
    with pytest.raises(InputError, match="`scheduler`: needs `out`, a directory to write"):
        build(scheduler="local", out=None)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1:1", r"nothing within 0.5 s"),
        ("127.0.0.1", "missing port number in address '127.0.0.1'"),
        ("tcp://127.0.0.1:x", r"invalid literal for int\(\) with base 10: 'x'"),
        ("smb://127.0.0.1:8786", "unknown address scheme 'smb'.*"),
    ],
)
def test_nothing_answers(build, monkeypatch, tmp_path, address, why):
    monkeypatch.setattr(cluster_module, "_SECONDS", 0.5)
    with pytest.raises(InputError, match=rf"`scheduler={address}`: no Dask scheduler answers there \({why}\)"):
        build(scheduler=address)
    assert not list(tmp_path.iterdir())


def test_something_else_answers(monkeypatch, cluster):
    monkeypatch.setattr(cluster_module, "_SECONDS", 0.5)
    worker = next(iter(cluster.workers.values())).worker_address
    with pytest.raises(InputError, match=r"no Dask scheduler answers there \(but a Worker\)"):
        check_scheduler(worker)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            time.sleep(1)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(InputError, match="no Dask scheduler answers there"):
            check_scheduler(f"tcp://127.0.0.1:{server.getsockname()[1]}")


def test_from_a_running_loop(cluster):
    """As in a notebook."""
    import asyncio

    async def cell():
        check_scheduler(cluster.scheduler_address)

    asyncio.run(cell())


def test_loggers_are_as_before(cluster):
    import logging

    logger = logging.getLogger("distributed")
    before = logger.level
    with connected(cluster.scheduler_address):
        assert logger.level > logging.CRITICAL
    assert logger.level == before
