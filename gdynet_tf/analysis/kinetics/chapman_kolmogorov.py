"""Chapman-Kolmogorov test: does K(tau)^n predict K(n tau)?"""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import as_chi, check_lags
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.uncertainty import confidence_interval, independent_samples

__all__ = ["ChapmanKolmogorovTest", "chapman_kolmogorov_test"]


@dataclass(frozen=True)
class ChapmanKolmogorovTest:
    """K(tau)^n beside K(n tau) for n = 0 ... n_steps; n = 0 is the identity.

    Attributes
    ----------
    tau : int
        Frames.
    steps : (n_steps + 1,) int
    lag_times : (n_steps + 1,) float
        In ``time_unit``.
    predicted, estimated : (n_steps + 1, n, n) float
    predicted_interval, estimated_interval : (2, n_steps + 1, n, n) float
        Lower and upper bounds; NaN where there is no interval.
    time_unit : str
    interval : str
        What the intervals were taken from, or why there are none.
    """

    tau: int
    steps: np.ndarray
    lag_times: np.ndarray
    predicted: np.ndarray
    estimated: np.ndarray
    predicted_interval: np.ndarray
    estimated_interval: np.ndarray
    time_unit: str
    interval: str

    @property
    def inside(self):
        """(n_steps + 1, n, n) bool: the intervals of prediction and estimate overlap."""
        (low_p, high_p), (low_e, high_e) = self.predicted_interval, self.estimated_interval
        # Steps 0 and 1 agree by construction, whatever their intervals.
        return ((low_p <= high_e) & (low_e <= high_p)) | (self.predicted == self.estimated)

    @property
    def passed(self):
        """Whether all elements at all steps are inside; None without intervals, or with the steps 0 and 1 alone."""
        if len(self.steps) <= 2 or np.isnan(self.estimated_interval).any():
            return None
        return bool(self.inside.all())

    @property
    def max_deviation(self):
        """Largest difference between prediction and estimate."""
        return float(np.abs(self.predicted - self.estimated).max())

    @property
    def columns(self):
        """The numbers by step and pair of states, dict of ((n_steps + 1) n²,) arrays, for `plots.save_figure`."""
        steps, i, j = (index.ravel() for index in np.indices(self.predicted.shape))
        columns = {f"time_{self.time_unit}": self.lag_times[steps], "from": i, "to": j}
        for name in ("predicted", "estimated"):
            lower, upper = getattr(self, f"{name}_interval")
            columns |= {
                name: getattr(self, name).ravel(),
                f"{name}_lower": lower.ravel(),
                f"{name}_upper": upper.ravel(),
            }
        return columns


def chapman_kolmogorov_test(
    chi, tau, n_steps=5, frame_interval=1.0, time_unit="frames", by="auto", n_samples=5, level=0.95
):
    """Compare K(tau)^n with K(n tau) (Xie et al. 2019, Eq. 6).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int
        Lag time in frames.
    n_steps : int
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    by, n_samples, level
        Of the intervals, see `independent_samples` and `confidence_interval`.

    Returns
    -------
    ChapmanKolmogorovTest

    Raises
    ------
    ValueError
        If n_steps tau is not shorter than the longest segment.
    """
    chi = as_chi(chi)
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    check_lags(chi, tau)
    check_lags(chi, n_steps * tau)
    samples = independent_samples(chi, n_steps * tau, by, n_samples)
    predicted, estimated = _both(chi, tau, n_steps)
    if samples.by:
        spread = np.array([_both(part, tau, n_steps) for part in samples.parts])  # (parts, 2, steps, n, n)
        lower, upper = confidence_interval(spread, level)
    else:
        lower = upper = np.full((2, *predicted.shape), np.nan)
    steps = np.arange(n_steps + 1)
    return ChapmanKolmogorovTest(
        tau,
        steps,
        steps * tau * frame_interval,
        predicted,
        estimated,
        np.stack([lower[0], upper[0]]),
        np.stack([lower[1], upper[1]]),
        time_unit,
        samples.description if samples.by else samples.reason,
    )


def _both(chi, tau, n_steps):
    """K(tau)^n and K(n tau), each (n_steps + 1, n, n)."""
    identity = np.eye(chi[0].shape[2])
    estimated = [identity] + [koopman_matrix(chi, n * tau) for n in range(1, n_steps + 1)]
    predicted = [identity, estimated[1]]
    for _ in range(2, n_steps + 1):
        predicted.append(predicted[-1] @ estimated[1])
    return np.stack(predicted), np.stack(estimated)
