"""Stretches of frames worked off, with a bar, by whoever is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gdynet_tf.graphs.parallel.cluster import run_on_cluster
from gdynet_tf.graphs.parallel.executors import run_jobs
from gdynet_tf.progress import Progress

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Stretch", "run_stretches"]

Stretch = tuple[str, int, int]
"""Name of a trajectory, first frame, frame after the last."""


def run_stretches(
    function: Callable[..., Any],
    jobs: Mapping[Stretch, tuple],
    finished: Callable[[Stretch, Any], None],
    n_workers: int,
    progress: bool,
    client: Client | None = None,
) -> None:
    """As `run_jobs`, or by the workers of a scheduler as `run_on_cluster`.

    Parameters
    ----------
    function : callable
    jobs : mapping
        Stretch of frames -> arguments.
    finished : callable
    n_workers : int
    progress : bool
        Show how far it is, and the time left.
    client : distributed.Client, optional
    """
    total = sum(stop - start for _, start, stop in jobs)
    with Progress(total, "frame", "graphs", shown=progress) as bar:

        def ended(job: Stretch, result: Any) -> None:
            finished(job, result)
            bar.update(job[2] - job[1])

        if client is None:
            run_jobs(function, jobs, ended, n_workers)
        else:
            run_on_cluster(client, function, jobs, ended)
