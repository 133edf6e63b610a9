"""From the functions that VAMP-2 found to states that can be named.

VAMP-2 fixes only the space that chi spans: every invertible mix of the states has the same score. The states are chosen
in it by a Markov state model of many small states and its coarse-graining:

1. Kinetic map: coordinates lambda_i psi_i made of the eigenfunctions of the reversible Koopman operator, where
   Euclidean distance is kinetic distance (Noé and Clementi, J. Chem. Theory Comput. 11, 5002 (2015)). Eigenfunctions
   that do not count in the score are left out: they say nothing about slow states.
2. Microstates: k-means with many centres, and their transitions within the lag time.
3. Memberships of the microstates in the states: PCCA+, barycentric coordinates of their eigenvectors. Noise that moves
   a frame within its state moves no eigenvector, because the future of the frame stays the same; so hardly anything is
   cut off and rare states keep their populations.

chi of a frame is the memberships of its microstate, interpolated to the next ones. docs/identification.md compares this
choice with others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh
from scipy.spatial import KDTree
from sklearn.cluster import KMeans

from gdynet_tf.analysis.kinetics.covariances import lagged_chunks
from gdynet_tf.analysis.kinetics.pcca import pcca_memberships
from gdynet_tf.findings import Finding
from gdynet_tf.learning.pairs import count_pairs
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.networks.layers import N_MICROSTATES

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset
    from gdynet_tf.networks.gdynet import GDyNet

__all__ = ["StateMapResult", "find_state_map", "identify_states", "kinetic_map"]

_SAMPLES = 2_000_000  # pairs of frames that the map rests on
_CLUSTERED = 20_000  # of them for the centres of the microstates
_RANK = 1e-9  # variance, relative to the largest, below which a function is not there
_NEGLIGIBLE = 0.005  # of the score, for what is left out of the kinetic map
_NOISE = 1.0  # standard errors above the largest eigenvalue of noise
_TOLERANCE = 0.02  # of the score, for what identification may lose
_VISITS = 20  # of a microstate at least
_SOFT = 3.0  # variance of the interpolation in variances within microstates: half the distance of even ones
_FINEST = 1e-4  # standard deviations that single precision still tells apart
_FAR = 1e6  # where unused microstates are kept


@dataclass(frozen=True)
class StateMapResult:
    """The map from chi to identified states, and what it rests on.

    Attributes
    ----------
    projection : (n_states, n_states - 1) float64
        chi @ projection are resolved kinetic-map coordinates in units of the width of the interpolation.
    centers : (N_MICROSTATES, n_states - 1) float64
        Microstates in them.
    memberships : (N_MICROSTATES, n_states) float64
        Probabilities of the states in each microstate; zero where chi is left as it is.
    eigenvalues : (r,) float64
        Of the reversible Koopman operator in the space of chi, the stationary one first.
    n_resolved : int
        States that describe what is slow, at most n_states. The others are empty.
    vamp2_before, vamp2_after : float
        Score of the data without and with the map; it rises where the map takes out noise.
    findings : tuple of Finding
        Superfluous states, and whether the states could be drawn by their cores.
    """

    projection: np.ndarray
    centers: np.ndarray
    memberships: np.ndarray
    eigenvalues: np.ndarray
    n_resolved: int
    vamp2_before: float
    vamp2_after: float
    findings: tuple[Finding, ...]

    def __call__(self, chi: np.ndarray) -> np.ndarray:
        """Identified state probabilities.

        Parameters
        ----------
        chi : (..., n_states) array

        Returns
        -------
        (..., n_states) float64
        """
        if not self.memberships.any():
            return np.array(chi, np.float64)
        flat = np.asarray(chi, np.float64).reshape(-1, np.shape(chi)[-1])
        return _interpolate(flat @ self.projection, self.centers, self.memberships).reshape(np.shape(chi))


def kinetic_map(covariances: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def find_state_map(start: np.ndarray, end: np.ndarray) -> StateMapResult:
    """The map from chi to identified states, numbered by falling population.

    Parameters
    ----------
    start, end : (samples, n_states) arrays
        chi of the frames t and t + tau.

    Returns
    -------
    StateMapResult
        Leaves chi as it is if it holds nothing slow, or if no choice of states keeps the score.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    n = start.shape[1]
    covariances = _covariances(start, end)
    values, coefficients = kinetic_map(covariances)
    above_noise = _above_noise(coefficients, start, end)
    kept = np.column_stack([np.ones(n), coefficients[:, above_noise]])
    score, to_keep = _vamp2(covariances), _vamp2(kept.T @ covariances @ kept)
    coefficients = coefficients[:, _resolved(values, above_noise)]
    identity = StateMapResult(
        projection=np.zeros((n, n - 1)),
        centers=np.zeros((N_MICROSTATES, n - 1)),
        memberships=np.zeros((N_MICROSTATES, n)),
        eigenvalues=values,
        n_resolved=coefficients.shape[1] + 1,
        vamp2_before=score,
        vamp2_after=score,
        findings=(),
    )
    if not coefficients.size:
        return replace(identity, findings=_superfluous(identity))
    lost = []
    for result in _candidates(identity, start, end, coefficients):
        mapped = result(start)
        after = _vamp2(_covariances(mapped, result(end)))
        lost.append(to_keep - after)  # noise has a score of its own
        if lost[-1] <= _TOLERANCE:
            return replace(
                result,
                memberships=result.memberships[:, np.argsort(-mapped.mean(axis=0), kind="stable")],
                vamp2_after=after,
                findings=_fallback(lost) + _superfluous(result),
            )
    return replace(identity, findings=_fallback(lost, found=False) + _superfluous(identity))


def identify_states(
    model: "GDyNet", graphs: "GraphDataset", blocks: Iterable[tuple[int, int, int]], tau: int
) -> StateMapResult:
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
    blocks = list(blocks)
    stride = max(1, count_pairs(blocks, tau) * graphs.n_targets // _SAMPLES)
    pairs = []
    for block in blocks:
        for x, y in lagged_chunks(predict_blocks(model, graphs, block), tau):
            pairs.append([part[::stride].reshape(-1, part.shape[-1]) for part in (x, y)])
    result = find_state_map(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
    for name in ("projection", "centers", "memberships"):
        getattr(model.state_map, name).assign(getattr(result, name))
    return result


def _covariances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """C00, C0t and Ctt, (3, n, n)."""
    return np.stack([x.T @ x, x.T @ y, y.T @ y]) / len(x)


def _vamp2(covariances: np.ndarray) -> float:
    """Uncentred VAMP-2 on the functions that vary."""
    c00, c0t, ctt = covariances
    whitened = []
    for c in (c00, ctt):
        variance, directions = np.linalg.eigh(c)
        kept = variance > _RANK * variance[-1]
        whitened.append(directions[:, kept] / np.sqrt(variance[kept]))
    return float(np.square(whitened[0].T @ c0t @ whitened[1]).sum())


def _above_noise(coefficients: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(r - 1,) bool: which processes, without the stationary one, stand out of the noise.

    The standard error of an eigenvalue is that of the mean of psi(t) psi(t + tau): of noise that splits a rare state,
    it rests on the few pairs in that state. Of m functions that are white noise, the largest eigenvalue is about
    sqrt(2 m) standard errors (E. P. Wigner, Ann. Math. 67, 325 (1958)).
    """
    products = (start @ coefficients) * (end @ coefficients)
    error = np.sqrt(np.square(products).mean(axis=0) / len(start))
    largest = np.sqrt(2 * np.arange(len(error), 0, -1))
    return products.mean(axis=0) > (largest + _NOISE) * error


def _resolved(eigenvalues: np.ndarray, above_noise: np.ndarray) -> np.ndarray:
    """(r - 1,) bool: which of the processes that stand out of the noise count in the score."""
    left_out = np.cumsum(np.where(above_noise, np.square(eigenvalues[1:]), 0)[::-1])[::-1]
    return above_noise & (left_out > _NEGLIGIBLE)


def _interpolate(points: np.ndarray, centers: np.ndarray, memberships: np.ndarray) -> np.ndarray:
    """softmax(-|points - centers|^2) @ memberships, (samples, n_states); a part of the samples at a time."""
    parts = []
    for part in np.array_split(points, max(1, len(points) >> 14)):
        weights = 2 * part @ centers.T - np.square(centers).sum(axis=1)
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        parts.append(weights @ memberships / weights.sum(axis=1, keepdims=True))
    return np.concatenate(parts)


def _microstates(points: np.ndarray) -> np.ndarray:
    """k-means centres, (k, r), of which the seldom visited ones are joined to their neighbours.

    A microstate that is hardly ever visited has eigenvectors made of chance; one that is never left or entered within
    the data would be a state of its own.
    """
    chosen = points[np.random.default_rng(0).permutation(len(points))[:_CLUSTERED]]
    n_distinct = len(np.unique(chosen.round(9), axis=0))
    centers = KMeans(min(N_MICROSTATES, n_distinct), n_init=1, random_state=0).fit(chosen).cluster_centers_
    visits = np.bincount(KDTree(centers).query(points)[1], minlength=len(centers))
    while len(centers) > 1 and visits.min() < _VISITS:
        i = int(visits.argmin())
        j = int(KDTree(centers).query(centers[i], 2)[1][1])
        share = visits[i] / max(visits[i] + visits[j], 1)
        centers[j] += share * (centers[i] - centers[j])
        visits[j] += visits[i]
        centers, visits = np.delete(centers, i, axis=0), np.delete(visits, i)
    return centers


def _candidates(
    identity: StateMapResult, start: np.ndarray, end: np.ndarray, coefficients: np.ndarray
) -> Iterator[StateMapResult]:
    """Yield maps by PCCA+ of a Markov state model of microstates, the wanted one first."""
    n, r = coefficients.shape
    x, y = start @ coefficients, end @ coefficients
    places = _microstates(x)
    tree, k = KDTree(places), len(places)
    (apart, i), (_, j) = tree.query(x), tree.query(y)
    counts = np.bincount(i * k + j, minlength=k * k).reshape(k, k).astype(float)
    counts += counts.T  # every pair forward and backward
    visited = np.flatnonzero(counts.sum(axis=1))
    width = np.sqrt(2 * max(_SOFT * np.square(apart).mean() / r, _FINEST**2 * x.var()))
    projection, centers = np.zeros_like(identity.projection), np.full_like(identity.centers, _FAR)
    projection[:, :r] = coefficients / width
    centers[: len(visited), :r] = places[visited] / width
    centers[: len(visited), r:] = 0
    for found in pcca_memberships(counts[np.ix_(visited, visited)], r + 1):
        memberships = np.eye(n)[np.zeros(N_MICROSTATES, int)]  # unused ones are too far away to count
        memberships[: len(visited)] = np.pad(found, [(0, 0), (0, n - found.shape[1])])
        yield replace(
            identity, projection=projection, centers=centers, memberships=memberships, n_resolved=found.shape[1]
        )


def _superfluous(result: StateMapResult) -> tuple[Finding, ...]:
    """What is to be said of states that describe nothing slow."""
    n, n_resolved = len(result.projection), result.n_resolved
    if n_resolved == n:
        return ()
    numbers = {"n_states": n, "n_resolved": n_resolved, "eigenvalues": result.eigenvalues.tolist()}
    if n_resolved == 1:
        return (
            Finding(
                kind="nothing slow",
                severity="bad",
                text="No function of the states remembers anything over the lag time, so that states cannot be told "
                "apart by their dynamics; they are left as the network gave them. Try a shorter lag time or other "
                "targets.",
                numbers=numbers,
            ),
        )
    return (
        Finding(
            kind="superfluous states",
            severity="warning",
            text=f"{n_resolved} of {n} states describe what is slow. The others would have split these without any "
            f"memory over the lag time and were left empty: ask for {n_resolved} states, or for a shorter lag time.",
            numbers=numbers,
        ),
    )


def _fallback(lost: Sequence[float], found: bool = True) -> tuple[Finding, ...]:
    """What is to be said when states drawn by their cores lose too much of the score.

    ``lost`` are the losses of the candidates tried; the last was taken unless ``found`` is false.
    """
    numbers = {"lost_by_cores": lost[0], "tolerance": _TOLERANCE}
    if not found:
        text = (
            f"Every choice of states loses more than {_TOLERANCE:g} of the VAMP-2 score, at least {min(lost):.3f}: "
            "they are left as the network gave them. The score stands; populations are without meaning."
        )
        return (Finding("not identified", "bad", text, {**numbers, "lost": min(lost)}),)
    if len(lost) == 1:
        return ()
    text = (
        f"There are no cores that frames belong to: states drawn by their cores would lose {lost[0]:.3f} of the VAMP-2 "
        f"score. They are drawn by their outermost frames instead (lost: {lost[-1]:.3f}); few frames are certain, and "
        "populations depend on where the borders are drawn."
    )
    return (Finding("no cores", "warning", text, {**numbers, "lost": lost[-1]}),)
