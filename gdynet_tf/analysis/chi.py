"""What every analysis asks of its arguments."""

import numpy as np

__all__ = ["check_chi", "check_lags"]


def check_chi(chi):
    """List of (F, n_targets, n_states) arrays from one such array or a list of them.

    Parameters
    ----------
    chi : array (F, n_targets, n_states) or list of such arrays
        One per trajectory or segment. Values are not copied.

    Returns
    -------
    list of array

    Raises
    ------
    ValueError
        If shapes do not fit or a value is not finite.
    """
    chi = [chi] if isinstance(chi, np.ndarray) else list(chi)
    if not chi:
        raise ValueError("chi holds no segment")
    for n, segment in enumerate(chi):
        if segment.ndim != 3 or not segment.size:
            raise ValueError(f"chi of segment {n} must have shape (F, n_targets, n_states), got {segment.shape}")
        if segment.shape[1:] != chi[0].shape[1:]:
            raise ValueError(f"chi of segment {n} has shape {segment.shape}, segment 0 has {chi[0].shape}")
        with np.errstate(invalid="ignore"):  # inf - inf
            total = segment.sum()
        if not np.isfinite(total):
            raise ValueError(f"chi of segment {n} holds values that are not finite")
    if chi[0].shape[2] < 2:
        raise ValueError(f"chi must have at least 2 states, got {chi[0].shape[2]}")
    return chi


def check_lags(chi, lags):
    """Increasing lag times in frames, each shorter than the longest segment.

    Parameters
    ----------
    chi : list of array
    lags : int or sequence of int

    Returns
    -------
    (n_lags,) int array

    Raises
    ------
    ValueError
    """
    lags = np.atleast_1d(lags)
    longest = max(len(segment) for segment in chi)
    if not len(lags) or not np.issubdtype(lags.dtype, np.integer) or lags.min() < 1 or (np.diff(lags) <= 0).any():
        raise ValueError(f"lag times must be increasing integers of at least 1 frame, got {lags.tolist()}")
    if lags[-1] >= longest:
        raise ValueError(f"a lag time of {lags[-1]} frames needs longer segments; the longest has {longest} frames")
    return lags
