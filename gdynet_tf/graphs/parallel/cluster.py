"""Pieces of work done by the workers of a Dask scheduler, on this machine or on others.

Frames go to the workers and graphs come back: the workers need no file system in common with this process, which alone
writes. So the digests are of bytes that went through it, and not of what a network file system shows of them. A piece
whose worker is lost is given to another one by the scheduler, which holds it until its result is here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from gdynet_tf._version import __version__
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.parallel.executors import Key, without_interrupts

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["check_scheduler", "connected", "run_on_cluster"]

logger = logging.getLogger(__name__)

_SECONDS = 10  # until a scheduler must have answered
_MOST = 64  # pieces that are under way at a time: about 2 GB of graphs


def check_scheduler(scheduler: str) -> None:
    """Whether there is such a scheduler.

    Parameters
    ----------
    scheduler : str
        "local" or an address.

    Raises
    ------
    InputError
        If Dask is not installed or no scheduler answers.
    """
    distributed = _import_distributed()
    if scheduler == "local":
        return

    async def ask() -> dict[str, Any]:
        async with distributed.rpc(scheduler) as there:
            return await asyncio.wait_for(there.identity(), _SECONDS)

    try:
        with _silenced(), ThreadPoolExecutor(1) as apart:  # a notebook has a loop of its own in this thread
            found = apart.submit(asyncio.run, ask()).result()["type"]
    except Exception as error:  # of any kind, for whatever else may answer there
        why = " ".join(str(error).split()) or f"nothing within {_SECONDS} s"
        raise InputError(f"`scheduler={scheduler}`: no Dask scheduler answers there ({why})") from None
    if found != "Scheduler":
        raise InputError(f"`scheduler={scheduler}`: no Dask scheduler answers there (but a {found})")


@contextmanager
def connected(scheduler: str | None, n_workers: int = 1) -> Iterator[Client | None]:
    """A client of a Dask scheduler.

    Parameters
    ----------
    scheduler : str, optional
        "local" starts one with its workers, for as long as the context lasts; else its address, "tcp://host:8786".
    n_workers : int
        Of the local one: processes of one thread.

    Yields
    ------
    distributed.Client or None
        None without a scheduler.

    Raises
    ------
    InputError
        If Dask is not installed or nothing answers.
    """
    if scheduler is None:
        yield None
        return
    check_scheduler(scheduler)
    import dask
    from distributed import Client, LocalCluster

    quiet = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}  # pieces are as large as they should be
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(quiet))
        stack.enter_context(_silenced())
        address: Any = scheduler
        if scheduler == "local":
            options = {
                "threads_per_worker": 1,
                "dashboard_address": "127.0.0.1:0",  # of which the default port may be taken
                "silence_logs": logging.CRITICAL,
            }
            with without_interrupts():
                address = stack.enter_context(LocalCluster(n_workers=n_workers, **options))
        yield stack.enter_context(Client(address, timeout=_SECONDS, set_as_default=False))


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError("`scheduler` needs Dask: pip install 'gdynet_tf[distributed]'") from None
    return distributed


@contextmanager
def _silenced() -> Iterator[None]:
    """Dask says nothing in this process: what goes wrong is told in one line here."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def run_on_cluster(
    client: Client, function: Callable[..., Any], jobs: Mapping[Key, tuple], finished: Callable[[Key, Any], None]
) -> None:
    """As `run_jobs`, by the workers of a scheduler.

    Arguments are looked up when a job is handed over, and no more than two jobs for each thread of a worker, 64 in
    all, are under way at a time: memory does not grow with their number.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        At the top of a module that the workers can import.
    jobs : mapping
        Key -> arguments, which are sent.
    finished : callable

    Raises
    ------
    ConnectionError
        If the scheduler is lost, a job is lost with its worker again and again, or the workers have not this package,
        or another version of it.
    """
    from distributed import as_completed
    from distributed.protocol import pickle

    sent, waiting, told = _to_send(function), iter(jobs), None
    under_way: dict[Any, Key] = {}
    completed = as_completed(loop=client.loop)
    while True:
        with _one_line(client):
            threads = client.nthreads()
        if len(threads) != told:
            told = len(threads)
            logger.info(f"{client.scheduler.address}: {told or 'no'} worker{'' if told == 1 else 's'}")
        room = min(2 * sum(threads.values()) + 1, _MOST) - len(under_way)
        for key in islice(waiting, max(room, 0)):
            arguments = pickle.dumps(jobs[key])
            with _one_line(client):
                future = client.submit(sent, arguments, pure=False)
            under_way[future.key] = key
            completed.add(future)
        if not under_way:
            return
        with _one_line(client):
            future = next(completed)
            result = _fetch(client, future)
        finished(under_way.pop(future.key), result)
        del future, result  # and with it what the workers hold of it


def _fetch(client: Client, future: Future) -> Any:
    """The result of a job.

    Asked for again where the connection went with a worker that held it, as long as there is a scheduler, which has the
    job done by another one.
    """
    from distributed.comm import CommClosedError

    while True:
        try:
            return future.result()
        except CommClosedError:
            client.nthreads()  # an error where the scheduler is gone


def _to_send(function: Callable[..., Any]) -> Callable[[bytes], Any]:
    """The same, of pickled arguments, as every worker can open it.

    One that cannot open a message, for want of this package, says nothing, and the scheduler waits for ever. This is
    local, and so sent by its code; what else is needed is imported, and missed, where it is called.
    """
    from distributed.protocol import pickle

    content, version = pickle.dumps(function), __version__

    def call(arguments: bytes) -> Any:
        from distributed.protocol import pickle

        from gdynet_tf._version import __version__ as found

        if found != version:
            raise ConnectionError(f"a worker has gdynet_tf {found}, this is {version}")
        return pickle.loads(content)(*pickle.loads(arguments))

    return call


@contextmanager
def _one_line(client: Client) -> Iterator[None]:
    """What Dask raises, as one sentence."""
    from distributed import KilledWorker

    address = client.scheduler.address if client.scheduler else "Dask"
    try:
        yield
    except KilledWorker as error:
        times = error.allowed_failures + 1
        raise ConnectionError(
            f"{address}: the same frames were lost with their worker {times} times, perhaps for want of memory"
        ) from None
    except ModuleNotFoundError as error:
        raise ConnectionError(f"{address}: a worker cannot import what it needs ({error})") from None
    except ConnectionError:
        raise
    except (CancelledError, TimeoutError, OSError):  # of its connections
        raise ConnectionError(f"{address}: the scheduler is gone") from None
