"""The first minimum of a radial distribution, in spite of counting noise."""

from collections.abc import Iterator

import numpy as np
from scipy.signal import savgol_filter

__all__ = ["first_minimum"]

_WINDOW = 0.45  # Å of the smoothing parabola, below the width of a shell and the gap behind it
_LEAST_RISE = 0.03  # of g behind its minimum
_REACH = 1.0  # Å behind the minimum within which the next shell is looked for
_PART = 0.5  # of the rise to the next shell that belongs to the bottom of the dip, at most
_FALL = 0.3  # of the peak before, by which g falls where a shell ends
_BELOW = 0.1  # of the mean density, by which it is lower there
_ERRORS = 4.0  # standard errors by which g must rise, or it may be noise


def first_minimum(edges: np.ndarray, g: np.ndarray) -> float:
    """Where the first coordination shell ends: the first minimum that deserves it.

    g is smoothed by parabolas of 0.45 Å; its noise is that of the residuals. A minimum is one when g rises behind it by
    more than its noise. It ends a shell when g is above 1 before, has fallen by 30 % of the highest peak before and
    twice its noise, and is below 0.9, and lower than 1 by more than noise. The first such one is placed by a parabola
    through the bottom of the dip.

    Parameters
    ----------
    edges : (B + 1,) array
        Of the shells, Å, evenly spaced.
    g : (B,) array
        Radial distribution.

    Returns
    -------
    float
        Å; NaN where no minimum is deep enough: there is no shell.
    """
    width = edges[1] - edges[0]
    window = 2 * max(1, round(_WINDOW / width / 2)) + 1
    g = np.nan_to_num(g)
    if len(g) < max(window, 5):
        return np.nan
    smooth, noise = g, 0.0
    if window >= 5:
        smooth = np.clip(savgol_filter(g, window, 2, mode="nearest"), 0, None)
        # Relative residuals, and what is left of them in the middle of a parabola, about 3/2 sqrt(1 / window).
        high = smooth > 0.2
        relative = np.abs(g - smooth)[high] / smooth[high]
        noise = 1.48 * np.median(relative) * 1.5 / np.sqrt(window) if high.any() else 0.0
    for start, bottom, stop in _dips(smooth, noise):
        peak = smooth[:bottom].max()
        enough = peak - smooth[bottom] >= (_FALL + 2 * noise) * peak
        if enough and 1 - smooth[bottom] >= max(_BELOW, _ERRORS * noise):
            return _vertex(edges, g, smooth, noise, start, stop)
    return np.nan


def _dips(smooth: np.ndarray, noise: float) -> Iterator[tuple[int, int, int]]:
    """Minima below 1 behind a maximum above 1: where g fell below 1, the bottom, and where g has surely risen again."""
    above = np.flatnonzero(smooth > 1 + _rise(1.0, noise))
    k = int(above[0]) if len(above) else len(smooth)
    while k < len(smooth):
        start = bottom = k
        while k < len(smooth) and smooth[k] <= smooth[bottom] + _rise(smooth[bottom], noise):
            if smooth[k] < smooth[bottom]:
                bottom = k
            if smooth[start] >= 1:
                start = k
            k += 1
        if k < len(smooth) and smooth[bottom] < 1:
            yield start, bottom, k
        top = k
        while k < len(smooth) and smooth[k] >= smooth[top] - _rise(smooth[top], noise):  # over the next maximum
            top = k if smooth[k] > smooth[top] else top
            k += 1


def _rise(level: float, noise: float) -> float:
    return max(_LEAST_RISE, _ERRORS * noise * max(level, 0.2))


def _vertex(edges: np.ndarray, g: np.ndarray, smooth: np.ndarray, noise: float, start: int, stop: int) -> float:
    """Bottom of the dip between two shells: of a parabola through its lower part."""
    low = smooth[start:stop].min()
    ahead = smooth[stop : stop + max(1, round(_REACH / (edges[1] - edges[0])))].max()
    # The more noise, the more values the parabola must rest on; the fewer, the less it minds that sides are unlike.
    level = low + max(_LEAST_RISE, min(2 * _rise(low, noise), _PART * (ahead - low)))
    first = last = start + int(np.argmin(smooth[start:stop]))
    while first > 0 and smooth[first - 1] <= level:
        first -= 1
    while last + 1 < len(smooth) and smooth[last + 1] <= level:
        last += 1
    inside = np.arange(first, last + 1)
    r = (edges[1:] + edges[:-1])[inside] / 2
    if len(r) < 3:
        return float(r.mean())
    curvature, slope, _ = np.polyfit(r - r.mean(), g[inside], 2)
    if curvature <= 0:
        return float(r[np.argmin(smooth[inside])])
    return float(np.clip(r.mean() - slope / (2 * curvature), r[0], r[-1]))
