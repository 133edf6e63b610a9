"""Models at one lag time with intervals: the Koopman matrix, its timescales, and a reversible model by deeptime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gdynet_tf.analysis.blocks import Basis, Blocks
from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.dependence import independent_design, target_correlation
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.covariances import covariances, covariances_without
from gdynet_tf.analysis.kinetics.koopman import constrained_of, koopman_of
from gdynet_tf.analysis.kinetics.spectral import eigenvalues
from gdynet_tf.analysis.kinetics.timescales import timescale
from gdynet_tf.analysis.states import crispness, estimated_populations
from gdynet_tf.analysis.uncertainty import POSITIVE, PROBABILITY, Estimate, estimate_from_copies, estimate_table

__all__ = [
    "ReversibleMarkovModel",
    "estimated_koopman_matrix",
    "estimated_timescales",
    "reversible_markov_model",
]

_CRISP = 0.8  # share of frames whose likeliest state has a probability above 0.9
_SAMPLES, _SEED = 500, 0
_NEVER = 1e-12  # second moment of a state that was not visited

Estimator = Literal["plain", "reversible", "constrained"]


def _copies(chi: ChiLike, tau: int | None, estimator: Estimator = "plain") -> tuple[np.ndarray, np.ndarray, Blocks]:
    """Matrices of all data and of all but one block (n_blocks + 1, n, n), which rows were visited, and the blocks."""
    chi = as_chi(chi)
    tau = chi.lag(tau)
    blocks = independent_blocks(chi, tau)
    moments = covariances_without(chi, [tau], blocks)[:, 0] if blocks else np.array([covariances(chi, tau)])
    c00, c0t, ctt = np.moveaxis(np.nan_to_num(moments), 1, 0)
    if estimator == "reversible":
        c00, c0t = (c00 + ctt) / 2, (c0t + np.swapaxes(c0t, -1, -2)) / 2
    if estimator == "constrained":
        matrices = np.array([constrained_of(*pair) for pair in zip(c00, c0t, strict=True)])
    else:
        matrices = koopman_of(c00, c0t)
    return matrices, np.diagonal(c00, axis1=-2, axis2=-1) > _NEVER, blocks


def estimated_koopman_matrix(chi: ChiLike, tau: int | None = None) -> Estimate:
    """Koopman matrix with the intervals of its elements.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.

    Returns
    -------
    Estimate
        (n, n); no interval in the row of a state that one block alone visited.
    """
    matrices, visited, blocks = _copies(chi, tau)
    matrices[1:][~visited[1:]] = np.nan
    return estimate_from_copies(matrices, blocks, PROBABILITY)


def estimated_timescales(
    chi: ChiLike, tau: int | None = None, estimator: Estimator = "plain", frame_interval: float | None = None
) -> Estimate:
    """Timescales at one lag time by one estimator of the Koopman matrix; `implied_timescales` has them over the lag.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    estimator : {"plain", "reversible", "constrained"}
        See `koopman_matrix`.
    frame_interval : float, optional

    Returns
    -------
    Estimate
        (n - 1,), slowest first; NaN where there is none.
    """
    chi = as_chi(chi)
    lag_time = chi.lag(tau) * chi.units(frame_interval, None)[0]
    matrices, _, blocks = _copies(chi, tau, estimator)
    times = np.array([[timescale(complex(v), lag_time)[0] for v in eigenvalues(K)[1:]] for K in matrices])
    return estimate_from_copies(np.where(np.isfinite(times), times, np.nan), blocks, POSITIVE)


@dataclass(frozen=True)
class ReversibleMarkovModel:
    """Maximum-likelihood reversible Markov model, with intervals from its posterior.

    Attributes
    ----------
    transition_matrix : (m, m) float64
        Of the likeliest states; fulfils detailed balance.
    states : (m,) int
        The states that are connected by transitions both ways; the others are not in the model.
    timescales : Estimate
        (m - 1,), slowest first, in ``time_unit``.
    stationary_distribution : Estimate
        (m,). Where it differs from the populations, the data are not in equilibrium: it tells where they would go.
    populations : Estimate
        (n_states,) time average of the data.
    time_unit : str
    """

    transition_matrix: np.ndarray
    states: np.ndarray
    timescales: Estimate
    stationary_distribution: Estimate
    populations: Estimate
    time_unit: str

    def to_dataframe(self) -> Any:
        """A row for each timescale, stationary probability and population, as a pandas DataFrame."""
        import pandas as pd

        relaxations, every = np.arange(1, len(self.timescales.value) + 1), np.arange(len(self.populations.value))
        tables = [
            estimate_table([{"relaxation": relaxations}], {"timescale": self.timescales}, self.time_unit),
            estimate_table([{"state": self.states}], {"stationary_probability": self.stationary_distribution}),
            estimate_table([{"state": every}], {"population": self.populations}),
        ]
        return pd.concat(tables, ignore_index=True)


def reversible_markov_model(
    chi: ChiLike, tau: int | None = None, frame_interval: float | None = None, time_unit: str | None = None
) -> ReversibleMarkovModel:
    """Bayesian reversible Markov model of the likeliest states.

    The posterior is that of counts which are independent (B. Trendelkamp-Schroer, H. Wu, F. Paul, F. Noé, J. Chem.
    Phys. 143, 174101 (2015)): pairs of frames are counted once in each lag time, "sliding-effective", and divided by
    the design effect of targets that change together. Intervals are percentiles of random samples from one seed. They
    hold if the model does, and need no blocks; where targets do what others did before, counts are not independent and
    there are none.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    frame_interval : float, optional
    time_unit : str, optional

    Returns
    -------
    ReversibleMarkovModel

    Raises
    ------
    ValueError
        If the states are not crisp, so that the likeliest state is not the state, or no two states are connected.
    """
    from deeptime.markov import TransitionCountEstimator, TransitionCountModel  # half a second to import
    from deeptime.markov.msm import MarkovStateModel, MaximumLikelihoodMSM
    from deeptime.markov.tools.estimation.dense.tmat_sampling.tmatrix_sampler import TransitionMatrixSampler

    chi = as_chi(chi)
    tau, (frame_interval, time_unit) = chi.lag(tau), chi.units(frame_interval, time_unit)
    crisp = crispness(chi)
    if crisp < _CRISP:
        raise ValueError(
            f"states are not crisp: {100 * crisp:.0f} % of the frames have a state with a probability above 0.9, "
            f"{100 * _CRISP:.0f} % are needed for a model of the likeliest states"
        )
    trajectories = [
        np.ascontiguousarray(path) for segment in chi if len(segment) > tau for path in segment.argmax(axis=2).T
    ]
    counts = TransitionCountEstimator(tau, "sliding-effective", n_states=chi.n_states).fit_fetch(trajectories)
    together = max(1.0, float(target_correlation(chi, tau)[0].max())) if chi.n_targets > 1 else 1.0
    counts = TransitionCountModel(counts.count_matrix / together, "sliding-effective", tau)
    largest = counts.submodel_largest(connectivity_threshold=0.0)
    if largest.n_states < 2:
        raise ValueError("no two states are connected by transitions both ways: there is no reversible model")
    likeliest = MaximumLikelihoodMSM(reversible=True).fit_fetch(largest)
    matrix = np.asarray(likeliest.transition_matrix)
    # As deeptime's BayesianMSM, which takes no seed: as many sweeps between samples as makes them nearly independent.
    n_steps = int(np.sqrt(chi.n_states))
    sampler = TransitionMatrixSampler(largest.count_matrix, reversible=True, P0=matrix, n_steps=n_steps, seed=_SEED)
    sampled = sampler.sample(_SAMPLES)
    models = [likeliest, *(MarkovStateModel(one, reversible=True, lagtime=tau) for one in sampled)]
    following = independent_design(chi, tau)[1] == "targets follow"
    basis = Basis(None, reason="targets follow") if following else Basis("posterior", design_effect=together)
    return ReversibleMarkovModel(
        transition_matrix=matrix,
        states=np.asarray(largest.state_symbols),
        timescales=_estimate([frame_interval * model.timescales() for model in models], basis),
        stationary_distribution=_estimate([model.stationary_distribution for model in models], basis),
        populations=estimated_populations(chi, tau),
        time_unit=time_unit,
    )


def _estimate(values: Sequence[np.ndarray], basis: Basis) -> Estimate:
    whole, samples = np.asarray(values[0]), np.asarray(values[1:])
    if not basis.kind:
        nothing = np.full_like(whole, np.nan)
        return Estimate(value=whole, lower=nothing, upper=nothing, basis=basis)
    lower, upper = np.percentile(samples, [2.5, 97.5], axis=0)
    return Estimate(value=whole, lower=np.minimum(lower, whole), upper=np.maximum(upper, whole), basis=basis)
