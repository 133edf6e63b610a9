"""Chapman-Kolmogorov test: does K(tau)^n predict K(n tau)?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtr, stdtrit

from gdynet_tf.analysis.blocks import Basis, Blocks
from gdynet_tf.analysis.chi import ChiLike, as_chi, check_lags
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.koopman import koopman_copies
from gdynet_tf.analysis.kinetics.rates import count_slow
from gdynet_tf.analysis.kinetics.spectral import Eigenvectors, eigenvectors
from gdynet_tf.analysis.relaxation import observed_transitions
from gdynet_tf.analysis.states import populations
from gdynet_tf.analysis.uncertainty import PROBABILITY, Estimate, Spread, estimate_from_copies, jackknife
from gdynet_tf.findings import Finding
from gdynet_tf.times import time_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ChapmanKolmogorovTest", "chapman_kolmogorov_test"]

_LEVEL = 0.05  # false alarms
_TWICE = 10.0  # changes that are followed by another one in time, from which a test is made of them
_COUNTS = 10.0  # transitions from which a single element is tested
_PROCESSES = 0.8  # share of the level for the processes themselves, the rest for the single elements
_POWER = 0.8416  # standard errors above the critical value: noticed in 80 % of the cases
_COARSE = 0.15  # a test that would not notice a deviation as large as this says little


@dataclass(frozen=True)
class ChapmanKolmogorovTest:
    """K(tau)^n beside K(n tau) for n = 0 ... n_steps; n = 0 is the identity.

    Attributes
    ----------
    tau : int
        Frames.
    steps : (n_steps + 1,) int
    lag_times : (n_steps + 1,) float
        In ``time_unit``.
    predicted, estimated : (n_steps + 1, n, n) float
    predicted_interval, estimated_interval : (2, n_steps + 1, n, n) float
        Lower and upper bounds; NaN where there is no interval. That they overlap is no test: both rest on the same
        data, and their difference is known much better than either.
    difference : Estimate
        (n_steps + 1, n, n), predicted less estimated, with the interval of their difference.
    by_process : Spread or None
        (n_steps - 1, n - 1), the difference seen by each process at n = 2 ...; None without intervals or with a single
        step. Independent of the names and the number of the states, so that tests of several models can be pooled.
    p_value : float
        Probability of differences K(tau)^n - K(n tau) as large as these if the model is Markovian; NaN without
        intervals or with a single step.
    noticeable : float
        Deviation of the slowest process that would have been noticed in 80 % of the cases; NaN like ``p_value``.
    n_transitions : int
        Changes of the likeliest state that lasted for the lag time.
    n_slow : int
        Processes that outlast the lag time.
    growth : float
        Slowest timescale at the last step over that at tau, for the same process; 1 if it is constant. NaN where
        one has no timescale.
    time_unit : str
    basis : Basis
        What the intervals rest on, or why there are none.
    finding : Finding
        The verdict: "no dynamics", "nothing slow", "untested", "refuted" or "not refuted".
    """

    tau: int
    steps: np.ndarray
    lag_times: np.ndarray
    predicted: np.ndarray
    estimated: np.ndarray
    predicted_interval: np.ndarray
    estimated_interval: np.ndarray
    difference: Estimate
    by_process: Spread | None
    p_value: float
    noticeable: float
    n_transitions: int
    n_slow: int
    growth: float
    time_unit: str
    basis: Basis
    finding: Finding

    @property
    def interval(self) -> str:
        """The basis in words, for captions."""
        return str(self.basis)

    @property
    def passed(self) -> bool | None:
        """Whether the test holds; None where it says nothing."""
        return {"not refuted": True, "refuted": False}.get(self.finding.kind)

    @property
    def inside(self) -> np.ndarray:
        """(n_steps + 1, n, n) bool: zero lies in the interval of the difference; at 95 %, one in twenty need not."""
        low, high = self.difference.lower, self.difference.upper
        return ((low <= 0) & (high >= 0)) | (self.difference.value == 0)  # steps 0 and 1 agree by construction

    @property
    def max_deviation(self) -> float:
        """Largest difference between prediction and estimate."""
        return float(np.abs(self.predicted - self.estimated).max())

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each step and pair of states."""
        import pandas as pd

        steps, i, j = (index.ravel() for index in np.indices(self.predicted.shape))
        columns = {f"time_{self.time_unit}": self.lag_times[steps], "from": i, "to": j}
        for name in ("predicted", "estimated"):
            lower, upper = getattr(self, f"{name}_interval")
            columns |= {
                name: getattr(self, name).ravel(),
                f"{name}_lower": lower.ravel(),
                f"{name}_upper": upper.ravel(),
            }
        return pd.DataFrame(columns)


def chapman_kolmogorov_test(
    chi: ChiLike,
    tau: int | None = None,
    n_steps: int = 5,
    frame_interval: float | None = None,
    time_unit: str | None = None,
) -> ChapmanKolmogorovTest:
    """Compare K(tau)^n with K(n tau) (Xie et al. 2019, Eq. 6).

    Both come from the same data, so their differences are tested in pairs: their standard errors are those of the
    leave-one-block-out differences. Tested are the differences seen by each process, l (K(tau)^n - K(n tau)) r with the
    eigenvectors of K(tau), at 4 %, and the single elements, at 1 %, each with Bonferroni's correction.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    n_steps : int
    frame_interval : float, optional
        In ``time_unit``; both are those of chi when not given.
    time_unit : str, optional

    Returns
    -------
    ChapmanKolmogorovTest

    Raises
    ------
    ValueError
        If n_steps tau is not shorter than the longest segment.
    """
    chi = as_chi(chi)
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    tau, (frame_interval, time_unit) = chi.lag(tau), chi.units(frame_interval, time_unit)
    check_lags(chi, n_steps * tau)
    blocks = independent_blocks(chi, tau)
    estimated = koopman_copies(chi, [n * tau for n in range(1, n_steps + 1)], blocks)
    identity = np.broadcast_to(np.eye(chi.n_states), (len(estimated), 1, chi.n_states, chi.n_states))
    predicted = [estimated[:, 0]]
    for _ in range(1, n_steps):
        predicted.append(predicted[-1] @ estimated[:, 0])
    predicted = np.concatenate([identity, np.stack(predicted, axis=1)], axis=1)
    estimated = np.concatenate([identity, estimated], axis=1)
    vectors = eigenvectors(estimated[0, 1])
    steps = np.arange(n_steps + 1)
    # Visits of the row's state that are independent at each lag, times the probability of the element.
    pairs = np.array([sum(max(len(segment) - n * tau, 0) for segment in chi) for n in steps[2:].tolist()])
    visits = np.outer(pairs / (steps[2:] * tau), populations(chi) * chi.n_targets)  # (n_steps - 1, n)
    expected = visits[..., None] * np.minimum(predicted[0, 2:], 1 - predicted[0, 2:])
    twice = visits[..., None] * _changed_twice(predicted[0, 1], n_steps)
    rare = (expected < _COUNTS) | (twice < _TWICE)
    returns = _returns(vectors.eigenvalues[1:], steps[2:]) * (pairs / tau * chi.n_targets)[:, None]
    by_process, p_value, noticeable = _tested(
        predicted[:, 2:] - estimated[:, 2:], ~rare, returns >= _TWICE, vectors, blocks
    )
    numbers: dict[str, Any] = {
        "p_value": p_value,
        "noticeable": noticeable,
        "n_untested": int(rare.any(axis=0).sum()),
        "untested_deviation": float(np.abs(predicted[0, 2:] - estimated[0, 2:])[rare].max(initial=0.0)),
        "n_transitions": int(observed_transitions(chi, tau).sum()),
        "n_slow": count_slow(vectors.eigenvalues[1:]),
        "growth": _growth(estimated[0], vectors),
    }
    until = time_text(n_steps * tau * frame_interval, time_unit, 4)
    return ChapmanKolmogorovTest(
        tau=tau,
        steps=steps,
        lag_times=steps * tau * frame_interval,
        predicted=predicted[0],
        estimated=estimated[0],
        predicted_interval=_interval(predicted, blocks),
        estimated_interval=_interval(estimated, blocks),
        difference=estimate_from_copies(predicted - estimated, blocks, memory=False),
        by_process=by_process,
        **{name: value for name, value in numbers.items() if "untested" not in name},
        time_unit=time_unit,
        basis=blocks.basis,
        finding=_verdict(numbers, blocks.basis, n_steps, until),
    )


def _interval(copies: np.ndarray, blocks: Blocks) -> np.ndarray:
    found = estimate_from_copies(copies, blocks, PROBABILITY)
    bounds = np.stack([found.lower, found.upper])
    if blocks:
        bounds[:, 0] = copies[0, 0]  # the identity has no error
    return bounds


def _tested(
    differences: np.ndarray, elements: np.ndarray, processes: np.ndarray, vectors: Eigenvectors, blocks: Blocks
) -> tuple[Spread | None, float, float]:
    """Leave-one-out differences (n_blocks + 1, n_steps - 1, n, n) by process, p-value, the deviation to be noticed.

    ``elements`` (n_steps - 1, n, n) and ``processes`` (n_steps - 1, n - 1): which rest on enough. With few transitions,
    or few that are followed by another in time, the scatter between blocks, of which most hold none, says nothing.
    """
    if not blocks or not differences.shape[1]:
        return None, np.nan, np.nan
    blocks = _weighed_by_effect(blocks)
    left, right = vectors.left[1:], vectors.right[:, 1:]
    seen = np.einsum("ki,bsij,jk->bsk", left, differences, right)
    # Of a conjugate pair, one gives the real and one the imaginary part.
    second = (np.imag(vectors.eigenvalues[1:]) < 0)[None, None]
    by_process = jackknife(np.where(second, np.imag(seen), np.real(seen)), blocks, memory=False)
    by_element = jackknife(differences, blocks, memory=False)
    n = differences.shape[-1]
    candidates = []
    for spread, share, number, among in (
        (by_process, _PROCESSES, processes.sum(), processes),
        (by_element, 1 - _PROCESSES, elements.sum() * (n - 1) / n, elements),  # rows sum to one
    ):
        varies = (spread.standard_error > 1e-9) & among  # rounding
        t = np.abs(spread.corrected[varies]) / spread.standard_error[varies]
        if t.size:
            candidates.append(2 * stdtr(spread.degrees[varies], -t).min() * number / share)
    if not candidates:
        return None, np.nan, np.nan
    # What the slowest process that is tested would show in the element that shows it most, at the step in the middle.
    tested = np.flatnonzero(processes.any(axis=0))
    if len(tested):
        k = int(tested[0])
        at, scale = processes[:, k], np.abs(np.outer(right[:, k], left[k])).max()
        degrees, error, level = by_process.degrees[at, k], by_process.standard_error[at, k] * scale, _PROCESSES
    else:
        degrees, error, level = by_element.degrees[elements], by_element.standard_error[elements], 1 - _PROCESSES
    critical = stdtrit(degrees, 1 - _LEVEL * level / (processes.sum() or elements.sum()) / 2) + _POWER
    noticeable = float(np.median(critical * error))
    return by_process, float(min(1.0, *candidates)), noticeable


def _changed_twice(K: np.ndarray, n_steps: int) -> np.ndarray:
    """Probability that a target goes from i to j in n = 2, 3, ... steps and changes its state more than once.

    K(tau)^n and K(n tau) of the same data differ by what such targets do: the rest is in both.

    Parameters
    ----------
    K : (n, n) array
    n_steps : int

    Returns
    -------
    (n_steps - 1, n, n)
    """
    stay, change = np.diag(np.diag(K)), K - np.diag(np.diag(K))
    never, once, power, found = stay, change, K, []
    for _ in range(n_steps - 1):
        never, once, power = never @ stay, once @ stay + never @ change, power @ K
        found.append(np.clip(power - never - once, 0, None))
    return np.array(found).reshape(-1, *K.shape)


def _returns(eigenvalues: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(n_steps - 1, n - 1) probability that a process changes in a step and once more in the n - 1 steps after it."""
    keeps = np.clip(np.abs(eigenvalues), 0, 1)
    return (1 - keeps) / 2 * (1 - keeps ** (steps[:, None] - 1)) / 2


def _weighed_by_effect(blocks: Blocks) -> Blocks:
    """Blocks for which the jackknife is (n - 1)/n sum over j of (x_(j) - x)², which needs no weights.

    Trajectories of unequal length hold another share of the pairs at each lag, the short ones none at n tau: weighed by
    their share of the frames, they would say that nothing varies, and the variance be too small.
    """
    if blocks.basis.kind != "trajectories":
        return blocks
    return replace(blocks, weights=np.full(len(blocks), 1 / len(blocks)))


def _growth(estimated: np.ndarray, vectors: Eigenvectors) -> float:
    """Slowest timescale at the last step over that at the first, of the same process."""
    values = np.abs(np.einsum("i,sij,j->s", vectors.left[1], estimated[[1, -1]], vectors.right[:, 1]))
    if not ((values > 0) & (values < 1)).all():
        return np.nan
    return float((len(estimated) - 1) * np.log(values[0]) / np.log(values[1]))


def _verdict(numbers: dict[str, Any], basis: Basis, n_steps: int, until: str) -> Finding:
    """The finding, by what was seen, in this order."""
    noticeable, growth = numbers["noticeable"], numbers["growth"]
    if basis.reason == "no dynamics" or (numbers["n_slow"] and not numbers["n_transitions"]):
        return Finding(
            kind="no dynamics",
            severity="bad",
            text="No dynamics was seen: no target changed its likeliest state for as long as the lag time. There are "
            "no relaxation times, and nothing to test.",
            numbers=numbers,
        )
    if not numbers["n_slow"]:
        return Finding(
            kind="nothing slow",
            severity="warning",
            text="Nothing slow was found: no relaxation outlasts the lag time, there is nothing to test.",
            numbers=numbers,
        )
    if not np.isfinite(numbers["p_value"]):
        why = "a Chapman-Kolmogorov test of a single step holds by construction" if n_steps < 2 else str(basis)
        if n_steps > 1 and basis.kind:
            why = f"too few transitions are followed by another one within {until}: try a longer lag"
        return Finding(kind="untested", severity="warning", text=f"Not tested: {why}.", numbers=numbers)
    trend = ""
    if np.isfinite(growth) and abs(np.log(growth)) > np.log(1.1):
        trend = f" The slowest timescale {'grows' if growth > 1 else 'falls'} by a factor of {growth:.2g} until then."
    if numbers["p_value"] < _LEVEL:
        return Finding(
            kind="refuted",
            severity="bad",
            text=f"Not Markovian: the Chapman-Kolmogorov test fails up to {until}, by more than chance allows "
            f"(p = {numbers['p_value']:.2g}).{trend} Try a longer lag time, then more states.",
            numbers=numbers,
        )
    coarse = noticeable > _COARSE
    rare = ""
    if numbers["untested_deviation"] > noticeable:
        rare = (
            f" That is of the slowest process. {numbers['n_untested']} elements of K rest on fewer than {_COUNTS:.0f} "
            f"transitions and say nothing by themselves; they deviate by up to {numbers['untested_deviation']:.2g}."
        )
    return Finding(
        kind="not refuted",
        severity="warning" if coarse or rare else "good",
        text=f"Markovian up to {until}: not refuted; {'only ' if coarse else ''}a deviation of {noticeable:.2g} would "
        f"have been noticed ({basis}).{rare}{trend}",
        numbers=numbers,
    )
