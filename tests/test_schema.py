"""Files that were edited, or written by somebody else, end in one line that names the file and the key."""

import copy
import json

import numpy as np
import pytest

from gdynet_tf.analysis import load_run
from gdynet_tf.errors import InputError
from gdynet_tf.files import digest
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.schema import Config, Scores, check_schema
from gdynet_tf.trajectory import Trajectory

CONFIG = {
    "seed": 1,
    "n_restarts": 2,
    "n_states": 2,
    "tau": 3,
    "model": "gdynet",
    "batch_size": None,
    "learning_rate": 0.003,
    "split": {"train": [[0, 0, 50]], "validation": [[0, 53, 70]], "test": [[0, 73, 100]]},
    "graphs": {"path": "graphs", "sha256": "0"},
    "data": {
        "frame_interval": 1.0,
        "time_unit": "ps",
        "n_atoms": 5,
        "trajectories": [{"name": "a", "segments": [70, 30], "sources": []}],
    },
    "versions": {"numpy": "2"},
}
SCORES = {
    "vamp2": {"train": 1.9, "all": None},
    "agreement": None,
    "populations": [0.5, 0.5],
    "collapsed": [],
    "findings": [{"kind": "k", "severity": "note", "text": "t", "numbers": {}}],
}


def edited(content, path, value):
    """A copy with one value replaced; `...` removes it."""
    content = copy.deepcopy(content)
    *parents, last = path.split(".")
    place = content
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    last = int(last) if isinstance(place, list) else last
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


def test_good_files_pass():
    assert check_schema(CONFIG, Config, "config.json").tau == 3
    check_schema(SCORES, Scores, "scores.json")


@pytest.mark.parametrize("content", [None, 1, "text", [], [CONFIG]])
def test_not_even_a_mapping(content):
    with pytest.raises(InputError, match=r"config\.json: altered, Input should be"):
        check_schema(content, Config, "config.json")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("tau", 0, "tau: Input should be greater than or equal to 1"),
        ("tau", "3", "tau: Input should be a valid integer"),
        ("tau", 2.5, "tau: Input should be a valid integer"),
        ("tau", True, "tau: Input should be a valid integer"),
        ("tau", ..., "tau: Field required"),
        ("n_states", 1, "n_states: "),
        ("n_states", None, "n_states: "),
        ("n_restarts", 0, "n_restarts: "),
        ("seed", -1, "seed: "),
        ("seed", 10**400, "seed: "),
        ("model", "other", "model: Input should be 'gdynet' or 'vampnet'"),
        ("batch_size", 0, "batch_size: "),
        ("learning_rate", float("nan"), "learning_rate: "),
        ("learning_rate", float("inf"), "learning_rate: "),
        ("split", {}, "split.train: Field required (and 2 more)"),
        ("split.train", 3, "split.train: "),
        ("split.train.0", [0, 50], "split.train.0: "),
        ("split.train.0", [0, -1, 50], "split.train.0.1: "),
        ("split.train.0", [0, 0, 101], "split.train: block [0, 0, 101] is not in the data"),
        ("split.test.0", [1, 0, 9], "split.test: block [1, 0, 9] is not in the data"),
        ("split.test.0", [-1, 73, 100], "split.test.0.0: "),
        ("split.test.0", [0, 90, 90], "split.test: block [0, 90, 90] is not in the data"),
        ("split.test.0", [0, 100, 100], "split.test: block [0, 100, 100] is not in the data"),
        ("split.test.0", [0, 100, 73], "split.test: block [0, 100, 73] is not in the data"),
        (
            "split.validation.0",
            [0, 60, 80],
            "split.validation: block [0, 60, 80] is not within one segment",
        ),
        (
            "split.validation.0",
            [0, 40, 60],
            "split.train: block [0, 0, 50] shares frames with block [0, 40, 60]",
        ),
        ("split.test.0", [0, 0, 50], "split.test: block [0, 0, 50] shares frames with block [0, 0, 50] of train"),
        (
            "split.test",
            [[0, 73, 90], [0, 80, 95]],
            "split.test: block [0, 73, 90] shares frames with block",
        ),
        ("split.test", True, "split.test: "),
        ("split.test.0", [False, True, 100], "split.test.0.0: "),
        ("split.test.0", [0, 73.0, 100.0], "split.test.0.1: "),
        ("graphs", "graphs", "graphs: "),
        ("graphs.path", 3, "graphs.path: "),
        ("graphs.sha256", None, "graphs.sha256: "),
        ("data", None, "data: "),
        ("data.frame_interval", 0, "data.frame_interval: "),
        ("data.frame_interval", 1e-300, "data.frame_interval: "),
        ("data.frame_interval", float("nan"), "data.frame_interval: "),
        ("data.time_unit", 1, "data.time_unit: "),
        ("data.n_atoms", -5, "data.n_atoms: "),
        ("data.trajectories", [], "data.trajectories: "),
        (
            "data.trajectories",
            [CONFIG["data"]["trajectories"][0]] * 2,
            "data.trajectories: two of the same name in a, a",
        ),
        ("data.trajectories.0.segments", [], "data.trajectories.0.segments: "),
        ("data.trajectories.0.segments", [60, -40], "data.trajectories.0.segments.1: "),
        ("data.trajectories.0.name", "/tmp/elsewhere", "data.trajectories.0.name: must be the name of a file"),
        ("data.trajectories.0.name", "../a", "data.trajectories.0.name: must be the name of a file, without a path"),
        ("data.trajectories.0.name", "..", "data.trajectories.0.name: "),
        ("data.trajectories.0.name", "", "data.trajectories.0.name: "),
        ("data.trajectories.0.name", "a\\b", "data.trajectories.0.name: "),
        ("data.trajectories.0.name", "a\0", "data.trajectories.0.name: "),
        ("data.trajectories.0.sources", None, "data.trajectories.0.sources: "),
        ("versions", {"numpy": 2}, "versions.numpy: "),
    ],
)
def test_edited_config(path, value, message):
    with pytest.raises(InputError) as caught:
        check_schema(edited(CONFIG, path, value), Config, "config.json")
    assert str(caught.value).startswith(f"config.json: altered, {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("vamp2", [1, 2]),
        ("vamp2.train", "high"),
        ("vamp2.train", float("nan")),
        ("agreement", {"n_restarts": 2}),
        ("agreement", [0.9]),
        ("populations", 0.5),
        ("populations.0", -0.5),
        ("collapsed", "none"),
        ("findings", [{"kind": "k"}]),
        ("findings.0.severity", "odd"),
        ("findings.0.numbers", None),
    ],
)
def test_edited_scores(path, value):
    with pytest.raises(InputError, match=rf"^scores\.json: altered, {path.partition('.')[0]}.*: "):
        check_schema(edited(SCORES, path, value), Scores, "scores.json")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    positions = np.random.default_rng(0).random((6, 4, 3)) * 5
    trajectory = Trajectory("a", positions, np.repeat(np.eye(3)[None] * 5, 6, axis=0), [3] * 4)
    out = tmp_path_factory.mktemp("schema") / "graphs"
    build_graphs(trajectory, "Li", n_neighbors=3, out=out, progress=False)
    (out / "manifest.json").unlink()  # which would notice any edit; older graphs have none
    return out


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("n_atoms", 5, "arrays: atomic_numbers is of shape (4,), not (5,)"),
        ("n_atoms", 10**30, "n_atoms: "),
        ("n_targets", 3, "arrays: targets is of shape (4, 1), not (3, 1)"),
        ("n_neighbors", 4, "a: arrays: neighbors is of shape (6, 4, 3), not (6, 4, 4)"),
        ("edges", "gaussian", "a: arrays: edges is missing"),
        ("edges", "angles", "edges: "),
        ("expansion.step", 1e-12, "expansion: dmin, dmax and step make no Gaussian centres, or too many"),
        ("expansion.dmax", float("inf"), "expansion.dmax: "),
        ("expansion.sigma", ..., "expansion.sigma: "),
        ("periodic", [True], "periodic: "),
        ("frame_interval", "1", "frame_interval: "),
        ("arrays", {}, "arrays: atomic_numbers is missing"),
        ("arrays.targets.shape", [-1, 1], "arrays.targets.shape.0: "),
        ("trajectories", [], "trajectories: "),
        ("trajectories.0.name", "/tmp/elsewhere", "trajectories.0.name: must be the name of a file, without a path"),
        ("trajectories.0.n_frames", 7, "a: segments of 6 frames, n_frames is 7"),
        ("trajectories.0.segments", [6, 6], "a: segments of 12 frames, n_frames is 6"),
        ("trajectories.0.findings", [1], "trajectories.0.findings.0: "),
        ("trajectories.0.arrays.lattices", ..., "a: arrays: lattices is missing"),
        ("trajectories.0.arrays", {"../../x": {"shape": [], "dtype": "<f4", "sha256": "0"}}, "trajectories.0.arrays."),
    ],
)
def test_edited_meta(graphs, path, value, message):
    file = graphs / "meta.json"
    before = file.read_text()
    try:
        file.write_text(json.dumps(edited(json.loads(before), path, value)))
        with pytest.raises(InputError) as caught:
            open_graphs(graphs)
    finally:
        file.write_text(before)
    assert str(caught.value).startswith(f"{file}: altered, {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("frame_interval", 2.0, "data.frame_interval: 2.0 where its graphs say 1.0"),
        ("time_unit", "ns", "data.time_unit: 'ns' where its graphs say 'frames'"),
        ("n_atoms", 5, "data.n_atoms: 5 where its graphs say 4"),
        ("n_neighbors", 9, "data.n_neighbors: 9 where its graphs say 3"),
        ("trajectories.0.segments", [4, 2], "data.trajectories: segments: [[4, 2]] where its graphs say [[6]]"),
        ("trajectories.0.name", "b", "data.trajectories: name: ['b'] where its graphs say ['a']"),
    ],
)
def test_a_run_that_tells_of_other_data_than_its_graphs(graphs, tmp_path, path, value, message):
    data = {
        "frame_interval": 1.0,
        "time_unit": "frames",
        "n_atoms": 4,
        "n_neighbors": 3,
        "trajectories": [{"name": "a", "segments": [6]}],
    }
    split = {"train": [[0, 0, 2]], "validation": [[0, 2, 4]], "test": [[0, 4, 6]]}
    config = {
        **CONFIG,
        "tau": 1,
        "split": split,
        "graphs": {"path": str(graphs), "sha256": digest(graphs / "meta.json")},
    }

    def open_run(data, config=config):
        (tmp_path / "config.json").write_text(json.dumps({**config, "data": data}))
        (tmp_path / "scores.json").write_text(json.dumps(SCORES))
        return load_run(tmp_path)

    assert open_run(data).tau == 1
    with pytest.raises(InputError) as caught:
        open_run(edited(data, path, value))
    assert str(caught.value) == f"{tmp_path / 'config.json'}: altered, {message}"
    for reference in ({"path": str(tmp_path / "gone"), "sha256": "0"}, {"path": str(graphs), "sha256": "0"}):
        open_run(edited(data, path, value), {**config, "graphs": reference})  # nothing to compare with


@pytest.mark.parametrize("text", ["", "{", "\xff", "[" * 100_000, "1", "null", '{"format_version": 9}'])
def test_files_that_are_no_such_file(graphs, tmp_path, text):
    for name in ("config.json", "scores.json"):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"config\.json: "):
        load_run(tmp_path)
    before = (graphs / "meta.json").read_text()
    try:
        (graphs / "meta.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match=r"meta\.json: cannot be read|format version"):
            open_graphs(graphs)
    finally:
        (graphs / "meta.json").write_text(before)
