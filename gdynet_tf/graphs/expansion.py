"""Gaussian expansion of distances in NumPy, as it is written to disk; layers.py has the same inside the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError, real_number

__all__ = ["expand_distances", "expansion_settings", "gaussian_centers"]

_DEFAULTS = {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2}  # Å
_MOST = 1_000  # centres: each is a number more for every neighbour of every atom


def expansion_settings(given: Mapping[str, Any] | None) -> dict[str, float]:
    """Settings of the Gaussians: those that are given, and defaults for the others.

    Parameters
    ----------
    given : mapping or None
        dmin, dmax, step, sigma in Å.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If there is another name, or they make no Gaussians.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"`expansion` is of type {type(given).__name__}, a dict of dmin, dmax, step, sigma is needed")
    settings = dict(_DEFAULTS)
    for name, value in (given or {}).items():
        if name not in settings:
            raise InputError(f"`expansion` holds {name!r}, which is none of dmin, dmax, step and sigma")
        settings[name] = real_number(value, name)
    if not 1e-4 <= settings["sigma"] <= 1e4:
        raise InputError(f"`sigma={settings['sigma']:g}`: must be from 0.0001 to 10,000 Å")
    try:
        gaussian_centers(settings["dmin"], settings["dmax"], settings["step"])
    except ValueError as error:
        raise InputError(f"`dmin`, `dmax`, `step`: {error}") from None
    return settings


def gaussian_centers(dmin: float, dmax: float, step: float) -> np.ndarray:
    """Centres mu_t = dmin + t * step, dmax included.

    Parameters
    ----------
    dmin, dmax, step : float
        Å.

    Returns
    -------
    (G,) float64

    Raises
    ------
    ValueError
        If the range holds no centre, or more than 1,000.
    """
    if not (step > 0 and dmax > dmin and np.isfinite([dmin, dmax, step]).all()):
        raise ValueError(f"Gaussian centres need dmin < dmax and step > 0, got {dmin}, {dmax}, {step}")
    if (dmax - dmin) / step > _MOST:
        raise ValueError(f"from {dmin} to {dmax} in steps of {step} there are more than {_MOST:,} Gaussian centres")
    return dmin + step * np.arange(round((dmax - dmin) / step) + 1)


def expand_distances(
    distances: np.ndarray, dmin: float = 0.0, dmax: float = 7.0, step: float = 0.2, sigma: float = 0.2
) -> np.ndarray:
    """u_t = exp(-(d - mu_t)^2 / sigma^2) in float32 (Xie et al. 2019, Methods).

    Parameters
    ----------
    distances : (...) array
        Å.
    dmin, dmax, step, sigma : float
        Å.

    Returns
    -------
    (..., G) float32
    """
    centers = gaussian_centers(dmin, dmax, step).astype(np.float32)
    scaled = (np.asarray(distances, np.float32)[..., None] - centers) * np.float32(1 / sigma)
    np.square(scaled, out=scaled)
    np.negative(scaled, out=scaled)
    return np.exp(scaled, out=scaled)
