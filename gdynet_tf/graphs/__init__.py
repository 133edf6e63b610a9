"""From frames to the periodic graph of nearest neighbours, on disk or in memory."""

from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.parallel.shards import merge_graphs
from gdynet_tf.graphs.store import open_graphs, write_graphs
from gdynet_tf.graphs.targets import select_targets

__all__ = ["GraphDataset", "build_graphs", "merge_graphs", "open_graphs", "select_targets", "write_graphs"]
