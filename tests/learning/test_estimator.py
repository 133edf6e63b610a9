"""The estimator does from memory what train.py does through files, to the bit, in the manner of scikit-learn."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import gdynet_tf as gd
import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.learning.runs import new_config, train_run
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.splits import Split, split_by_time

SETTINGS = {
    "n_states": 2,
    "tau": 2,
    "n_conv": 1,
    "n_features": 4,
    "batch_size": 200,
    "epochs": 3,
    "learning_rate": 0.02,
}
OPTIONS = {"n_neighbors": 2, "progress": False}


def switching(n_frames=3000, seed=0, **options):
    """Two atoms at 2 or 3 Å from each other; the bond switches with probability 0.02 a frame."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_frames) < 0.02) % 2
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = np.where(state, 3.0, 2.0) + rng.normal(0, 0.05, n_frames)
    options = {"frame_interval": 0.5, "name": "bond", **options}
    return gd.Trajectory.from_arrays(positions, np.eye(3) * 20, ["Li", "O"], **options)


@pytest.fixture(scope="module")
def graphs():
    return gd.build_graphs(switching(), "Li", **OPTIONS)


@pytest.fixture(scope="module")
def fitted(graphs):
    return gd.GDyNetEstimator(**SETTINGS, seed=1, n_restarts=2, progress=False).fit(graphs)


def _without_times(content):
    """Of scores, everything but the wall clock."""
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key != "seconds"}
    return [_without_times(item) for item in content] if isinstance(content, list) else content


def test_same_bits_as_the_run_directory(fitted, tmp_path):
    graphs = gd.build_graphs(switching(), "Li", out=tmp_path / "graphs", **OPTIONS)
    config = new_config(graphs, split_by_time(graphs.segments, 2), TrainingSettings(**SETTINGS), seed=1, n_restarts=2)
    scores = train_run(graphs, tmp_path / "run", config, progress=False)
    np.testing.assert_array_equal(fitted.run_.chi_arrays()[0], np.load(tmp_path / "run" / "chi" / "bond.npy"))
    assert _without_times(json.loads(json.dumps(fitted.scores_))) == _without_times(scores)
    other = gd.GDyNetEstimator.load(tmp_path / "run")
    pd.testing.assert_frame_equal(other.history_.drop(columns="seconds"), fitted.history_.drop(columns="seconds"))
    for a, b in zip(fitted.model_.get_weights(), other.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    described = {**fitted.run_.config, "graphs": None, "created": None}
    assert described == {**json.loads((tmp_path / "run" / "config.json").read_text()), "graphs": None, "created": None}


def test_transform_and_score(fitted, graphs):
    chi = fitted.transform(graphs)
    assert isinstance(chi, ga.Chi)
    assert (chi.tau, chi.frame_interval, chi.time_unit, chi.trajectories) == (2, 0.5, "ps", (0,))
    assert chi[0].shape == (3000, 1, 2)
    np.testing.assert_array_equal(chi[0], ga.load_chi(fitted.run_)[0])
    # The ridge of 1e-6 beside covariances of 0.1 changes the score by about 1e-5.
    assert fitted.score(graphs) == pytest.approx(ga.vamp2_score(chi, 2), abs=1e-4)
    # A chain that switches with probability 0.02: the second eigenvalue after two steps is 0.96^2.
    assert fitted.score(graphs) == pytest.approx(1 + 0.96**4, abs=0.06)
    assert len(fitted.history_) == 3
    assert set(fitted.scores_["vamp2"]) == {"train", "validation", "test"}


def test_graphs_that_were_not_trained_on(fitted):
    several = [switching(400, seed=1, segments=(250, 150)), switching(300, seed=2)]
    graphs = gd.build_graphs(several, "Li", edges="gaussian", **OPTIONS)
    chi = fitted.transform(graphs)
    assert [len(segment) for segment in chi] == [250, 150, 300]
    assert chi.trajectories == (0, 0, 1)
    assert fitted.score(graphs) == pytest.approx(ga.vamp2_score(chi, 2), abs=1e-3)


def test_scikit_learn_manners(fitted):
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    assert not hasattr(again, "model_")
    assert again.set_params(tau=5) is again
    assert (again.tau, fitted.tau) == (5, 2)
    assert repr(gd.GDyNetEstimator(3, 10, seed=1)) == "GDyNetEstimator(n_states=3, seed=1, tau=10)"
    with pytest.raises(NotFittedError, match="This GDyNetEstimator instance is not fitted yet"):
        again.transform(None)
    with pytest.raises(NotFittedError):
        again.save("nowhere")


def test_save_and_load(graphs, tmp_path):
    estimator = gd.GDyNetEstimator(**SETTINGS, seed=1, progress=False).fit(graphs)
    assert estimator.run_.config["graphs"] == {"path": None, "sha256": graphs.sha256}
    in_memory = ga.load_system(estimator.run_, "test")
    path = estimator.save(tmp_path / "runs" / "mine")
    names = {"config.json", "history.csv", "scores.json", "best.weights.h5", "model.keras", "chi", "graphs"}
    names |= {"explanation.json", "manifest.json"}
    assert {file.name for file in path.iterdir()} == names
    run = ga.load_run(path)
    assert run.config == estimator.run_.config
    np.testing.assert_array_equal(ga.load_chi(run, "test")[0], ga.load_chi(estimator.run_, "test")[0])
    np.testing.assert_array_equal(ga.load_system(run, "test").positions[0], in_memory.positions[0])
    loaded = gd.GDyNetEstimator.load(path)
    np.testing.assert_array_equal(loaded.transform(graphs)[0], estimator.transform(graphs)[0])
    pd.testing.assert_frame_equal(loaded.history_, estimator.history_)
    assert loaded.scores_ == estimator.scores_
    params = {**estimator.get_params(), "split": loaded.split_, "progress": True}
    assert loaded.get_params() == params
    assert isinstance(clone(loaded).split, Split)
    copy = loaded.save(tmp_path / "copy")  # its graphs are those of the first
    assert not (copy / "graphs").exists()
    np.testing.assert_array_equal(ga.load_system(copy).positions[0], graphs.array(0, "positions"))


def test_saving_does_not_destroy(fitted, graphs, tmp_path):
    path = fitted.save(tmp_path / "run")
    with pytest.raises(InputError, match="run: exists; `overwrite=True` replaces it"):
        fitted.save(path)
    with pytest.raises(InputError, match=r"run: holds .*run(/graphs)?, which is still needed; it is not overwritten"):
        gd.GDyNetEstimator.load(path).save(path, overwrite=True)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    with pytest.raises(InputError, match="thesis: exists and is no run directory; it is not overwritten"):
        gd.GDyNetEstimator.load(path).save(tmp_path / "thesis", overwrite=True)
    other = gd.GDyNetEstimator.load(path).save(tmp_path / "other")
    gd.GDyNetEstimator.load(path).save(other, overwrite=True)
    assert ga.load_run(other).tau == 2
    (other / "report.html").write_text("written anew at any time")
    gd.GDyNetEstimator.load(path).save(other, overwrite=True)
    (other / "chi" / "notes.txt").write_text("of a person")
    with pytest.raises(InputError, match=r"notes\.txt: was not written with .*other, which is replaced as a whole"):
        gd.GDyNetEstimator.load(path).save(other, overwrite=True)
    for name in ("manifest.json", "history.csv"):
        (other / name).unlink()
    with pytest.raises(InputError, match=r"other: no history\.csv in it: a network was applied here, not trained"):
        gd.GDyNetEstimator.load(other)


def test_report_of_a_saved_run(graphs, tmp_path):
    from gdynet_tf.report.html import write_report

    split = Split(train=((0, 0, 1000),), validation=((0, 1002, 1300),), test=((0, 1302, 3000),))
    estimator = gd.GDyNetEstimator(**{**SETTINGS, "epochs": 1}, seed=1, split=split, progress=False).fit(graphs)
    assert estimator.split_ == split
    write_report(estimator.save(tmp_path / "run"))
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_a_split_that_does_not_fit(graphs):
    split = Split(train=((0, 0, 1000),), validation=((0, 900, 1300),), test=((0, 1302, 3000),))
    with pytest.raises(InputError, match=r"^`split`: train: block \[0, 0, 1000\] shares frames with block"):
        gd.GDyNetEstimator(**SETTINGS, split=split).fit(graphs)


def test_vampnet(tmp_path):
    graphs = gd.build_graphs(switching(600), "all", **OPTIONS)
    settings = {**SETTINGS, "model": "vampnet", "batch_size": None, "epochs": 1, "n_features": None}
    estimator = gd.GDyNetEstimator(**settings, seed=1, progress=False).fit(graphs)
    assert estimator.transform(graphs)[0].shape == (600, 1, 2)
    assert estimator.run_.config["n_features"] == 64
    loaded = gd.GDyNetEstimator.load(estimator.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.transform(graphs)[0], estimator.transform(graphs)[0])
    with pytest.raises(InputError, match="the graphs have n_coordinates 6, the network was trained with 12"):
        estimator.transform(gd.build_graphs(switching(50), [1], **OPTIONS))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_states": 1}, "`n_states=1`: must be at least 2"),
        ({"tau": 2.5}, "`tau=2.5`: must be a whole number"),
        ({"tau": None}, "`tau=None`: must be a whole number"),
        ({"tau": True}, "`tau=True`: must be a whole number"),
        ({"learning_rate": "0.1"}, "`learning_rate='0.1'`: must be a number"),
        ({"seed": 1.5}, "`seed=1.5`: must be a whole number"),
        ({"tau": 3000}, "`tau=3000`: must be from 1 to 2999, the longest segment has 3000 frames"),
        ({"model": "gnn"}, "`model='gnn'`: must be gdynet or vampnet"),
        ({"variant": "mine"}, "`variant='mine'`: must be paper or gdynet2019"),
        ({"learning_rate": 0}, "`learning_rate=0`: must be a positive number below 10"),
        ({"batch_size": 5000}, "`batch_size=5000`: there are only 2098 training pairs"),
        ({"seed": -1}, "`seed=-1`: must be from 0 to 2147483647"),
        ({"n_restarts": 0}, "`n_restarts=0`: must be at least 1"),
        ({"split": (0.5, 0.5)}, "`split=0.5 0.5`: three positive fractions that add up to 1 are needed"),
    ],
)
def test_bad_parameters(graphs, changes, message):
    with pytest.raises(InputError, match=message):
        gd.GDyNetEstimator(**{**SETTINGS, **changes}, progress=False).fit(graphs)


def test_graphs_that_do_not_fit(fitted):
    with pytest.raises(InputError, match="graphs from build_graphs or open_graphs are needed, got Trajectory"):
        fitted.fit(switching(10))
    short = switching(50)
    with pytest.raises(InputError, match="the graphs have n_neighbors 3, the network was trained with 2"):
        fitted.transform(gd.build_graphs(short, "Li", n_neighbors=3, progress=False))
    with pytest.raises(
        InputError, match=r"the graphs have expansion \{.*'dmax': 5.0.*\}, the network was trained with"
    ):
        fitted.transform(gd.build_graphs(short, "Li", expansion={"dmax": 5.0}, **OPTIONS))
    with pytest.raises(InputError, match="the frames are 1 ps apart, those of the training were 0.5 ps"):
        fitted.score(gd.build_graphs(switching(50, frame_interval=1.0), "Li", **OPTIONS))
    with pytest.raises(InputError, match="`tau=2`: no segment is longer than the lag time"):
        fitted.score(gd.build_graphs(switching(4, segments=(2, 2)), "Li", **OPTIONS))


def test_nothing_is_said_when_not_asked():
    """In a fresh process: neither TensorFlow nor the training say a word."""
    script = (
        "import numpy as np, gdynet_tf as gd\n"
        "x = np.random.default_rng(0).random((60, 3, 3)) * 5\n"
        "graphs = gd.build_graphs(gd.Trajectory.from_arrays(x, np.eye(3) * 5, [3, 8, 8]), 'Li', progress=False)\n"
        "gd.GDyNetEstimator(2, 1, n_conv=1, n_features=4, epochs=1, seed=1, progress=False).fit(graphs).score(graphs)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
