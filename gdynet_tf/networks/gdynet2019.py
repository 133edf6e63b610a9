"""Weights of the code released with the paper (2019), read into a GDyNet."""

import re
from collections import defaultdict
from pathlib import Path

import h5py
import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.networks.gdynet import N_ELEMENTS, GDyNet

__all__ = ["load_gdynet2019_weights"]


def load_gdynet2019_weights(path: str | Path) -> GDyNet:
    """Model with the weights of an ``.hdf5`` file that the 2019 code saved.

    Sizes follow from the file. Every convolution has a core layer, an attention layer and two batch normalizations,
    in the order in which they were made; the last two dense layers are the head.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    GDyNet
        ``variant="gdynet2019"``, with the 2019 default expansion (0 to 7 Å in steps of 0.2 Å).

    Raises
    ------
    InputError
        If the file is missing, no HDF5 file, or does not hold such a network.
    """
    groups = _read_groups(path)
    dense, norms, embedding = groups["dense"], groups["batch_normalization"], groups["embedding"]
    n_conv = (len(dense) - 2) // 2
    if len(embedding) != 1 or n_conv < 1 or len(dense) != 2 * n_conv + 2 or len(norms) != 2 * n_conv:
        raise InputError(
            f"{path}: not the weights of a 2019 GDyNet: {len(embedding)} embedding, {len(dense)} dense and "
            f"{len(norms)} batch-normalization layers where 1, 2 K + 2 and 2 K are needed"
        )
    try:
        table = embedding[0]["embeddings"]
        model = GDyNet(n_states=len(dense[-1]["bias"]), n_conv=n_conv, n_features=table.shape[1], variant="gdynet2019")
        model.embedding.set_weights([_resized(table)])
        for i, conv in enumerate(model.convs):
            core, attention = dense[2 * i], dense[2 * i + 1]
            joined = [np.concatenate([core[name], attention[name]], axis=-1) for name in ("kernel", "bias")]
            conv.kernel.assign(joined[0])
            conv.bias.assign(joined[1])
            for layer, norm in zip((conv.core_norm, conv.sum_norm), norms[2 * i : 2 * i + 2], strict=True):
                layer.set_weights([norm[n] for n in ("gamma", "beta", "moving_mean", "moving_variance")])
        for layer, weights in zip((model.hidden, model.states), dense[-2:], strict=True):
            layer.set_weights([weights["kernel"], weights["bias"]])
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{path}: not the weights of a 2019 GDyNet: {error}") from None
    return model


def _read_groups(path: str | Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Layer kind -> list of {weight name: array}, in the order of creation (dense, dense_1, dense_2, ...)."""
    layers: dict[tuple[str, int], dict[str, np.ndarray]] = defaultdict(dict)

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        match = re.search(r"(dense|batch_normalization|embedding)(?:_(\d+))?/(\w+):0$", name)
        if match and isinstance(item, h5py.Dataset):
            kind, number, weight = match.groups()
            layers[kind, int(number or 0)][weight] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as an HDF5 weight file: {error}") from None
    groups: dict[str, list[dict[str, np.ndarray]]] = defaultdict(list)
    for (kind, _), weights in sorted(layers.items()):
        groups[kind].append(weights)
    return groups


def _resized(table: np.ndarray) -> np.ndarray:
    """Embedding (N_ELEMENTS, F): row Z is element Z, whatever number of rows the file has."""
    rows = np.zeros((N_ELEMENTS, table.shape[1]), table.dtype)
    rows[: min(N_ELEMENTS, len(table))] = table[:N_ELEMENTS]
    return rows
