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
from gdynet_tf.analysis.charges import read_charges
from gdynet_tf.analysis.diffusion import (
    MeanSquaredDisplacement,
    TracerDiffusivity,
    mean_squared_displacement,
    tracer_diffusivity,
    warn_of_jumps,
)
from gdynet_tf.analysis.export import (
    representative_frames,
    write_density,
    write_representatives,
    write_state_trajectory,
)
from gdynet_tf.analysis.global_dynamics import global_transition_matrix, site_matrix
from gdynet_tf.analysis.io import Run, load_chi, load_run
from gdynet_tf.analysis.kinetics import committor, mean_first_passage_times, reactive_flux, residence_times
from gdynet_tf.analysis.koopman import covariances, koopman_matrix, vamp1_score, vamp2_score, vamp_e_score
from gdynet_tf.analysis.order import StateDistribution, bond_order, bond_order_of_targets, state_distribution
from gdynet_tf.analysis.space import PopulationProfile, StateDensity, population_profile, state_density
from gdynet_tf.analysis.spectral import Eigenvectors, eigenvalues, eigenvectors, stationary_distribution
from gdynet_tf.analysis.states import (
    CollapsedStates,
    collapsed_states,
    crispness,
    likeliest_populations,
    populations,
)
from gdynet_tf.analysis.structure import (
    ChargeIntegral,
    RadialDistribution,
    charge_integral,
    first_shell,
    radial_distribution,
)
from gdynet_tf.analysis.system import System, load_system
from gdynet_tf.analysis.timescales import (
    ImpliedTimescales,
    default_lags,
    flat_within_interval,
    implied_timescales,
    timescale,
)
from gdynet_tf.analysis.transport import (
    Conductivity,
    TransitionTransport,
    cluster_nernst_einstein,
    transition_transport,
)
from gdynet_tf.analysis.trust import assess
from gdynet_tf.analysis.uncertainty import (
    Samples,
    block_bootstrap,
    confidence_interval,
    independent_samples,
    split_chunks,
    split_targets,
)

__all__ = [
    "ChapmanKolmogorovTest",
    "ChargeIntegral",
    "CollapsedStates",
    "Conductivity",
    "Eigenvectors",
    "ImpliedTimescales",
    "MeanSquaredDisplacement",
    "PopulationProfile",
    "RadialDistribution",
    "Run",
    "Samples",
    "StateAgreement",
    "StateDensity",
    "StateDistribution",
    "System",
    "TracerDiffusivity",
    "TransitionTransport",
    "assess",
    "block_bootstrap",
    "bond_order",
    "bond_order_of_targets",
    "canonical_correlations",
    "chapman_kolmogorov_test",
    "charge_integral",
    "cluster_nernst_einstein",
    "collapsed_states",
    "committor",
    "confidence_interval",
    "covariances",
    "crispness",
    "default_lags",
    "eigenvalues",
    "eigenvectors",
    "first_shell",
    "flat_within_interval",
    "global_transition_matrix",
    "implied_timescales",
    "independent_samples",
    "koopman_matrix",
    "likeliest_populations",
    "load_chi",
    "load_run",
    "load_system",
    "mean_first_passage_times",
    "mean_squared_displacement",
    "plots",
    "population_profile",
    "populations",
    "radial_distribution",
    "reactive_flux",
    "read_charges",
    "report",
    "representative_frames",
    "residence_times",
    "restart_agreement",
    "site_matrix",
    "split_chunks",
    "split_targets",
    "state_agreement",
    "state_density",
    "state_distribution",
    "stationary_distribution",
    "timescale",
    "tracer_diffusivity",
    "transition_transport",
    "vamp1_score",
    "vamp2_score",
    "vamp_e_score",
    "warn_of_jumps",
    "write_density",
    "write_representatives",
    "write_state_trajectory",
]


def __getattr__(name):
    """Load ``plots`` and ``report`` when asked for: they need matplotlib."""
    if name in ("plots", "report"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
