"""Estimates as tidy tables: a row for each value, its unit in the name of its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.analysis.uncertainty import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["estimate_table"]


def estimate_table(
    axes: Sequence[Mapping[str, Any]], estimates: Mapping[str, Estimate | np.ndarray], unit: str = ""
) -> pd.DataFrame:
    """One table of estimates of one shape.

    Parameters
    ----------
    axes : sequence of dict of (n,) arrays
        Columns that name the places along each axis.
    estimates : dict of Estimate or array
        Name -> values; an array has no bounds.
    unit : str
        Put behind every name.

    Returns
    -------
    pandas.DataFrame
        The columns of the axes; NAME_UNIT, NAME_lower_UNIT and NAME_upper_UNIT of each estimate; ``basis``.
    """
    import pandas as pd  # half a second to import

    columns: dict[str, Any] = {}
    basis, ending = None, f"_{unit}" if unit else ""
    first = next(iter(estimates.values()))
    shape = np.shape(first.value if isinstance(first, Estimate) else first)
    for axis, index in zip(axes, [i.ravel() for i in np.indices(shape)], strict=True):
        columns |= {name: np.asarray(labels)[index] for name, labels in axis.items()}
    for name, estimate in estimates.items():
        if not isinstance(estimate, Estimate):
            columns[name + ending] = np.ravel(estimate)
            continue
        basis = str(estimate.basis)
        columns[name + ending] = np.ravel(estimate.value)
        columns[f"{name}_lower{ending}"] = np.ravel(estimate.lower)
        columns[f"{name}_upper{ending}"] = np.ravel(estimate.upper)
    return pd.DataFrame(columns).assign(basis=basis)
