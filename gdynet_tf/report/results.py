"""What an analysis of a run holds: the one argument of tables, figures, summary and page."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.report.atomistic import AtomisticResults

__all__ = ["Analysis", "Kinetics", "Trace", "without_times"]


def _unknown(estimate: ga.Estimate) -> ga.Estimate:
    nothing = np.full_like(estimate.value, np.nan)
    return replace(estimate, value=nothing, lower=nothing, upper=nothing)


def without_times(timescales: ga.ImpliedTimescales) -> ga.ImpliedTimescales:
    """The same with every timescale unknown, for data in which nothing happened."""
    nothing = np.full_like(timescales.timescales, np.nan)
    return replace(timescales, timescales=nothing, lower=nothing, upper=nothing)


@dataclass(frozen=True)
class Kinetics:
    """What the transition matrix says about paths.

    Attributes
    ----------
    residence : Estimate
        (n,) mean residence times.
    first_passage : Estimate
        (n, n) mean first passage times, row to column.
    source, target : int
        States at the two ends of the slowest relaxation.
    committor : (n,) float or None
        Probability of reaching target before source; None where K is no transition matrix.
    rate : float
        From source to target, per unit of time; NaN without stationary distribution.
    estimators : dict of str to Estimate
        (n - 1,) timescales at tau, by estimator of the transition matrix.
    findings : list of Finding
    """

    residence: ga.Estimate
    first_passage: ga.Estimate
    source: int
    target: int
    committor: np.ndarray | None
    rate: float
    estimators: dict[str, ga.Estimate]
    findings: list[ga.Finding]

    def without_times(self) -> Kinetics:
        """The same with every time unknown."""
        return replace(
            self,
            residence=_unknown(self.residence),
            first_passage=_unknown(self.first_passage),
            committor=None,
            rate=np.nan,
            estimators={name: _unknown(estimate) for name, estimate in self.estimators.items()},
        )


@dataclass(frozen=True)
class Trace:
    """One target over time.

    Attributes
    ----------
    time : (f,) float
        In the run's unit.
    chi : (f, n_states) float
    target : int
    n_frames, stride : int
        Frames that are spanned, and every how many are shown.
    """

    time: np.ndarray
    chi: np.ndarray
    target: int
    n_frames: int
    stride: int


@dataclass(frozen=True)
class Analysis:
    """Results of a run on one part of its data.

    Attributes
    ----------
    run : Run
    split : str
    chi : Chi
    vamp2 : float
    koopman : Estimate
        (n, n) Koopman matrix.
    populations : Estimate
        (n,).
    stationary : (n,) float
        Stationary distribution; NaN where there is none.
    eigenvectors : Eigenvectors
    timescales : ImpliedTimescales
    ck : ChapmanKolmogorovTest or None
        None where the segments are too short for two steps.
    kinetics : Kinetics
    trace : Trace
    atomistic : AtomisticResults or None
        What needs the atoms; None where the graphs are gone.
    verdict : Finding
    findings : list of Finding
    """

    run: ga.Run
    split: str
    chi: ga.Chi
    vamp2: float
    koopman: ga.Estimate
    populations: ga.Estimate
    stationary: np.ndarray
    eigenvectors: ga.Eigenvectors
    timescales: ga.ImpliedTimescales
    ck: ga.ChapmanKolmogorovTest | None
    kinetics: Kinetics
    trace: Trace
    atomistic: AtomisticResults | None
    verdict: ga.Finding
    findings: list[ga.Finding]
