"""Haven ratio: how much the correlation between targets changes what their motion conducts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.transport.diffusion import TracerDiffusivity, mean_squared_displacement, tracer_diffusivity
from gdynet_tf.analysis.transport.paths import check_positions, independent_motion
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_copies, estimate_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HavenRatio", "haven_ratio"]


@dataclass(frozen=True)
class HavenRatio:
    """Tracer diffusivity over charge diffusivity.

    Attributes
    ----------
    ratio : Estimate
        1 for targets that move independently of one another; below it, they help each other along. NaN where the
        charges do not diffuse.
    tracer, charge : TracerDiffusivity
        Of a target, and of the collective displacement of the charges.
    """

    ratio: Estimate
    tracer: TracerDiffusivity
    charge: TracerDiffusivity

    def to_dataframe(self) -> pd.DataFrame:
        """One row.

        Returns
        -------
        pandas.DataFrame
            ``haven_ratio``, ``tracer_diffusivity_angstrom2_per_UNIT``, ``charge_diffusivity_...`` and their bounds,
            ``basis`` of the ratio.
        """
        both = {"tracer_diffusivity": self.tracer.diffusivity, "charge_diffusivity": self.charge.diffusivity}
        diffusivities = estimate_table([], both, f"angstrom2_per_{self.tracer.time_unit}").drop(columns="basis")
        return diffusivities.join(estimate_table([], {"haven_ratio": self.ratio}))


def haven_ratio(
    positions: np.ndarray | Iterable[np.ndarray],
    charges: Sequence[float] | np.ndarray,
    max_lag: int,
    frame_interval: float = 1.0,
    time_unit: str = "frames",
    start: float | None = None,
    stop: float | None = None,
) -> HavenRatio:
    """Tracer diffusivity over charge diffusivity.

    The charge diffusivity is D_sigma = d/dt <|sum_i z_i (x_i(t) - x_i(0))|^2> / (6 sum_i z_i^2); the conductivity is
    that of Nernst and Einstein divided by the ratio. D_sigma is the motion of one thing, however many targets there
    are: its interval needs long trajectories.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Paths of the targets, Å (`System.target_paths`).
    charges : (n_targets,) array
        Elementary charges.
    max_lag, frame_interval, time_unit
        See `mean_squared_displacement`.
    start, stop : float, optional
        See `tracer_diffusivity`.

    Returns
    -------
    HavenRatio

    Raises
    ------
    ValueError
        If there is not one finite charge for each target, or all are zero.
    """
    positions, charges = check_positions(positions), np.asarray(charges, np.float64)
    n_targets = positions[0].shape[1]
    if charges.shape != (n_targets,) or not np.isfinite(charges).all() or not charges.any():
        raise ValueError(f"{n_targets} finite charges are needed, one for each target and not all zero")
    weights = charges / np.sqrt(np.square(charges).sum())
    together = [np.einsum("ftd,t->fd", x, weights)[:, None] for x in positions]
    blocks = independent_motion(together, max_lag)
    msd = [mean_squared_displacement(x, max_lag, frame_interval, time_unit, blocks) for x in (positions, together)]
    tracer, charge = (tracer_diffusivity(one, start, stop) for one in msd)
    ratios = np.divide(tracer.copies, charge.copies, out=np.full(tracer.copies.shape, np.nan), where=charge.copies > 0)
    ratio = estimate_from_copies(ratios, blocks, (0, np.inf), memory=False)
    return HavenRatio(ratio=ratio, tracer=tracer, charge=charge)
