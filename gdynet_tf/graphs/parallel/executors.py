"""Pieces of work done one after the other, or on several processes of this machine."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from typing import Any, TypeVar

__all__ = ["available_cores", "run_jobs", "without_interrupts"]

logger = logging.getLogger(__name__)
Key = TypeVar("Key", bound=Hashable)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[..., Any],
    jobs: Mapping[Key, tuple],
    finished: Callable[[Key, Any], None],
    n_workers: int = 1,
) -> None:
    """Call ``function(*arguments)`` for every job, and ``finished(key, result)`` here as each of them ends.

    Parameters
    ----------
    function : callable
        At the top of a module, so that other processes can import it.
    jobs : mapping
        Key -> arguments.
    finished : callable
    n_workers : int
        Processes; with 1 everything is done in this one. They are spawned: a script that asks for more needs the usual
        ``if __name__ == "__main__":``. They end with this process, however it ends. Where the system lets none be had,
        everything is done in this one, with a warning.

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        If a process dies.
    """
    if n_workers == 1 or len(jobs) < 2:
        for key, arguments in jobs.items():
            finished(key, function(*arguments))
        return
    # Forked children of a process with threads, as TensorFlow's, may hang.
    context = get_context("spawn")
    try:
        pool = ProcessPoolExecutor(min(n_workers, len(jobs)), mp_context=context, initializer=_end_with_parent)
    except OSError as error:  # semaphores need a /dev/shm that can be written
        logger.warning(f"other processes cannot be used ({error.strerror}): all is done in this one")
        run_jobs(function, jobs, finished)
        return
    with pool:
        with without_interrupts():
            futures = {pool.submit(function, *arguments): key for key, arguments in jobs.items()}
        try:
            for future in as_completed(futures):
                finished(futures.pop(future), future.result())
                del future  # and with it the result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C, which a terminal sends to all: this one tells them to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would lift the mask when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Let this process end when the one that started it is gone: a killed parent cannot tell."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
