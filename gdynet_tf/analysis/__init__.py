"""Analysis of state probabilities: arrays in, results out, a plot for each.

``chi`` is a `Chi` as `load_chi` returns it, or a list of (F, n_targets, n_states) arrays, one per segment; a single
array counts as a list of one. Lag times are in frames, results in the user's unit of time.
"""

import importlib
from typing import Any

from gdynet_tf.analysis.agreement import (
    FOUND_AGAIN,
    StateAgreement,
    canonical_correlations,
    restart_agreement,
    state_agreement,
)
from gdynet_tf.analysis.blocks import Basis, Blocks, Piece
from gdynet_tf.analysis.chi import Chi, as_chi
from gdynet_tf.analysis.dependence import shared_time, target_correlation, target_following
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.chapman_kolmogorov import ChapmanKolmogorovTest, chapman_kolmogorov_test
from gdynet_tf.analysis.kinetics.covariances import covariances
from gdynet_tf.analysis.kinetics.global_dynamics import global_transition_matrix, site_matrix
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix, vamp1_score, vamp2_score, vamp_e_score
from gdynet_tf.analysis.kinetics.markov_model import (
    ReversibleMarkovModel,
    estimated_koopman_matrix,
    estimated_timescales,
    reversible_markov_model,
)
from gdynet_tf.analysis.kinetics.paths import (
    PathTimes,
    committor,
    mean_first_passage_times,
    path_times,
    reactive_flux,
    residence_times,
)
from gdynet_tf.analysis.kinetics.rates import RateMatrix, count_slow, rate_matrix, rate_to_time
from gdynet_tf.analysis.kinetics.spectral import Eigenvectors, eigenvalues, eigenvectors, stationary_distribution
from gdynet_tf.analysis.kinetics.timescales import (
    ImpliedTimescales,
    default_lags,
    flat_within_interval,
    implied_timescales,
    timescale,
)
from gdynet_tf.analysis.relaxation import observed_transitions, relaxation_time, slower_relaxation
from gdynet_tf.analysis.runs import Run, load_chi, load_run
from gdynet_tf.analysis.states import (
    CollapsedStates,
    collapsed_states,
    crispness,
    departure_from_equilibrium,
    estimated_populations,
    likeliest_populations,
    populations,
)
from gdynet_tf.analysis.structure.charges import read_charges
from gdynet_tf.analysis.structure.export import (
    representative_frames,
    write_density,
    write_representatives,
    write_state_trajectory,
)
from gdynet_tf.analysis.structure.order import StateDistribution, bond_order, bond_order_of_targets, state_distribution
from gdynet_tf.analysis.structure.radial import (
    ChargeIntegral,
    RadialDistribution,
    charge_integral,
    first_shell,
    radial_distribution,
)
from gdynet_tf.analysis.structure.space import (
    PopulationProfile,
    StateDensity,
    density_correlation,
    population_profile,
    state_density,
)
from gdynet_tf.analysis.structure.surroundings import Surroundings, surroundings
from gdynet_tf.analysis.system import System, load_system
from gdynet_tf.analysis.transport.conductivity import Conductivity, cluster_nernst_einstein
from gdynet_tf.analysis.transport.diffusion import (
    MeanSquaredDisplacement,
    TracerDiffusivity,
    finite_size_correction,
    mean_squared_displacement,
    tracer_diffusivity,
)
from gdynet_tf.analysis.transport.haven import HavenRatio, haven_ratio
from gdynet_tf.analysis.transport.paths import warn_of_jumps
from gdynet_tf.analysis.transport.transitions import TransitionTransport, sum_of_shares, transition_transport
from gdynet_tf.analysis.uncertainty import (
    Estimate,
    estimate_from_copies,
    estimate_from_sums,
    jackknife,
    with_interval,
)
from gdynet_tf.findings import Finding

__all__ = [
    "FOUND_AGAIN",
    "Basis",
    "Blocks",
    "ChapmanKolmogorovTest",
    "ChargeIntegral",
    "Chi",
    "CollapsedStates",
    "Conductivity",
    "Eigenvectors",
    "Estimate",
    "Finding",
    "HavenRatio",
    "ImpliedTimescales",
    "MeanSquaredDisplacement",
    "PathTimes",
    "Piece",
    "PopulationProfile",
    "RadialDistribution",
    "RateMatrix",
    "ReversibleMarkovModel",
    "Run",
    "StateAgreement",
    "StateDensity",
    "StateDistribution",
    "Surroundings",
    "System",
    "TracerDiffusivity",
    "TransitionTransport",
    "as_chi",
    "assess",
    "bond_order",
    "bond_order_of_targets",
    "canonical_correlations",
    "chapman_kolmogorov_test",
    "charge_integral",
    "cluster_nernst_einstein",
    "collapsed_states",
    "committor",
    "count_slow",
    "covariances",
    "crispness",
    "default_lags",
    "density_correlation",
    "departure_from_equilibrium",
    "eigenvalues",
    "eigenvectors",
    "estimate_from_copies",
    "estimate_from_sums",
    "estimated_koopman_matrix",
    "estimated_populations",
    "estimated_timescales",
    "finite_size_correction",
    "first_shell",
    "flat_within_interval",
    "global_transition_matrix",
    "haven_ratio",
    "implied_timescales",
    "independent_blocks",
    "jackknife",
    "koopman_matrix",
    "likeliest_populations",
    "load_chi",
    "load_run",
    "load_system",
    "mean_first_passage_times",
    "mean_squared_displacement",
    "observed_transitions",
    "path_times",
    "plots",
    "population_profile",
    "populations",
    "radial_distribution",
    "rate_matrix",
    "rate_to_time",
    "reactive_flux",
    "read_charges",
    "relaxation_time",
    "report",
    "representative_frames",
    "residence_times",
    "restart_agreement",
    "reversible_markov_model",
    "shared_time",
    "site_matrix",
    "slower_relaxation",
    "state_agreement",
    "state_density",
    "state_distribution",
    "stationary_distribution",
    "sum_of_shares",
    "surroundings",
    "target_correlation",
    "target_following",
    "timescale",
    "tracer_diffusivity",
    "transition_transport",
    "vamp1_score",
    "vamp2_score",
    "vamp_e_score",
    "warn_of_jumps",
    "with_interval",
    "write_density",
    "write_representatives",
    "write_state_trajectory",
]


# The face of the analysis also shows what is made of its results; nothing in this package uses it.
_SHOWN = {"plots": "gdynet_tf.report.plots", "report": "gdynet_tf.report", "assess": "gdynet_tf.report.trust"}


def __getattr__(name: str) -> Any:
    """Load ``plots``, ``report`` and ``assess`` when asked for: figures need matplotlib."""
    if name not in _SHOWN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_SHOWN[name])
    return module.assess if name == "assess" else module
