"""Whether graphs hold what a network was trained on: elements, and distances by pair of elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gdynet_tf.findings import Finding
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.graphs.store import GraphDataset
from gdynet_tf.trajectory.elements import symbol

__all__ = ["DistanceHistogram", "compare_with_training", "distance_histogram", "frame_distances", "unseen_shares"]

Block = tuple[int, int, int]

_BIN = 0.1  # Å: half the width of the Gaussians, so that a network knows no finer
_ROWS = 128  # above any atomic number
_FRAMES = 2000  # at most, evenly spaced
_EDGES = 20_000_000  # at most, in all frames
_EDGES_AT_A_TIME = 1_000_000
_NOTABLE = 0.01  # share of unseen distances from which it is a warning


@dataclass(frozen=True)
class DistanceHistogram:
    """Number of edges by elements of centre and neighbour, in bins of 0.1 Å.

    Attributes
    ----------
    counts : dict
        (centre, neighbour), atomic numbers -> (n_bins,) int, from 0 Å on.
    n_frames : int
        That were counted.
    """

    counts: dict[tuple[int, int], np.ndarray]
    n_frames: int


def frame_distances(
    graphs: GraphDataset, trajectories: np.ndarray, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and their distances, whatever form of edges the graphs have.

    Parameters
    ----------
    graphs : GraphDataset
    trajectories, frames : (B,) int arrays

    Returns
    -------
    neighbors : (B, N, M) int32
        Nearest first.
    distances : (B, N, M) float32
        Å; found anew from the positions where only their expansion is stored.
    """
    if graphs.edge_array == "distances":
        graph = graphs.read(trajectories, frames)
        return graph["neighbors"], graph["distances"]
    positions, lattices = (
        np.stack(
            [graphs.array(trajectory, name)[frame] for trajectory, frame in zip(trajectories, frames, strict=True)]
        )
        for name in ("positions", "lattices")
    )
    periodic = tuple(graphs.meta["periodic"])
    neighbors, distances = nearest_neighbors(positions, lattices, graphs.meta["n_neighbors"], periodic)
    return neighbors, distances.astype(np.float32)


def _batches(graphs: GraphDataset, blocks: Sequence[Block]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Trajectories and frames, evenly spaced."""
    every = np.concatenate([[(trajectory, t) for t in range(start, stop)] for trajectory, start, stop in blocks])
    n_edges = graphs.meta["n_atoms"] * graphs.meta["n_neighbors"]
    n_frames = min(len(every), _FRAMES, max(1, _EDGES // n_edges))
    chosen = every[np.arange(n_frames) * len(every) // n_frames]
    size = max(1, _EDGES_AT_A_TIME // n_edges)
    for start in range(0, n_frames, size):
        trajectories, frames = chosen[start : start + size].T
        yield trajectories, frames


def distance_histogram(graphs: GraphDataset, blocks: Sequence[Block]) -> DistanceHistogram:
    """Distances of all edges of at most 2,000 evenly spaced frames.

    Parameters
    ----------
    graphs : GraphDataset
    blocks : sequence of (trajectory, start, stop)
        Frames to take them from.

    Returns
    -------
    DistanceHistogram
    """
    z, n_frames = graphs.atomic_numbers.astype(np.int64), 0
    counts: dict[int, np.ndarray] = {}
    for trajectories, frames in _batches(graphs, blocks):
        neighbors, distances = frame_distances(graphs, trajectories, frames)
        n_frames += len(frames)
        pair = (z[:, None] * _ROWS + z[neighbors]).ravel()
        bins = (distances.ravel() / _BIN).astype(np.int64)
        for key in np.unique(pair):
            more, old = np.bincount(bins[pair == key]), counts.get(int(key), np.zeros(0, np.int64))
            length = max(len(more), len(old))
            counts[int(key)] = np.pad(more, (0, length - len(more))) + np.pad(old, (0, length - len(old)))
    return DistanceHistogram(counts={divmod(key, _ROWS): n for key, n in counts.items()}, n_frames=n_frames)


def unseen_shares(training: DistanceHistogram, new: DistanceHistogram) -> dict[tuple[int, int], float]:
    """Share of the new edges of each pair of elements that training has no edge of within 0.1 Å.

    Parameters
    ----------
    training, new : DistanceHistogram

    Returns
    -------
    dict
        (centre, neighbour) -> share in [0, 1]; 1 for a pair that never occurred.
    """
    shares = {}
    for pair, counts in new.counts.items():
        seen = np.zeros(len(counts) + 1, bool)
        for b in np.flatnonzero(training.counts.get(pair, np.zeros(0))):
            seen[max(b - 1, 0) : b + 2] = True
        shares[pair] = float(counts[~seen[: len(counts)]].sum() / counts.sum())
    return shares


def compare_with_training(
    training: GraphDataset, training_blocks: Sequence[Block], new: GraphDataset, blocks: Sequence[Block]
) -> list[Finding]:
    """What occurs in new graphs that the training never saw.

    Parameters
    ----------
    training : GraphDataset
    training_blocks : sequence of (trajectory, start, stop)
        Frames that trained.
    new : GraphDataset
    blocks : sequence of (trajectory, start, stop)

    Returns
    -------
    list of Finding
        Kinds "unknown elements" (bad), "other targets", "unseen distances" (warnings), "like the training" (good).
    """
    findings = []
    unknown = sorted(set(new.atomic_numbers.tolist()) - set(training.atomic_numbers.tolist()))
    if unknown:
        share = float(np.isin(new.atomic_numbers, unknown).mean())
        text = (
            f"{_names(unknown)}: the training never saw such atoms ({100 * share:.3g} % of all here). Their embedding "
            "is what it was before training, and so is what they do to their neighbours' states: fine-tune the network "
            "(train.py --start-from) before these states are used."
        )
        numbers = {"atomic_numbers": unknown, "share": share}
        findings.append(Finding(kind="unknown elements", severity="bad", text=text, numbers=numbers))
    findings += _about_targets(training, new)
    before, now = distance_histogram(training, training_blocks), distance_histogram(new, blocks)
    shares = unseen_shares(before, now)
    total = sum(counts.sum() for counts in now.counts.values())
    all_shares = float(sum(share * now.counts[pair].sum() for pair, share in shares.items()) / total)
    notable = {pair: share for pair, share in shares.items() if share > _NOTABLE}
    if notable:
        listed = sorted(notable.items(), key=lambda item: -item[1] * now.counts[item[0]].sum())
        shown = ", ".join(f"{100 * share:.2g} % of {symbol(i)}–{symbol(j)}" for (i, j), share in listed[:4])
        more = f" and {len(listed) - 4} more pairs of elements" if len(listed) > 4 else ""
        text = (
            f"{100 * all_shares:.2g} % of the edges have distances that the training never saw (none within {_BIN:g} "
            f"Å): {shown}{more}. There the network extrapolates."
        )
        numbers = {"share": all_shares, **{f"{symbol(i)}-{symbol(j)}": share for (i, j), share in listed}}
        findings.append(Finding(kind="unseen distances", severity="warning", text=text, numbers=numbers))
    if not findings:
        text = (
            f"Like the training: no element is new, and {100 * (1 - all_shares):.4g} % of the edges have distances "
            "that the training saw."
        )
        findings.append(Finding(kind="like the training", severity="good", text=text, numbers={"share": all_shares}))
    return findings


def _about_targets(training: GraphDataset, new: GraphDataset) -> list[Finding]:
    """Whether other atoms, or other groups of them, are asked for their states."""
    kinds = [
        {tuple(sorted(row)) for row in graphs.atomic_numbers[graphs.targets].tolist()} for graphs in (training, new)
    ]
    other = sorted(kinds[1] - kinds[0])
    if not other:
        return []
    listed = ", ".join("".join(symbol(z) for z in row) for row in other[:4])
    text = f"Targets of {listed}: the training never asked for their states, which are those of other targets."
    return [Finding(kind="other targets", severity="warning", text=text, numbers={"kinds": len(other)})]


def _names(elements: Sequence[int]) -> str:
    return ", ".join(symbol(z) for z in elements)
