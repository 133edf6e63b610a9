"""One number of states at one lag time: what the test data of all folds say for and against it.

Each fold has a network of its own, whose states have their own names and borders. What is pooled are therefore numbers
that do not depend on them: for each process, its eigenvalue and the difference l (K(tau)^n - K(n tau)) r. They are zero
on average in every fold if the dynamics is Markovian, whatever process is matched with which, and a memory shifts all
of them the same way, so that the mean over F folds has the power of F times the data where Bonferroni's smallest of F
p-values has hardly more than that of one fold. What single elements show is not comparable between folds and is left
to each fold's own test, with Bonferroni's correction and a fifth of the level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.chi import Chi, ChiLike
from gdynet_tf.analysis.kinetics.koopman import koopman_copies
from gdynet_tf.findings import Severity

__all__ = ["Candidate", "Shortfall", "scan_lags"]

_CK_STEPS = 5
_LEVEL = 0.05  # false alarms of the Chapman-Kolmogorov test
_POOLED = 0.8  # share of it for the processes of all folds together
_WITHIN, _SURELY = 0.10, 0.20  # shortfall of the slowest timescale: as estimated, and excluded by its interval
_COARSE = 0.15  # deviation of a probability that must have been noticed
_IMMATERIAL = 0.05  # deviation of eigenvalues and probabilities that is none, however sure: a tenth of a timescale
_HIDDEN = 4.0  # memory of the data over the slowest timescale, from which something slower is in them
_REACHES = 24  # lags among which the longest usable one is looked for
_USABLE = 0.2  # slowest eigenvalue down to which a lag is usable: what is over sooner must be over by then


@dataclass(frozen=True)
class Shortfall:
    """By which share the slowest timescale at a lag is below the one that longer lags show.

    1 - t(tau) / t', where t' = (T - tau) / ln(lambda(tau) / lambda(T)) is the decay between the lag and the longest
    usable one. What is over within tau has left t' and still shortens t(tau), by an amount that falls as 1 / tau only:
    t' is the limit that timescales at longer lags tend to.

    Attributes
    ----------
    value, lower, upper : float
        With a 95 % interval; NaN where there is none. Negative where the timescale falls.
    reach : int
        T, the longest lag at which the slowest eigenvalue is above 0.2, in frames.
    """

    value: float
    lower: float
    upper: float
    reach: int


@dataclass(frozen=True)
class Candidate:
    """One number of states at one lag time.

    Attributes
    ----------
    n_states : int
    lag : int
        Frames.
    timescales : (n_states - 1,) float
        At that lag, from the mean of the folds' ln|lambda|; NaN where there is none.
    n_slow : int
        Relaxations that outlast the lag, in the median fold.
    n_transitions : int
        Lasting changes of the likeliest state in the test data of all folds.
    p_value : float
        Of the Chapman-Kolmogorov test of all folds; NaN when it could not be made.
    noticeable : float
        Deviation from the Chapman-Kolmogorov equation that would have been noticed in 80 % of the cases.
    max_deviation : float
        Largest one of any fold; NaN when none is long enough.
    shortfall : Shortfall
    n_folds : int
        Folds that have intervals; the tests rest on them.
    finding : Finding
        Its kind is "no dynamics"; "nothing slow"; "few slow": fewer relaxations outlast the lag than the states need;
        "untested"; "refuted": by the Chapman-Kolmogorov test, and the deviation may exceed 0.05; "drifts": the slowest
        timescale does; "no power": neither was noticed, but could not have been; "hidden": something slow
        that the states hardly show; "not found again": other seeds find other states; or "holds".
    """

    n_states: int
    lag: int
    timescales: np.ndarray
    n_slow: int
    n_transitions: int
    p_value: float
    noticeable: float
    max_deviation: float
    shortfall: Shortfall
    n_folds: int
    finding: ga.Finding


def scan_lags(
    folds: Sequence[ChiLike], lags: Sequence[int], frame_interval: float = 1.0, time_unit: str = "frames"
) -> list[Candidate]:
    """Test the models of all folds at several lags.

    Parameters
    ----------
    folds : sequence of Chi or list of (F, n_targets, n_states) arrays
        For each fold, chi of its test data by its own network.
    lags : sequence of int
        Frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str

    Returns
    -------
    list of Candidate
        One for each lag.

    Raises
    ------
    ValueError
        If there is no fold, or the numbers of states differ.
    """
    parts = [ga.as_chi(fold) for fold in folds]
    if len({part.n_states for part in parts}) != 1:
        raise ValueError(f"folds of one number of states are needed, got {[part.n_states for part in parts]}")
    reach = _reach(parts, lags)
    return [_candidate(parts, lag, reach, frame_interval, time_unit) for lag in lags]


def _reach(folds: Sequence[Chi], lags: Sequence[int]) -> int:
    """The longest usable lag, up to a quarter of the longest segment; 0: none."""
    longest = min(fold.longest for fold in folds)
    tried = {lag for lag in lags if lag < longest}
    tried |= set(np.geomspace(1, max(1, longest // 4), _REACHES).astype(int).tolist())
    return max(takewhile(lambda lag: _slowest(folds, lag) > _USABLE, sorted(tried)), default=0)


def _slowest(folds: Sequence[Chi], lag: int) -> float:
    """Mean of the folds' slowest eigenvalue at a lag."""
    return float(np.mean([_size(ga.eigenvalues(ga.koopman_matrix(fold, lag))[1]) for fold in folds]))


def _size(eigenvalues: np.ndarray) -> np.ndarray:
    """Modulus of what oscillates; what alternates from lag to lag keeps its sign, it is not slow."""
    values = np.asarray(eigenvalues)
    return np.where(np.abs(np.imag(values)) > 1e-12, np.abs(values), np.real(values))


def _candidate(folds: Sequence[Chi], lag: int, reach: int, frame_interval: float, time_unit: str) -> Candidate:
    n = folds[0].n_states
    usable = [fold for fold in folds if fold.longest > lag]
    if not usable:
        nothing = Shortfall(value=np.nan, lower=np.nan, upper=np.nan, reach=reach)
        numbers: dict[str, Any] = {"n_slow": n - 1, "n_transitions": 0, "p_value": np.nan, "noticeable": np.nan}
        text = f"Not tested: no stretch of the test data is longer than {lag} frames."
        finding = ga.Finding(kind="untested", severity="warning", text=text, numbers=numbers)
        times = np.full(n - 1, np.nan)
        return Candidate(n, lag, times, **numbers, max_deviation=np.nan, shortfall=nothing, n_folds=0, finding=finding)
    tests = [
        ga.chapman_kolmogorov_test(fold, lag, min(_CK_STEPS, (fold.longest - 1) // lag), frame_interval, time_unit)
        for fold in usable
    ]
    p_value, noticeable, excluded = _pooled_test(tests)
    shortfall = _shortfall(usable, lag, reach)
    numbers = {
        "n_slow": int(np.median([test.n_slow for test in tests])),
        "n_transitions": sum(test.n_transitions for test in tests),
        "p_value": p_value,
        "noticeable": noticeable,
    }
    material = not max(excluded, np.mean([test.max_deviation for test in tests])) <= _IMMATERIAL
    values = np.array([ga.eigenvalues(test.estimated[1])[1:] for test in tests], complex)
    return Candidate(
        n_states=n,
        lag=int(lag),
        timescales=_timescales(values, lag * frame_interval),
        max_deviation=max(test.max_deviation for test in tests),
        shortfall=shortfall,
        n_folds=sum(bool(test.basis.kind) for test in tests),
        finding=_verdict(numbers, material, shortfall, n, _timescales(values, lag)[0], [test.basis for test in tests]),
        **numbers,
    )


def _timescales(values: np.ndarray, lag_time: float) -> np.ndarray:
    """Of eigenvalues (n_folds, n - 1); NaN where one of the folds has none."""
    relaxes = (values.real > 0) | (np.abs(values.imag) > 1e-12)
    with np.errstate(divide="ignore"):
        rates = -np.log(np.abs(values)).mean(axis=0) / lag_time
    return np.where(relaxes.all(axis=0), ga.rate_to_time(rates), np.nan)


def _pool(values: np.ndarray, errors: np.ndarray, degrees: np.ndarray) -> tuple[Any, Any, Any]:
    """Mean over the folds, which are equally long, with its standard error and degrees of freedom (Welch 1947)."""
    squares = np.square(errors)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = squares.sum(axis=0) ** 2 / (squares**2 / degrees).sum(axis=0)
    return np.mean(values, axis=0), np.sqrt(squares.sum(axis=0)) / len(values), together


def _pooled_test(tests: Sequence[ga.ChapmanKolmogorovTest]) -> tuple[Any, ...]:
    """Of the tests of all folds: p-value, deviation that they notice together, deviation of the eigenvalues that they
    exclude; NaN where none has intervals."""
    tests = [test for test in tests if test.by_process is not None]
    if not tests:
        return np.nan, np.nan, np.nan
    spreads = [test.by_process for test in tests if test.by_process is not None]
    n_steps = min(len(spread.value) for spread in spreads)
    corrected, errors, degrees = (
        np.array([getattr(spread, name)[:n_steps] for spread in spreads])
        for name in ("corrected", "standard_error", "degrees")
    )
    mean, error, together = _pool(corrected, errors, degrees)
    varies = error > 1e-9  # rounding
    pooled = 2 * stdtr(together[varies], -np.abs(mean[varies]) / error[varies]).min(initial=1.0) * varies.size / _POOLED
    alone = min(test.p_value for test in tests) * len(tests) / (1 - _POOLED)
    noticeable = float(np.sqrt(np.sum([test.noticeable**2 for test in tests])) / len(tests))
    excluded = float((np.abs(mean) + stdtrit(together, 0.975) * error)[varies].max(initial=0.0))
    return float(min(1.0, pooled, alone)), noticeable, excluded


def _shortfall(folds: Sequence[Chi], lag: int, reach: int) -> Shortfall:
    """Pooled over the folds that have intervals."""
    logs = [] if reach <= lag else [found for fold in folds if (found := _logarithms(fold, lag, reach)) is not None]
    if not logs:
        return Shortfall(value=np.nan, lower=np.nan, upper=np.nan, reach=reach)
    first, last = np.mean([copies[0] for copies, _ in logs], axis=0)
    scale = lag / (reach - lag)
    value = 1 + scale * (1 - last / first)
    slope = scale * np.array([last / first**2, -1 / first])  # of the value in the two logarithms
    spreads = [ga.jackknife(copies @ slope, blocks, memory=False) for copies, blocks in logs]
    errors, degrees = (
        np.array([getattr(spread, name) for spread in spreads]) for name in ("standard_error", "degrees")
    )
    _, error, degrees = _pool(np.zeros(len(spreads)), errors, degrees)
    half = float(stdtrit(degrees, 0.975) * error) if error > 0 else np.nan
    return Shortfall(value=float(value), lower=float(value - half), upper=float(value + half), reach=reach)


def _logarithms(fold: Chi, lag: int, reach: int) -> tuple[np.ndarray, ga.Blocks] | None:
    """Leave-one-out ln lambda of the slowest process at both lags, (n_blocks + 1, 2), and the blocks; or None."""
    blocks = ga.independent_blocks(fold, lag)
    if not blocks:
        return None
    copies = koopman_copies(fold, [lag, reach], blocks)
    vectors = ga.eigenvectors(copies[0, 0])
    values = _size(vectors.left[1] @ copies @ vectors.right[:, 1])
    return (np.log(values), blocks) if ((values > 0) & (values < 1)).all() else None


def _verdict(
    numbers: dict[str, Any],
    material: float,
    shortfall: Shortfall,
    n_states: int,
    slowest: float,
    bases: Sequence[ga.Basis],
) -> ga.Finding:
    """The finding, by what was seen, in this order. ``slowest``: timescale in frames."""
    n_slow, p_value, noticeable = numbers["n_slow"], numbers["p_value"], numbers["noticeable"]
    numbers = numbers | {
        "shortfall": shortfall.value,
        "shortfall_lower": shortfall.lower,
        "shortfall_upper": shortfall.upper,
        "reach": shortfall.reach,
    }
    below = (
        f"the slowest timescale is {100 * shortfall.value:.0f} % ({100 * shortfall.lower:.0f} to "
        f"{100 * shortfall.upper:.0f} %) below what lags up to {shortfall.reach} frames show"
    )

    def finding(kind: str, severity: Severity, text: str) -> ga.Finding:
        return ga.Finding(kind=kind, severity=severity, text=text, numbers=numbers)

    if all(basis.reason == "no dynamics" for basis in bases):
        return finding("no dynamics", "bad", "No dynamics was seen: no target changed its likeliest state for long.")
    if not n_slow:
        return finding("nothing slow", "warning", "No relaxation outlasts the lag time: there is nothing to test.")
    if n_slow < n_states - 1:
        text = f"Only {n_slow} of {n_states - 1} relaxations outlast the lag time: the other states are arbitrary."
        return finding("few slow", "warning", text)
    if not numbers["n_transitions"]:
        return finding("no dynamics", "bad", "No dynamics was seen: no change of state lasted for the lag time.")
    if not np.isfinite(p_value):
        return finding("untested", "warning", f"Not tested: {bases[0] if not bases[0].kind else 'too few steps'}.")
    if p_value < _LEVEL and material:
        return finding("refuted", "bad", f"Not Markovian: K(tau)^n is not K(n tau) (p = {p_value:.2g}).")
    if not np.isfinite(shortfall.upper):
        return finding("no power", "warning", "Whether the slowest timescale is constant cannot be told.")
    constant = shortfall.value <= _WITHIN and shortfall.upper <= _SURELY
    if not constant and shortfall.lower > 0:
        return finding("drifts", "bad", f"Timescales are not constant: {below}.")
    if shortfall.upper < 0 and shortfall.value < -_WITHIN:
        return finding("drifts", "bad", f"Timescales are not constant, they fall with the lag: {below}.")
    if not constant:
        return finding("no power", "warning", f"The data could not show that timescales are constant: {below}.")
    if noticeable > _COARSE:
        text = f"Only a deviation of {noticeable:.2g} from the Chapman-Kolmogorov equation would have been noticed."
        return finding("no power", "warning", text)
    remembered = float(np.median([np.nanmax([basis.relaxation, basis.slower]) for basis in bases]))
    if remembered > _HIDDEN * slowest:
        text = (
            f"Something is remembered for about {remembered:.0f} frames, and the slowest timescale is {slowest:.0f} "
            "frames: a slow process that the states hardly show."
        )
        return finding("hidden", "warning", text)
    refuted = "Refuted, but the data exclude a deviation that matters" if p_value < _LEVEL else "Not refuted"
    text = f"{refuted}; a deviation of {noticeable:.2g} would have been noticed, and {below}."
    return finding("holds", "good", text)
