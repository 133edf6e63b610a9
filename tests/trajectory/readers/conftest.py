"""A file as its reader hands it over, all frames at once."""

from types import SimpleNamespace

import numpy as np
import pytest

from gdynet_tf.errors import TruncatedFile
from gdynet_tf.trajectory.readers import open_source


def _whole(path, **given):
    """Fields of the source and of its chunks; ``cut`` is the error with which they end."""
    source, chunks, cut = open_source(path, **given), [], None
    try:
        chunks.extend(source.chunks)
    except TruncatedFile as error:
        cut = error
    fields = {}
    for name in ("positions", "lattices", "times", "steps"):
        parts = [getattr(chunk, name) for chunk in chunks]
        assert len({part is None for part in parts}) <= 1
        fields[name] = np.concatenate(parts) if parts and parts[0] is not None else None
        if fields[name] is not None and name == "positions":  # in the precision of the file
            assert fields[name].dtype.kind == "f"
        elif fields[name] is not None:
            assert fields[name].dtype == (np.int64 if name == "steps" else np.float64)
    return SimpleNamespace(source=source, cut=cut, chunks=chunks, **fields)


@pytest.fixture
def opened():
    return _whole
