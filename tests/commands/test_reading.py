"""Options of reading: the same in all commands, and what they say."""

import argparse

import numpy as np
import pytest

from gdynet_tf.commands.apply import _parser as apply_parser
from gdynet_tf.commands.build_graphs import _parser as build_parser
from gdynet_tf.commands.build_graphs import main
from gdynet_tf.commands.reading import add_reading_options
from gdynet_tf.graphs.store import open_graphs


def options(parser):
    return {word for action in parser._actions for word in action.option_strings}


def test_all_commands_have_them():
    parser = argparse.ArgumentParser()
    add_reading_options(parser)
    assert options(parser) <= options(build_parser())
    assert options(parser) <= options(apply_parser())
    assert {"--cell", "--no-cell", "--timestep", "--drop-repeated", "--allow-truncated", "--topology"} <= options(
        parser
    )


@pytest.fixture
def plain(tmp_path):
    """A plain XYZ file of twelve lithium atoms that walk, without a cell."""
    x = 5 + np.random.default_rng(0).normal(0, 0.2, (20, 12, 3)).cumsum(axis=0)
    text = "".join("12\n\n" + "".join("Li {:.4f} {:.4f} {:.4f}\n".format(*atom) for atom in frame) for frame in x)
    (tmp_path / "t.xyz").write_text(text)
    return tmp_path / "t.xyz"


@pytest.fixture
def build(tmp_path):
    def run(*words):
        return main(
            [
                *map(str, words),
                "--targets",
                "Li",
                "--n-neighbors",
                "3",
                "--n-workers",
                "1",
                "--out",
                str(tmp_path / "g"),
            ]
        )

    return run


def test_no_cell(plain, build, tmp_path, capsys):
    assert build(plain) == 2
    said = capsys.readouterr().err
    assert (
        "t.xyz: tells no cell; --cell a b c or --cell a b c alpha beta gamma (Å, degrees) gives it, --no-cell" in said
    )
    assert not (tmp_path / "g").exists()
    assert build(plain, "--no-cell", "--frame-interval", "0.5") == 0
    assert open_graphs(tmp_path / "g").meta["periodic"] == [False] * 3
    assert build(plain, "--cell", "10", "10", "12", "90", "90", "120", "--overwrite") == 0
    np.testing.assert_allclose(np.linalg.det(open_graphs(tmp_path / "g").array(0, "lattices")[0]), 1200 * np.sqrt(0.75))


def test_frames_that_are_repeated(plain, build, tmp_path, capsys):
    assert build(plain, plain, "--no-cell", "--concatenate") == 0
    assert "t.xyz, the same file twice: 20 repeated frames, --drop-repeated leaves them out" in capsys.readouterr().err
    assert open_graphs(tmp_path / "g").segments == [[20, 20]]
    assert build(plain, plain, "--no-cell", "--concatenate", "--drop-repeated", "--overwrite") == 0
    assert open_graphs(tmp_path / "g").segments == [[20]]
    (finding,) = open_graphs(tmp_path / "g").meta["trajectories"][0]["findings"]
    assert finding["kind"] == "repeated frames"


def test_a_file_that_is_cut_short(plain, build, tmp_path, capsys):
    plain.write_text(plain.read_text()[:-40])
    assert build(plain, "--no-cell") == 2
    assert "--allow-truncated uses the 19 whole frames before it, --stop 19 too" in capsys.readouterr().err
    assert build(plain, "--no-cell", "--allow-truncated") == 0
    assert open_graphs(tmp_path / "g").n_frames == [19]


def test_times_that_are_not_told(plain, build, capsys):
    assert build(plain, "--no-cell") == 0
    said = capsys.readouterr().out
    assert "times are in frames (--frame-interval sets it, or --timestep where the files number the steps)" in said


def test_output_is_looked_at_before_the_files_are_read(plain, build, tmp_path, capsys):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "precious").write_text("")
    assert build(plain) == 2
    assert "g: exists; --overwrite replaces it" in capsys.readouterr().err
