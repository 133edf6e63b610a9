"""Times in the unit that a person would use; numbers in files keep the unit of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["is_unit", "plain_number", "readable_unit", "seconds", "time_text"]

_SECONDS = {"fs": 1e-15, "ps": 1e-12, "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_SHOWN = ("fs", "ps", "ns", "µs", "ms", "s")
_LEAST, _MOST = 0.9995, 999.5  # of a unit: what three digits show as 1 and as less than 1000


def is_unit(name: object) -> bool:
    """Whether something can be the unit of times: a short text that figures, where $ begins a formula, show as it is.

    Parameters
    ----------
    name : object

    Returns
    -------
    bool
    """
    return isinstance(name, str) and 0 < len(name) <= 40 and name.isprintable() and "$" not in name


def seconds(time_unit: str) -> float:
    """Seconds in a unit of time; ValueError for a unit that has none, such as frames."""
    if time_unit not in _SECONDS:
        raise ValueError(
            f"{time_unit!r} is no unit of time that can be converted to seconds; {', '.join(_SECONDS)} are"
        )
    return _SECONDS[time_unit]


def readable_unit(times: Any, time_unit: str) -> tuple[float, str]:
    """The unit in which some times are best read: that of the data from 0.1 to 1000 of it, else one of 1 to 1000.

    Parameters
    ----------
    times : float or array
        In ``time_unit``; the longest that is finite decides.
    time_unit : str
        One that is no unit of time, such as frames, stays.

    Returns
    -------
    factor : float
        By which the times are to be multiplied.
    unit : str
    """
    finite = np.abs(np.ravel(np.asarray(times, np.float64)))
    finite = finite[np.isfinite(finite) & (finite > 0)]
    if not len(finite) or time_unit not in _SECONDS:
        return 1.0, time_unit
    longest, own = float(finite.max()), _SECONDS[time_unit]
    if _LEAST / 10 <= longest < _MOST:
        return 1.0, {"us": "µs"}.get(time_unit, time_unit)
    reached = [unit for unit in _SHOWN if longest * own / _SECONDS[unit] >= _LEAST]
    unit = reached[-1] if reached else _SHOWN[0]
    return own / _SECONDS[unit], unit


def time_text(value: float, time_unit: str, digits: int = 3) -> str:
    """A time as text.

    Parameters
    ----------
    value : float
        In ``time_unit``.
    time_unit : str
    digits : int
        Significant ones.

    Returns
    -------
    str
        "7.9 µs"; a dash for NaN, which is not known.
    """
    if not np.isfinite(value):
        return "–" if np.isnan(value) else "∞"
    factor, unit = readable_unit(value, time_unit)
    return f"{plain_number(value * factor, digits)} {unit}"


def plain_number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, without a power of ten from 0.0001 to a million."""
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.{digits}g}"
