"""Confidence intervals: one mechanism for all.

A statistic is computed from all data and from all data but one block, for every block that counts as independent
(`independent_blocks`). The spread of these copies gives the standard error: the delete-a-block jackknife, for blocks of
unequal size (F. M. T. A. Busing, E. Meijer, R. van der Leeden, Stat. Comput. 9, 3 (1999)). The interval is centred on
the estimate from all data on a scale on which bounds stay where they can be: log for rates and times, logit for
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit, stdtrit

from gdynet_tf.analysis.blocks import Basis, Blocks
from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.independence import independent_blocks

if TYPE_CHECKING:
    import pandas

__all__ = [
    "Estimate",
    "Spread",
    "estimate_from_copies",
    "estimate_from_sums",
    "estimate_table",
    "jackknife",
    "with_interval",
]

_FEWEST = 3.0  # degrees of freedom of an interval
_TREND = 4.0  # the same of waves that targets share, below which they are a trend of all data
_WAVES = 10  # slow waves of which the spread between blocks of time is taken

REAL, POSITIVE, PROBABILITY, BELOW_ONE = (-np.inf, np.inf), (0.0, np.inf), (0.0, 1.0), (-np.inf, 1.0)
_SCALES = {
    REAL: (lambda x: x, lambda x: x),
    POSITIVE: (np.log, np.exp),
    PROBABILITY: (logit, expit),
    BELOW_ONE: (lambda x: -np.log1p(-x), lambda x: -np.expm1(-x)),
}


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval.

    Attributes
    ----------
    value, lower, upper : float or array
        Of one shape; the bounds are NaN where there is no interval.
    basis : Basis
        What the interval rests on, or why there is none.
    """

    value: Any
    lower: Any
    upper: Any
    basis: Basis

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each value: its index along each axis, value, lower, upper, basis."""
        import pandas

        value = np.asarray(self.value)
        index = {f"index_{k}": i.ravel() for k, i in enumerate(np.indices(value.shape))}
        columns = {name: np.asarray(getattr(self, name)).ravel() for name in ("value", "lower", "upper")}
        return pandas.DataFrame({**index, **columns, "basis": str(self.basis)})


@dataclass(frozen=True)
class Spread:
    """What a jackknife says of a statistic.

    Attributes
    ----------
    value : array
        From all data.
    corrected : array
        Less the bias of first order.
    standard_error : array
    degrees : array
        Degrees of freedom of the standard error.
    """

    value: np.ndarray
    corrected: np.ndarray
    standard_error: np.ndarray
    degrees: np.ndarray

    def half_width(self, probability: float = 0.95) -> np.ndarray:
        """Of the central interval of that probability, by Student's t."""
        return stdtrit(self.degrees, 0.5 + probability / 2) * self.standard_error


def jackknife(copies: np.ndarray, blocks: Blocks, memory: bool = True) -> Spread:
    """Standard error from leave-one-block-out copies.

    With h_j = 1 / weight_j and pseudo-values p_j = h_j x - (h_j - 1) x_(j), the variance is the mean over the blocks of
    (p_j - x_J)² / (h_j - 1), x_J = sum over j of (x - (1 - weight_j) x_(j)) (Busing et al. 1999).

    Blocks of time share a part of their fluctuation with their neighbours, and something slow and weak may go on over
    many of them. What rules the average over all is what is slow: of blocks of time, the variance is that of the ten
    slowest waves, W_k = sum over j of cos(pi k (j + 1/2) / n) (p_j - x_J), 2 <W_k²> / n², each a degree of freedom (E.
    Lazarus, D. J. Lewis, J. H. Stock, M. W. Watson, J. Bus. Econ. Stat. 36, 541 (2018)). All of them together are the
    spread between blocks, which misses about relaxation / block length of the variance; a share a of them misses
    1 - sin(pi a) / (pi a) of that, and is corrected for it.

    Groups of targets do not see what all targets share at a time, such as a field that slowly changes or bursts of
    activity, however independently each takes its part. The blocks of time beside them do, and the mixed ones show what
    their spread would be without: V = V_targets + max(0, V_time - V_mixed) (A. C. Cameron, J. B. Gelbach, D. L. Miller,
    J. Bus. Econ. Stat. 29, 238 (2011), who subtract what is in neither; the degrees of freedom are those of a sum of
    two, F. E. Satterthwaite, Biom. Bull. 2, 110 (1946)). Targets that are slightly correlated widen variances of groups
    of targets by the design effect.

    Where few blocks or waves carry most of the variance, as for a rare state or a trend, the degrees of freedom are
    those of these few, 3 (sum of v)² / (sum of v²) - 1 of their shares v, which is about their number if all are alike;
    one, where that leaves no more than a trend.

    Parameters
    ----------
    copies : (n_blocks + 1, ...) array
        Of all data first.
    blocks : Blocks
    memory : bool
        Whether what a block holds may go on in the next ones. False where it is zero on average whatever the state,
        such as what a model foretold wrongly, and where the overlap is accounted for otherwise.

    Returns
    -------
    Spread
    """
    copies = np.asarray(copies, np.float64)
    whole, parts = copies[0], [_Part(copies[0], copies[1:][p], blocks.weights[p]) for p in blocks.partitions]
    basis, factor = blocks.basis, blocks.basis.design_effect
    share = 1.0  # of the waves that are taken; all of them miss what neighbours have in common
    variance, degrees = parts[0].spread()
    if memory and basis.kind == "time blocks":
        powers = parts[0].slow_waves()
        variance, degrees = powers.mean(axis=0), np.minimum(degrees, len(powers))
        share = len(powers) / (basis.n_blocks - 1)
    if memory and basis.kind in ("time blocks", "blocks of single targets"):
        factor /= 1 - min(basis.relaxation / basis.block_length, 0.3) * (1 - np.sinc(share))
    variance = variance * factor
    if len(parts) == 3:
        time, mixed = parts[1].slow_waves(), parts[2].slow_waves()
        shared = np.maximum((time - mixed).mean(axis=0), 0.0)
        free = _degrees(time)
        with np.errstate(invalid="ignore", divide="ignore"):
            degrees = (variance + shared) ** 2 / (variance**2 / degrees + shared**2 / free)
        degrees = np.where((shared > variance) & (free < _TREND), 1.0, degrees)
        variance = variance + shared
    return Spread(whole, parts[0].corrected, np.sqrt(variance), degrees)


class _Part:
    """Pseudo-values of the blocks that make up all data once."""

    def __init__(self, whole: np.ndarray, left: np.ndarray, weights: np.ndarray) -> None:
        self.weights, self.n = weights.reshape(-1, *(1,) * whole.ndim), len(weights)
        self.corrected = self.n * whole - ((1 - self.weights) * left).sum(axis=0)
        self.pseudo = whole / self.weights - (1 / self.weights - 1) * left - self.corrected

    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the whole and its degrees of freedom, from all blocks."""
        shares = self.pseudo**2 / (1 / self.weights - 1) / self.n
        return shares.sum(axis=0), np.minimum(_degrees(shares), 1 / (self.weights**2).sum() - 1)

    def slow_waves(self) -> np.ndarray:
        """The same variance from each of the slowest waves through blocks that follow each other in time, (n, ...)."""
        numbers = np.arange(1, min(_WAVES, self.n - 1) + 1)
        waves = np.cos(np.pi * numbers[:, None] * (np.arange(self.n) + 0.5) / self.n)
        return 2 * np.tensordot(waves, self.pseudo, axes=1) ** 2 / self.n**2


def _degrees(shares: np.ndarray) -> np.ndarray:
    """Degrees of freedom of a sum of squares of (n, ...), most of which some of the n may carry: two or more."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 3 * shares.sum(axis=0) ** 2 / (shares**2).sum(axis=0) - 1


def estimate_from_copies(
    copies: np.ndarray,
    blocks: Blocks,
    within: tuple[float, float] = REAL,
    memory: bool = True,
    level: float = 0.95,
) -> Estimate:
    """An estimate from leave-one-block-out copies of a statistic.

    Parameters
    ----------
    copies : (n_blocks + 1, ...) array
        Of all data first; NaN where a statistic does not exist. A copy alone, without blocks, gets no interval.
    blocks : Blocks
    within : (float, float)
        Where values can be: (-inf, inf), (0, inf), (0, 1) or (-inf, 1). Values that leave it, as the entries of a
        Koopman matrix may, are taken on a linear scale.
    memory : bool
        See `jackknife`.
    level : float
        Of the interval.

    Returns
    -------
    Estimate
        Without bounds where a copy does not exist, as when one block holds all that was seen of a state, and where
        nothing varies.
    """
    copies = np.asarray(copies, np.float64)
    if not blocks:
        nothing = np.full(copies.shape[1:], np.nan)
        return Estimate(value=copies[0], lower=nothing, upper=nothing, basis=blocks.basis)
    outside = ((copies < within[0]) | (copies > within[1])).any(axis=0)
    forward, back = _SCALES[within]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scaled = np.where(outside, copies, forward(np.where(outside, 0.5 if within[0] >= 0 else -1.0, copies)))
        spread = jackknife(np.where(np.isfinite(scaled), scaled, np.nan), blocks, memory)
        half = spread.half_width(level)
        bounds = np.stack([spread.value - half, spread.value + half])
        bounds = np.where(outside, bounds, back(bounds))
    # What rests on one or two of the blocks has a spread that says nothing.
    given = (spread.standard_error > 0) & (spread.degrees >= _FEWEST)
    bounds = np.where(given, bounds, np.nan)
    return Estimate(value=copies[0], lower=bounds[0], upper=bounds[1], basis=blocks.basis)


def estimate_from_sums(
    function: Callable[..., np.ndarray],
    sums: Sequence[np.ndarray],
    blocks: Blocks,
    within: tuple[float, float] = REAL,
    memory: bool = True,
) -> Estimate:
    """An estimate that follows from sums over the data, such as histograms, displacements and counts.

    Parameters
    ----------
    function : callable
        Of the sums over all blocks, or all but one; returns a number or an array.
    sums : sequence of (n_blocks, ...) arrays
        Sums over each block, as `Blocks.sums` gives them.
    blocks : Blocks
    within, memory
        See `estimate_from_copies`.

    Returns
    -------
    Estimate
    """
    copies = [function(*left) for left in zip(*(blocks.left_out(part) for part in sums), strict=True)]
    return estimate_from_copies(np.array(copies, np.float64), blocks, within, memory)


def with_interval(
    statistic: Callable[[Any], Any],
    chi: ChiLike,
    tau: int | None = None,
    within: tuple[float, float] = REAL,
    level: float = 0.95,
) -> Estimate:
    """Any function of chi with its confidence interval.

    Parameters
    ----------
    statistic : callable
        Of a chi list; returns a number or an array. A ValueError without some block means that the statistic does
        not exist there: no interval.
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames at which the relaxation is looked at; that of chi when not given.
    within : (float, float)
        Where values can be: (-inf, inf), (0, inf) for rates and times, (0, 1) for probabilities, (-inf, 1).
    level : float
        Of the interval.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If ``within`` is none of the four, or the statistic raises it on all data.
    """
    within = tuple(float(bound) for bound in within)
    if within not in _SCALES:
        raise ValueError(f"within must be one of {', '.join(map(str, _SCALES))}, got {within}")
    chi = as_chi(chi)
    blocks = independent_blocks(chi, tau)
    copies = [np.asarray(statistic(list(chi)), np.float64)]
    for block in range(len(blocks)):
        try:
            copies.append(np.asarray(statistic(blocks.without(block, chi)), np.float64))
        except ValueError:
            copies.append(np.full_like(copies[0], np.nan))
    return estimate_from_copies(np.array(copies), blocks, within, level=level)


def estimate_table(
    axes: Sequence[Mapping[str, Any]], estimates: Mapping[str, Estimate | np.ndarray], unit: str = ""
) -> pandas.DataFrame:
    """One table of estimates of one shape.

    Parameters
    ----------
    axes : sequence of dict of (n,) arrays
        Columns that name the places along each axis.
    estimates : dict of Estimate or array
        Name -> values; an array has no bounds.
    unit : str
        Put behind every name.

    Returns
    -------
    pandas.DataFrame
        The columns of the axes; NAME_UNIT, NAME_lower_UNIT and NAME_upper_UNIT of each estimate; ``basis``.
    """
    import pandas  # half a second to import

    columns: dict[str, Any] = {}
    basis, ending = None, f"_{unit}" if unit else ""
    first = next(iter(estimates.values()))
    shape = np.shape(first.value if isinstance(first, Estimate) else first)
    for axis, index in zip(axes, [i.ravel() for i in np.indices(shape)], strict=True):
        columns |= {name: np.asarray(labels)[index] for name, labels in axis.items()}
    for name, estimate in estimates.items():
        if not isinstance(estimate, Estimate):
            columns[name + ending] = np.ravel(estimate)
            continue
        basis = str(estimate.basis)
        columns[name + ending] = np.ravel(estimate.value)
        columns[f"{name}_lower{ending}"] = np.ravel(estimate.lower)
        columns[f"{name}_upper{ending}"] = np.ravel(estimate.upper)
    return pandas.DataFrame(columns).assign(basis=basis)
