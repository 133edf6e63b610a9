"""Graphs from files of other programs, from the command line."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gdynet_tf.commands.build_graphs import main
from gdynet_tf.graphs import chunks, open_graphs, partial
from gdynet_tf.graphs.parallel import cluster

DATA = Path(__file__).parents[1] / "data" / "formats"
USUAL = ["--n-neighbors", "8", "--edges", "distance", "--n-workers", "1"]
MERGE = ["--merge", "--n-workers", "1"]


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


def write_water(file, first, n_frames):
    """Molecules that drift through a cell of 8 Å, more than three times in 40 frames, wrapped."""
    rng = np.random.default_rng(0)
    shape = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    drift = np.cumsum(rng.normal(0.7, 0.3, (40, 5, 1, 3)), axis=0)
    positions = (np.arange(5)[:, None, None] * [1.6, 3.2, 4.8] + shape + drift) % 8
    with open(file, "w") as xyz:
        for frame in positions[first : first + n_frames].reshape(-1, 15, 3):
            xyz.write('15\nLattice="8 0 0 0 8 0 0 0 8" Properties=species:S:1:pos:R:3 pbc="T T T"\n')
            for element, place in zip("OHH" * 5, frame, strict=True):
                xyz.write(f"{element} {place[0]:.6f} {place[1]:.6f} {place[2]:.6f}\n")


@pytest.fixture
def water(tmp_path, monkeypatch):
    """Arguments: two files that are one run; pieces of three frames."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 3000)
    monkeypatch.setattr(partial, "time", SimpleNamespace(strftime=lambda _: "now"))
    write_water("a.xyz", 0, 22)
    write_water("b.xyz", 22, 18)
    return ["a.xyz", "b.xyz", "--targets", "molecules H2O", "--quiet", *USUAL]


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


@pytest.mark.parametrize("more", [[], ["--concatenate"], ["--concatenate", "--stride", "2", "--start", "3"]])
def test_shards(water, more):
    """As the jobs of a batch queue: each reads the files and follows the molecules from their first frame."""
    assert main([*water, *more, "--out", "serial"]) == 0
    for number in (2, 1, 3):
        assert main([*water, *more, "--shard", f"{number}/3"]) == 0
    assert main(MERGE) == 0
    assert contents("serial") == contents("graphs")
    graphs = open_graphs("graphs")
    assert graphs.targets.shape == (5, 3)
    assert np.ptp(graphs.array(0, "positions"), axis=0).min() > 8
    assert open_graphs("graphs").segments == {0: [[22], [18]], 1: [[22, 18]], 5: [[10, 8]]}[len(more)]


def test_a_queue_runs_again(water, capsys):
    """What is whole stays, what was interrupted goes on, what is not there is built."""
    assert main([*water, "--shard", "1/2", "--resume"]) == 0
    before = Path("graphs.shard-1-of-2/meta.json").stat()
    assert main([*(word for word in water if word != "--quiet"), "--shard", "1/2", "--resume"]) == 0
    assert capsys.readouterr().out == "graphs.shard-1-of-2: is whole already\n"
    assert Path("graphs.shard-1-of-2/meta.json").stat() == before
    assert main([*water, "--shard", "1/2"]) == 2
    assert "graphs.shard-1-of-2: exists; --overwrite replaces it" in capsys.readouterr().err
    assert main(MERGE) == 2
    assert (
        capsys.readouterr().err == "error: graphs: of its 2 shards there is no 2; --shard with --resume builds them\n"
    )
    assert main([*water, "--shard", "2/2", "--overwrite", "--n-neighbors", "6"]) == 0
    assert main([*MERGE, "--resume"]) == 2
    assert "graphs.shard-2-of-2: was built with other n_neighbors than graphs.shard-1-of-2" in capsys.readouterr().err
    assert main([*(word for word in water if word != "--quiet"), "--shard", "2/2", "--overwrite"]) == 0
    assert "when all 2 are there: python preprocess/build_graphs.py --merge --out graphs" in capsys.readouterr().out
    assert main(MERGE) == 0
    assert "written: graphs; graphs.shard-* are not needed any more" in capsys.readouterr().out
    assert main(MERGE) == 2
    assert "graphs: exists; --overwrite replaces it" in capsys.readouterr().err
    assert main([*MERGE, "--overwrite", "--quiet"]) == 0
    shutil.rmtree("graphs.shard-1-of-2")
    shutil.rmtree("graphs.shard-2-of-2")
    assert main([*MERGE, "--overwrite"]) == 2
    assert "graphs: has no shards: graphs.shard-1-of-1 or the like, which --shard builds" in capsys.readouterr().err


def test_a_file_that_changes_between_the_jobs(water, capsys):
    assert main([*water, "--shard", "1/2"]) == 0
    text = Path("b.xyz").read_text()
    Path("b.xyz").write_text(f"{text[:-2]}{9 - int(text[-2])}\n")
    assert main([*water, "--shard", "2/2"]) == 0
    assert main(MERGE) == 2
    expected = "was built with other sources than graphs.shard-1-of-2; build one of them again\n"
    assert capsys.readouterr().err == f"error: graphs.shard-2-of-2: {expected}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard", "2"], "--shard 2: must be i/n, with i from 1 to n"),
        (["--shard", "-1/2"], "--shard -1/2: must be i/n, with i from 1 to n"),
        (["--shard", "3/2"], "--shard 3/2: must be i/n, with i from 1 to n"),
        (["--shard", "1/99"], "--shard 1/99: the frames make 20 pieces of 32 MB, no more can share them"),
        (
            ["--scheduler", "tcp://127.0.0.1:1", "--n-workers", "2"],
            "--n-workers 2: the scheduler at tcp://127.0.0.1:1 has",
        ),
        (["--merge"], "--merge: the shards hold all settings; leave out TRAJ, --targets, --edges, --n-neighbors"),
    ],
)
def test_parts_and_schedulers_that_cannot_be(water, capsys, words, message):
    words = [f"{words[0]}={words[1]}", *words[2:]] if words[0] == "--shard" else words
    assert main([*water, *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for part in message.split(", --"):
        assert part in err
    assert sorted(path.name for path in Path().iterdir()) == ["a.xyz", "b.xyz"]


def test_dask_is_missing_or_does_not_answer(water, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "_SECONDS", 0.3)
    address = ["--scheduler", "tcp://127.0.0.1:1"]
    water = [word for word in water if word not in ("--n-workers", "1")]
    assert main([*water, *address]) == 2
    expected = "error: --scheduler tcp://127.0.0.1:1: no Dask scheduler answers there (nothing within 0.3 s)\n"
    assert capsys.readouterr().err == expected
    monkeypatch.setitem(sys.modules, "distributed", None)
    for words in (address, ["--scheduler", "local"]):
        assert main([*water, *words]) == 2
        assert capsys.readouterr().err == "error: --scheduler needs Dask: pip install 'gdynet_tf[distributed]'\n"
    assert sorted(path.name for path in Path().iterdir()) == ["a.xyz", "b.xyz"]


def test_workers_of_dask(water, capsys):
    assert main([*water, "--out", "serial"]) == 0
    words = [word for word in water if word != "--quiet"]
    assert main([*words, "--scheduler", "local"]) == 0
    assert ": 1 worker\n" in capsys.readouterr().out
    assert contents("serial") == contents("graphs")
