"""Ways to choose states in the space that VAMP-2 found, compared where the answer is known and on finished runs.

    python benchmarks/identification.py [--n-draws 20]
    python benchmarks/identification.py --graphs graphs.demo runs/seed_*

Without runs: chi made of a Markov chain, blurred, with superfluous outputs that split a state by noise, and mixed. The
first table compares the candidates, one draw a case, the second is of what gdynet_tf does. "Lost" is VAMP-2 of the
mapped chi against that of chi, negative where the map takes out noise; errors of populations and of the relaxation time
are relative to those of the chain's states in the same frames. Worst cases are shown.

With runs (restarts count as seeds of their own): every candidate sees the same networks. VAMP-2 of the test data and
what was lost against the softmax, share of frames and targets with a probability above 0.9, for all pairs of seeds the
share of frames with the same likeliest state (mean and smallest), and the populations (mean and standard deviation over
the seeds).
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
from gdynet_tf.analysis.kinetics.covariances import lagged_sums
from gdynet_tf.analysis.kinetics.koopman import koopman_of
from gdynet_tf.analysis.kinetics.pcca import outermost_points
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning import identification
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.networks.gdynet import load_model

TAU, RELAXATION = 10, 280  # frames
N_FRAMES, N_TARGETS = 5_000, 20
BLURS = (0.0, 0.02, 0.05, 0.1)
POPULATIONS = (0.5, 0.05, 0.005)
KINDS = ("probabilities", "clipped", "logits", "wide rare state", "wide common state", "slow passages", "three states")


# Candidates: chi of the frames t and t + tau, (samples, n) each -> function of chi


def positive(p):
    """Cut off what lies outside the simplex."""
    p = np.maximum(p, 0)
    return p / p.sum(axis=1, keepdims=True)


def slow_coordinates(start, end, resolved=True):
    """Coefficients of the kinetic map, of the processes that count or of all."""
    values, coefficients = identification.kinetic_map(np.stack([start.T @ start, start.T @ end, end.T @ end]))
    if not resolved:
        return coefficients
    return coefficients[:, identification._resolved(values, identification._above_noise(coefficients, start, end))]


def barycentric(coefficients, corners):
    """Function to barycentric coordinates with respect to corners in the kinetic map."""
    inverse = np.linalg.pinv(np.column_stack([corners, np.ones(len(corners))]))
    return lambda x: np.column_stack([x @ coefficients, np.ones(len(x))]) @ inverse


def subset(points, size=20_000):
    return points[np.random.default_rng(0).permutation(len(points))[:size]]


def none(start, end):
    """The softmax as VAMP-2 leaves it."""
    return lambda x: x


def kmeans_cut(start, end):
    """k-means centres, barycentric coordinates, cut: gdynet_tf 0.2."""
    slow = slow_coordinates(start, end, resolved=False)
    centers = KMeans(start.shape[1], n_init=10, random_state=0).fit(subset(start @ slow)).cluster_centers_
    linear = barycentric(slow, centers)
    return lambda x: positive(linear(x))


def inner_simplex(start, end):
    """Outermost samples of the resolved functions, barycentric, cut (PCCA+ of samples)."""
    slow = slow_coordinates(start, end)
    points = start @ slow
    linear = barycentric(slow, points[outermost_points(points / points.std(axis=0))])
    return lambda x: positive(linear(x))


def mixture_of(start, end):
    """Gaussian mixture with a common covariance in the resolved kinetic map."""
    slow = slow_coordinates(start, end)
    points = subset(start @ slow)
    centers = KMeans(40, n_init=1, random_state=0).fit(points).cluster_centers_
    first = centers[outermost_points(centers / points.std(axis=0))]
    return slow, GaussianMixture(len(first), covariance_type="tied", means_init=first, random_state=0).fit(points)


def mixture_uncut(start, end):
    """Centres of the mixture, barycentric, not cut: no probabilities."""
    slow, model = mixture_of(start, end)
    return barycentric(slow, model.means_)


def mixture_offset(start, end):
    """The same, cut with offsets that keep the means."""
    linear = mixture_uncut(start, end)
    p = subset(linear(start))
    offset = np.zeros(p.shape[1])
    for _ in range(300):
        cut = positive(p - offset)
        offset += 0.5 * (cut.mean(axis=0) - p.mean(axis=0)) / np.maximum((cut > 0).mean(axis=0), 0.05)
        offset = np.minimum(offset, 0.9 / len(offset))  # so that the sum stays above zero
    return lambda x: positive(linear(x) - offset)


def mixture_posterior(start, end):
    """Posterior of the mixture."""
    slow, model = mixture_of(start, end)
    return lambda x: model.predict_proba(x @ slow)


CANDIDATES = {
    "softmax as it is": none,
    "k-means, barycentric, cut (0.2)": kmeans_cut,
    "inner simplex, cut": inner_simplex,
    "mixture, barycentric, uncut": mixture_uncut,
    "mixture, barycentric, mean-keeping cut": mixture_offset,
    "mixture, posterior": mixture_posterior,
    "microstates, PCCA+": identification.find_state_map,
}


# Where the answer is known


def chain(transition, stationary, rng):
    """States (N_FRAMES, N_TARGETS) of a Markov chain in equilibrium, every state visited twice."""
    cumulative = np.cumsum(transition, axis=1)
    while True:
        state = rng.choice(len(stationary), size=N_TARGETS, p=stationary)
        states = np.empty((N_FRAMES, N_TARGETS), int)
        for t in range(N_FRAMES):
            states[t] = state
            state = (cumulative[state] < rng.random((N_TARGETS, 1))).sum(axis=1)
        entered = [((states[1:] == i) & (states[:-1] != i)).sum() for i in range(len(stationary))]
        if min(entered) >= 2:
            return states


def synthetic(kind, population, blur, n_superfluous, seed):
    """chi (N_FRAMES, N_TARGETS, n) and the states it is made of; the last state has ``population``."""
    rng = np.random.default_rng([KINDS.index(kind), seed, n_superfluous])
    stationary = np.array([1 - population, population])
    if kind == "three states":
        stationary = np.array([0.6 * (1 - population), 0.4 * (1 - population), population])
    memory = np.exp(-1 / RELAXATION)
    states = chain(memory * np.eye(len(stationary)) + (1 - memory) * stationary, stationary, rng)
    chi = np.eye(len(stationary))[states]
    noise = blur
    if kind == "logits":
        z = 3.0 * (2 * chi[..., 1] - 1) + rng.normal(0, min(blur / 0.05, 1.5), states.shape)
        chi, noise = np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=-1), 0.01 * (blur > 0)
    elif kind.startswith("wide"):
        wide = (states == 1) == (kind == "wide rare state")
        shift = rng.normal(0, 1, states.shape) * np.where(wide, blur, blur / 5)
        chi, noise = chi + shift[..., None] * [-1, 1], 0.01 * (blur > 0)
    elif kind == "slow passages":
        window = np.hanning(21)[1:-1] / np.hanning(21).sum()
        chi = np.apply_along_axis(np.convolve, 0, chi, window, mode="same")
        chi /= chi.sum(axis=2, keepdims=True)
    for _ in range(n_superfluous):
        split, n = rng.integers(chi.shape[2]), states.shape
        share = [rng.random(n), (rng.random(n) < 0.4), np.clip(rng.normal(0.5, 0.15, n), 0, 1)][rng.integers(3)]
        chi = np.concatenate([chi, chi[..., split, None] * share[..., None]], axis=2)
        chi[..., split] *= 1 - share
    n = chi.shape[2]
    chi = chi + rng.normal(0, noise, chi.shape) @ (np.eye(n) - 1 / n)
    if kind == "clipped":
        chi = positive(chi.reshape(-1, n)).reshape(chi.shape)
    return chi @ (0.6 * np.eye(n) + 0.4 * rng.dirichlet(np.ones(n), n)), states


def koopman_matrices(segments, tau):
    """Forward and backward; of maps that need not be probabilities, as `Chi` asks for."""
    c00, c0t, ctt = sum(lagged_sums([segment], tau)[0] for segment in segments)
    n = sum(max(len(s) - tau, 0) * s.shape[1] for s in segments)
    return koopman_of(c00 / n, c0t / n), koopman_of(ctt / n, c0t.T / n)


def vamp2(segments, tau):
    forward, backward = koopman_matrices(segments, tau)
    return np.trace(forward @ backward)


def relaxation(chi):
    values = np.sort(np.linalg.eigvals(koopman_matrices([chi], TAU)[0]).real)[::-1]
    return -TAU / np.log(np.clip(values[1], 1e-9, 1 - 1e-9))


def quality(function, chi, states):
    """Lost score, largest relative error of a population, that of the relaxation time, crispness, range."""
    flat = chi.reshape(-1, chi.shape[2])
    mapped = function(flat)
    truth = np.eye(states.max() + 1)[states.ravel()]
    excess = truth.T @ mapped / truth.sum(axis=0)[:, None] - mapped.mean(axis=0)
    errors = mapped.mean(axis=0)[excess.argmax(axis=1)] / truth.mean(axis=0) - 1
    mapped = mapped.reshape(*states.shape, -1)
    lost = vamp2([chi], TAU) - vamp2([mapped], TAU)
    time = relaxation(mapped) / relaxation(truth.reshape(*states.shape, -1)) - 1
    return lost, np.abs(errors).max(), abs(time), (mapped.max(axis=2) > 0.9).mean(), mapped.min(), mapped.max()


def draw(kind, population, blur, n_superfluous, seed, candidates):
    chi, states = synthetic(kind, population, blur, n_superfluous, seed)
    n = chi.shape[2]
    pairs = chi[:-TAU].reshape(-1, n), chi[TAU:].reshape(-1, n)
    return {name: quality(candidate(*pairs), chi, states) for name, candidate in candidates.items()}


def known_answers(n_draws):
    """Both tables."""
    print("| kind of blur | states chosen by | lost | populations | relaxation time | above 0.9 | range |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in KINDS:
        cases = itertools.product(POPULATIONS[1:], (0.02, 0.05), (0, 1, 2))
        rows = [draw(kind, *case, 0, CANDIDATES) for case in cases]
        for name in CANDIDATES:
            lost, error, time, crisp, low, high = np.array([row[name] for row in rows]).T
            print(
                f"| {kind} | {name} | {lost.max():+.3f} | {100 * error.max():.1f} % | {100 * time.max():.0f} % "
                f"| {100 * crisp.min():.0f} % | {low.min():.2f} to {high.max():.2f} |",
                flush=True,
            )
    print(f"\n| superfluous | population | lost: worst of {len(BLURS)} x {n_draws} | populations: mean, worst |")
    print("| --- | --- | --- | --- |")
    ours = {"": identification.find_state_map}
    for n_superfluous, population in itertools.product((0, 1, 2), POPULATIONS):
        cases = itertools.product(BLURS, range(n_draws))
        rows = [draw(KINDS[0], population, blur, n_superfluous, seed, ours)[""] for blur, seed in cases]
        lost, error = np.array(rows).T[:2]
        print(
            f"| {n_superfluous} | {100 * population:g} % | {lost.max():+.4f} "
            f"| {100 * error.mean():.2f} %, {100 * error.max():.1f} % |",
            flush=True,
        )


# Finished runs


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
    return [function(s.reshape(-1, s.shape[2]).astype(float)).reshape(*s.shape[:2], -1) for s in segments]


def mean(segments):
    return np.concatenate([s.reshape(-1, s.shape[2]) for s in segments]).mean(axis=0)


def evaluate(candidate, runs, every):
    """A row of the table."""
    scores, losses, crisp, likeliest, populations = [], [], [], [], []
    for run, segments in zip(runs, every, strict=True):
        train, test = cut(run, segments, "train"), cut(run, segments, "test")
        n = segments[0].shape[2]
        starts, ends = [s[: -run.tau] for s in train], [s[run.tau :] for s in train]
        pairs = [np.concatenate([s.reshape(-1, n) for s in part]).astype(float) for part in (starts, ends)]
        function = candidate(*pairs)
        score = vamp2(applied(function, test), run.tau)
        chi = applied(function, segments)
        order = np.argsort(-mean(chi))
        chi = [s[..., order].astype(np.float32) for s in chi]
        scores.append(score)
        losses.append(vamp2(test, run.tau) - score)
        crisp.append(np.mean(np.concatenate([s.max(axis=2).ravel() for s in chi]) > 0.9))
        populations.append(mean(chi))
        likeliest.append([np.eye(s.shape[2], dtype=np.float32)[s.argmax(axis=2)] for s in chi])
    agree = [ga.state_agreement(a, b).overall for a, b in itertools.combinations(likeliest, 2)]
    return np.mean(scores), np.max(losses), np.mean(crisp), np.min(crisp), agree or [np.nan], populations


def finished_runs(graphs, paths):
    """The table of the candidates on trained networks."""
    graphs = open_graphs(graphs)
    trainings = [(run, restart["seed"]) for run in map(ga.load_run, paths) for restart in run.scores["restarts"]]
    runs = [run for run, _ in trainings]
    every = [softmax_of(run, seed, graphs) for run, seed in trainings]
    print(f"{len(every)} seeds")
    print("| states chosen by | VAMP-2 | lost, worst | above 0.9: mean, min | agreement: mean, min | populations |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, candidate in CANDIDATES.items():
        score, loss, crisp, least, agree, populations = evaluate(candidate, runs, every)
        width = max(map(len, populations))
        populations = [np.pad(p, (0, width - len(p))) for p in populations]
        shown = ", ".join(
            f"{m:.3f} ± {s:.3f}" for m, s in zip(np.mean(populations, 0), np.std(populations, 0), strict=True)
        )
        print(
            f"| {name} | {score:.4f} | {loss:+.4f} | {100 * crisp:.1f} %, {100 * least:.1f} % "
            f"| {100 * np.mean(agree):.1f} %, {100 * min(agree):.1f} % | {shown} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", help="graph directory of the runs")
    parser.add_argument("--n-draws", type=int, default=20, help="of each case of the second table (default: 20)")
    parser.add_argument("runs", nargs="*", type=Path)
    args = parser.parse_args()
    if args.runs:
        finished_runs(args.graphs, args.runs)
    else:
        known_answers(args.n_draws)


if __name__ == "__main__":
    main()
