"""Training on several devices and hosts, by tf.distribute, with the gradient of the whole batch.

One host, the chief, does all that a training on one device does: it has the run directory, the checkpoints, the scores.
It hands the state of the network to the replicas when an epoch begins and takes it back when it ends. The other hosts
have the graphs, and do what the chief says.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np

from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.epochs.hosts import ended_when_stuck, read_hosts, wait_for_hosts
from gdynet_tf.learning.epochs.replicas import Replicas, network_state, set_network_state
from gdynet_tf.learning.pairs import LaggedChains
from gdynet_tf.learning.settings import TrainingSettings

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["Distribution", "start_distribution"]

logger = logging.getLogger(__name__)


class Distribution:
    """Replicas of a network on the devices of a tf.distribute strategy.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
    hosts : sequence of str
        Addresses, the chief's first; empty for one host.
    host : int
        Which of them this is.
    """

    def __init__(self, strategy: "tf.distribute.Strategy", hosts: Sequence[str] = (), host: int = 0) -> None:
        self.strategy, self.hosts, self.is_chief = strategy, list(hosts), host == 0
        self._replicas: Replicas | None = None  # of the network that is trained, whichever of a run it is

    @property
    def n_replicas(self) -> int:
        """On all hosts together."""
        return self.strategy.num_replicas_in_sync

    def check(self, variant: str) -> None:
        """Make sure that a network can be trained in parts.

        Raises
        ------
        InputError
            If it takes averages over the whole batch.
        """
        if variant == "gdynet2019":
            raise InputError(
                "`variant=gdynet2019`: not with `distribute`: its batch normalization takes averages over whole batches"
            )

    def begin(
        self, model: keras.Model, graphs: GraphDataset, settings: TrainingSettings, chains: LaggedChains, n_pieces: int
    ) -> None:
        """Make the replicas, on every host, unless a training before has made them.

        Parameters
        ----------
        model : GDyNet or VAMPnet
            Compiled for whole batches; its weights do not matter yet.
        graphs : GraphDataset
        settings : TrainingSettings
        chains : LaggedChains
        n_pieces : int
            Of the part of a batch that one replica has.
        """
        if self._replicas is None:
            self._replicas = Replicas(self.strategy, model, graphs, settings, chains, n_pieces)

    def fit(self, model: keras.Model, seed: int, epoch: int, batch_ended: Callable[[], Any]) -> float:
        """One epoch, on the chief; as `pieces.fit_in_pieces`, but for a model that is compiled for whole batches.

        Raises
        ------
        TrainingError
            If another host has ended.
        """
        with _hosts_needed():
            self._from_chief(np.array([seed, epoch], float))
            return self._epoch(model, seed, epoch, batch_ended)

    def assist(self, model: keras.Model) -> None:
        """Take part in all epochs, on another host than the chief, until the chief says that it has finished.

        Parameters
        ----------
        model : GDyNet or VAMPnet
            As in `begin`.

        Raises
        ------
        TrainingError
            If another host has ended.
        """
        with _hosts_needed():
            while True:
                seed, epoch = map(int, self._from_chief(np.zeros(2)))
                if epoch < 0:
                    return
                self._epoch(model, seed, epoch, lambda: None)

    def finish(self) -> None:
        """Let the other hosts go, on the chief."""
        with _hosts_needed():
            self._from_chief(np.array([0.0, -1.0]))

    def share(self, content: dict[str, Any] | None) -> dict[str, Any]:
        """What can be written as JSON, from the chief to all.

        Parameters
        ----------
        content : dict or None
            None on the other hosts.

        Returns
        -------
        dict

        Raises
        ------
        TrainingError
            If another host has ended.
        """
        data = np.frombuffer(json.dumps(content).encode(), np.uint8).astype(float)
        with _hosts_needed():
            (length,) = self._from_chief(np.array([float(len(data))]))
            data = self._from_chief(data if self.is_chief else np.zeros(int(length)))
        return json.loads(data.astype(np.uint8).tobytes())

    def _from_chief(self, values: np.ndarray) -> np.ndarray:
        """The chief's values (n,) float64, whatever those of the others are."""
        if not self.hosts:
            return values
        import tensorflow as tf

        own = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values * (context.replica_id_in_sync_group == 0))
        )

        def add(x: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce("sum", tf.identity(x))  # which has a device

        added = tf.function(lambda x: self.strategy.run(add, args=(x,)))(own)
        return self.strategy.experimental_local_results(added)[0].numpy()

    def _epoch(self, model: keras.Model, seed: int, epoch: int, batch_ended: Callable[[], Any]) -> float:
        replicas = cast(Replicas, self._replicas)
        replicas.state = self._from_chief(network_state(model))
        scores = []
        for score in replicas.scores(seed, epoch):
            if not np.isfinite(score):
                return np.nan
            scores.append(score)
            batch_ended()
        set_network_state(model, replicas.state)
        return -float(np.mean(scores))


@contextmanager
def _hosts_needed() -> Iterator[None]:
    """A context in which a host that cannot be reached ends the training."""
    import tensorflow as tf

    lost = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )
    try:
        yield
    except lost:
        raise TrainingError(
            "another host of this training has ended or cannot be reached; the epochs before are kept: start all hosts "
            "again with `resume=True`"
        ) from None


def start_distribution(kind: str) -> Distribution:
    """Find the devices, and meet the other hosts.

    Parameters
    ----------
    kind : {"mirrored", "multiworker"}
        All devices of this host; those of all hosts that the environment variable ``TF_CONFIG`` names.

    Returns
    -------
    Distribution

    Raises
    ------
    InputError
        If Keras computes with another library than TensorFlow, or ``TF_CONFIG`` names no hosts with this among them.
    TrainingError
        If not all hosts come.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"`distribute={kind}`: needs TensorFlow, Keras computes with {keras.backend.backend()}")
    import tensorflow as tf

    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Distribution(tf.distribute.MirroredStrategy([device.name for device in devices]))
    hosts, host = read_hosts(os.environ.get("TF_CONFIG", ""))
    logger.info(f"waiting for all hosts: {', '.join(hosts)}")
    wait_for_hosts(hosts, host)
    try:
        with ended_when_stuck():
            return Distribution(tf.distribute.MultiWorkerMirroredStrategy(), hosts, host)
    except (tf.errors.OpError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"`distribute=multiworker`: {hosts[host]} cannot meet the other hosts: {first}") from None
