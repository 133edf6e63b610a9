"""Time until a training ends, and until it reaches a score, beside that of a plain recipe.

python benchmarks/convergence.py GRAPHS --n-states 3 --tau 10 [--seeds 1 2] [--split 0.7 0.15 0.15]

The plain recipe: Adam at 0.003, batches of pairs of frames that hold 2,000 target samples, epochs of all pairs, and an
end after eight epochs without a score better by 0.001. Both train the same network on the same data with the same seed,
one after the other in one process, and see the same validation data. Seconds are of processor time, with compilation.
The score to reach is the plain recipe's best of that seed less 0.005.
"""

import argparse
import time

import numpy as np

PATIENCE, GAIN, SLACK = 8, 0.001, 0.005


def plain_recipe(graphs, split, settings, seed):
    """Validation score and processor time after each epoch."""
    import keras

    from gdynet_tf.learning.pairs import LaggedChains, chain_batches, count_pairs
    from gdynet_tf.learning.prediction import stream_vamp2
    from gdynet_tf.learning.training import starting_model
    from gdynet_tf.learning.vamp import VAMPLoss

    class AllPairs(LaggedChains):
        n_batches = property(lambda self: self._n_whole)  # one pass

    keras.utils.set_random_seed(seed)
    batch_size = min(-(-2000 // graphs.n_targets), count_pairs(split.train, settings.tau))
    pairs, model = AllPairs(split.train, settings.tau, batch_size), starting_model(settings, graphs)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=VAMPLoss(), jit_compile=True)
    scores, seconds, began, best, since = [], [], time.process_time(), -np.inf, 0
    while since < PATIENCE:
        model.fit(chain_batches(graphs, pairs, seed, len(scores)), verbose=0, shuffle=False)
        scores.append(stream_vamp2(model, graphs, split.validation, settings.tau))
        seconds.append(time.process_time() - began)
        best, since = (scores[-1], 0) if scores[-1] > best + GAIN else (best, since + 1)
    return np.array(scores), np.array(seconds)


def training(graphs, split, settings, seed):
    """The same of `train_network`."""
    from gdynet_tf.learning.training import train_network

    seconds, began = [], time.process_time()
    _, history = train_network(
        graphs, split, settings, seed, progress=False, epoch_ended=lambda _: seconds.append(time.process_time() - began)
    )
    return np.array([row["validation_vamp2"] for row in history]), np.array(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs")
    parser.add_argument("--n-states", type=int, required=True)
    parser.add_argument("--tau", type=int, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--split", type=float, nargs=3, default=(0.7, 0.15, 0.15))
    args = parser.parse_args()

    from gdynet_tf.networks.backend import load_backend

    load_backend()
    from gdynet_tf.graphs.store import open_graphs
    from gdynet_tf.learning.settings import TrainingSettings
    from gdynet_tf.learning.splits import split_by_time

    graphs = open_graphs(args.graphs)
    split, settings = split_by_time(graphs.segments, args.tau, args.split), TrainingSettings(args.n_states, args.tau)
    print("seed  recipe   epochs  seconds  best score  reached in epoch, after seconds")
    for seed in args.seeds:
        found = {"plain": plain_recipe(graphs, split, settings, seed), "here": training(graphs, split, settings, seed)}
        wanted, ends = found["plain"][0].max() - SLACK, {}
        for name, (scores, seconds) in found.items():
            (there,) = np.nonzero(scores >= wanted)
            reached = f"{there[0] + 1:4d}, {seconds[there[0]]:.0f}" if len(there) else "never"
            ends[name] = seconds[-1], seconds[there[0]] if len(there) else np.inf
            print(
                f"{seed:4d}  {name:5s}  {len(scores):8d}  {seconds[-1]:7.0f}  {scores.max():10.4f}  {reached}",
                flush=True,
            )
        ratio = np.array(ends["plain"]) / ends["here"]
        print(f"      ends {ratio[0]:.1f} times sooner, reaches that score {ratio[1]:.1f} times sooner", flush=True)


if __name__ == "__main__":
    main()
