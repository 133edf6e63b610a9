"""Run directories, figures and the report."""

import csv
import json
import re
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.report import analyse, write_report
from gdynet_tf.commands import report as command
from gdynet_tf.errors import InputError


def write_run(path, n_states=3, n_frames=3000, tau=5, agreement=None, n_targets=2):
    """A run directory as train_run writes it, with chi of Markov chains."""
    rng = np.random.default_rng(0)
    state, chi = np.zeros(n_targets, int), np.empty((n_frames, n_targets, n_states), np.float32)
    for t in range(n_frames):
        state = np.where(rng.random(n_targets) < 0.02, rng.integers(0, n_states, n_targets), state)
        chi[t] = 0.9 * np.eye(n_states)[state] + 0.1 / n_states
    (path / "chi").mkdir(parents=True)
    np.save(path / "chi" / "md.npy", chi)
    a, b = int(0.5 * n_frames), int(0.6 * n_frames)
    config = {
        "seed": 7,
        "n_restarts": 1,
        "n_states": n_states,
        "tau": tau,
        "split": {"train": [[0, 0, a]], "validation": [[0, a + tau, b]], "test": [[0, b + tau, n_frames]]},
        "graphs": {"path": "g", "sha256": "0" * 64},
        "data": {
            "frame_interval": 0.5,
            "time_unit": "ps",
            "n_atoms": 5,
            "n_targets": n_targets,
            "group_size": 1,
            "trajectories": [
                {"name": "md", "segments": [n_frames - 400, 400], "sources": [{"path": "a"}, {"path": "b"}]}
            ],
        },
        "versions": {"gdynet_tf": "0", "numpy": np.__version__},
        "created": "2026-01-01T00:00:00+0000",
    }
    scores = {
        "vamp2": {"train": 2.5, "validation": 2.4, "test": 2.3},
        "agreement": agreement,
        "collapsed": [],
        "best_seed": 7,
    }
    (path / "config.json").write_text(json.dumps(config))
    (path / "scores.json").write_text(json.dumps(scores))
    (path / "history.csv").write_text("epoch,train_vamp2,validation_vamp2,seconds\n1,2.0,2.1,1\n2,2.5,2.4,1\n")
    return path


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "r")


def test_load_chi(run):
    every = ga.load_chi(run)
    assert [len(c) for c in every] == [2600, 400]
    assert isinstance(every[0], np.memmap)
    test = ga.load_chi(str(run), "test")
    assert [len(c) for c in test] == [1195]
    np.testing.assert_array_equal(test[0], np.load(run / "chi" / "md.npy")[1805:])
    loaded = ga.load_run(run)
    assert (loaded.tau, loaded.frame_interval, loaded.time_unit) == (5, 0.5, "ps")
    with pytest.raises(ValueError, match="split must be one of all, train, validation, test, got 'first'"):
        ga.load_chi(run, "first")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: shutil.rmtree(r), r"not a run directory \(no such directory\)"),
        (lambda r: (r / "config.json").unlink(), r"not a run directory \(no config\.json in it\)"),
        (
            lambda r: (r / "scores.json").unlink(),
            "the training is not finished, train.py --resume continues it",
        ),
        (lambda r: (r / "config.json").write_text("{"), r"config\.json: cannot be read"),
        (lambda r: (r / "chi" / "md.npy").unlink(), r"md\.npy: cannot be read"),
        (lambda r: (r / "chi" / "md.npy").write_bytes(b""), r"md\.npy: cannot be read"),
        (
            lambda r: np.save(r / "chi" / "md.npy", np.ones((9, 1, 3))),
            r"md\.npy: altered, shape \(9, 1, 3\) where",
        ),
    ],
)
def test_damaged_run(run, damage, message):
    damage(run)
    with pytest.raises(InputError, match=message):
        ga.load_chi(run)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data", None, r"config\.json: altered, TypeError"),
        ("split", {}, r"config\.json: altered, KeyError\('train'\)"),
        ("split", {"train": [], "validation": [], "test": []}, "altered, no block of frames for test"),
        *(
            ("split", {"train": [], "validation": [], "test": [block]}, f"block {block} of test is not in the data")
            for block in ([0, 2900, 9999], [3, 0, 10], [0, 20, 10])
        ),
    ],
)
def test_altered_config(run, key, value, message):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, key: value}))
    if "block" in message:
        message = message.replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(InputError, match=message):
        ga.load_chi(run, "test")


@pytest.mark.parametrize("n_states", [2, 4])
def test_report_is_whole_and_self_contained(tmp_path, n_states):
    agreement = {
        "n_restarts": 3,
        "canonical_correlations": [0.99] * (n_states - 1),
        "same_likeliest_state": 0.9,
        "f1": [0.95] * (n_states - 1) + [0.4],
        "found_again": [True] * (n_states - 1) + [False],
    }
    run = write_run(tmp_path / "r", n_states, agreement=agreement)
    path, analysis = write_report(run)
    html = path.read_text()
    names = re.findall(r'<figure id="(\w+)"', html)
    assert set(names) == {
        "timescales",
        "chapman_kolmogorov",
        "populations",
        "koopman_matrix",
        "eigenvectors",
        "chi_histogram",
        "chi_trace",
        "history",
        "state_agreement",
    }
    for name in names:
        assert (run / "analysis" / f"{name}.png").stat().st_size > 5000
        rows = list(csv.reader((run / "analysis" / f"{name}.csv").read_text().splitlines()))
        assert len(rows) > 1
        assert all(len(row) == len(rows[0]) for row in rows)
    assert not re.search(r'(src|href)="(?!data:)', html)  # nothing is loaded from elsewhere
    assert "md (2 files)" in html
    assert analysis.verdict in html.replace("&#39;", "'")
    assert f"Not found again: state {n_states - 1}." in html
    summary = json.loads((run / "analysis" / "summary.json").read_text())
    assert summary["chapman_kolmogorov"]["passed"] is True
    np.testing.assert_allclose(summary["populations"], ga.populations(ga.load_chi(run, "test")))
    assert plt.get_fignums() == []


def test_numbers_beside_a_figure_are_those_of_the_analysis(run):
    _, analysis = write_report(run)
    with open(run / "analysis" / "timescales.csv") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(r["timescale_1_ps"]) for r in rows], analysis.timescales.timescales[0])
    np.testing.assert_allclose([float(r["lag_time_ps"]) for r in rows], analysis.timescales.lag_times)


def test_short_test_data(tmp_path):
    """Too short for a Chapman-Kolmogorov test: said, not skipped silently."""
    run = write_run(tmp_path / "r", n_frames=1000, tau=140)
    path, analysis = write_report(run)
    assert analysis.ck is None
    assert "too short for a Chapman-Kolmogorov test" in path.read_text()
    config = json.loads((run / "config.json").read_text())
    config["tau"] = 399
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="the test data have segments of 260 frames, the lag time is 399"):
        analyse(ga.load_run(run))


def test_no_stationary_distribution_is_said(tmp_path):
    run = write_run(tmp_path / "r", n_states=2, n_targets=1)
    drift = np.linspace(0.2, 0.8, 3000) ** 2
    np.save(run / "chi" / "md.npy", np.stack([drift, 1 - drift], axis=-1)[:, None])
    _, analysis = write_report(run)
    assert any("does not decay" in c or "no stationary distribution" in c for c in analysis.caveats)


def test_plots_draw_into_given_axes(run):
    analysis = analyse(ga.load_run(run))
    _, ax = plt.subplots()
    for draw, result in (
        (ga.plots.timescales, analysis.timescales),
        (ga.plots.koopman_matrix, analysis.koopman),
        (ga.plots.chi_histogram, analysis.chi),
    ):
        ax.clear()
        assert draw(result, ax=ax) is ax
    _, axes = plt.subplots(3, 3)
    assert ga.plots.chapman_kolmogorov(analysis.ck, axes=axes) is axes
    plt.close("all")


def test_command(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main([]) == 2
    assert capsys.readouterr().err == (
        "error: runs: holds no finished run; python train.py --n-states 4 --tau 80 makes one\n"
    )
    (tmp_path / "runs").mkdir()
    run.rename(tmp_path / "runs" / "r")
    assert command.main([]) == 0
    out = capsys.readouterr().out
    assert "no run named: using the newest, runs/r" in out
    assert "Markovian" in out
    assert f"report: {tmp_path / 'runs' / 'r' / 'report.html'}" in out
    assert command.main(["runs/r", "--split", "all"]) == 0
    assert command.main(["none"]) == 2
    assert capsys.readouterr().err == "error: none: not a run directory (no such directory)\n"


def test_import_is_light():
    """Neither the package nor its analysis loads TensorFlow, Keras or matplotlib, and both load quickly."""
    script = (
        "import sys, gdynet_tf, gdynet_tf.analysis, gdynet_tf.trajectory\n"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib', 'pymatgen', 'ase', 'MDAnalysis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ga.nothing
