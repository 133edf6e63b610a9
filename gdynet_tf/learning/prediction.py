"""State probabilities of every frame, each frame evaluated once, and exact scores from them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from gdynet_tf.analysis.kinetics.covariances import lagged_sums
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.pairs import frame_batches
from gdynet_tf.learning.vamp import vamp2
from gdynet_tf.progress import Progress

__all__ = ["predict_blocks", "predict_chi", "stream_vamp2", "write_chi"]

_VALUES_PER_BATCH = 500_000


def predict_blocks(model: keras.Model, graphs: GraphDataset, block: tuple[int, int, int]) -> Iterator[np.ndarray]:
    """Yield chi of consecutive frames of a block, batch by batch.

    Parameters
    ----------
    model : GDyNet
    graphs : GraphDataset
    block : (trajectory, start, stop)

    Yields
    ------
    (b, n_targets, n_states) float32
    """
    _, start, stop = block
    n_values = sum(np.prod(shape[:2]) for shape, _ in graphs.input_shapes.values())
    batch_size = max(1, min(int(_VALUES_PER_BATCH // n_values), stop - start))
    left = stop - start
    for inputs in frame_batches(graphs, block, batch_size):
        chi = np.asarray(model.predict_on_batch(inputs))  # the last batch is filled up
        yield chi[:left]
        left -= len(chi)


def stream_vamp2(model: keras.Model, graphs: GraphDataset, blocks: Sequence[tuple[int, int, int]], tau: int) -> float:
    """VAMP-2 score of all pairs of the blocks at once.

    Parameters
    ----------
    model : GDyNet
    graphs : GraphDataset
    blocks : sequence of (trajectory, start, stop)
    tau : int

    Returns
    -------
    float
        Uncentred, in [1, n_states].
    """
    parts = [lagged_sums(predict_blocks(model, graphs, block), tau) for block in blocks]
    covariances = np.asarray(sum(sums for sums, _ in parts)) / sum(n for _, n in parts)
    return float(vamp2(*(ops.convert_to_tensor(matrix) for matrix in covariances)))


def predict_chi(
    model: keras.Model, graphs: GraphDataset, folder: str | Path | None = None, progress: bool = True
) -> list[np.ndarray]:
    """State probabilities of every frame of every trajectory.

    Parameters
    ----------
    model : GDyNet
    graphs : GraphDataset
    folder : path-like, optional
        Gets ``NAME.npy`` of each trajectory; by default everything stays in memory.
    progress : bool

    Returns
    -------
    list of (F, n_targets, n_states) float32
        Memory-mapped when written to ``folder``.
    """
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    arrays = []
    with Progress(sum(graphs.n_frames), "frame", "chi", shown=progress) as bar:
        for trajectory, (name, n_frames) in enumerate(zip(graphs.names, graphs.n_frames, strict=True)):
            shape = (n_frames, graphs.n_targets, model.n_states)
            pieces = _counted(predict_blocks(model, graphs, (trajectory, 0, n_frames)), bar)
            if folder is None:
                arrays.append(np.empty(shape, np.float32))
                done = 0
                for chi in pieces:
                    arrays[-1][done : done + len(chi)] = chi
                    done += len(chi)
            else:
                file = Path(folder) / f"{name}.npy"
                _write_array(file, shape, pieces)
                arrays.append(np.load(file, mmap_mode="r"))
    return arrays


def _counted(pieces: Iterator[np.ndarray], bar: Progress) -> Iterator[np.ndarray]:
    for chi in pieces:
        yield chi
        bar.update(len(chi))


def _write_array(file: Path, shape: tuple[int, ...], pieces: Iterator[np.ndarray]) -> None:
    """Write a float32 array piece by piece. (On a full disk that is an error; through a memory map, the end.)"""
    with open(file, "wb") as opened:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(opened, header)
        for piece in pieces:
            opened.write(np.ascontiguousarray(piece, np.float32).data)


def write_chi(model: keras.Model, graphs: GraphDataset, folder: str | Path, progress: bool = True) -> None:
    """Write ``NAME.npy`` (F, n_targets, n_states) float32 for every trajectory: `predict_chi` for its files alone.

    Parameters
    ----------
    model : GDyNet
    graphs : GraphDataset
    folder : path-like
    progress : bool
    """
    predict_chi(model, graphs, folder, progress)
