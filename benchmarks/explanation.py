"""How often the sentence on what tells the states apart is right, on synthetic systems whose answer is known.

python benchmarks/explanation.py --seeds 5

A target with five S and three O about it, seven of them in its graph; what switches between two values is named by the
kind. About half a minute a training on a free core.
"""

import argparse

import numpy as np

import gdynet_tf as gd
from gdynet_tf.learning.identification import identify_states
from gdynet_tf.learning.splits import split_by_time
from gdynet_tf.learning.training import TrainingSettings, train_network
from gdynet_tf.networks.attribution import attribute_states
from gdynet_tf.networks.explanation import explain_states
from gdynet_tf.trajectory import Trajectory

SULFUR, OXYGEN = np.array([2.1, 2.65, 3.2, 3.6, 4.0]), np.array([2.2, 2.9, 3.5])  # Å
ANSWERS = {  # what switches -> what is to be named
    "second S": ("S", 2, 2),
    "third S": ("S", 3, 3),
    "second and third S": ("S", 2, 3),
    "first O": ("O", 1, 1),
    "all in proportion": None,
    "all by the same": None,
    "angle": None,
    "nothing": None,
}


def system(kind, seed, n_frames=8000):
    """Trajectory of a target that switches with probability 0.02 a frame."""
    rng = np.random.default_rng(seed)
    sign = 2.0 * (np.cumsum(rng.random(n_frames) < 0.02) % 2)[:, None] - 1
    s, o = SULFUR + rng.normal(0, 0.08, (n_frames, 5)), OXYGEN + rng.normal(0, 0.08, (n_frames, 3))
    k = np.arange(8) + 0.5  # directions spread over the sphere
    polar, azimuth = np.arccos(1 - 2 * k / 8), np.pi * (1 + 5**0.5) * k
    u = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)
    directions = np.repeat(u[None], n_frames, axis=0)
    if kind == "second S":
        s[:, 1:2] += 0.25 * sign
    elif kind == "third S":
        s[:, 2:3] += 0.2 * sign
    elif kind == "second and third S":
        s[:, 1:3] += 0.2 * sign
    elif kind == "first O":
        o[:, :1] += 0.2 * sign
    elif kind == "all in proportion":
        s, o = s * (1 + 0.04 * sign), o * (1 + 0.04 * sign)
    elif kind == "all by the same":
        s, o = s + 0.06 * sign, o + 0.06 * sign
    elif kind == "angle":  # the second S moves at constant distance
        axis = np.cross(u[1], u[2])
        axis /= np.linalg.norm(axis)
        directions[:, 1] = np.cos(0.35 * sign) * u[1] + np.sin(0.35 * sign) * np.cross(axis, u[1])
    shell = np.concatenate([s, o], axis=1)[..., None] * directions
    return Trajectory(
        name="t",
        positions=np.concatenate([np.zeros((n_frames, 1, 3)), shell], axis=1),
        lattices=np.repeat(np.eye(3)[None] * 40, n_frames, axis=0),
        atomic_numbers=[3] + [16] * 5 + [8] * 3,
        periodic=(False,) * 3,
    )


def named(kind, seed):
    """What the sentence names: element, first and last rank; None for silence."""
    settings = TrainingSettings(
        n_states=2, tau=5, n_conv=2, n_features=8, batch_size=500, epochs=12, learning_rate=0.01, patience=4
    )
    graphs = gd.build_graphs(system(kind, seed), [[0]], n_neighbors=7, expansion={"dmax": 5.0}, progress=False)
    split = split_by_time(graphs.segments, settings.tau)
    model, _ = train_network(graphs, split, settings, seed, progress=False)
    identify_states(model, graphs, split.train, settings.tau)
    told = explain_states(attribute_states(model, graphs, split.validation)).told_by[1]
    return told and (told["neighbor"], told["first_rank"], told["last_rank"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each kind (default: %(default)s)")
    args = parser.parse_args()
    for kind, answer in ANSWERS.items():
        found = [named(kind, seed) for seed in range(args.seeds)]
        print(f"{kind:20s} right in {sum(f == answer for f in found)} of {args.seeds}", flush=True)


if __name__ == "__main__":
    main()
