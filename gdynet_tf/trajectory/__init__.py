"""From a file or an object in memory to one `Trajectory`."""

from gdynet_tf.trajectory.cells import unwrap
from gdynet_tf.trajectory.readers import EXAMPLE, FORMATS, Format, read, read_trajectory, write_compact
from gdynet_tf.trajectory.trajectory import Trajectory, concatenate

__all__ = [
    "EXAMPLE",
    "FORMATS",
    "Format",
    "Trajectory",
    "concatenate",
    "read",
    "read_trajectory",
    "unwrap",
    "write_compact",
]
