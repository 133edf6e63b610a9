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
from gdynet_tf.graphs.store import open_graphs

SPLIT = {"train": [[0, 0, 40]], "validation": [[0, 42, 50]], "test": [[0, 52, 60]]}
DATA = {"frame_interval": 1.0, "time_unit": "ps", "trajectories": [{"name": "md", "segments": [60]}]}
RUN = {
    "graphs": {"path": "graphs", "sha256": "0"},
    "data": DATA,
    "split": SPLIT,
    "n_states": 2,
    "tau": 2,
    "precision": "float32",
    "versions": {},
}


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
        "given": ("config", "tau", "overwrite"),
    }


def test_without_a_file_nothing_changes(parser):
    words = ["--n-states", "3", "--val", "a", "b"]
    args = vars(parse_with_settings(parser, words))
    assert args.pop("given") == ("n_states", "val")
    assert args == vars(parser.parse_args(words))


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
        ("tau: 2\ntau: 3", r"cannot be read: tau is there twice\s+in .*, line 2, column 1"),
        ("n-states: 2\nn_states: 3", "n_states: is there twice"),
        ("n-states: null\nn_states: 3", "n_states: is there twice"),
        ("model: {a: 1, a: 2}", "cannot be read: a is there twice"),
        ("learning_rate: 1" + 400 * "0", "learning_rate: an integer of 1329 bits is too large"),
        ("tau: 0x" + 5000 * "f", "tau: an integer of 20000 bits is too large"),
        ("tau: !!int ''", r"cannot be read: '' is no int\s+in .*, line 1, column 6"),
        ("tau: !!bool zzz", "cannot be read: 'zzz' is no bool"),
        ("tau: !!timestamp zzz", "cannot be read: 'zzz' is no timestamp"),
        ("tau: !!float [1]", "cannot be read: "),
        ("tau: !!python/object:os.system x", "cannot be read: could not determine a constructor for the tag"),
        ("? [a]\n: 1", "cannot be read: "),
        ("3: 1", "3: no such setting"),
        ("x" * 1000 + ": 1", "x{77}\\.\\.\\.: no such setting"),
        ("tau: " + "x" * 1000, "tau: 'x+\\.\\.\\.x+' is not an integer"),
        ("tau: &a [*a]", r"tau: \[\[\[\.\.\.\]\]\] is not an integer"),
    ],
)
def test_bad_settings(parser, write, content, message):
    file = write(content)
    with pytest.raises(InputError, match=f"^{file}: {message}"):
        read_settings(file, parser)


def test_an_alias_bomb(parser, write):
    """Ten lists of ten of the list before, which nobody could ever write down."""
    lists = "".join(f", &a{i} [{', '.join(10 * [f'*a{i - 1}'])}]" for i in range(1, 10))
    for content in (f"tau: [&a0 [x, x]{lists}]", f"val: [&a0 [x, x]{lists}]", f"a: [&a0 [x, x]{lists}]"):
        with pytest.raises(InputError) as caught:
            read_settings(write(content), parser)
        assert len(str(caught.value)) < 400


def test_keys_that_are_there_twice_in_json(parser, write):
    file = write('{"tau": 2, "tau": 3}', "settings.json")
    with pytest.raises(InputError, match=r"settings.json: cannot be read: tau is there twice$"):
        read_settings(file, parser)
    with pytest.raises(InputError, match=r"settings.json: cannot be read: Exceeds the limit"):
        read_settings(write('{"tau": 1' + 5000 * "0" + "}", "settings.json"), parser)


def test_bad_files(parser, write, tmp_path):
    (tmp_path / "settings").mkdir()
    with pytest.raises(InputError, match=r"settings: is not a regular file"):
        read_settings(tmp_path / "settings", parser)
    with pytest.raises(InputError, match="none.yaml: cannot be read: No such file or directory"):
        read_settings(tmp_path / "none.yaml", parser)
    with pytest.raises(InputError, match=r"settings.json: cannot be read: Expecting"):
        read_settings(write("tau: 3", "settings.json"), parser)
    for path, value, message in [
        ("tau", "x", "tau: Input should be a valid integer"),
        ("precision", "float13", "precision: Input should be 'float32' or 'mixed_float16'"),
        ("graphs", 5, "graphs: "),
        ("split", {"training": []}, "split.train: Field required"),
        ("split", {**SPLIT, "test": None}, "split.test: Input should be a valid list"),
        ("split", {**SPLIT, "test": [[-1, 52, 60]]}, "split.test.0.0: "),
        ("split", {**SPLIT, "test": [[0, 52, 600]]}, r"split.test: block \[0, 52, 600\] is not in the data"),
        ("split", {**SPLIT, "test": SPLIT["train"]}, r"split.test: block \[0, 0, 40\] shares frames with block"),
    ]:
        with pytest.raises(InputError, match=f"config.json: altered, {message}"):
            read_settings(write({**RUN, path: value}, "config.json"), parser)


def test_settings_of_a_run(parser, write):
    settings = read_settings(write(RUN, "config.json"), parser)
    assert settings.pop("split").config["split"] == SPLIT
    assert settings == {"graphs": "graphs", "n_states": 2, "tau": 2, "precision": "float32"}


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


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("split", {"test": [[0, 52, 54]]}, r"split: no block for test is longer than `tau=2`, so that no pair is left"),
        ("split", {"train": []}, r"split: no block for train is longer than `tau=2`"),
        ("data", {"frame_interval": 0.5}, r"altered, data\.frame_interval: 0\.5 where its graphs say 1\.0"),
        ("data", {"time_unit": "fs"}, r"altered, data\.time_unit: 'fs' where its graphs say 'frames'"),
    ],
)
def test_a_recorded_split_that_was_altered(folder, part, value, message):
    """What only the graphs, or a training, can tell; the rest is refused when the file is read."""
    graphs = open_graphs(folder / "graphs")
    config = read_json(folder / "first" / "config.json")
    config = {**config, part: {**config[part], **value}}
    with pytest.raises(InputError, match=rf"^config\.json: {message}"):
        RecordedSplit(file="config.json", config=config).split(graphs, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--n-states 3", "--n-states 3: RUN was begun with 2"),
        ("--epochs 2", "--epochs 2: RUN was begun with 1"),
        ("--n-conv 2", "--n-conv 2: RUN was begun with 1"),
        ("--learning-rate 0.1", "--learning-rate 0.1: RUN was begun with 0.01"),
        ("--n-restarts 3", "--n-restarts 3: RUN was begun with 1"),
        ("--variant gdynet2019", "--variant gdynet2019: RUN was begun with paper"),
        ("--model vampnet", "--model vampnet: RUN was begun with gdynet"),
        ("--batch-size 7", "--batch-size 7: RUN was begun with 34"),
        ("--graphs /nonexistent", "--graphs /nonexistent: RUN was begun with "),
        ("--start-from RUN", "--start-from RUN: RUN was begun with None"),
        ("--split 0.7 0.15 0.15", "--split 0.7 0.15 0.15: RUN divides the data otherwise"),
        ("--val md --test md", "md is named in both"),
        (
            "--n-states 2 --tau 2 --epochs 1 --graphs GRAPHS --split 0.6 0.2 0.2 --seed 3 --tensorboard",
            "RUN: is finished, there is nothing to resume",
        ),
    ],
)
def test_resumed_with_other_settings(folder, capsys, words, message):
    words, message = (text.replace("RUN", f"{folder}/first") for text in (words, message))
    words = words.replace("GRAPHS", f"{folder}/graphs")
    assert train.main(f"--resume --run {folder}/first {words}".split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
