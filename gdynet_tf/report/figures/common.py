"""What several entries of the list of figures use: small tables and phrases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.times import time_text

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["band", "frame", "lag_time", "matrix", "of_atoms", "own_table"]


def frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def matrix(name: str, values: np.ndarray, *others: tuple[str, np.ndarray]) -> pd.DataFrame:
    """Table of (n, n) arrays with a row for each pair of states."""
    i, j = (index.ravel() for index in np.indices(values.shape))
    return frame({"from": i, "to": j, name: values.ravel(), **{other: array.ravel() for other, array in others}})


def own_table(analysis: Analysis, result: Any) -> pd.DataFrame:
    """The result's own table."""
    return result.to_dataframe()


def of_atoms(name: str) -> Callable[[Analysis], Any]:
    """Function from an analysis to a result that needs the atoms; None without them."""
    return lambda a: None if a.atomistic is None else getattr(a.atomistic, name)


def band(basis: Any) -> str:
    return f"Bands: 95 % confidence intervals, where there are any ({basis})."


def lag_time(analysis: Analysis) -> str:
    run = analysis.run
    return time_text(run.tau * run.frame_interval, run.time_unit, 4)
