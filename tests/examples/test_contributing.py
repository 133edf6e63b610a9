"""The code in CONTRIBUTING.md runs, so that it stays true."""

import re
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory import FORMATS, read

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def run(heading):
    """Names that the code below a heading defines."""
    names = {}
    code = re.search(rf"^## {heading}\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)[1]
    exec(compile(code, heading, "exec"), names)
    return names


def test_reader(tmp_path):
    known = len(FORMATS)
    try:
        run("Add a reader")
        file = tmp_path / "a.atom"
        file.write_text("Li 6.5\n0 0 0\n1 2 3\n")
        trajectory = read(file)
        np.testing.assert_array_equal(trajectory.positions, [[[0, 0, 0]], [[1, 2, 3]]])
        np.testing.assert_array_equal(trajectory.lattices[1], np.diag([6.5, 6.5, 6.5]))
        assert trajectory.atomic_numbers == [3]
        file.write_text("Li 6.5\n0 0\n")
        with pytest.raises(InputError, match=r"a\.atom: line 2: 2 values where 3 are needed"):
            read(file)
    finally:
        del FORMATS[known:]


def test_analysis(capsys):
    names = run("Add an analysis")
    halves = np.full((1, 10, 1, 2), 0.5)
    assert names["assignment_entropy"](halves[0]) == pytest.approx(np.log(2))
    value, lower, upper = map(float, capsys.readouterr().out.split()[:3])
    assert lower < value < upper


def test_plot():
    ax = run("Add a plot")["occupancy"]([0.9, 0.1])
    assert [bar.get_height() for bar in ax.patches] == [0.9, 0.1]
    ax.figure.clear()
