"""Speed and memory of a training step beside the plain baseline of benchmarks/plain.py.

python benchmarks/training.py                                 # all sizes; about five minutes on two idle cores
python benchmarks/training.py --sizes toy --rounds 9

Each model trains in a process of its own on distances of a random liquid: the baseline and GDyNet with all processors,
and GDyNet once more with one of them. The baseline takes pairs of frames; GDyNet takes as many in chains of four, which
are five frames, as in a training. They take turns, some steps each, and ratios are taken within a
turn; printed are medians and the smallest and largest. Memory is the largest resident set of a process beyond what it
had with TensorFlow loaded; the compilation is part of it. Both models have the same weights when chi and its gradient
are compared.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

# atoms, targets, neighbours, convolutions, pairs of a batch
SIZES = {"toy": (5, 1, 12, 2, 2000), "1000": (1000, 50, 20, 3, 12), "6000": (6000, 50, 20, 3, 4)}
TURN = 2.0  # seconds, at least, so that what an epoch takes to begin does not count
DENSITY = 0.05  # 1/Å^3
NONZERO = 9  # Gaussians that are above 1e-7 at a distance


def random_graphs(size, length=1):
    """Inputs of a batch in chains: four frames of a random liquid, again and again with distances that differ."""
    from gdynet_tf.graphs.neighbors import nearest_neighbors

    n_atoms, n_targets, n_neighbors, _, batch_size = SIZES[size]
    rng = np.random.default_rng(0)
    edge = np.cbrt(n_atoms / DENSITY)
    positions = rng.random((4, n_atoms, 3)) * edge
    neighbors, distances = nearest_neighbors(positions, np.repeat(np.eye(3)[None] * edge, 4, axis=0), n_neighbors)
    frame = rng.integers(0, 4, (batch_size // length, length + 1))
    spread = rng.normal(1, 0.02, (*frame.shape, n_atoms, n_neighbors))
    return {
        "neighbors": neighbors[frame].astype(np.int32),
        "distances": (distances[frame] * spread).astype(np.float32),
        "atomic_numbers": rng.choice([3, 8, 16], n_atoms).astype(np.int32),
        "targets": rng.permutation(n_atoms)[:n_targets, None].astype(np.int32),
    }


def build(name, size):
    """``"plain"`` or ``"gdynet"``, with the same weights."""
    import keras
    from plain import PlainGDyNet

    from gdynet_tf.networks.gdynet import GDyNet

    keras.utils.set_random_seed(1)
    n_conv = SIZES[size][3]
    model = GDyNet(4, n_conv=n_conv)
    if name == "plain":
        weights = model.trainable_weights
        model = PlainGDyNet(4, n_conv)
        for own, weight in zip(model.trainable_weights, weights, strict=True):
            own.assign(weight)
    return model


def resident(name):
    """VmRSS or VmHWM of this process, MB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024


def serve(name, size):
    """Train for a turn for every line that comes in, and answer with pairs a second, by the clock and by CPU time."""
    import keras
    import tensorflow as tf

    from gdynet_tf.learning.pairs import LONGEST
    from gdynet_tf.learning.vamp import VAMPLoss

    batch_size = SIZES[size][4]
    inputs, model = random_graphs(size, 1 if name == "plain" else LONGEST), build(name, size)
    label = np.zeros((len(inputs["neighbors"]), 1), np.float32)
    batches = tf.data.Dataset.from_tensors((inputs, label)).repeat()
    before = resident("VmRSS")
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=VAMPLoss(), jit_compile=True)
    model.fit(batches, steps_per_epoch=2, verbose=0, shuffle=False)
    began = time.perf_counter()
    model.fit(batches, steps_per_epoch=3, verbose=0, shuffle=False)
    n_steps = int(np.ceil(3 * TURN / (time.perf_counter() - began)))
    print(json.dumps(resident("VmHWM") - before), flush=True)
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        model.fit(batches, steps_per_epoch=n_steps, verbose=0, shuffle=False)
        seconds = np.array([time.perf_counter() - began, time.process_time() - used])
        print(json.dumps(list(n_steps * batch_size / seconds)), flush=True)


def compare(size):
    """Largest difference of chi, and that of the gradient in units of its length."""
    import tensorflow as tf

    from gdynet_tf.learning.vamp import VAMPLoss

    inputs, loss = random_graphs(size), VAMPLoss()
    if size == "6000":
        inputs |= {name: inputs[name][:1] for name in ("neighbors", "distances")}
    found = []
    for name in ("plain", "gdynet"):
        model = build(name, size)

        @tf.function(jit_compile=True)
        def step(model=model):
            with tf.GradientTape() as tape:
                chi = model(inputs, training=True)
                score = loss.call(None, chi)
            return chi, tape.gradient(score, [weight.value for weight in model.trainable_weights])

        chi, gradients = step()
        found.append((chi.numpy(), np.concatenate([tf.reshape(g, (-1,)).numpy() for g in gradients])))
    (chi, gradient), (other, another) = found
    apart = np.linalg.norm(gradient - another) / np.linalg.norm(gradient)
    print(json.dumps({"chi": float(np.abs(chi - other).max()), "gradient": float(apart)}))


def product():
    """Flop/s of a product of two matrices of 1024 rows and columns, best of twenty."""
    import tensorflow as tf

    a, best = tf.random.normal((1024, 1024)), np.inf
    for _ in range(20):
        began = time.perf_counter()
        tf.matmul(a, a).numpy()
        best = min(best, time.perf_counter() - began)
    print(json.dumps(2 * 1024**3 / best))


def start(*task, processors=None):
    """A process that does a task, with some of the processors or all."""
    return subprocess.Popen(
        [sys.executable, __file__, "--task", *task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        preexec_fn=None if processors is None else lambda: os.sched_setaffinity(0, processors),
    )


def answer(process):
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{' '.join(process.args[3:])}: ended with {process.wait()}")
    return json.loads(line)


def spread(values, digits=2):
    """Median (smallest to largest)."""
    return f"{np.median(values):.{digits}f} ({np.min(values):.{digits}f} to {np.max(values):.{digits}f})"


def measure(size, n_rounds, flops):
    """All numbers of one size."""
    from gdynet_tf.learning.pairs import LONGEST

    processors = sorted(os.sched_getaffinity(0))
    n_atoms, n_targets, n_neighbors, n_conv, batch_size = SIZES[size]
    print(
        f"\n{size}: {n_atoms} atoms, {n_targets} targets, M {n_neighbors}, {n_conv} convolutions, batches of "
        f"{batch_size} pairs"
    )
    same = answer(start("compare", size))
    print(f"  largest difference: chi {same['chi']:.1e}, gradient {same['gradient']:.1e} of its length")
    which = {"plain": ("plain", None), "gdynet": ("gdynet", None), "one": ("gdynet", processors[:1])}
    models = {key: start("serve", name, size, processors=some) for key, (name, some) in which.items()}
    memory = {key: answer(model) for key, model in models.items()}
    rounds = []
    for _ in range(n_rounds):
        rounds.append({})
        for key, model in models.items():
            model.stdin.write("go\n")
            model.stdin.flush()
            rounds[-1][key] = np.array(answer(model))
    for model in models.values():
        model.stdin.close()
        model.wait()
    speed = {key: np.array([turn[key] for turn in rounds]) for key in models}
    for key, label in (("plain", "plain baseline"), ("gdynet", "GDyNet"), ("one", "GDyNet, one core")):
        wall, cpu = speed[key].T
        print(f"  {label:16s}  {spread(wall, 1)} pairs/s, {np.median(cpu):.1f} a CPU second, {memory[key]:.0f} MB")
    ratio = speed["gdynet"] / speed["plain"]
    print(f"  speed beside the baseline: {spread(ratio[:, 0])} by the clock, {spread(ratio[:, 1])} by CPU time")
    print(f"  all {len(processors)} cores beside one: {spread(speed['gdynet'][:, 0] / speed['one'][:, 0])}")
    print(f"  memory beside the baseline: {memory['gdynet'] / memory['plain']:.2f}")
    edges, frames = edges_per_frame(size), (LONGEST + 1) / LONGEST  # frames that a pair takes
    # Forward, and once more for the derivative with respect to the weights.
    needed = 2 * edges * 2 * (2 * NONZERO * 17)
    edge_time = 1e9 / (np.median(speed["one"][:, 1]) * frames * edges)
    print(
        f"  {edges:,} edges a frame; {edge_time:.0f} ns an edge on one core; "
        f"the arithmetic of {NONZERO} Gaussians x 17 columns would take {1e9 * needed / flops / (2 * edges):.0f}"
    )


def edges_per_frame(size):
    from gdynet_tf.networks.gdynet import GDyNet

    n_atoms, n_targets, n_neighbors, n_conv, *_ = SIZES[size]
    return GDyNet(4, n_conv=n_conv).edges_per_frame(n_atoms, n_neighbors, n_targets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        name, *rest = args.task
        {"serve": serve, "compare": compare, "product": product}[name](*rest)
        return
    flops = answer(start("product", processors=sorted(os.sched_getaffinity(0))[:1]))
    print(f"a product of matrices on one core: {flops / 1e9:.0f} Gflop/s")
    for size in args.sizes:
        measure(size, args.rounds, flops)


if __name__ == "__main__":
    main()
