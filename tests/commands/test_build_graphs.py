"""Graphs from files of other programs, from the command line."""

from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.commands.build_graphs import main
from gdynet_tf.graphs import open_graphs

DATA = Path(__file__).parents[1] / "data" / "formats"
USUAL = ["--n-neighbors", "8", "--edges", "distance", "--n-workers", "1"]


@pytest.mark.parametrize(
    ("targets", "shape"),
    [
        ("resname SOL and name OW", (32, 1)),
        ("residues SOL", (32, 3)),
        ("molecules H2O", (32, 3)),
        ("name HW1 and prop charge > 0.4", (32, 1)),
    ],
)
def test_coordinates_with_a_topology(tmp_path, targets, shape):
    arguments = [str(DATA / "water.xtc"), "--topology", str(DATA / "water.tpr"), "--targets", targets]
    assert main([*arguments, *USUAL, "--out", str(tmp_path / "graphs")]) == 0
    graphs = open_graphs(tmp_path / "graphs")
    assert graphs.targets.shape == shape
    np.testing.assert_array_equal(graphs.atomic_numbers, [8, 1, 1] * 32)
    assert (graphs.meta["frame_interval"], graphs.meta["time_unit"]) == (pytest.approx(0.02), "ps")


def test_messages_speak_of_options(tmp_path, capsys):
    out = ["--out", str(tmp_path / "graphs")]
    assert main([str(DATA / "water.xtc"), "--targets", "O", *USUAL, *out]) == 2
    assert "holds coordinates alone; --topology names a file that has the atoms" in capsys.readouterr().err
    water = [str(DATA / "water.xtc"), "--topology", str(DATA / "water.gro"), *USUAL, *out]
    assert main([*water, "--targets", "residues TFSI"]) == 2
    assert "--targets residues TFSI: there is none; residues are SOL (32)" in capsys.readouterr().err
    assert main([str(DATA / "nacl.lammpstrj"), "--format", "xtc", "--targets", "Na", *USUAL, *out]) == 2
    assert "--topology names a file" in capsys.readouterr().err
    assert main([str(DATA / "nacl.lammpstrj"), "--format", "foo", "--targets", "Na", *USUAL, *out]) == 2
    assert "--format foo: is not known; known are npz, lammps" in capsys.readouterr().err
