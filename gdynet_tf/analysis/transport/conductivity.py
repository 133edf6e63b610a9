"""What the motion of charged targets conducts: cluster Nernst-Einstein shares of the transitions (Xie et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.transport.transitions import TransitionTransport
from gdynet_tf.analysis.transport.units import BOLTZMANN, ELEMENTARY_CHARGE
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_copies, estimate_table
from gdynet_tf.times import seconds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Conductivity", "cluster_nernst_einstein", "conductivity_factor"]


@dataclass(frozen=True)
class Conductivity:
    """Contribution of each transition to the ionic conductivity.

    Attributes
    ----------
    sigma : Estimate, (n, n)
        By the slopes D_ij, the paper's, S/cm.
    percent : Estimate, (n, n)
        Of the total; NaN when that is zero.
    total : Estimate
        S/cm.
    exact : Estimate, (n, n)
        The same by the displacements E_ij(tau) / (6 tau), S/cm.
    exact_total : Estimate
        S/cm.
    charges : (n, n) float
        z_ij, elementary charges.
    target_charge : float
        Elementary charges.
    """

    sigma: Estimate
    percent: Estimate
    total: Estimate
    exact: Estimate
    exact_total: Estimate
    charges: np.ndarray
    target_charge: float

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each pair of states.

        Returns
        -------
        pandas.DataFrame
            ``from``, ``to``, ``charge_e``, ``share_percent``, ``sigma_S_per_cm``, ``exact_sigma_S_per_cm`` and their
            bounds, ``basis``.
        """
        states = range(len(self.charges))
        axes = [{"from": states}, {"to": states}]
        shares = estimate_table(axes, {"share": self.percent}, "percent").drop(columns="basis")
        shares.insert(2, "charge_e", np.ravel(self.charges))
        sigma = estimate_table(axes, {"sigma": self.sigma, "exact_sigma": self.exact}, "S_per_cm")
        return shares.join(sigma.drop(columns=["from", "to"]))


def conductivity_factor(n_carriers: int, volume: float, temperature: float, time_unit: str) -> float:
    """e^2 N / (V kB T): conductivity of unit charges in S/cm per Å^2/``time_unit`` of diffusivity.

    Parameters
    ----------
    n_carriers : int
    volume : float
        Å^3.
    temperature : float
        K.
    time_unit : str

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If volume or temperature are not positive, or the time unit is none that can be converted.
    """
    for name, value, unit in (("volume", volume, "Å^3"), ("temperature", temperature, "K")):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number of {unit}, got {value}")
    per_m3 = n_carriers / (volume * 1e-30)
    # Å^2 to m^2, S/m to S/cm.
    return ELEMENTARY_CHARGE**2 * per_m3 / (BOLTZMANN * temperature) * 1e-20 / seconds(time_unit) / 100


def cluster_nernst_einstein(
    transport: TransitionTransport,
    charges: Sequence[float] | np.ndarray,
    volume: float,
    temperature: float,
    *,
    target_charge: float | None = None,
) -> Conductivity:
    """Cluster Nernst-Einstein conductivity sigma_ij = e^2 N / (V kB T) z pi_i z_ij K_ij D_ij.

    z_ij is the mean of the charges of states i and j, z the charge of the target itself. For Li+, z = 1, this is the
    formula of Xie et al. (2019): a state whose surroundings turn the charge that moves negative lowers the
    conductivity. Where every state carries the target's own charge it is the Nernst-Einstein conductivity, with z^2.

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
    target_charge : float, optional
        Of the target alone, elementary charges; may be left out where all states carry the same, which is then it.

    Returns
    -------
    Conductivity

    Raises
    ------
    ValueError
        If the time unit is not known, volume or temperature are not positive, K has no stationary distribution, or
        ``target_charge`` is needed.
    """
    if np.isnan(transport.stationary).any():
        raise ValueError("the Koopman matrix has no stationary distribution: the shares of the states are not known")
    n = len(transport.koopman)
    charges = np.asarray(charges, np.float64)
    if charges.shape != (n,) or not np.isfinite(charges).all():
        raise ValueError(f"{n} finite charges are needed, one for each state, got {charges.tolist()}")
    if target_charge is None:
        if (charges != charges[0]).any():
            raise ValueError("the states carry different charges: target_charge, that of the target itself, is needed")
        target_charge = charges[0]
    if not np.isfinite(target_charge):
        raise ValueError(f"target_charge must be a finite number, got {target_charge}")
    z = (charges[:, None] + charges) / 2
    factor = conductivity_factor(transport.n_targets, volume, temperature, transport.time_unit) * target_charge * z
    sigma, exact = factor * transport.flux_copies, factor * transport.exact_copies  # (copies, n, n)
    total = sigma.sum(axis=(1, 2))
    percent = np.divide(
        100 * sigma, total[:, None, None], out=np.full_like(sigma, np.nan), where=total[:, None, None] != 0
    )
    estimate = partial(estimate_from_copies, blocks=transport.blocks, memory=False)
    return Conductivity(
        sigma=estimate(sigma),
        percent=estimate(percent),
        total=estimate(total),
        exact=estimate(exact),
        exact_total=estimate(exact.sum(axis=(1, 2))),
        charges=z,
        target_charge=float(target_charge),
    )
