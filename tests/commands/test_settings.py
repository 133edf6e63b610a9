"""Settings from a file: what is taken, what goes first, what is refused; and a run's own settings given back."""

import argparse
import json

import ase
import ase.io
import numpy as np
import pytest

from gdynet_tf.commands import build_graphs, train
from gdynet_tf.commands.settings import RecordedSplit, parse_with_settings, read_settings
from gdynet_tf.errors import InputError

SPLIT = {"train": [[0, 0, 40]], "validation": [[0, 42, 50]], "test": [[0, 52, 60]]}
RUN = {"graphs": {"path": "graphs", "sha256": "0"}, "split": SPLIT, "tau": 2, "precision": "float32", "versions": {}}


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    parser.add_argument("--n-states", type=int)
    parser.add_argument("--tau", type=int)
    parser.add_argument("--graphs", default="graphs")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--model", choices=("gdynet", "vampnet"), default="gdynet")
    parser.add_argument("--split", type=float, nargs=3, default=(0.7, 0.15, 0.15))
    parser.add_argument("--val", nargs="+")
    parser.add_argument("--test", nargs="+")
    parser.add_argument("--overwrite", action="store_true")
    return parser


@pytest.fixture
def write(tmp_path):
    def write(content, name="settings.yaml"):
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(file)

    return write


def test_command_line_before_file_before_default(parser, write):
    file = write("n-states: 3\ntau: 10\nlearning_rate: 1e-2\nsplit: [0.6, 0.2, 0.2]\nval: null\n")
    args = parse_with_settings(parser, ["--config", file, "--tau", "5", "--overwrite"])
    assert vars(args) == {
        "config": file,
        "n_states": 3,
        "tau": 5,
        "graphs": "graphs",
        "learning_rate": 0.01,
        "model": "gdynet",
        "split": [0.6, 0.2, 0.2],
        "val": None,
        "test": None,
        "overwrite": True,
    }


def test_without_a_file_nothing_changes(parser):
    words = ["--n-states", "3", "--val", "a", "b"]
    assert vars(parse_with_settings(parser, words)) == vars(parser.parse_args(words))


def test_a_default_on_the_command_line_still_goes_first(parser, write):
    file = write({"model": "vampnet", "learning_rate": 1}, "settings.json")
    args = parse_with_settings(parser, ["--config", file, "--model", "gdynet"])
    assert (args.model, args.learning_rate) == ("gdynet", 1.0)


def test_one_way_of_splitting_replaces_the_other(parser, write):
    by_name, by_time = write("val: [a]\ntest: [b]"), write(RUN, "config.json")
    assert parse_with_settings(parser, ["--config", by_name]).val == ["a"]
    args = parse_with_settings(parser, ["--config", by_name, "--split", "0.8", "0.1", "0.1"])
    assert (args.split, args.val, args.test) == ([0.8, 0.1, 0.1], None, None)
    assert isinstance(parse_with_settings(parser, ["--config", by_time]).split, RecordedSplit)
    args = parse_with_settings(parser, ["--config", by_time, "--val", "a", "--test", "b"])
    assert (args.split, args.val, args.test) == ((0.7, 0.15, 0.15), ["a"], ["b"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "n_sates: 3",
            "n_sates: no such setting; there are graphs, learning_rate, model, n_states, split, ",
        ),
        ("overwrite: true", "overwrite: no such setting"),
        ("tau: ten", "tau: 'ten' is not an integer"),
        ("tau: 2.5", "tau: 2.5 is not an integer"),
        ("tau: true", "tau: True is not an integer"),
        ("tau: [1, 2]", r"tau: \[1, 2\] is not an integer"),
        ("learning_rate: fast", "learning_rate: 'fast' is not a number"),
        ("learning_rate: true", "learning_rate: True is not a number"),
        ("graphs: 3", "graphs: 3 is not a text"),
        ("model: gnn", "model: 'gnn' is not one of gdynet, vampnet"),
        ("split: [0.5, 0.5]", r"split: \[0.5, 0.5\] is not a list of 3"),
        ("split: [0.5, 0.3, x]", "split: 'x' is not a number"),
        ("val: md", "val: 'md' is not a list"),
        ("tau 3", "holds no settings; lines such as 'n_states: 3' are needed"),
        ("", "holds no settings"),
        ("tau: [1", "cannot be read: "),
        ("[" * 20_000, "cannot be read: too deeply nested"),
        ('graphs: "a\\0b"', r"graphs: 'a\\x00b' holds what is no character"),
    ],
)
def test_bad_settings(parser, write, content, message):
    file = write(content)
    with pytest.raises(InputError, match=f"^{file}: {message}"):
        read_settings(file, parser)


def test_bad_files(parser, write, tmp_path):
    (tmp_path / "settings").mkdir()
    with pytest.raises(InputError, match=r"settings: is not a regular file"):
        read_settings(tmp_path / "settings", parser)
    with pytest.raises(InputError, match="none.yaml: cannot be read: No such file or directory"):
        read_settings(tmp_path / "none.yaml", parser)
    with pytest.raises(InputError, match=r"settings.json: cannot be read: Expecting"):
        read_settings(write("tau: 3", "settings.json"), parser)
    with pytest.raises(InputError, match=r"config.json: altered, KeyError\('precision'\)"):
        read_settings(write({k: v for k, v in RUN.items() if k != "precision"}, "config.json"), parser)


def test_settings_of_a_run(parser, write):
    settings = read_settings(write(RUN, "config.json"), parser)
    assert settings.pop("split").blocks == SPLIT
    assert settings == {"graphs": "graphs", "tau": 2, "precision": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Graphs, and a run of them."""
    folder = tmp_path_factory.mktemp("settings")
    rng = np.random.default_rng(0)
    start = rng.random((6, 3)) * 8
    positions = start + rng.normal(0, 0.3, (60, 6, 3))
    ase.io.write(folder / "md.xyz", [ase.Atoms("Li2O4", x, cell=np.eye(3) * 8, pbc=True) for x in positions])
    words = f"{folder}/md.xyz --targets Li --n-neighbors 4 --edges distance --n-workers 1 --out {folder}/graphs"
    assert build_graphs.main(words.split()) == 0
    (folder / "settings.yaml").write_text("n_states: 2\ntau: 2\nepochs: 1\nn_conv: 1\nn_features: 4\nseed: 3\n")
    words = f"--config {folder}/settings.yaml --graphs {folder}/graphs --run {folder}/first --split 0.6 0.2 0.2"
    assert train.main(words.split()) == 0
    return folder


def read_json(file):
    return json.loads(file.read_text(encoding="utf-8"))


def test_a_run_given_back_is_the_same_training(folder):
    config = read_json(folder / "first" / "config.json")
    assert (config["n_states"], config["tau"], config["seed"], config["n_features"]) == (2, 2, 3, 4)
    assert config["split"]["train"] == [[0, 0, 36]]
    assert train.main(["--config", str(folder / "first" / "config.json"), "--run", str(folder / "again")]) == 0
    again = read_json(folder / "again" / "config.json")
    assert {**again, "created": ""} == {**config, "created": ""}
    assert read_json(folder / "again" / "scores.json")["vamp2"] == read_json(folder / "first" / "scores.json")["vamp2"]
    chis = [np.load(folder / run / "chi" / "md.npy") for run in ("first", "again")]
    np.testing.assert_array_equal(*chis)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tau 3", "config.json: its split is for --tau 2, not 3; --split, or --val and --test, divide the data anew"),
        ("--graphs OTHER", "config.json: its split is of other graphs than "),
        ("--graphs none", "none: not a graph directory (no such directory)"),
        ("--resume --run FIRST", "config.json: --resume goes on with the settings of "),
    ],
)
def test_a_run_given_back_with_other_data(folder, capsys, words, message):
    other = folder / "other"
    if not other.exists():
        other_words = f"{folder}/md.xyz --targets O --n-neighbors 4 --edges distance --n-workers 1 --out {other}"
        assert build_graphs.main(other_words.split()) == 0
    capsys.readouterr()
    words = words.replace("OTHER", str(other)).replace("FIRST", str(folder / "first")).split()
    config = str(folder / "first" / "config.json")
    assert train.main(["--config", config, "--run", str(folder / "new"), *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_recorded_split_that_was_altered(folder):
    from gdynet_tf.graphs.store import open_graphs

    graphs = open_graphs(folder / "graphs")
    sha256 = read_json(folder / "first" / "config.json")["graphs"]["sha256"]
    with pytest.raises(InputError, match=r"^config.json: split: altered, .*unexpected keyword argument 'training'"):
        RecordedSplit(file="config.json", blocks={"training": []}, tau=2, graphs_sha256=sha256).split(graphs, 2)
