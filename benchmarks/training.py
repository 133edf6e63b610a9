"""Speed of a training step: 3 convolutions, 16 features, 4 states.

python benchmarks/training.py
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from gdynet_tf.learning.vamp import VAMPLoss
from gdynet_tf.networks.gdynet import GDyNet

STEPS = 10


def pairs_per_second(n_atoms, n_targets, n_neighbors, n_conv, batch_size):
    """Of random graphs, after a first step that compiles."""
    rng = np.random.default_rng(0)
    shape = (batch_size, 2, n_atoms, n_neighbors)
    inputs = {
        "neighbors": rng.integers(0, n_atoms, shape, dtype=np.int32),
        "distances": rng.uniform(2, 7, shape).astype(np.float32),
        "atomic_numbers": np.full(n_atoms, 14, np.int32),
        "targets": rng.permutation(n_atoms)[:n_targets, None].astype(np.int32),
    }
    model = GDyNet(4, n_conv=n_conv)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=VAMPLoss(), jit_compile=True)
    batches = tf.data.Dataset.from_tensors((inputs, np.zeros((batch_size, 1), np.float32))).repeat()
    model.fit(batches, steps_per_epoch=1, verbose=0, shuffle=False)
    began = time.perf_counter()
    model.fit(batches, steps_per_epoch=STEPS, verbose=0, shuffle=False)
    return STEPS * batch_size / (time.perf_counter() - began)


def main():
    print("atoms  targets  M  convolutions  pairs/s")
    for case in ((5, 1, 12, 2, 2000), (5, 1, 12, 3, 2000), (1000, 50, 20, 3, 10), (6000, 50, 20, 3, 4)):
        print("{:5d}  {:7d}  {:d}  {:12d}  {:7.0f}".format(*case[:4], pairs_per_second(*case)))


if __name__ == "__main__":
    main()
