"""Ways to choose states in the space that VAMP-2 found, compared on finished runs of different seeds.

    python benchmarks/identification.py --graphs graphs.demo runs/seed_*

Restarts count as seeds of their own. Every candidate sees the same networks: only the map from the softmax to the
states differs. Printed for each: VAMP-2 of the test data and what was lost against the softmax, share of frames and
targets with a probability above 0.9, for all pairs of seeds the share of frames with the same likeliest state (mean and
smallest), and the populations (mean and standard deviation over the seeds).
"""

import argparse
import itertools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

import gdynet_tf.analysis as ga
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning.identification import find_state_map, kinetic_map
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.networks.gdynet import load_model


def positive(p):
    """Cut off what lies outside the simplex."""
    p = np.maximum(p, 0)
    return p / p.sum(axis=1, keepdims=True)


def none(chi, covariances):
    """The softmax as VAMP-2 leaves it."""
    return lambda x: x


def inner_simplex(chi, covariances):
    """PCCA+ with the inner-simplex algorithm: vertices are the outermost samples (Weber and Galliat 2002)."""
    n = chi.shape[1]
    _, slow = kinetic_map(covariances)
    slow = slow / (chi @ slow).std(axis=0)
    points = np.concatenate([chi @ slow, np.ones((len(chi), 1))], axis=1)
    left = points - points[np.argmax(np.square(points[:, :-1]).sum(axis=1))]
    vertices = [int(np.argmax(np.square(points[:, :-1]).sum(axis=1)))]
    for _ in range(n - 1):
        vertices.append(int(np.argmax(np.square(left).sum(axis=1))))
        direction = left[vertices[-1]] / np.linalg.norm(left[vertices[-1]])
        left = left - np.outer(left @ direction, direction)
    corners = np.linalg.pinv(points[vertices])
    return lambda x: positive(np.concatenate([x @ slow, np.ones((len(x), 1))], axis=1) @ corners)


def barycentric(chi, covariances):
    """k-means centres in the kinetic map, barycentric coordinates: what gdynet_tf does."""
    kernel = find_state_map(chi, covariances).kernel
    return lambda x: positive(x @ kernel)


def nearest_center(chi, covariances):
    """k-means in the kinetic map, each sample wholly to its nearest centre."""
    _, slow = kinetic_map(covariances)
    clusters = KMeans(chi.shape[1], n_init=10, random_state=0).fit(chi @ slow)
    return lambda x: np.eye(chi.shape[1])[clusters.predict(x @ slow)]


def mixture(chi, covariances):
    """Posterior of a Gaussian mixture with a common covariance in the kinetic map."""
    _, slow = kinetic_map(covariances)
    start = KMeans(chi.shape[1], n_init=10, random_state=0).fit(chi @ slow).cluster_centers_
    model = GaussianMixture(len(start), covariance_type="tied", means_init=start, random_state=0).fit(chi @ slow)
    return lambda x: model.predict_proba(x @ slow)


CANDIDATES = {
    "softmax as it is": none,
    "inner simplex (PCCA+)": inner_simplex,
    "k-means, barycentric": barycentric,
    "k-means, nearest centre": nearest_center,
    "Gaussian mixture": mixture,
}


def softmax_of(run, seed, graphs):
    """chi before identification of every segment, for one of the run's trainings."""
    model = load_model(run.path)
    model.load_weights(run.path / "checkpoints" / f"seed_{seed}" / "best.weights.h5")
    return [np.concatenate(list(predict_blocks(model, graphs, block))) for block in run.blocks()]


def cut(run, segments, split):
    """The blocks of a split out of the segments."""
    found = []
    for trajectory, start, stop in run.blocks(split):
        for segment, (at, first, last) in zip(segments, run.blocks(), strict=True):
            if at == trajectory and first <= start and stop <= last:
                found.append(segment[start - first : stop - first])
    return found


def applied(function, segments):
    """A map of samples applied to segments."""
    n = segments[0].shape[2]
    return [function(s.reshape(-1, n).astype(float)).reshape(s.shape) for s in segments]


def evaluate(candidate, runs, every):
    """A row of the table."""
    scores, losses, crisp, likeliest, populations = [], [], [], [], []
    for run, segments in zip(runs, every, strict=True):
        train, test = cut(run, segments, "train"), cut(run, segments, "test")
        flat = np.concatenate([s.reshape(-1, s.shape[2]) for s in train]).astype(float)
        sample = flat[:: max(1, len(flat) // 50_000)]
        function = candidate(sample, np.stack(ga.covariances(train, run.tau)))
        score = ga.vamp2_score(applied(function, test), run.tau)
        chi = applied(function, segments)
        order = np.argsort(-ga.populations(chi))
        chi = [s[..., order].astype(np.float32) for s in chi]
        scores.append(score)
        losses.append(ga.vamp2_score(test, run.tau) - score)
        crisp.append(ga.crispness(chi))
        populations.append(ga.populations(chi))
        likeliest.append([np.eye(s.shape[2], dtype=np.float32)[s.argmax(axis=2)] for s in chi])
    agree = [ga.state_agreement(a, b).overall for a, b in itertools.combinations(likeliest, 2)]
    return np.mean(scores), np.mean(losses), np.mean(crisp), np.min(crisp), agree, populations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", required=True)
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    graphs = open_graphs(args.graphs)
    trainings = [(run, restart["seed"]) for run in map(ga.load_run, args.runs) for restart in run.scores["restarts"]]
    runs = [run for run, _ in trainings]
    every = [softmax_of(run, seed, graphs) for run, seed in trainings]
    print(f"{len(every)} seeds")
    print("| states chosen by | VAMP-2 test | lost | above 0.9: mean, min | agreement: mean, min | populations |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, candidate in CANDIDATES.items():
        score, loss, crisp, least, agree, populations = evaluate(candidate, runs, every)
        shown = ", ".join(
            f"{m:.3f} ± {s:.3f}" for m, s in zip(np.mean(populations, 0), np.std(populations, 0), strict=True)
        )
        print(
            f"| {name} | {score:.4f} | {loss:+.4f} | {100 * crisp:.1f} %, {100 * least:.1f} % "
            f"| {100 * np.mean(agree):.1f} %, {100 * min(agree):.1f} % | {shown} |"
        )


if __name__ == "__main__":
    main()
