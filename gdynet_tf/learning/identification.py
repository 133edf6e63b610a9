"""From the functions that VAMP-2 found to states that can be named.

VAMP-2 fixes only the space that chi spans: every invertible mix of the states has the same score. The states chosen in
it are the centres of a k-means clustering in the kinetic map, i.e. in the coordinates lambda_i psi_i made of the
eigenfunctions of the reversible Koopman operator, where Euclidean distance is kinetic distance (Noé and Clementi, J.
Chem. Theory Comput. 11, 5002 (2015)). chi is then the barycentric coordinates with respect to the centres: a linear
function of what the network found, cut off where it leaves the simplex. docs/identification.md compares this choice
with others.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.cluster import KMeans

from gdynet_tf.analysis.kinetics.covariances import lagged_sums
from gdynet_tf.learning.pairs import lagged_pairs
from gdynet_tf.learning.prediction import predict_blocks

__all__ = ["StateMapResult", "find_state_map", "identify_states", "kinetic_map"]

_SAMPLES = 50_000  # for the clustering
_RANK = 1e-9  # variance, relative to the largest, below which a function is not there


@dataclass(frozen=True)
class StateMapResult:
    """The map and what it rests on.

    Attributes
    ----------
    kernel : (n_states, n_states) float64
        chi' = chi @ kernel, states by falling population.
    eigenvalues : (r,) float64
        Of the reversible Koopman operator, the stationary one first.
    """

    kernel: np.ndarray
    eigenvalues: np.ndarray


def kinetic_map(covariances):
    """Kinetic-map coordinates as linear functions of chi.

    Parameters
    ----------
    covariances : (3, n, n) array
        C00, C0t, Ctt.

    Returns
    -------
    eigenvalues : (r,) float64
        Of the reversible (time-symmetrised) Koopman operator, falling; the first is that of the constant. r < n where
        some functions of chi do not vary.
    coefficients : (n, r - 1) float64
        ``chi @ coefficients`` are lambda_i psi_i, psi_i of unit variance.
    """
    c00, c0t, ctt = covariances
    instantaneous, lagged = (c00 + ctt) / 2, (c0t + c0t.T) / 2
    variance, directions = np.linalg.eigh(instantaneous)
    kept = variance > _RANK * variance[-1]
    basis = directions[:, kept] / np.sqrt(variance[kept])  # (n, r)
    values, vectors = eigh(basis.T @ lagged @ basis)
    values, functions = values[::-1], basis @ vectors[:, ::-1]
    return values, functions[:, 1:] * np.maximum(values[1:], 0)


def find_state_map(chi, covariances, seed=0):
    """The linear map from chi to identified states.

    Parameters
    ----------
    chi : (samples, n_states) array
        For the clustering.
    covariances : (3, n_states, n_states) array
        C00, C0t, Ctt of the training data.
    seed : int
        Of the clustering's starting points.

    Returns
    -------
    StateMapResult
        The identity if chi does not vary at all.
    """
    chi = np.asarray(chi, np.float64)
    n = chi.shape[1]
    values, coefficients = kinetic_map(covariances)
    points = chi @ coefficients  # (samples, r - 1)
    if not coefficients.size or len(np.unique(points.round(9), axis=0)) < n:
        return StateMapResult(np.eye(n), values)
    clusters = KMeans(n, n_init=10, random_state=seed).fit(points)
    # Barycentric coordinates b of a point x: b @ [centers, 1] = [x, 1], and chi @ 1 = 1.
    corners = np.concatenate([clusters.cluster_centers_, np.ones((n, 1))], axis=1)  # (n, r)
    kernel = np.concatenate([coefficients, np.ones((n, 1))], axis=1) @ np.linalg.pinv(corners)
    mapped = np.maximum(chi @ kernel, 0)
    population = (mapped / mapped.sum(axis=1, keepdims=True)).mean(axis=0)
    return StateMapResult(kernel[:, np.argsort(-population, kind="stable")], values)


def identify_states(model, graphs, blocks, tau):
    """Find the state map on the training data and set it in the model.

    Parameters
    ----------
    model : GDyNet
        Its map is the identity so far; changed in place.
    graphs : GraphDataset
    blocks : sequence of (trajectory, start, stop)
        Of the training.
    tau : int
        Lag time in frames.

    Returns
    -------
    StateMapResult
    """
    n_samples = sum(stop - start for _, start, stop in blocks) * graphs.n_targets
    stride = max(1, n_samples // _SAMPLES)
    sample, sums = [], 0.0
    for block in blocks:
        chunks = _keeping(predict_blocks(model, graphs, block), sample, stride)
        sums = sums + lagged_sums(chunks, tau)[0]
    n_pairs = len(lagged_pairs(blocks, tau)) * graphs.n_targets
    result = find_state_map(np.concatenate(sample), sums / n_pairs)
    model.state_map.kernel.assign(result.kernel.astype(np.float32))
    return result


def _keeping(chunks, sample, stride):
    """Pass chunks on, and every ``stride``-th row of each to ``sample``."""
    for chi in chunks:
        sample.append(chi.reshape(-1, chi.shape[-1])[::stride])
        yield chi
