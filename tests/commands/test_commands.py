"""The commands as a user types them: what they do, and every way they end on bad input."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest

from gdynet_tf.commands import build_graphs, report, select_model, train
from gdynet_tf.errors import TrainingError
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.locks import locked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory with a trajectory of 60 frames."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    start = rng.random((6, 3)) * 8
    frames = [
        ase.Atoms("Li2O4", positions=start + rng.normal(0, 0.3, (6, 3)), cell=np.eye(3) * 8, pbc=True)
        for _ in range(60)
    ]
    ase.io.write(tmp_path / "md.xyz", frames, format="extxyz")
    return tmp_path


def ends_with(capsys, main, words, message):
    """The command ends with code 2 and one line on stderr."""
    assert main(words.split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err


def test_build(here, capsys):
    assert (
        build_graphs.main(
            [
                "md.xyz",
                "--targets",
                "Li",
                "--n-neighbors",
                "4",
                "--stride",
                "2",
                "--frame-interval",
                "0.5",
                "--n-workers",
                "1",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "30 frames of 6 atoms, 4 neighbours, 2 targets of 1 atom" in out
    assert "written: graphs; next: python train.py --graphs graphs" in out
    graphs = open_graphs(here / "graphs")
    assert (graphs.meta["frame_interval"], graphs.meta["time_unit"]) == (1.0, "ps")
    assert graphs.meta["trajectories"][0]["sources"][0]["path"] == "md.xyz"


def test_what_comes_next_can_be_pasted(here, capsys):
    """Whatever is in a name: a shell makes one word of it."""
    words = ["md.xyz", "--targets", "Li", "--n-neighbors", "4", "--n-workers", "1"]
    assert build_graphs.main([*words, "--out", "o $(touch pwn) \x1b[31m"]) == 0
    said = capsys.readouterr().out
    assert r"next: python train.py --graphs 'o $(touch pwn) \x1b[31m' --n-states 2" in said
    assert "\x1b" not in said


def test_build_of_a_name_in_two_lines(here, capsys):
    shutil.copy("md.xyz", "new\nline.xyz")
    words = ["new\nline.xyz", "--targets", "Li", "--n-neighbors", "4", "--n-workers", "1"]
    assert build_graphs.main(words) == 2
    said = capsys.readouterr()
    assert r"error: 'new\nline': the name of a trajectory must be that of a folder, no path, in one line" in said.err
    assert said.err.count("\n") == 1


def test_build_several_files(here, capsys):
    shutil.copy("md.xyz", "md2.xyz")
    words = "md.xyz md2.xyz --targets Li --n-neighbors 4 --edges distance --n-workers 1"
    assert build_graphs.main(words.split()) == 0
    assert "times are in frames" in capsys.readouterr().out
    assert open_graphs(here / "graphs").segments == [[60], [60]]
    assert build_graphs.main(f"{words} --concatenate --overwrite".split()) == 0
    assert open_graphs(here / "graphs").segments == [[60, 60]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("none.xyz --targets Li", "none.xyz: no such file"),
        ("md.xyz", "md.xyz: names no targets; --targets does, e.g. --targets Li"),
        ("md.xyz --targets Na", "--targets Na: no Na in the system"),
        ("md.xyz --targets Li --n-workers 0", "--n-workers 0: must be at least 1"),
        ("md.xyz --targets Li --frame-interval -1", "--frame-interval -1: must be a positive time"),
        ("md.xyz --targets Li --time-unit ps", "--time-unit ps: needs --frame-interval"),
        ("md.xyz --targets Li --start 99", "md.xyz: --start 99 --stop None --stride None selects none of 60 frames"),
        ("md.xyz --targets Li --n-neighbors 0", "--n-neighbors 0: must be at least 1"),
        ("md.xyz --targets Li --dmax inf", "--dmin, --dmax, --step: Gaussian centres need dmin < dmax"),
        ("md.xyz --targets Li --dmin nan", "--dmin, --dmax, --step: Gaussian centres need dmin < dmax"),
        ("md.xyz --targets Li --step 1e-12", "in steps of 1e-12 there are more than 1,000 Gaussian centres"),
        ("md.xyz --targets Li --sigma nan", "--sigma nan: must be from 0.0001 to 10,000 Å"),
        ("md.xyz --targets Li --frame-interval 1e-300", "--frame-interval 1e-300: must be from 1e-12 to 1e12"),
        ("md.xyz --targets Li --frame-interval inf", "--frame-interval inf: must be"),
        ("md.xyz --targets Li --out .", "--out .: is not the name of a directory that can be made"),
        ("md.xyz --targets Li --out /", "/: is not the name of a directory that can be made"),
        ("md.xyz --targets Li --out md.xyz/g", "md.xyz/g: cannot be written: "),
        ("md.xyz --targets Li --log md.xyz/log", "--log md.xyz/log: cannot be written: Not a directory"),
        ("md.xyz --targets Li --species Li", "--species Li: md.xyz has the elements itself"),
        ("--frame-interval 0.2", "li_fcc.npz says 0.1 ps"),
    ],
)
def test_build_bad_input(here, capsys, words, message):
    ends_with(capsys, build_graphs.main, words, message)
    assert [path.name for path in here.iterdir()] == ["md.xyz"]


def test_example_is_named(here, capsys):
    assert build_graphs.main(["--stop", "50", "--n-workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "no trajectory named: using the example, Li in FCC sulfur," in out
    assert "li_fcc.npz" in out


@pytest.fixture
def graphs(here):
    assert (
        build_graphs.main(
            ["md.xyz", "--targets", "Li", "--n-neighbors", "4", "--edges", "distance", "--n-workers", "1"]
        )
        == 0
    )
    return here / "graphs"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tau 2", "--n-states is needed"),
        ("--n-states 2", "--tau is needed"),
        ("--n-states 1 --tau 2", "--n-states 1: must be at least 2"),
        ("--n-states 2 --tau 0", "--tau 0: must be at least 1"),
        ("--n-states 2 --tau 60", "--tau 60: must be from 1 to 59, the longest segment has 60 frames"),
        ("--n-states 2 --tau 20", "--tau 20: no pair is left for validation"),
        ("--n-states 2 --tau 2 --n-conv 0", "--n-conv 0: must be at least 1"),
        ("--n-states 2 --tau 2 --batch-size 99", "--batch-size 99: there are only 40 training pairs"),
        ("--n-states 2 --tau 2 --learning-rate 0", "--learning-rate 0: must be a positive number below 10"),
        ("--n-states 2 --tau 2 --seed -1", "--seed -1: must be from 0 to 2147483647"),
        ("--n-states 2 --tau 2 --split 0.5 0.5 0.5", "--split 0.5 0.5 0.5: three positive fractions"),
        ("--n-states 2 --tau 2 --split nan nan nan", "--split nan nan nan: three positive fractions"),
        ("--n-states 2 --tau 2 --learning-rate nan", "--learning-rate nan: must be a positive number below 10"),
        ("--n-states 2 --tau 2 --run md.xyz/r", "md.xyz/r: cannot be written: "),
        ("--n-states 2 --tau 2 --run / --overwrite", "/: is not the name of a directory that can be made"),
        ("--n-states 2 --tau 2 --run . --overwrite", ".: exists and is no run directory; it is not overwritten"),
        ("--n-states 2 --tau 2 --val md", "--test: --val and --test are given together"),
        ("--n-states 2 --tau 2 --graphs none", "none: not a graph directory (no such directory)"),
        (
            "--n-states 2 --tau 2 --run md.xyz",
            "md.xyz: exists; --resume continues it, --overwrite replaces it",
        ),
        (
            "--n-states 2 --tau 2 --run graphs --overwrite",
            "graphs: exists and is no run directory; it is not overwritten",
        ),
        ("--resume", "--resume: --run names the run directory to continue"),
        ("--resume --run none", "none: no config.json in it, there is nothing to resume"),
    ],
)
def test_train_bad_input(graphs, here, capsys, words, message):
    capsys.readouterr()
    ends_with(capsys, train.main, words, message)
    assert {path.name for path in here.iterdir()} == {"md.xyz", "graphs"}


def test_train_and_what_can_be_resumed(graphs, here, capsys):
    words = "--n-states 2 --tau 2 --epochs 1 --n-conv 1 --n-features 4 --seed 3 --n-restarts 2"
    assert train.main(words.split()) == 0
    out = capsys.readouterr().out
    assert "graphs: graphs (md.xyz)" in out
    assert "seed 3, 40 training pairs, 40 in a batch" in out
    assert "training 2 of 2, seed 4" in out
    assert "VAMP-2: train" in out
    assert "restarts: canonical correlations at least" in out
    assert "next: python analysis/report.py runs/graphs_n2_tau2_seed3" in out
    run = here / "runs" / "graphs_n2_tau2_seed3"
    ends_with(capsys, train.main, f"--resume --run {run}", "is finished, there is nothing to resume")
    ends_with(capsys, train.main, f"--resume --run {run} --tau 3", "--tau 3: ")
    scores = (run / "scores.json").read_text()
    (run / "manifest.json").unlink()  # the last file that is written
    (run / "scores.json").unlink()
    assert train.main(["--resume", "--run", str(run)]) == 0
    assert json.loads((run / "scores.json").read_text())["vamp2"] == json.loads(scores)["vamp2"]
    assert not (run / "tensorboard").exists()
    capsys.readouterr()
    assert train.main(words.replace("--n-restarts 2", "--overwrite --tensorboard").split()) == 0
    said = capsys.readouterr()
    assert "one training only: --n-restarts 3 tells which states are found again" in said.out
    assert "epoch   1  VAMP-2: batches" in said.out
    assert "\r" not in said.out + said.err  # no bars, as nobody watches
    assert len(list((run / "tensorboard" / "seed_3").glob("events.*"))) == 1


@pytest.mark.parametrize("left", [[], ["config.tmp"]])
def test_killed_before_the_configuration_was_written(graphs, here, monkeypatch, capsys, left):
    """Nothing has begun, so no option is needed to begin."""
    from gdynet_tf.learning import runs

    def begun(graphs, run, config, **options):
        raise TrainingError("begun")

    monkeypatch.setattr(runs, "train_run", begun)
    run = here / "runs" / "r"
    run.mkdir(parents=True)
    for name in left:
        (run / name).write_text("{")
    capsys.readouterr()
    ends_with(capsys, train.main, f"--resume --run {run}", "there is nothing to resume; without --resume it begins")
    assert train.main(f"--n-states 2 --tau 2 --run {run}".split()) == 1
    assert capsys.readouterr().err == "error: begun\n"


def test_killed_before_the_manifest_was_written(graphs, here, monkeypatch):
    """`--resume` goes on, as only the manifest says that all is there; `--overwrite` frees the name at once."""
    from gdynet_tf.learning import runs

    words = "--n-states 2 --tau 2 --epochs 1 --n-conv 1 --n-features 4 --run r --quiet"
    assert train.main(words.split()) == 0
    (here / "r" / "manifest.json").unlink()
    again = []
    monkeypatch.setattr(train, "_tell", lambda scores, run: again.append(scores))
    monkeypatch.setattr(runs, "train_run", lambda *arguments, **options: options["resume"])
    assert train.main(["--resume", "--run", "r"]) == 0
    assert again == [True]

    def killed(path):
        raise TrainingError("killed")

    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: None if options else killed(path))
    assert train.main([*words.split(), "--overwrite"]) == 1
    assert not (here / "r").exists()


@contextlib.contextmanager
def written_by_another(output):
    """Another thread, to which a lock is no different from that of a process, holds the lock of an output."""
    said, ended = threading.Event(), threading.Event()

    def other():
        with locked(output):
            said.set()
            ended.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    assert said.wait(60)
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("main", "words", "output"),
    [
        (build_graphs.main, "md.xyz --targets Li --n-neighbors 4 --n-workers 1 --out g", "g"),
        (train.main, "--n-states 2 --tau 2 --seed 3", "runs/graphs_n2_tau2_seed3"),
        (train.main, "--resume --run r", "r"),
        (select_model.main, "--tau 2", "selection"),
        (report.main, "r", "r"),
        (report.main, "r --split train", "r"),
    ],
)
def test_one_writer_for_each_output(graphs, here, capsys, main, words, output):
    data = {"frame_interval": 1.0, "time_unit": "ps", "trajectories": [{"name": "md", "segments": [60]}]}
    split = {"train": [[0, 0, 30]], "validation": [[0, 30, 40]], "test": [[0, 40, 60]]}
    config = {"tau": 2, "n_states": 2, "data": data, "split": split, "graphs": {"path": "graphs", "sha256": "0"}}
    (here / "r").mkdir()
    (here / "r" / "config.json").write_text(json.dumps(config))
    (here / "r" / "scores.json").write_text("{}")
    before = sorted(here.rglob("*"))
    capsys.readouterr()
    with written_by_another(output):
        ends_with(capsys, main, words, f"{output}: is being written by process ")
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    "script",
    [
        "preprocess/build_graphs.py",
        "train.py",
        "analysis/report.py",
        "analysis/select_model.py",
        "analysis/apply.py",
        "verify.py",
    ],
)
def test_scripts_run(script):
    done = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True)
    assert Path(script).name in done.stdout


def test_installed_commands():
    from importlib.metadata import entry_points

    names = {entry.name: entry.value for entry in entry_points(group="console_scripts") if "gdynet" in entry.name}
    assert names == {
        "gdynet-build-graphs": "gdynet_tf.commands.build_graphs:main",
        "gdynet-train": "gdynet_tf.commands.train:main",
        "gdynet-report": "gdynet_tf.commands.report:main",
        "gdynet-select-model": "gdynet_tf.commands.select_model:main",
        "gdynet-apply": "gdynet_tf.commands.apply:main",
        "gdynet-verify": "gdynet_tf.commands.verify:main",
    }
