"""A figure for every result: each function takes the result and an optional ``ax`` and returns it.

State i has the same colour everywhere.
"""

from gdynet_tf.report.plots.atoms import surroundings
from gdynet_tf.report.plots.explanation import attention, distance_gradients, distance_sensitivities
from gdynet_tf.report.plots.kinetics import (
    chapman_kolmogorov,
    committor,
    eigenvectors,
    first_passage,
    koopman_matrix,
    timescales,
)
from gdynet_tf.report.plots.states import chi_histogram, chi_trace, histogram, populations
from gdynet_tf.report.plots.structure import (
    bond_order,
    charge_integral,
    density,
    population_profile,
    radial_distribution,
)
from gdynet_tf.report.plots.style import report_style, save_figure, state_color
from gdynet_tf.report.plots.training import history, selection, state_agreement
from gdynet_tf.report.plots.transport import conductivity, diffusivity, displacement, mean_squared_displacement

__all__ = [
    "attention",
    "bond_order",
    "chapman_kolmogorov",
    "charge_integral",
    "chi_histogram",
    "chi_trace",
    "committor",
    "conductivity",
    "density",
    "diffusivity",
    "displacement",
    "distance_gradients",
    "distance_sensitivities",
    "eigenvectors",
    "first_passage",
    "histogram",
    "history",
    "koopman_matrix",
    "mean_squared_displacement",
    "population_profile",
    "populations",
    "radial_distribution",
    "report_style",
    "save_figure",
    "selection",
    "state_agreement",
    "state_color",
    "surroundings",
    "timescales",
]
