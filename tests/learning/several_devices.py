"""What test_distribution runs in processes of their own: devices must be known before TensorFlow starts.

several_devices.py devices            trainings on two logical devices, as JSON
several_devices.py host EPOCH ARG...  train.py with these arguments, killed when it begins that epoch (-1: never)
several_devices.py stuck ARG...       train.py with these arguments, where hosts have three seconds to join

Steepest descent instead of Adam: its steps are the gradient, where Adam's magnify the rounding of parts that are zero.
"""

import json
import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np


def jumping_atoms():
    """Sixty atoms that rattle, four of which jump between two distances from a neighbour."""
    from gdynet_tf.trajectory import Trajectory

    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 9, (60, 3)) + rng.normal(0, 0.05, (120, 60, 3))
    positions[:, :4, 0] += np.cumsum(rng.random((120, 4)) < 0.1, axis=0) % 2
    return Trajectory("liquid", positions, np.tile(np.eye(3) * 9, (120, 1, 1)), np.repeat([3, 8], [4, 56]))


def steepest_descent(rate, gradient_accumulation_steps):
    """Instead of `keras.optimizers.Adam`: plain gradient steps."""
    import keras

    return keras.optimizers.SGD(rate, gradient_accumulation_steps=gradient_accumulation_steps)


def devices():
    """Weights of trainings on two devices, and how many pieces each share of a batch went in, as JSON."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras

    keras.optimizers.Adam = steepest_descent
    from dataclasses import replace

    from gdynet_tf.graphs.build import build_graphs
    from gdynet_tf.learning.distribution import start_distribution
    from gdynet_tf.learning.epochs import pieces
    from gdynet_tf.learning.settings import TrainingSettings
    from gdynet_tf.learning.splits import split_by_time
    from gdynet_tf.learning.training import starting_model, train_network

    graphs = build_graphs(jumping_atoms(), "Li", n_neighbors=4, edges="distance", progress=False)
    settings = TrainingSettings(n_states=2, tau=2, n_conv=1, n_features=4, batch_size=20, epochs=5, learning_rate=0.1)
    split = split_by_time(graphs.segments, settings.tau)

    def weights(model):
        return np.concatenate([np.ravel(w) for w in model.trainable_variables]).tolist()

    found = {"start": weights(starting_model(settings, graphs)), "n_pieces": []}
    for name, memory, changed in (
        ("whole", 1 << 29, {}),
        ("pieces", 1 << 17, {"epochs": 1}),
        ("half", 1 << 29, {"epochs": 1, "precision": "mixed_float16"}),
    ):
        pieces.MEMORY, distribution = memory, start_distribution("mirrored")
        changed = replace(settings, **changed)
        model, _ = train_network(graphs, split, changed, 3, progress=False, distribution=distribution)
        found[name] = weights(model)
        found["n_pieces"].append(distribution._replicas.n_pieces)
    model, _ = train_network(graphs, split, changed, 3, progress=False)
    found["half, one device"] = weights(model)
    found["n_replicas"] = distribution.n_replicas
    print(json.dumps(found))


def host(killed, *argv):
    """One host of a training, or the only one."""
    from gdynet_tf.networks.backend import load_backend

    load_backend()
    import keras

    keras.optimizers.Adam = steepest_descent
    from gdynet_tf.commands.train import main
    from gdynet_tf.learning.epochs import replicas

    real = replicas.piece_batches

    def deadly(*args):
        if args[-1] == int(killed):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    replicas.piece_batches = deadly
    sys.exit(main(list(argv)))


def stuck(*argv):
    """A host that another does not join."""
    from gdynet_tf.commands.train import main
    from gdynet_tf.learning.epochs import hosts

    hosts._JOINING = 3.0
    sys.exit(main(list(argv)))


if __name__ == "__main__":
    {"devices": devices, "host": host, "stuck": stuck}[sys.argv[1]](*sys.argv[2:])
