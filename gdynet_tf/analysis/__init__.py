"""Analysis of state probabilities: arrays in, results out, a plot for each.

``chi`` is a list of (F, n_targets, n_states) arrays, one per trajectory or segment, as `load_chi` returns it; a single
array counts as a list of one. Lag times are in frames, results in the user's unit of time.
"""

import importlib

from gdynet_tf.analysis.agreement import (
    StateAgreement,
    canonical_correlations,
    restart_agreement,
    state_agreement,
)
from gdynet_tf.analysis.chapman_kolmogorov import ChapmanKolmogorovTest, chapman_kolmogorov_test
from gdynet_tf.analysis.io import Run, load_chi, load_run
from gdynet_tf.analysis.koopman import covariances, koopman_matrix, vamp1_score, vamp2_score, vamp_e_score
from gdynet_tf.analysis.spectral import Eigenvectors, eigenvalues, eigenvectors, stationary_distribution
from gdynet_tf.analysis.states import (
    CollapsedStates,
    collapsed_states,
    crispness,
    likeliest_populations,
    populations,
)
from gdynet_tf.analysis.timescales import (
    ImpliedTimescales,
    default_lags,
    flat_within_interval,
    implied_timescales,
    timescale,
)
from gdynet_tf.analysis.trust import assess
from gdynet_tf.analysis.uncertainty import (
    Samples,
    confidence_interval,
    independent_samples,
    split_chunks,
    split_targets,
)

__all__ = [
    "ChapmanKolmogorovTest",
    "CollapsedStates",
    "Eigenvectors",
    "ImpliedTimescales",
    "Run",
    "Samples",
    "StateAgreement",
    "assess",
    "canonical_correlations",
    "chapman_kolmogorov_test",
    "collapsed_states",
    "confidence_interval",
    "covariances",
    "crispness",
    "default_lags",
    "eigenvalues",
    "eigenvectors",
    "flat_within_interval",
    "implied_timescales",
    "independent_samples",
    "koopman_matrix",
    "likeliest_populations",
    "load_chi",
    "load_run",
    "plots",
    "populations",
    "report",
    "restart_agreement",
    "split_chunks",
    "split_targets",
    "state_agreement",
    "stationary_distribution",
    "timescale",
    "vamp1_score",
    "vamp2_score",
    "vamp_e_score",
]


def __getattr__(name):
    """Load ``plots`` and ``report`` when asked for: they need matplotlib."""
    if name in ("plots", "report"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
