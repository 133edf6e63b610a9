"""Does the choice of lag and number of states recommend what is right, and refuse where the data cannot tell?

    python benchmarks/calibration_selection.py [--draws 40] [--write docs/calibration_selection.md] [kind ...]

Data are drawn again and again from processes whose answers are known. Each draw is a run cut into a part for training,
left out here, and three folds of test data, as `select_model` cuts it; the states that a network of n states would find
are given: the hidden states themselves, hidden states that are lumped, one that is split by noise. No network is
trained. The table says how often what was recommended, and by which share the timescale at the recommended lag truly is
below its limit; more than 20 % or another number of states is wrong.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import expm

from gdynet_tf.learning.selection import recommend
from gdynet_tf.learning.selection.candidates import scan_lags

FOLDS = 3


def stationary(P):
    """Left eigenvector of P for the eigenvalue 1."""
    values, vectors = np.linalg.eig(P.T)
    pi = vectors[:, np.argmin(np.abs(values - 1))].real
    return pi / pi.sum()


def walk(P, n_frames, n_targets, rng):
    """Paths (n_frames, n_targets) that start in equilibrium."""
    cumulative = np.cumsum(P, axis=1)[:, :-1]
    state = np.searchsorted(np.cumsum(stationary(P))[:-1], rng.random(n_targets))
    path = np.empty((n_frames, n_targets), np.int8)
    for t, number in enumerate(rng.random((n_frames, n_targets, 1))):
        path[t] = state
        state = (number > cumulative[state]).sum(axis=1)
    return path


def wells(across, back, out):
    """Two wells, each of a deep and an edge state; rates from edge to edge, from edge to deep, from deep to edge."""
    a, b, o = across, back, out
    return expm(np.array([[-o, o, 0, 0], [b, -a - b, a, 0], [0, a, -a - b, b], [0, 0, o, -o]]))


def exchange(rates):
    """Transition matrix of one frame of symmetric rates."""
    rates = np.asarray(rates, float)
    return expm(rates - np.diag(rates.sum(axis=1)))


def fold_chi(path, shown, flips=None):
    """Three folds of chi (F, n_targets, n): rows of ``shown`` of the hidden states, or of them and a coin."""
    if flips is not None:
        path = 2 * path + flips
    return [[fold] for fold in np.array_split(np.asarray(shown, np.float32)[path], FOLDS)]


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes
    ----------
    P : (n, n) array
        Of one frame of the hidden chain.
    n_frames, n_targets : int
        Of the test data of all folds together.
    shown : dict of int to (n, n_states) array
        chi of each hidden state that a network of so many states gives.
    right : int or None
        Number of states to recommend, if the data suffice; None: any recommendation is wrong.
    splitting : int
        A network of so many states splits the last hidden state by a coin; 0: none does.
    lags : tuple of int
    """

    P: np.ndarray
    n_frames: int
    n_targets: int
    shown: dict
    right: int | None
    splitting: int = 0
    lags: tuple = (1, 3, 10, 20)

    def draw(self, rng):
        """Folds of chi for each number of states."""
        path = walk(self.P, self.n_frames, self.n_targets, rng)
        found = {n: fold_chi(path, shown) for n, shown in self.shown.items()}
        if n := self.splitting:
            rows = np.repeat(np.eye(n)[: n - 1], 2, axis=0)
            rows[-1] = np.eye(n)[-1]
            found[n] = fold_chi(path, rows, (rng.random(path.shape) < 0.5).astype(np.int8))
        return found

    def shortfall(self, n, lag):
        """True 1 - t(lag) / limit of the slowest timescale of the states shown."""
        if n not in self.shown:
            return np.nan
        shown, pi = np.asarray(self.shown[n], float), stationary(self.P)
        c00 = shown.T @ np.diag(pi) @ shown
        K = np.linalg.solve(c00, shown.T @ np.diag(pi) @ np.linalg.matrix_power(self.P, lag) @ shown)
        limit = -1 / np.log(np.sort(np.linalg.eigvals(self.P).real)[-2])
        return 1 + lag / np.log(np.sort(np.linalg.eigvals(K).real)[-2]) / limit


@dataclass(frozen=True)
class Drawn:
    """Data that are no Markov chain; nothing should be recommended."""

    draw: Callable[[np.random.Generator], dict]
    right: int | None = None
    lags: tuple = (1, 3, 10, 20)

    def shortfall(self, n, lag):
        """Not known."""
        return np.nan


def ageing(rng, n_frames=3000, n_targets=60):
    """Stays with a power-law distribution: the timescale grows in proportion to the lag."""
    waits = np.ceil(rng.random((n_targets, n_frames)) ** (-1 / 0.6)).clip(max=10 * n_frames)
    paths = np.zeros((n_frames, n_targets), np.int8)
    for k, row in enumerate(waits):
        ends = np.cumsum(row)
        paths[:, k] = (np.searchsorted(ends, np.arange(n_frames), side="right") + k) % 2
    return {2: fold_chi(paths, np.eye(2))}


def frozen(rng):
    """33 ions that never change, seen through a little noise; 101 frames."""
    state = rng.integers(0, 2, 33)
    chi = np.where(state[None, :, None] == [0, 1], 0.95, 0.05) + rng.normal(0, 0.01, (101, 33, 1)) * [1, -1]
    return {2: [[fold.astype(np.float32)] for fold in np.array_split(chi, FOLDS)]}


LONG = (1, 5, 14, 30, 40)
LUMPED = np.eye(2)[[0, 0, 1, 1]]
TWO = expm(np.array([[-1, 1], [1.5, -1.5]]) / 50)  # 20 frames
MEMORY = wells(0.299, 0.25, 0.0281)  # two states: 21 frames at lag 1, 51 in the limit
CHAIN3 = exchange([[0, 0.02, 0], [0.02, 0, 0.02], [0, 0.02, 0]])  # in a row: 50 and 17 frames
EQUAL3 = exchange(0.012 * (1 - np.eye(3)))  # 28 frames, twice
EQUAL4 = exchange(0.008 * (1 - np.eye(4)))  # 31 frames, three times
SLOW_OF = {2: np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]), 3: np.eye(3)}  # two states that span the slowest function

KINDS = {
    "memory, 21 to 51 frames, 20 targets": Kind(MEMORY, 15_000, 20, {2: LUMPED}, 2, lags=LONG),
    "memory, 21 to 51 frames, 2 targets": Kind(MEMORY, 30_000, 2, {2: LUMPED}, 2, lags=LONG),
    "memory, 21 to 51 frames, 1 target": Kind(MEMORY, 9000, 1, {2: LUMPED}, 2, lags=LONG),
    "Markovian, 2 states": Kind(TWO, 12_000, 4, {2: np.eye(2)}, 2, splitting=3),
    "Markovian, 2 states, many targets": Kind(TWO, 1500, 50, {2: np.eye(2)}, 2, splitting=3),
    "Markovian, 3 states in a row, 2 lumped": Kind(CHAIN3, 8000, 8, {2: np.eye(2)[[0, 1, 1]], 3: np.eye(3)}, 3, 4),
    "Markovian, 3 states in a row, 2 span the slowest": Kind(CHAIN3, 8000, 8, SLOW_OF, 2, 4),
    "Markovian, 3 alike, 2 lumped": Kind(EQUAL3, 8000, 8, {2: np.eye(2)[[0, 1, 1]], 3: np.eye(3)}, 2, 4),
    "Markovian, 4 alike": Kind(EQUAL4, 8000, 8, {4: np.eye(4)}, 4, 5),
    "Markovian, too short": Kind(TWO, 300, 1, {2: np.eye(2)}, 2),
    "Markovian, short": Kind(TWO, 2400, 1, {2: np.eye(2)}, 2),
    "nothing slow": Kind(np.full((2, 2), 0.5), 6000, 2, {2: np.eye(2)}, None),
    "frozen, 33 targets, 101 frames": Drawn(frozen),
    "timescale proportional to the lag": Drawn(ageing),
}


def run(kind, draws, seed=0):
    """(n_states, lag) or None recommended in each draw, and the kinds of the candidates."""
    rng, chosen, verdicts = np.random.default_rng(seed), [], Counter()
    for _ in range(draws):
        candidates = [c for folds in kind.draw(rng).values() for c in scan_lags(folds, kind.lags)]
        best, _ = recommend(candidates)
        chosen.append(best and (best.n_states, best.lag))
        verdicts.update((c.n_states, c.lag, c.finding.kind) for c in candidates)
    return chosen, verdicts


def row(name, kind, chosen):
    """A row of the table."""
    given = [c for c in chosen if c]
    true = [kind.shortfall(*c) for c in given]
    right = sum(n == kind.right and not s > 0.2 for (n, _), s in zip(given, true, strict=True))
    if kind.right is None:
        right = len(chosen) - len(given)
    shares = [
        100 * k / len(chosen) for k in (right, len(given) - (right if kind.right else 0), len(chosen) - len(given))
    ]
    lags = Counter(f"{n} at {lag}" for n, lag in given).most_common()
    listed = ", ".join(f"{what}: {k}" for what, k in lags) or "–"
    mean = f"{100 * np.mean(true):.0f} ({100 * max(true):.0f})" if true else "–"
    wanted = f"{kind.right} states" if kind.right else "none"
    return f"| {name} | {wanted} | {' | '.join(f'{share:.0f}' for share in shares)} | {listed} | {mean} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"of: {'; '.join(KINDS)}")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--write", type=Path, help="file for the table")
    parser.add_argument("--verdicts", action="store_true", help="print how often each verdict fell")
    args = parser.parse_args()
    if unknown := [kind for kind in args.kinds if kind not in KINDS]:
        parser.error(f"unknown kind {unknown[0]!r}; kinds are: {'; '.join(KINDS)}")
    lines = [
        "| data | right would be | right, % | wrong, % | refused, % | recommended (states at lag: draws) | true "
        "shortfall of the timescale there, %: mean (largest) |",
        "|---|---|---|---|---|---|---|",
    ]
    print(*lines, sep="\n", flush=True)
    for name in args.kinds or KINDS:
        chosen, verdicts = run(KINDS[name], args.draws)
        lines.append(row(name, KINDS[name], chosen))
        print(lines[-1], flush=True)
        if args.verdicts:
            for (n, lag, kind), number in sorted(verdicts.items()):
                print(f"    {n} states, lag {lag:3d}: {kind} {number}")
    if args.write:
        args.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
