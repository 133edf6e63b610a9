"""Importing the package is light: what is heavy is loaded when it is first used."""

import subprocess
import sys

import pytest

import gdynet_tf

HEAVY = (
    "tensorflow",
    "keras",
    "matplotlib",
    "pymatgen",
    "sklearn",
    "ase",
    "MDAnalysis",
    "pandas",
    "distributed",
    "pydantic",
)


@pytest.mark.parametrize(
    "statement",
    [
        "import gdynet_tf",
        "import gdynet_tf.analysis",
        "import gdynet_tf.commands.build_graphs",
        "import gdynet_tf.commands.train",
        "from gdynet_tf import Trajectory, build_graphs, read",
    ],
)
def test_heavy_packages_stay_away(statement):
    script = f"import sys\n{statement}\nprint(*sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_estimator_loads_no_network():
    script = "import sys, gdynet_tf as gd\ngd.GDyNetEstimator(2, 1)\nprint({'keras', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()"]


def test_names():
    for name in gdynet_tf.__all__:
        assert getattr(gdynet_tf, name) is not None
    assert set(gdynet_tf._HOMES) == set(gdynet_tf.__all__) - {"__version__"}
    assert "build_graphs" in dir(gdynet_tf)
    with pytest.raises(AttributeError, match="module 'gdynet_tf' has no attribute 'nothing'"):
        _ = gdynet_tf.nothing
