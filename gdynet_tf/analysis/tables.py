"""Estimates as tidy tables: a row for each value, its unit beside it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["estimate_frame"]


def estimate_frame(quantities: Iterable[tuple]):
    """One table of several estimates.

    Parameters
    ----------
    quantities : iterable of (name, unit, Estimate, axes, labels)
        ``axes`` names the axes of the value: the key of an entry of ``labels``, (n,) array, or a dict of such arrays,
        several columns for one axis. Scalars in ``labels`` become constant columns.

    Returns
    -------
    pandas.DataFrame
        ``quantity``, the columns of the axes, ``value``, ``lower``, ``upper``, ``unit``, ``basis``.
    """
    import pandas  # half a second to import

    frames = []
    for name, unit, estimate, axes, labels in quantities:
        value = np.asarray(estimate.value, np.float64)
        indices = np.indices(value.shape).reshape(value.ndim, -1)
        columns = {key: label for key, label in labels.items() if np.ndim(label) == 0}
        for axis, index in zip(axes, indices, strict=True):
            shown = axis if isinstance(axis, dict) else {axis: labels[axis]}
            columns |= {key: np.asarray(label)[index] for key, label in shown.items()}
        numbers = {key: np.ravel(getattr(estimate, key)) for key in ("value", "lower", "upper")}
        table = {"quantity": name, **columns, **numbers, "unit": unit, "basis": str(estimate.basis)}
        frames.append(pandas.DataFrame(table, index=range(value.size)))
    return pandas.concat(frames, ignore_index=True)
