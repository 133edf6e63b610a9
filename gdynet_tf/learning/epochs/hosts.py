"""The hosts that share a training: who they are, and waiting until all are there.

TensorFlow would wait itself, but an hour, without a word, and holding the interpreter's lock, so that nothing else of
the process goes on, not even Ctrl-C. So TensorFlow is started when all hosts have been heard of: each listens at its
address and asks the others whether they do. One that goes on is still heard of: its TensorFlow listens there then.
"""

import faulthandler
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gdynet_tf.errors import InputError, TrainingError

__all__ = ["ended_when_stuck", "read_hosts", "wait_for_hosts"]

PATIENCE = 1800.0  # seconds until hosts that have not come are given up
REMINDER = 60.0  # seconds after which it is said again who is missing
_ASKED_AGAIN = 1.0  # seconds between two questions
_ANSWER = 3.0  # seconds in which a host that is there answers
_JOINING = 300.0  # seconds that hosts which are all there may need for TensorFlow to start

logger = logging.getLogger(__name__)


def read_hosts(text: str) -> tuple[list[str], int]:
    """The hosts that ``TF_CONFIG`` names.

    Parameters
    ----------
    text : str
        Its value.

    Returns
    -------
    list of str
        Addresses, HOST:PORT, the chief's first.
    int
        Which of them is this host.

    Raises
    ------
    InputError
        If it names none, or not this one.
    """
    if not text:
        raise InputError(
            "`distribute=multiworker`: the environment variable TF_CONFIG, which names the hosts, is needed"
        )
    try:
        content = json.loads(text)
        cluster, task, index = content["cluster"], content["task"]["type"], int(content["task"]["index"])
        known = [(kind, k) for kind in ("chief", "worker") for k in range(len(cluster.get(kind, [])))]
        hosts, host = [str(cluster[kind][k]) for kind, k in known], known.index((task, index))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"`distribute=multiworker`: TF_CONFIG names no chief or workers with this host among them: {text}"
        ) from None
    for address in hosts:
        _, _, port = address.rpartition(":")
        if not (port.isdecimal() and 0 < int(port) < 1 << 16):
            raise InputError(f"`distribute=multiworker`: TF_CONFIG: {address}: must be HOST:PORT")
    return hosts, host


def wait_for_hosts(hosts: Sequence[str], host: int) -> None:
    """Return when all hosts have been heard of; every minute it is said which have not.

    Parameters
    ----------
    hosts : sequence of str
    host : int
        As `read_hosts` gives them.

    Raises
    ------
    InputError
        If this host cannot listen at its port.
    TrainingError
        If some have not come within half an hour.
    """
    missing = [other for k, other in enumerate(hosts) if k != host]
    began = said = time.monotonic()
    with _listening(hosts[host], len(hosts)), ThreadPoolExecutor(32) as pool:
        while True:
            there = list(pool.map(_answers, missing))
            missing = [other for other, answered in zip(missing, there, strict=True) if not answered]
            if not missing:
                return
            now = time.monotonic()
            if now - began > PATIENCE:
                raise TrainingError(
                    f"nothing answers at {', '.join(missing)}, for {PATIENCE / 60:.0f} minutes now; start all hosts of "
                    "this training again"
                )
            if now - said > REMINDER:
                logger.info(f"still waiting: nothing answers at {', '.join(missing)}")
                said = now
            time.sleep(_ASKED_AGAIN)


@contextmanager
def ended_when_stuck() -> Iterator[None]:
    """A context that ends the process, with exit code 1, where TensorFlow holds it up for five minutes.

    What does so is a host that ended between being heard of and joining. Nothing of Python runs then.
    """
    logger.info(f"all hosts are there; they join within {_JOINING / 60:.0f} minutes, or this one ends")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(_JOINING, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


@contextmanager
def _listening(address: str, n_hosts: int) -> Iterator[None]:
    """A context in which others find somebody at the port of an address; who calls is never let in."""
    port, both = int(address.rpartition(":")[2]), socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, backlog=n_hosts + 128, dualstack_ipv6=both)
    except OSError as error:
        raise InputError(
            f"`distribute=multiworker`: this host cannot listen at port {port}: {error.strerror or error}"
        ) from None
    with server:
        yield


def _answers(address: str) -> bool:
    name, _, port = address.rpartition(":")
    try:
        socket.create_connection((name.strip("[]"), int(port)), _ANSWER).close()
    except OSError:
        return False
    return True
