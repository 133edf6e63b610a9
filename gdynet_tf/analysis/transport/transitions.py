"""How far targets move in each transition, and what it carries (Xie et al. 2019, "Analysis of Li-ion conduction")."""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import as_chi, check_lags
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.spectral import stationary_distribution
from gdynet_tf.analysis.transport.diffusion import check_positions, seconds
from gdynet_tf.analysis.uncertainty import confidence_interval, independent_samples

__all__ = ["Conductivity", "TransitionTransport", "cluster_nernst_einstein", "transition_transport"]

_RARE = 1e-9  # share of pairs in a transition below which there is nothing to average
_CHARGE = 1.602176634e-19  # C
_BOLTZMANN = 1.380649e-23  # J/K


@dataclass(frozen=True)
class TransitionTransport:
    """Displacements and diffusion coefficients of the transitions between states.

    Attributes
    ----------
    tau : int
        Lag time of the slope, frames.
    lags : (n_lags,) int
    lag_times : (n_lags,) float
        In ``time_unit``.
    displacement, displacement_lower, displacement_upper : (n_lags, n, n) float
        E[d^2(t) | i -> j], Å^2; NaN where the transition never happens.
    diffusivity, lower, upper : (n, n) float
        D_ij(tau), Å^2 per ``time_unit``.
    koopman : (n, n) float
        K(tau).
    stationary : (n,) float
        Stationary distribution of K(tau); NaN where it has none, as when states never exchange.
    flux : (n, n) float
        pi_i K_ij D_ij, zero where the transition never happens; NaN without stationary distribution.
    flux_samples : (n_samples, n, n) float
        The same of each independent part; empty when there is none.
    n_targets : int
    time_unit, interval : str
    """

    tau: int
    lags: np.ndarray
    lag_times: np.ndarray
    displacement: np.ndarray
    displacement_lower: np.ndarray
    displacement_upper: np.ndarray
    diffusivity: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    koopman: np.ndarray
    stationary: np.ndarray
    flux: np.ndarray
    flux_samples: np.ndarray
    n_targets: int
    time_unit: str
    interval: str


def _displacements(chi, positions, lags):
    """E[d^2(lag) | i -> j] of every lag, (n_lags, n, n)."""
    n = chi[0].shape[2]
    sums, weights = np.zeros((2, len(lags), n, n))
    for p, x in zip(chi, positions, strict=True):
        step = max(1, 2_000_000 // (x.shape[1] * n))
        for k, lag in enumerate(lags):
            for start in range(0, len(p) - lag, step):
                stop = min(start + step, len(p) - lag)
                before = np.asarray(p[start:stop], np.float64).reshape(-1, n)
                after = np.asarray(p[start + lag : stop + lag], np.float64).reshape(-1, n)
                moved = np.asarray(x[start + lag : stop + lag], np.float64) - x[start:stop]
                squared = np.square(moved).sum(axis=-1).reshape(-1, 1)
                sums[k] += before.T @ (squared * after)
                weights[k] += before.T @ after
    total = weights.sum(axis=(1, 2), keepdims=True)
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > _RARE * np.maximum(total, 1e-300))


def _window(tau):
    """Up to five lags around tau, over which the slope at tau is taken."""
    width = max(1, tau // 4)
    return np.unique(np.linspace(tau - width, tau + width, 5).round().astype(int).clip(1))


def _slopes(displacement, lags, window, frame_interval):
    """D_ij: a sixth of the slope of E[d^2] in the window, per unit of time."""
    rows = np.isin(lags, window)
    times, values = lags[rows] * frame_interval, displacement[rows]
    centred = times - times.mean()
    return np.tensordot(centred, values, axes=1) / np.square(centred).sum() / 6


def _flux(stationary, K, diffusivity):
    """pi_i K_ij D_ij; a transition without a single pair carries nothing."""
    return np.where(np.isnan(diffusivity), 0.0, stationary[:, None] * K * diffusivity)


def transition_transport(
    chi,
    positions,
    tau,
    frame_interval=1.0,
    time_unit="frames",
    n_lags=12,
    by="auto",
    n_samples=5,
    level=0.95,
):
    """Mean squared displacement of the targets that go from state i to state j, and its slope at tau.

    E[d^2(t) | i -> j] = sum d^2(t', t'+t) chi_i(t') chi_j(t'+t) / sum chi_i(t') chi_j(t'+t) and
    D_ij(tau) = 1/6 dE/dt at tau (Xie et al. 2019, Methods). The slope is that of a straight line through up to five
    lags within a quarter of tau.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    positions : list of (F, n_targets, 3) arrays
        Of the targets in the same frames, Å, unwrapped.
    tau : int
        Lag time in frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    n_lags : int
        Number of lags between 1 and 2 tau at which the displacement is given, besides those of the slope.
    by, n_samples, level
        Of the intervals, see `independent_samples` and `confidence_interval`.

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
    window = _window(int(tau))
    longest = max(len(p) for p in chi)
    top = max(window[-1], min(2 * tau, longest - 1))
    lags = np.unique([*np.geomspace(1, top, n_lags).round().astype(int), *window])
    check_lags(chi, lags)
    samples = independent_samples(chi, int(window[-1]), by, n_samples)
    places = independent_samples(positions, int(window[-1]), by, n_samples)  # the division depends on shapes alone
    K = koopman_matrix(chi, tau)
    try:
        stationary = stationary_distribution(K)
    except ValueError:
        stationary = np.full(len(K), np.nan)
    displacement = _displacements(chi, positions, lags)
    diffusivity = _slopes(displacement, lags, window, frame_interval)
    parts = [_displacements(p, x, lags) for p, x in zip(samples.parts, places.parts, strict=True)]
    nothing = np.full_like(displacement, np.nan)
    slopes = np.array([_slopes(part, lags, window, frame_interval) for part in parts]).reshape(-1, *K.shape)
    interval = confidence_interval(parts, level) if parts else (nothing, nothing)
    bounds = confidence_interval(slopes, level) if parts else (nothing[0], nothing[0])
    fluxes = [_flux(stationary, koopman_matrix(p, tau), slope) for p, slope in zip(samples.parts, slopes, strict=True)]
    return TransitionTransport(
        int(tau),
        lags,
        lags * frame_interval,
        displacement,
        *interval,
        diffusivity,
        *bounds,
        K,
        stationary,
        _flux(stationary, K, diffusivity),
        np.array(fluxes).reshape(-1, *K.shape),
        chi[0].shape[1],
        time_unit,
        samples.description if samples.by else samples.reason,
    )


@dataclass(frozen=True)
class Conductivity:
    """Contribution of each transition to the ionic conductivity.

    Attributes
    ----------
    sigma, lower, upper : (n, n) float
        S/cm.
    percent, percent_lower, percent_upper : (n, n) float
        Of the total; NaN when that is zero.
    total, total_lower, total_upper : float
        S/cm.
    charges : (n, n) float
        z_ij, elementary charges.
    interval : str
    """

    sigma: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    percent: np.ndarray
    percent_lower: np.ndarray
    percent_upper: np.ndarray
    total: float
    total_lower: float
    total_upper: float
    charges: np.ndarray
    interval: str


def cluster_nernst_einstein(transport, charges, volume, temperature, level=0.95):
    """Cluster Nernst-Einstein conductivity sigma_ij = e^2 N / (V kB T) pi_i z_ij K_ij D_ij (Xie et al. 2019).

    z_ij is the mean of the charges of states i and j, as in the paper to the first power: a state that carries a
    negative charge lowers the conductivity.

    Parameters
    ----------
    transport : TransitionTransport
        With a unit of time that is one ("ps").
    charges : (n,) array
        Charge that a target carries in each state, with its surroundings or without, elementary charges.
    volume : float
        Of the cell, Å^3.
    temperature : float
        K.
    level : float

    Returns
    -------
    Conductivity

    Raises
    ------
    ValueError
        If the time unit is not known, volume or temperature are not positive, or K has no stationary distribution.
    """
    if np.isnan(transport.stationary).any():
        raise ValueError("the Koopman matrix has no stationary distribution: the shares of the states are not known")
    n = len(transport.koopman)
    charges = np.asarray(charges, np.float64)
    if charges.shape != (n,) or not np.isfinite(charges).all():
        raise ValueError(f"{n} finite charges are needed, one for each state, got {charges.tolist()}")
    for name, value, unit in (("volume", volume, "Å^3"), ("temperature", temperature, "K")):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number of {unit}, got {value}")
    z = (charges[:, None] + charges) / 2
    per_m3 = transport.n_targets / (volume * 1e-30)
    # S/m per (Å^2 / time unit), then per cm.
    factor = _CHARGE**2 * per_m3 / (_BOLTZMANN * temperature) * 1e-20 / seconds(transport.time_unit) / 100

    def share(sigma):
        total = sigma.sum(axis=(-2, -1), keepdims=True)
        return np.divide(100 * sigma, total, out=np.full_like(sigma, np.nan), where=total != 0)

    sigma, samples = factor * z * transport.flux, factor * z * transport.flux_samples
    if len(samples):
        bounds, percent = confidence_interval(samples, level), confidence_interval(share(samples), level)
        total = confidence_interval(samples.sum(axis=(1, 2)), level)
    else:
        nothing = np.full((n, n), np.nan)
        bounds, percent, total = (nothing, nothing), (nothing, nothing), (np.nan, np.nan)
    return Conductivity(
        sigma,
        *bounds,
        share(sigma),
        *percent,
        float(sigma.sum()),
        *map(float, total),
        z,
        transport.interval,
    )
