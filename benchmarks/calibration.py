"""Do 95 % intervals hold the truth in 95 % of the cases, and do verdicts say what is so?

    python benchmarks/calibration.py [--repetitions 200] [--out calibration] [--write docs/calibration.md] [kind ...]

Data of many kinds are drawn again and again from processes whose answers are known, analysed as a report analyses them,
and compared. A kind that was done before (a file in --out) is not done again. The table says for each kind and
quantity how often an interval was given, and how often the given ones held the truth; then for the Chapman-Kolmogorov
test how often each verdict fell.

A kind is a `Case`: `draw` makes one data set, `truth` gives the answers by name, `measure` computes them from the data
as `Estimate`s by the same names. Quantities that do not rest on chi come in as cases of their own.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.linalg import expm
from scipy.special import ndtr, stdtr

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.kinetics.koopman import constrained_of

TAU, STEPS = 10, 5
_TABLES = "<!-- tables of benchmarks/calibration.py -->"


# --- processes whose answers are known ---------------------------------------------------------


def exchange(populations, times):
    """Transition matrix of one frame of a process with detailed balance.

    ``times`` maps pairs of states to the time of their exchange: k_ij = p_j / time.
    """
    populations = np.asarray(populations)
    rates = np.zeros((len(populations),) * 2)
    for (i, j), duration in times.items():
        rates[i, j], rates[j, i] = populations[j] / duration, populations[i] / duration
    return expm(rates - np.diag(rates.sum(axis=1)))


def wells(recrossing):
    """Two wells, each of a deep and an edge state: what is over soon at the border makes the timescale grow."""
    e, p = 1 / recrossing, 0.12
    rates = np.array([[-p * e, p * e, 0, 0], [e, -2 * e, e, 0], [0, e, -2 * e, e], [0, 0, p * e, -p * e]])
    return expm(rates)


def trap(depth):
    """A state that is left soon, another beside it, and behind that a trap which looks like the first."""
    rates = np.array([[-0.1, 0.1, 0], [0.1, -0.1 - depth, depth], [0, depth, -depth]]) / 2
    return expm(rates)


def biased(flip, switch, bias):
    """Two states that relax in ``flip`` frames to populations of 0.5 + bias and 0.5 - bias, which swap now and then."""
    p = np.array([0.5 + bias, 0.5 - bias])
    rates = np.zeros((4, 4))  # states 0 and 1 of the one bias, then of the other
    for k, first in enumerate((p, p[::-1])):
        rates[2 * k, 2 * k + 1], rates[2 * k + 1, 2 * k] = first[1] / flip, first[0] / flip
        for i in range(2):
            rates[2 * k + i, 2 * (1 - k) + i] = 1 / switch
    return expm(rates - np.diag(rates.sum(axis=1)))


def stationary(P):
    values, vectors = np.linalg.eig(P.T)
    pi = vectors[:, np.argmin(np.abs(values - 1))].real
    return pi / pi.sum()


def walk(P, n_frames, shape, rng, start=None, common=0.0, frozen=None):
    """Paths (n_frames, *shape); the last axis is targets.

    ``common`` is the probability with which a target takes the random number that all share; ``frozen`` (*shape, n) are
    populations of each target's own, to which it relaxes in 50 frames instead.
    """

    def numbers():
        own = rng.random(shape)
        return np.where(rng.random(shape) < common, rng.random((*shape[:-1], 1)), own) if common else own

    first = stationary(P) if frozen is None else frozen
    cumulative = np.cumsum(P, axis=1)
    state = np.full(shape, start or 0)
    if start is None:
        state = (numbers()[..., None] > np.cumsum(first, axis=-1)[..., :-1]).sum(axis=-1)
    path = np.empty((n_frames, *shape), np.int8)
    for t in range(n_frames):
        path[t] = state
        if frozen is None:
            state = (numbers()[..., None] > cumulative[state][..., :-1]).sum(axis=-1)
        else:
            drawn = (rng.random(shape)[..., None] > np.cumsum(frozen, axis=-1)[..., :-1]).sum(axis=-1)
            state = np.where(rng.random(shape) < np.exp(-1 / 50), state, drawn)
    return path


# --- kinds of data -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A kind of data with its answers.

    Attributes
    ----------
    draw : callable
        (n, rng) -> iterator of n data sets.
    truth : callable
        () -> dict of name -> array.
    measure : callable
        data -> dict of name -> Estimate or (value, lower, upper) arrays, and under "verdict" a Finding if there is one.
    markovian : bool or None
        Whether the Chapman-Kolmogorov test should hold; None: it says nothing about intervals here.
    """

    draw: Callable[[int, np.random.Generator], Iterator]
    truth: Callable[[], dict]
    measure: Callable[[object], dict]
    markovian: bool | None = None


@dataclass(frozen=True)
class Chain:
    """Targets that follow a hidden Markov chain."""

    P: np.ndarray
    lengths: tuple
    n_targets: int
    observed: tuple | None = None  # state seen for each hidden one
    common: float = 0.0
    start: int | None = None
    one_run: bool = False
    declared: bool = False
    blur: float = 0.0
    frozen: float | None = None  # concentration of the beta distribution of each target's population
    behind: tuple = (0, 1)  # frames by which a target is behind the one before it, and number of those in a row
    lags: tuple = (TAU, 2 * TAU, 4 * TAU)
    cache: dict = field(default_factory=dict, compare=False)

    @property
    def n_states(self):
        return (max(self.observed) if self.observed else len(self.P) - 1) + 1

    def draw(self, n, rng):
        batch = max(1, min(n, int(2e7 / (sum(self.lengths) * self.n_targets))))
        for first in range(0, n, batch):
            shape = (min(batch, n - first), self.n_targets // self.behind[1])
            frozen = None
            if self.frozen is not None:
                p = rng.beta(self.frozen, self.frozen, shape)
                frozen = np.stack([p, 1 - p], axis=-1)
            settings = {"start": self.start, "common": self.common, "frozen": frozen}
            cuts = np.cumsum(self.lengths)[:-1]
            if self.one_run:
                paths = np.split(walk(self.P, sum(self.lengths), shape, rng, **settings), cuts)
            else:
                paths = [self.followed(length, shape, rng, settings) for length in self.lengths]
            for k in range(shape[0]):
                trajectories = range(len(self.lengths)) if self.declared else None
                yield ga.Chi([self.show(path[:, k], rng) for path in paths], TAU, trajectories=trajectories)

    def followed(self, length, shape, rng, settings):
        """Paths of targets, of which all but the first in a row repeat the one before, later."""
        delay, n = self.behind
        path = walk(self.P, length + delay * (n - 1), shape, rng, **settings)
        return np.concatenate([path[delay * k : delay * k + length] for k in range(n)], axis=-1)

    def show(self, path, rng):
        """Chi of hidden states: crisp, or the posterior of a noisy measurement."""
        seen = np.asarray(self.observed)[path] if self.observed else path
        chi = np.eye(self.n_states)[seen]
        if self.blur:
            chi = np.exp(3 * chi + 3 * self.blur * rng.normal(size=chi.shape))
            chi /= chi.sum(axis=-1, keepdims=True)
        return chi.astype(np.float32)

    def koopman(self, lag):
        """Koopman matrix of infinitely many such data sets."""
        return np.linalg.solve(*self.moments(lag))

    def moments(self, lag):
        """C00 and C0t of infinitely many such data sets."""
        if self.frozen is not None:
            variance = 1 / (4 * (2 * self.frozen + 1))
            second = np.array([[0.25 + variance, 0.25 - variance], [0.25 - variance, 0.25 + variance]])
            decay = np.exp(-lag / 50)
            return 0.5 * np.eye(2), 0.5 * decay * np.eye(2) + (1 - decay) * second
        if "moments" not in self.cache:
            rng, n = np.random.default_rng(5), 400_000 if self.blur else 1
            shown = [self.show(np.full(n, s), rng).astype(float) for s in range(len(self.P))]
            self.cache["moments"] = np.array([c.mean(axis=0) for c in shown]), [c.T @ c / n for c in shown]
        first, second = self.cache["moments"]
        weights = sum(self.occupied(length - lag) for length in self.lengths if length > lag)
        weights = weights / weights.sum()
        c00 = sum(w * s for w, s in zip(weights, second, strict=True))
        return c00, first.T @ np.diag(weights) @ np.linalg.matrix_power(self.P, lag) @ first

    def occupied(self, n_frames):
        """Frames expected in each hidden state."""
        if self.start is None:
            return n_frames * stationary(self.P)
        p, total = np.eye(len(self.P))[self.start], np.zeros(len(self.P))
        for _ in range(n_frames):
            total, p = total + p, p @ self.P
        return total

    def truth(self):
        K = self.koopman(TAU)
        if self.frozen is None:
            weights = sum(self.occupied(length) for length in self.lengths)
            answers = {"populations": weights / weights.sum() @ self.cache["moments"][0]}
        else:
            answers = {"populations": np.array([0.5, 0.5])}
        nearest = constrained_of(*self.moments(TAU))  # without negative entries, of which times are
        answers |= {"K": K, "residence times": ga.residence_times(nearest, TAU)}
        passage = np.stack([ga.mean_first_passage_times(nearest, j, TAU) for j in range(len(K))], axis=1)
        answers["first passage times"] = np.where(np.eye(len(K), dtype=bool), np.nan, passage)  # zero has no interval
        values = np.array([ga.eigenvalues(self.koopman(lag))[1:] for lag in self.lags]).T
        answers["eigenvalues"] = np.abs(values)
        with np.errstate(divide="ignore"):
            answers["timescales"] = -np.array(self.lags) / np.log(np.abs(values))
        return answers

    def deviation(self):
        """Largest difference of K(tau)^n and K(n tau)."""
        K = self.koopman(TAU)
        return max(np.abs(np.linalg.matrix_power(K, n) - self.koopman(n * TAU)).max() for n in range(2, STEPS + 1))


@dataclass(frozen=True)
class Coordinate(Chain):
    """Targets that follow a coordinate; chi is a function of it, (grid points, n_states)."""

    table: np.ndarray | None = None

    @property
    def n_states(self):
        return self.table.shape[1]

    def show(self, path, rng):
        return self.table[path].astype(np.float32)


def diffusing(cuts, width, n_frames, n_targets):
    """A coordinate in a harmonic well, with a relaxation of 60 frames, cut into states with borders of some width."""
    x, decay = np.linspace(-4, 4, 121), np.exp(-1 / 60)
    P = np.exp(-np.square(x - decay * x[:, None]) / (2 * (1 - decay**2)))
    beyond = np.column_stack([np.ones(len(x)), *(ndtr((x - cut) / width) for cut in cuts), np.zeros(len(x))])
    table = -np.diff(beyond, axis=1)
    return Coordinate(P / P.sum(axis=1, keepdims=True), (n_frames,), n_targets, table=table)


@dataclass(frozen=True)
class Shared(Chain):
    """Targets that all follow one of some matrices, each on its own; which one, a chain that they share decides."""

    world: np.ndarray | None = None
    moves: tuple = ()

    def draw(self, n, rng):
        of_world, cumulative = stationary(self.world), np.cumsum(self.moves, axis=2)
        given = stationary(self.P).reshape(len(self.world), -1) / of_world[:, None]
        (n_frames,) = self.lengths
        for _ in range(n):
            world = walk(self.world, n_frames, (1, 1), rng)[:, 0, 0]
            numbers = rng.random((n_frames, self.n_targets, 1))
            state = (numbers[-1] > np.cumsum(given[world[0]])[:-1]).sum(axis=-1)
            path = np.empty((n_frames, self.n_targets), np.int8)
            for t in range(n_frames):
                path[t] = state
                state = (numbers[t] > cumulative[world[t]][state][:, :-1]).sum(axis=-1)
            yield ga.Chi([np.eye(self.n_states, dtype=np.float32)[path]], TAU)


def shared(world, moves, n_frames, n_targets):
    """Of a target alone, state and world together are a chain."""
    n = len(moves[0])
    P = np.block([[world[g, h] * moves[g] for h in range(len(world))] for g in range(len(world))])
    observed = tuple(range(n)) * len(world)
    return Shared(P, (n_frames,), n_targets, observed=observed, world=world, moves=tuple(moves))


def field_of(bias, switch, flip, n_frames, n_targets):
    """Populations of 0.5 + bias and 0.5 - bias that swap for all, and relax to them in ``flip`` frames each."""
    moves = [exchange([0.5 + b, 0.5 - b], {(0, 1): flip}) for b in (bias, -bias)]
    return shared(exchange([0.5, 0.5], {(0, 1): switch}), moves, n_frames, n_targets)


def bursts_of(n_frames, n_targets):
    """Sixty frames in which all flip often, and 300 in which they hardly do."""
    world = np.array([[1 - 1 / 60, 1 / 60], [1 / 300, 1 - 1 / 300]])
    return shared(world, [exchange([0.5, 0.5], {(0, 1): time}) for time in (15.0, 600.0)], n_frames, n_targets)


def measured(chi):
    """Everything of a report that rests on chi."""
    lags = [TAU, 2 * TAU, 4 * TAU]
    found = {"populations": ga.estimated_populations(chi)}
    if chi.longest <= lags[-1]:
        return found
    times, paths = ga.implied_timescales(chi, lags), ga.path_times(chi)
    n_steps = min(STEPS, (chi.longest - 1) // TAU)
    test = ga.chapman_kolmogorov_test(chi, TAU, n_steps)
    return found | {
        "K": (test.estimated[1], *test.estimated_interval[:, 1]),
        "eigenvalues": (np.abs(times.eigenvalues), *times.eigenvalue_bounds),
        "timescales": (times.timescales, times.lower, times.upper),
        "residence times": paths.residence,
        "first passage times": paths.first_passage,
        "verdict": test.finding,
        "paired by parts": by_parts(chi, n_steps),
    }


def by_parts(chi, n_steps, n_parts=10):
    """The yardstick for the power: a paired t-test of K(tau)^n - K(n tau) over equal parts of time, Bonferroni."""
    differences = []
    for part in np.array_split(np.arange(len(chi[0])), n_parts):
        piece = [np.asarray(chi[0][part[0] : part[-1] + 1])]
        if len(piece[0]) <= n_steps * TAU:
            return None
        K = ga.koopman_matrix(piece, TAU)
        differences.append(
            [np.linalg.matrix_power(K, n) - ga.koopman_matrix(piece, n * TAU) for n in range(2, n_steps + 1)]
        )
    differences = np.array(differences)
    spread = differences.std(axis=0, ddof=1) / np.sqrt(n_parts)
    t = np.divide(differences.mean(axis=0), spread, out=np.zeros_like(spread), where=spread > 1e-12)
    n = chi.n_states
    return bool(2 * stdtr(n_parts - 1, -np.abs(t)).min() < 0.05 / ((n_steps - 1) * n * (n - 1)))


THREE = exchange([0.5, 0.3, 0.2], {(0, 1): 60.0, (0, 2): 60.0, (1, 2): 15.0})  # 60 and 24 frames
FOUR = exchange(np.full(4, 0.25), {(i, j): 50.0 for i in range(4) for j in range(i)})  # 50 frames, three times
TWO = exchange([0.5, 0.5], {(0, 1): 50.0})
CYCLE = 0.97 * np.eye(3) + 0.028 * np.roll(np.eye(3), 1, axis=1) + 0.002 * np.roll(np.eye(3), -1, axis=1)
RARE = exchange([0.98, 0.02], {(0, 1): 30.0})
TRACE = exchange([0.01, 0.55, 0.44], {(0, 1): 40.0, (0, 2): 40.0, (1, 2): 60.0})
MIXING = exchange([0.5, 0.3, 0.2], {(0, 1): 60.0, (0, 2): 60.0, (1, 2): 1.5})  # 60 and 3 frames
LUMPED = (0, 0, 1, 1)

CHAINS = {
    "one target": Chain(THREE, (20_000,), 1),
    "one target, middling": Chain(THREE, (2400,), 1),
    "one target, short": Chain(THREE, (600,), 1),
    "two targets": Chain(THREE, (1500,), 2),
    "three targets, partly together": Chain(THREE, (1000,), 3, common=0.6),
    "many targets": Chain(THREE, (300,), 50),
    "many targets, long": Chain(THREE, (4000,), 20),
    "together": Chain(THREE, (6000,), 10, common=1.0),
    "together, partly": Chain(THREE, (4000,), 20, common=0.5),
    "together, weakly": Chain(THREE, (600,), 40, common=0.15),
    "together, short": Chain(THREE, (180,), 20, common=1.0),
    "in a row, 25 frames apart": Chain(THREE, (1000,), 20, behind=(25, 20)),
    "in a row, 25 frames apart, long": Chain(THREE, (4000,), 20, behind=(25, 20)),
    "in pairs, 60 frames apart": Chain(THREE, (1000,), 20, behind=(60, 2)),
    "unequal segments": Chain(THREE, (300, 600, 1000, 2000, 4000, 8000), 1),
    "segments of one run": Chain(THREE, (60,) * 100, 1, one_run=True),
    "segments of one run, said to be independent": Chain(THREE, (60,) * 100, 1, one_run=True, declared=True),
    "independent trajectories": Chain(THREE, (120,) * 40, 1, declared=True),
    "independent trajectories, unequal": Chain(THREE, (60, 90, 120, 240, 480) * 8, 1, declared=True),
    "rare state": Chain(RARE, (40_000,), 1),
    "rare state, many targets": Chain(TRACE, (1000,), 100),
    "threefold degenerate": Chain(FOUR, (20_000,), 1),
    "threefold degenerate, many targets": Chain(FOUR, (500,), 40),
    "fuzzy": Chain(THREE, (20_000,), 1, blur=0.3),
    "fuzzy, many targets": Chain(THREE, (400,), 50, blur=0.3),
    "diffusing": diffusing((-0.5, 0.5), 1 / 3, 20_000, 1),
    "diffusing, many targets": diffusing((-0.5, 0.5), 1 / 3, 500, 40),
    "diffusing, four states": diffusing((-1, 0, 1), 1 / 4, 4000, 10),
    "diffusing, crisp": diffusing((-0.5, 0.5), 0.01, 2000, 10),
    "over within the lag": Chain(MIXING, (20_000,), 1),
    "over within the lag, many targets": Chain(MIXING, (400,), 40),
    "oscillating": Chain(CYCLE, (10_000,), 1),
    "not in equilibrium": Chain(THREE, (200,), 100, start=0),
    "not in equilibrium, long": Chain(THREE, (1500,), 40, start=0),
    "not in equilibrium, trajectories": Chain(THREE, (120,) * 60, 1, declared=True, start=0),
    "targets that differ": Chain(TWO, (3000,), 40, frozen=2.0),
    "targets that differ little": Chain(TWO, (3000,), 40, frozen=60.0),
    "memory, weak": Chain(wells(4.0), (12_000,), 1, observed=LUMPED),
    "memory, middling": Chain(wells(8.0), (9000,), 1, observed=LUMPED),
    "memory, strong": Chain(wells(16.0), (12_000,), 1, observed=LUMPED),
    "memory, timescale times 1.7": Chain(trap(0.02), (5000,), 1, observed=(0, 1, 0)),
    "memory, timescale doubles": Chain(trap(0.01), (5000,), 1, observed=(0, 1, 0)),
    "memory, weak and slow": Chain(biased(10.0, 1000.0, 0.1), (20_000,), 1, observed=(0, 1, 0, 1)),
    "memory, weak and slow, long": Chain(biased(10.0, 1000.0, 0.1), (80_000,), 1, observed=(0, 1, 0, 1)),
    "memory, many targets": Chain(wells(8.0), (400,), 30, observed=LUMPED),
    "bursts of all targets": bursts_of(3000, 50),
    "bursts of all targets, short": bursts_of(1000, 100),
    "a field that all feel": field_of(0.05, 150.0, 20.0, 3000, 20),
    "a field that all feel, short": field_of(0.05, 300.0, 20.0, 3000, 50),
    "a field that all feel, hardly": field_of(0.02, 150.0, 20.0, 3000, 50),
}
_MEMORY = ("bursts", "a field", "memory", "diffusing", "fuzzy", "targets that differ")  # K(n tau) is not K(tau)^n
CASES = {
    name: Case(draw=chain.draw, truth=chain.truth, measure=measured, markovian=not name.startswith(_MEMORY))
    for name, chain in CHAINS.items()
}


# --- counting ----------------------------------------------------------------------------------


def run(case, repetitions, seed=0):
    """Counts of one kind: for each quantity given, covered and outside (the estimate not in its own interval)."""
    truth, counts, bases, verdicts = case.truth(), {}, Counter(), Counter()
    yardstick, noticeable = [], []
    for data in case.draw(repetitions, np.random.default_rng(seed)):
        found = case.measure(data)
        verdict, by_part = found.pop("verdict", None), found.pop("paired by parts", None)
        if verdict is not None:
            verdicts[verdict.kind] += 1
            noticeable.append(verdict.numbers.get("noticeable", np.nan))
        if by_part is not None:
            yardstick.append(by_part)
        estimates = [estimate.basis for estimate in found.values() if not isinstance(estimate, tuple)]
        if estimates:  # what most rest on: out of equilibrium, populations alone rest on nothing
            basis = next((basis for basis in estimates if basis.kind), estimates[0])
            bases[basis.kind or f"none: {basis.reason}"] += 1
        for name, estimate in found.items():
            value, low, high = (
                estimate if isinstance(estimate, tuple) else (estimate.value, estimate.lower, estimate.upper)
            )
            asked = np.isfinite(truth[name])
            given = asked & np.isfinite(low)
            inside = given & (low <= truth[name]) & (truth[name] <= high)
            outside = given & ~((low <= value) & (value <= high))
            counts[name] = counts.get(name, 0) + np.stack([given, inside, outside])[:, asked]
    return {
        "repetitions": repetitions,
        "counts": {name: row.tolist() for name, row in counts.items()},
        "bases": dict(bases),
        "verdicts": dict(verdicts),
        "by_parts": [int(sum(yardstick)), len(yardstick)],
        "noticeable": float(np.nanmedian(noticeable)) if np.isfinite(noticeable).any() else None,
        "markovian": case.markovian,
    }


def coverage(result, name):
    """(share given, coverage of the worst component, of all, share of all estimates with a wrong interval, outside)."""
    given, inside, outside = np.array(result["counts"][name], float)
    often = given >= max(20, 0.1 * result["repetitions"])  # fewer say nothing about a rate
    rates = np.divide(inside, given, out=np.full_like(given, np.nan), where=given > 0)
    return {
        "given": given.mean() / result["repetitions"],
        "worst": np.nanmin(rates[often]) if often.any() else np.nan,
        "mean": inside[often].sum() / given[often].sum() if often.any() else np.nan,
        "misled": (given - inside).sum() / (result["repetitions"] * given.size),
        "outside": int(outside.sum()),
    }


def _percent(value):
    return "–" if np.isnan(value) else f"{100 * value:.0f}"


def tables(results):
    """The tables in Markdown."""
    lines = [
        "| data | rests on (share of draws, %) | quantity | interval given, % | holds the truth, %: mean (worst "
        "component) | given and wrong, % of all draws |",
        "|---|---|---|---|---|---|",
    ]
    for kind, result in results.items():
        total = sum(result["bases"].values())
        rests = ", ".join(f"{name} {100 * n / total:.0f}" for name, n in Counter(result["bases"]).most_common())
        for row, name in enumerate(result["counts"]):
            c = coverage(result, name)
            lines.append(
                f"| {kind if not row else ''} | {rests if not row else ''} | {name} | {_percent(c['given'])} | "
                f"{_percent(c['mean'])} ({_percent(c['worst'])}) | {100 * c['misled']:.1f} |"
            )
    lines += [
        "",
        "| data | Markovian | refuted, % | not refuted | untested | no dynamics | nothing slow | paired t-test of ten "
        "parts refutes, % | true deviation | would have been noticed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    kinds = ("refuted", "not refuted", "untested", "no dynamics", "nothing slow")
    for kind, result in results.items():
        total = sum(result["verdicts"].values())
        if total:
            shares = " | ".join(_percent(result["verdicts"].get(name, 0) / total) for name in kinds)
            refuted, tried = result["by_parts"]
            truth = f"{CHAINS[kind].deviation():.3f}" if kind in CHAINS else "–"
            seen = f"{result['noticeable']:.3f}" if result["noticeable"] is not None else "–"
            lines.append(
                f"| {kind} | {'yes' if result['markovian'] else 'no'} | {shares} | "
                f"{_percent(refuted / tried) if tried else '–'} | {truth} | {seen} |"
            )
    return "\n".join(lines) + "\n"


def main(cases=CASES):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"of: {'; '.join(cases)}")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("calibration"))
    parser.add_argument("--write", type=Path, help="file whose end becomes the tables of all kinds that are done")
    args = parser.parse_args()
    if unknown := [kind for kind in args.kinds if kind not in cases]:
        parser.error(f"unknown kind {unknown[0]!r}; kinds are: {'; '.join(cases)}")
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for kind, case in cases.items():
        path = args.out / f"{kind.replace(', ', '-').replace(' ', '_')}.json"
        if (not args.kinds or kind in args.kinds) and not path.exists():
            started = time.perf_counter()
            path.write_text(json.dumps(run(case, args.repetitions)), encoding="utf-8")
            print(f"{kind}: {time.perf_counter() - started:.0f} s", flush=True)
        if path.exists():
            results[kind] = json.loads(path.read_text(encoding="utf-8"))
    text = tables(results)
    print(text)
    if args.write:
        before = args.write.read_text(encoding="utf-8").split(_TABLES)[0] if args.write.exists() else ""
        args.write.write_text(f"{before}{_TABLES}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
