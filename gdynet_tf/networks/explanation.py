"""From attention and derivatives of single frames to what tells the states apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.networks.attribution import Attribution
from gdynet_tf.trajectory.elements import symbol

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Explanation", "explain_states"]

_SHELL = 0.1  # Å
_FEW = 100  # samples below which nothing is concluded
_MOST = 2 / 3  # of the sensitivity that the named distances have
_FEW_RANKS = 1 / 3  # of all distances that are usually there: more of them is no answer
_ACCOUNTED = 0.5  # of the variance of chi that the named distances account for alone
_INTERVAL = 0.8  # of the gradient lies in the named interval of distances
_BINS = 20


@dataclass(frozen=True)
class Explanation:
    """What tells the states apart, as tables (columns of equal length).

    A neighbour is named by the elements of the pair and its rank among the neighbours of its element: (Li, S, 2) is
    the second nearest S of a Li.

    Attributes
    ----------
    attention : dict
        convolution, state, center, neighbor, rank, attention: mean over the frames, weighted by the state.
    gradients : dict
        state, center, neighbor, rank, shell_from, shell_to (Å), n_pairs, gradient (mean of d chi / d distance, 1/Å),
        modulus (mean of its modulus).
    sensitivities : dict
        state, center, neighbor, rank, presence (share of the targets that have it among their M neighbours), distance
        (mean, Å), in_state and elsewhere (mean weighted by the state's probability and its complement), sensitivity:
        <(d chi / d r)^2> Var(r), the derivative-based global sensitivity measure (Sobol' and Kucherenko, Math. Comput.
        Simul. 79, 3009 (2009)), as a share of its sum over all distances of the target.
    told_by : list of dict or None
        For each state the few neighbours that tell it, with center, neighbor, first_rank, last_rank, from, to (Å; where
        80 % of the gradient lies; None if that is not between the two means, because hardly a target was seen where one
        state becomes another), in_state, elsewhere (Å), accounted (share of the variance of chi that their mean
        distance accounts for alone), sensitivity; None where none stand out.
    n_samples : int
        Targets times frames.
    own_share : float
        See `Attribution`.
    """

    attention: dict[str, list]
    gradients: dict[str, list]
    sensitivities: dict[str, list]
    told_by: list[dict[str, Any] | None]
    n_samples: int
    own_share: float

    def to_dataframe(self, table: str = "sensitivities") -> pd.DataFrame:
        """One of the tables: "attention", "gradients" or "sensitivities"."""
        import pandas as pd

        return pd.DataFrame(getattr(self, table))

    def to_dict(self) -> dict[str, Any]:
        """As ``explanation.json`` holds it."""
        return dict(vars(self))


@dataclass(frozen=True)
class _Pair:
    """Neighbours of one element about centres of one element; a column for each rank, NaN where there is none."""

    center: str
    neighbor: str
    chi: np.ndarray  # (n, S)
    distances: np.ndarray  # (n, R)
    gradients: np.ndarray  # (n, S, R)
    attention: np.ndarray  # (n, K, R)


def explain_states(attribution: Attribution) -> Explanation:
    """Means over the frames, and the few distances that tell each state where there are such.

    A state is told by the neighbours of one element of the fewest consecutive ranks that have two thirds of its
    sensitivity, if they are at most a third of all that there are, and their mean distance alone accounts for half of
    the variance of its probability (correlation ratio, in 20 bins of equal counts, corrected for their number: Kelley,
    Proc. Natl. Acad. Sci. 21, 554 (1935)).

    Parameters
    ----------
    attribution : Attribution

    Returns
    -------
    Explanation
    """
    pairs = list(_pairs(attribution))
    n_states = attribution.chi.shape[1]
    sensitivities = _sensitivities(pairs, n_states)
    enough = len(attribution.chi) >= _FEW
    return Explanation(
        attention=_attention(pairs, n_states, attribution.attention.shape[1]),
        gradients=_gradients(pairs, n_states),
        sensitivities=sensitivities,
        told_by=[_told_by(pairs, sensitivities, state) if enough else None for state in range(n_states)],
        n_samples=len(attribution.chi),
        own_share=attribution.own_share,
    )


def _pairs(a: Attribution) -> Iterator[_Pair]:
    n, k, m = a.neighbors.shape
    centers, neighbors = a.centers.reshape(-1), a.neighbors.reshape(-1, m)
    chi = np.repeat(a.chi, k, axis=0).astype(np.float64)
    distances = a.distances.reshape(-1, m)
    gradients, attention = (np.swapaxes(x, 1, 2).reshape(n * k, -1, m) for x in (a.gradients, a.attention))
    for center in np.unique(centers):
        rows = centers == center
        for element in np.unique(neighbors[rows]):
            there = neighbors[rows] == element
            i, j = np.nonzero(there)
            rank = np.cumsum(there, axis=1)[i, j] - 1

            def spread(values: np.ndarray, i: np.ndarray = i, j: np.ndarray = j, rank: np.ndarray = rank) -> np.ndarray:
                out = np.full((*values.shape[:-1], rank.max() + 1), np.nan)
                out[i, ..., rank] = values[i, ..., j]
                return out

            yield _Pair(
                center=symbol(center),
                neighbor=symbol(element),
                chi=chi[rows],
                distances=spread(distances[rows]),
                gradients=spread(gradients[rows]),
                attention=spread(attention[rows]),
            )


def _table(rows: list[dict[str, Any]]) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _weighted(values: np.ndarray, weights: np.ndarray) -> float | None:
    """Mean of what is there; None where nothing is."""
    there = np.isfinite(values)
    total = weights[there].sum()
    return float((values[there] * weights[there]).sum() / total) if total > 0 else None


def _attention(pairs: list[_Pair], n_states: int, n_conv: int) -> dict[str, list]:
    return _table(
        [
            {
                "convolution": layer + 1,
                "state": state,
                "center": pair.center,
                "neighbor": pair.neighbor,
                "rank": rank + 1,
                "attention": _weighted(pair.attention[:, layer, rank], pair.chi[:, state]),
            }
            for layer in range(n_conv)
            for state in range(n_states)
            for pair in pairs
            for rank in range(pair.distances.shape[1])
        ]
    )


def _gradients(pairs: list[_Pair], n_states: int) -> dict[str, list]:
    rows = []
    for pair in pairs:
        for rank in range(pair.distances.shape[1]):
            there = np.isfinite(pair.distances[:, rank])
            shell = np.floor(pair.distances[there, rank] / _SHELL).astype(int)
            gradient = pair.gradients[there, :, rank]  # (n, S)
            for b in np.unique(shell):
                inside = gradient[shell == b]
                rows += [
                    {
                        "state": state,
                        "center": pair.center,
                        "neighbor": pair.neighbor,
                        "rank": rank + 1,
                        "shell_from": round(b * _SHELL, 6),
                        "shell_to": round((b + 1) * _SHELL, 6),
                        "n_pairs": len(inside),
                        "gradient": float(inside[:, state].mean()),
                        "modulus": float(np.abs(inside[:, state]).mean()),
                    }
                    for state in range(n_states)
                ]
    return _table(rows)


def _sensitivities(pairs: list[_Pair], n_states: int) -> dict[str, list]:
    rows = []
    for state in range(n_states):
        mine: list[dict[str, Any]] = []
        for pair in pairs:
            chi = pair.chi[:, state]
            for rank in range(pair.distances.shape[1]):
                r, g = pair.distances[:, rank], pair.gradients[:, state, rank]
                mine.append(
                    {
                        "state": state,
                        "center": pair.center,
                        "neighbor": pair.neighbor,
                        "rank": rank + 1,
                        "presence": float(np.isfinite(r).mean()),
                        "distance": float(np.nanmean(r)),
                        "in_state": _weighted(r, chi),
                        "elsewhere": _weighted(r, 1 - chi),
                        # Where a neighbour is beyond the M nearest, nothing depends on it.
                        "sensitivity": float(np.nan_to_num(g**2).mean() * np.nanvar(r)),
                    }
                )
        total = sum(row["sensitivity"] for row in mine)
        rows += [{**row, "sensitivity": row["sensitivity"] / total if total else 0.0} for row in mine]
    return _table(rows)


def _told_by(pairs: list[_Pair], sensitivities: dict[str, list], state: int) -> dict[str, Any] | None:
    """The fewest consecutive ranks with most of the sensitivity, if they say enough."""
    columns = zip(*sensitivities.values(), strict=True)
    rows: list[dict[str, Any]] = [dict(zip(sensitivities, values, strict=True)) for values in columns]
    rows = [row for row in rows if row["state"] == state]
    usual = sum(row["presence"] > 0.5 for row in rows)
    found = None
    for pair in pairs:
        share = np.array(
            [r["sensitivity"] for r in rows if (r["center"], r["neighbor"]) == (pair.center, pair.neighbor)]
        )
        for first in range(len(share)):
            enough = np.flatnonzero(np.cumsum(share[first:]) >= _MOST)
            if len(enough):
                candidate = (enough[0] + 1, -share[first : first + enough[0] + 1].sum(), first, pair)
                found = candidate if found is None or candidate[:2] < found[:2] else found
    if found is None or found[0] > max(1, _FEW_RANKS * usual):
        return None
    length, share, first, pair = found
    ranks = slice(first, first + length)
    r = pair.distances[:, ranks].mean(axis=1)  # NaN where one of them is missing
    there, chi = np.isfinite(r), pair.chi[:, state]
    if there.sum() < _FEW:
        return None
    accounted = _correlation_ratio(r[there], chi[there])
    if not accounted >= _ACCOUNTED:
        return None
    in_state, elsewhere = _weighted(r, chi), _weighted(r, 1 - chi)
    if in_state is None or elsewhere is None:
        return None
    low, high = _main_interval(pair.distances[:, ranks], np.abs(pair.gradients[:, state, ranks]))
    between = min(high, max(in_state, elsewhere)) - max(low, min(in_state, elsewhere))
    interval = (low, high) if between >= (high - low) / 2 else (None, None)
    return {
        "center": pair.center,
        "neighbor": pair.neighbor,
        "first_rank": first + 1,
        "last_rank": first + int(length),
        "from": interval[0],
        "to": interval[1],
        "in_state": in_state,
        "elsewhere": elsewhere,
        "accounted": accounted,
        "sensitivity": float(-share),
    }


def _correlation_ratio(x: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y that its mean given x accounts for, unbiased for independent samples."""
    n_bins = min(_BINS, len(x) // 10)
    group = np.argsort(np.argsort(x)) * n_bins // len(x)
    within = sum(((y[group == b] - y[group == b].mean()) ** 2).sum() for b in range(n_bins))
    total = ((y - y.mean()) ** 2).sum()
    return float(1 - within / total * (len(x) - 1) / (len(x) - n_bins)) if total > 0 else 0.0


def _main_interval(distances: np.ndarray, modulus: np.ndarray) -> tuple[float, float]:
    """Shortest interval of whole shells that holds 80 % of the gradient."""
    there = np.isfinite(distances)
    shell = np.floor(distances[there] / _SHELL).astype(int)
    weight = np.bincount(shell, modulus[there])
    cumulative = np.concatenate([[0.0], np.cumsum(weight)])
    widths = []
    for start in range(len(weight)):
        stop = int(np.searchsorted(cumulative, cumulative[start] + _INTERVAL * cumulative[-1] - 1e-12))
        if stop < len(cumulative):
            widths.append((stop - start, start, stop))
    _, start, stop = min(widths)
    return round(start * _SHELL, 6), round(stop * _SHELL, 6)
