"""Graph Dynamical Networks: the states of atoms in molecular dynamics and how fast they change.

From memory::

    import gdynet_tf as gd

    trajectory = gd.Trajectory.from_ase(frames, frame_interval=0.5)  # or gd.read("run.lammpstrj")
    graphs = gd.build_graphs(trajectory, targets="Li")
    estimator = gd.GDyNetEstimator(n_states=3, tau=10, n_restarts=3, seed=1).fit(graphs)
    chi = estimator.transform(graphs)  # state probabilities, for gdynet_tf.analysis

Importing this package loads nothing else; its names load what they need when they are first used, and TensorFlow is
loaded when something is trained or applied.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gdynet_tf._version import __version__

if TYPE_CHECKING:
    from gdynet_tf.errors import InputError, TrainingError
    from gdynet_tf.graphs import GraphDataset, build_graphs, open_graphs
    from gdynet_tf.learning.estimator import GDyNetEstimator
    from gdynet_tf.trajectory import Trajectory, concatenate, read

__all__ = [
    "GDyNetEstimator",
    "GraphDataset",
    "InputError",
    "TrainingError",
    "Trajectory",
    "__version__",
    "build_graphs",
    "concatenate",
    "open_graphs",
    "read",
]

_HOMES = {
    "GDyNetEstimator": "gdynet_tf.learning.estimator",
    "GraphDataset": "gdynet_tf.graphs",
    "InputError": "gdynet_tf.errors",
    "TrainingError": "gdynet_tf.errors",
    "Trajectory": "gdynet_tf.trajectory",
    "build_graphs": "gdynet_tf.graphs",
    "concatenate": "gdynet_tf.trajectory",
    "open_graphs": "gdynet_tf.graphs",
    "read": "gdynet_tf.trajectory",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
