"""A reversible Markov model of crisp states with its posterior, by deeptime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.independence import Basis
from gdynet_tf.analysis.relaxation import target_correlation
from gdynet_tf.analysis.states import crispness, estimated_populations
from gdynet_tf.analysis.uncertainty import Estimate

__all__ = ["ReversibleMarkovModel", "reversible_markov_model"]

_CRISP = 0.8  # share of frames whose likeliest state has a probability above 0.9
_SAMPLES = 500


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


def reversible_markov_model(
    chi: ChiLike, tau: int | None = None, frame_interval: float | None = None, time_unit: str | None = None
) -> ReversibleMarkovModel:
    """Bayesian reversible Markov model of the likeliest states.

    The posterior is that of counts which are independent (B. Trendelkamp-Schroer, H. Wu, F. Paul, F. Noé, J. Chem.
    Phys. 143, 174101 (2015)): pairs of frames are counted once in each lag time, "sliding-effective", and divided by
    the design effect of targets that change together. Intervals are percentiles of random samples, so that they move by
    a few percent of their width from call to call. They hold if the model does, and need no blocks.

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
    from deeptime.markov.msm import BayesianMSM

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
    posterior = BayesianMSM(n_samples=_SAMPLES, reversible=True).fit_fetch(largest)
    models = [posterior.prior, *posterior.samples]
    basis = Basis("posterior", design_effect=together)
    return ReversibleMarkovModel(
        transition_matrix=np.asarray(posterior.prior.transition_matrix),
        states=np.asarray(largest.state_symbols),
        timescales=_estimate([frame_interval * model.timescales() for model in models], basis),
        stationary_distribution=_estimate([model.stationary_distribution for model in models], basis),
        populations=estimated_populations(chi, tau),
        time_unit=time_unit,
    )


def _estimate(values: Sequence[np.ndarray], basis: Basis) -> Estimate:
    whole, samples = np.asarray(values[0]), np.asarray(values[1:])
    lower, upper = np.percentile(samples, [2.5, 97.5], axis=0)
    return Estimate(value=whole, lower=np.minimum(lower, whole), upper=np.maximum(upper, whole), basis=basis)
