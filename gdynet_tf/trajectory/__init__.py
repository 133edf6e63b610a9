"""From a file or an object in memory to one `Trajectory`."""

from gdynet_tf.trajectory.following import pooled_charges, unwrap
from gdynet_tf.trajectory.readers import EXAMPLE, FORMATS, Format, open_source, write_compact
from gdynet_tf.trajectory.reading import read
from gdynet_tf.trajectory.source import Chunk, FrameSource
from gdynet_tf.trajectory.trajectory import Trajectory, check_spacing, concatenate

__all__ = [
    "EXAMPLE",
    "FORMATS",
    "Chunk",
    "Format",
    "FrameSource",
    "Trajectory",
    "check_spacing",
    "concatenate",
    "open_source",
    "pooled_charges",
    "read",
    "unwrap",
    "write_compact",
]
