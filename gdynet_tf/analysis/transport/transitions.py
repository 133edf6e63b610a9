"""How far targets move in each transition, and the share of each in their diffusion (Xie et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.blocks import Blocks, Piece, pieces_of
from gdynet_tf.analysis.chi import Chi, as_chi, check_lags
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.koopman import koopman_of
from gdynet_tf.analysis.kinetics.spectral import stationary_distribution
from gdynet_tf.analysis.transport.paths import check_positions
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_copies, estimate_table
from gdynet_tf.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TransitionTransport", "sum_of_shares", "transition_transport"]

_RARE = 1e-9  # share of pairs in a transition below which there is nothing to average
_DIFFER = 0.2  # relative difference of two sums that is said


@dataclass(frozen=True)
class TransitionTransport:
    """Displacements of the transitions between states, and their shares in the diffusion of the targets.

    Attributes
    ----------
    tau : int
        Lag time, frames.
    lags : (n_lags,) int
    lag_times : (n_lags,) float
        In ``time_unit``.
    displacement : Estimate, (n_lags, n, n)
        E_ij = E[d^2(t) | i -> j], Å^2; NaN where the transition never happens.
    diffusivity : Estimate, (n, n)
        D_ij(tau), a sixth of the slope of E_ij at tau, Å^2 per ``time_unit``.
    koopman : (n, n) float
        K(tau).
    stationary : (n,) float
        Stationary distribution of K(tau); NaN where it has none, as when states never exchange.
    flux : Estimate, (n, n)
        pi_i K_ij D_ij, the shares of the paper; zero where the transition never happens, NaN without a stationary
        distribution.
    exact_flux : Estimate, (n, n)
        pi_i K_ij E_ij(tau) / (6 tau), shares whose sum is the mean squared displacement at tau over 6 tau, however
        long tau is beside the times of the states.
    total, exact_total : Estimate
        Sums of the shares, Å^2 per ``time_unit``.
    exponent : Estimate
        d ln E / d ln t at tau, E of all targets whatever their states: 1 where they diffuse, less in a cage.
    flux_copies, exact_copies : (n_blocks + 1, n, n) float
        Shares from all data and from all but one block, for what is computed from them.
    blocks : Blocks
        What was taken as independent.
    n_targets : int
    time_unit : str
    """

    tau: int
    lags: np.ndarray
    lag_times: np.ndarray
    displacement: Estimate
    diffusivity: Estimate
    koopman: np.ndarray
    stationary: np.ndarray
    flux: Estimate
    exact_flux: Estimate
    total: Estimate
    exact_total: Estimate
    exponent: Estimate
    flux_copies: np.ndarray
    exact_copies: np.ndarray
    blocks: Blocks
    n_targets: int
    time_unit: str

    def to_dataframe(self) -> pd.DataFrame:
        """The displacement, a row for each lag and pair of states.

        Returns
        -------
        pandas.DataFrame
            ``lag_frames``, ``lag_time_UNIT``, ``from``, ``to``, ``displacement_angstrom2`` and its bounds, ``basis``.
        """
        lags = {"lag_frames": self.lags, f"lag_time_{self.time_unit}": self.lag_times}
        return estimate_table([lags, *self._states], {"displacement": self.displacement}, "angstrom2")

    def transitions_dataframe(self) -> pd.DataFrame:
        """Diffusion coefficients and shares at tau, a row for each pair of states.

        Returns
        -------
        pandas.DataFrame
            ``from``, ``to``, ``diffusivity_angstrom2_per_UNIT``, ``flux_...``, ``exact_flux_...`` and their bounds,
            ``basis``.
        """
        shown = {"diffusivity": self.diffusivity, "flux": self.flux, "exact_flux": self.exact_flux}
        return estimate_table(self._states, shown, f"angstrom2_per_{self.time_unit}")

    @property
    def _states(self) -> list[dict[str, range]]:
        states = range(len(self.koopman))
        return [{"from": states}, {"to": states}]


def _sums(
    chi: Chi, paths: Sequence[np.ndarray], lags: np.ndarray, pieces: Sequence[Piece]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of one block: sums of d^2 chi_i chi_j, of chi_i chi_j, each (n_lags, n, n), and of chi_i chi_k at the start."""
    n = chi[0].shape[2]
    moved, pairs, start = np.zeros((len(lags), n, n)), np.zeros((len(lags), n, n)), np.zeros((len(lags), n, n))
    for piece in pieces:
        p, x = chi[piece.segment], paths[piece.segment]
        for k, lag in enumerate(lags):
            stop = min(piece.frames.stop, len(p) - lag)
            if stop <= piece.frames.start:
                continue
            here, there = slice(piece.frames.start, stop), slice(piece.frames.start + lag, stop + lag)
            before = np.asarray(p[here, piece.targets], np.float64).reshape(-1, n)
            after = np.asarray(p[there, piece.targets], np.float64).reshape(-1, n)
            step = x[there, piece.targets] - x[here, piece.targets]
            moved[k] += before.T @ (np.square(step).sum(axis=-1).reshape(-1, 1) * after)
            pairs[k] += before.T @ after
            start[k] += before.T @ before
    return moved, pairs, start


def _window(tau: int) -> np.ndarray:
    """Up to five lags around tau, over which slopes at tau are taken."""
    width = max(1, tau // 4)
    return np.unique([*np.linspace(tau - width, tau + width, 5).round().astype(int).clip(1), tau])


def _slope(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of straight lines through values (n, ...)."""
    centred = times - times.mean()
    return np.tensordot(centred, values, axes=1) / np.square(centred).sum()


def _results(
    moved: np.ndarray, pairs: np.ndarray, start: np.ndarray, *, lags: np.ndarray, tau: int, frame_interval: float
) -> dict[str, np.ndarray]:
    """Everything that follows from the sums of some data."""
    total = pairs.sum(axis=(1, 2), keepdims=True)
    seen = pairs > _RARE * np.maximum(total, 1e-300)
    E = np.divide(moved, pairs, out=np.full_like(moved, np.nan), where=seen)
    window, at = np.isin(lags, _window(tau)), int(np.flatnonzero(lags == tau)[0])
    times = lags * frame_interval
    D = _slope(times[window], E[window]) / 6
    count = max(total[at, 0, 0], 1e-300)
    K = koopman_of(start[at] / count, pairs[at] / count)
    try:
        pi = stationary_distribution(K)
    except ValueError:
        pi = np.full(len(K), np.nan)
    share = pi[:, None] * K
    flux = np.where(np.isnan(D), 0.0, share * D)  # a transition without a single pair carries nothing
    exact = np.where(np.isnan(E[at]), 0.0, share * E[at] / (6 * times[at]))
    whole = moved.sum(axis=(1, 2)) / np.maximum(total[:, 0, 0], 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = _slope(np.log(times[window]), np.log(whole[window]))
    return {"E": E, "D": D, "K": K, "pi": pi, "flux": flux, "exact": exact, "exponent": exponent}


def transition_transport(
    chi: Chi | Sequence[np.ndarray],
    positions: Sequence[np.ndarray],
    tau: int | None = None,
    frame_interval: float | None = None,
    time_unit: str | None = None,
    n_lags: int = 12,
) -> TransitionTransport:
    """Mean squared displacement of the targets that go from state i to state j, and its shares in their diffusion.

    E_ij(t) = sum d^2(t', t'+t) chi_i(t') chi_j(t'+t) / sum chi_i(t') chi_j(t'+t) and
    D_ij(tau) = 1/6 dE_ij/dt at tau (Xie et al. 2019, Methods). The slope is that of a straight line through up to five
    lags within a quarter of tau. With K and its stationary distribution pi the paper's shares are pi_i K_ij D_ij. They
    add up to the diffusion coefficient only where tau is long beside the times of the states; pi_i K_ij E_ij / (6 tau)
    always add up to the mean squared displacement at tau over 6 tau.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    positions : list of (F, n_targets, 3) arrays
        Paths of the targets in the same frames, Å (`System.target_paths`).
    tau : int, optional
        Lag time in frames; that of chi when not given.
    frame_interval : float, optional
        In ``time_unit``; that of chi when not given.
    time_unit : str, optional
        That of chi when not given.
    n_lags : int
        Number of lags between 1 and 2 tau at which the displacement is given, besides those of the slope.

    Returns
    -------
    TransitionTransport

    Raises
    ------
    ValueError
        If the arrays are not of the same frames and targets, or no segment is longer than the lags that the slope
        needs.
    """
    chi, positions = as_chi(chi), check_positions(positions)
    if [p.shape[:2] for p in chi] != [x.shape[:2] for x in positions]:
        raise ValueError(
            f"chi is of (frames, targets) {[p.shape[:2] for p in chi]}, positions of {[x.shape[:2] for x in positions]}"
        )
    tau, (frame_interval, time_unit) = chi.lag(tau), chi.units(frame_interval, time_unit)
    window = _window(tau)
    top = max(window[-1], min(2 * tau, chi.longest - 1))
    lags = np.unique([*np.geomspace(1, top, n_lags).round().astype(int), *window])
    check_lags(chi, lags)
    blocks = independent_blocks(chi, tau)
    parts = [_sums(chi, positions, lags, pieces) for pieces in pieces_of(blocks, chi)]
    sums = [np.array(part) for part in zip(*parts, strict=True)]
    results = partial(_results, lags=lags, tau=tau, frame_interval=frame_interval)
    copies = [results(*left) for left in zip(*(blocks.left_out(part) for part in sums), strict=True)]
    by_name = {name: np.array([copy[name] for copy in copies]) for name in copies[0]}
    estimate = partial(estimate_from_copies, blocks=blocks, memory=False)
    return TransitionTransport(
        tau=tau,
        lags=lags,
        lag_times=lags * frame_interval,
        displacement=estimate(by_name["E"], within=(0, np.inf)),
        diffusivity=estimate(by_name["D"]),
        koopman=by_name["K"][0],
        stationary=by_name["pi"][0],
        flux=estimate(by_name["flux"]),
        exact_flux=estimate(by_name["exact"]),
        total=estimate(by_name["flux"].sum(axis=(1, 2))),
        exact_total=estimate(by_name["exact"].sum(axis=(1, 2))),
        exponent=estimate(by_name["exponent"]),
        flux_copies=by_name["flux"],
        exact_copies=by_name["exact"],
        blocks=blocks,
        n_targets=chi.n_targets,
        time_unit=time_unit,
    )


def sum_of_shares(transport: TransitionTransport, tracer: float | None = None) -> Finding:
    """Whether the shares of the transitions add up to the diffusion of the targets.

    Parameters
    ----------
    transport : TransitionTransport
    tracer : float, optional
        Tracer diffusivity, Å^2 per time unit.

    Returns
    -------
    Finding
        "sum of shares": good, or a warning where two of the three sums differ by more than a fifth.
    """
    unit = f"Å²/{transport.time_unit}"
    sums = {"slopes": float(transport.total.value), "displacements": float(transport.exact_total.value)}
    if tracer is not None:
        sums["tracer"] = float(tracer)
    exponent = float(transport.exponent.value)
    apart = max(sums.values()) - min(sums.values()) > _DIFFER * max(map(abs, sums.values()))
    text = (
        f"The shares of the transitions add up to {sums['slopes']:.3g} {unit} by the slopes at the lag time (the "
        f"paper's D_ij) and to {sums['displacements']:.3g} {unit} by the displacements over the lag time"
    )
    if tracer is not None:
        text += f"; the targets diffuse with {sums['tracer']:.3g} {unit}"
    text += f". The displacement grows with time to the power of {exponent:.2f} at the lag time."
    if apart:
        text += (
            " They differ by more than a fifth, as with a lag time that is short beside the times of the states, or in "
            "a cage that rattles slowly: shares by slopes are then no shares of the diffusion. Those by displacements "
            "are shares of what is moved within the lag time."
        )
    return Finding(
        kind="sum of shares",
        severity="warning" if apart or not np.isfinite(list(sums.values())).all() else "good",
        text=text,
        numbers={**sums, "exponent": exponent},
    )
