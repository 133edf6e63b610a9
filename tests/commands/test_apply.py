"""A trained network applied to other trajectories, and as the start of another training."""

import json
import re

import ase
import ase.io
import numpy as np
import pytest

import gdynet_tf.analysis as ga
from gdynet_tf.commands import apply, build_graphs, report, train
from gdynet_tf.networks.gdynet import load_model


def switching_bond(n_frames, seed, elements="LiO", shift=0.0, stay=0.97):
    """A bond of 2 or 3 Å that switches; state and frames."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_frames) > stay) % 2
    x = np.where(state, 3.0, 2.0) + shift + rng.normal(0, 0.05, n_frames)
    return state, [ase.Atoms(elements, [[0, 0, 0], [d, 0, 0]], cell=np.eye(3) * 20, pbc=True) for d in x]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on one trajectory, and others to apply it to."""
    path = tmp_path_factory.mktemp("apply")
    for name, seed, how in (
        ("old", 0, {}),
        ("new", 1, {"stay": 0.9}),
        ("far", 2, {"shift": 0.6}),
        ("other", 3, {"elements": "NaO"}),
    ):
        ase.io.write(path / f"{name}.xyz", switching_bond(1200, seed, **how)[1], format="extxyz")
    words = f"{path}/old.xyz --targets Li --n-neighbors 2 --edges distance --n-workers 1 --frame-interval 0.5"
    assert build_graphs.main([*words.split(), "--out", str(path / "graphs")]) == 0
    words = "--n-states 2 --tau 2 --epochs 3 --n-conv 1 --n-features 4 --seed 1 --batch-size 200 --learning-rate 0.02"
    assert train.main([*words.split(), "--graphs", str(path / "graphs"), "--run", str(path / "run")]) == 0
    return path


def applied(folder, name, *more):
    words = [str(folder / "run"), str(folder / f"{name}.xyz"), "--n-workers", "1", "--overwrite", *more]
    if "--frame-interval" not in more:
        words += ["--frame-interval", "0.5"]
    assert apply.main(words) == 0
    return ga.load_run(folder / f"run_{name}")


def test_states_keep_their_numbers(folder, capsys):
    """The network knows the states of another trajectory, by the numbers that training gave them."""
    run = applied(folder, "new")
    out = capsys.readouterr().out
    assert "targets: Li, 1 of 1 atom" in out
    assert "Like the training: no element is new" in out
    assert f"next: python analysis/report.py {folder / 'run_new'}" in out
    number = [  # of the long bond
        round(float(np.corrcoef(switching_bond(1200, seed, **how)[0], ga.load_chi(path)[0][:, 0, 1])[0, 1]))
        for seed, how, path in ((0, {}, folder / "run"), (1, {"stay": 0.9}, run.path))
    ]
    assert number[0] == number[1] != 0
    found, state = ga.load_chi(run)[0][:, 0].argmax(axis=1), switching_bond(1200, 1, stay=0.9)[0]
    assert max((found == state).mean(), (found != state).mean()) > 0.98
    assert run.config["applied_from"]["run"] == str((folder / "run").resolve())
    assert (run.tau, run.frame_interval, run.time_unit) == (2, 0.5, "ps")
    # A chain that switches with probability 0.1: the second eigenvalue after two steps is 0.8^2.
    assert run.scores["vamp2"]["all"] == pytest.approx(1 + 0.8**4, abs=0.1)
    assert [finding.kind for finding in run.findings] == ["like the training"]


def test_report_of_an_applied_run(folder):
    run = applied(folder, "far")
    assert {finding.kind for finding in run.findings} == {"unseen distances"}
    assert report.main([str(run.path)]) == 0
    page = (run.path / "report.html").read_text()
    assert "distances that the training never saw" in page
    assert "training begun" in page


def test_unknown_element(folder, capsys):
    run = applied(folder, "other", "--targets", "Na")
    err = capsys.readouterr().err
    assert "warning: Na: the training never saw such atoms" in err
    assert "warning: Targets of Na" in err
    assert [finding.kind for finding in run.findings] == ["unknown elements", "other targets", "unseen distances"]


def test_lag_time_in_other_frames(folder):
    run = applied(folder, "new", "--frame-interval", "0.25")
    assert run.tau == 4
    assert [finding.kind for finding in run.findings] == ["like the training"]
    run = applied(folder, "new", "--frame-interval", "0.4")
    assert run.tau == 2
    lag, _ = run.findings
    assert (lag.kind, lag.severity) == ("other lag time", "note")
    assert "0.8 ps here, 1 ps in the training" in lag.text
    run = applied(folder, "new", "--frame-interval", "250", "--time-unit", "fs")
    assert (run.tau, run.time_unit) == (4, "fs")
    assert [finding.kind for finding in run.findings] == ["like the training"]
    lag, _ = applied(folder, "new", "--frame-interval", "3000", "--time-unit", "fs").findings
    assert lag.text == "The lag time is 3 ps here, 1 ps in the training: frames are 3 ps apart."
    words = ["--frame-interval", "1", "--time-unit", "sweeps"]
    unit, _ = applied(folder, "new", *words).findings
    assert (unit.kind, unit.severity) == ("other time unit", "warning")


def fails(capsys, main, words, message):
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err), err


def test_bad_input(folder, capsys):
    new, run = folder / "new.xyz", folder / "run"
    fails(capsys, apply.main, [folder, new], "not a run directory")
    fails(capsys, apply.main, [run, folder / "none.xyz"], "no such file")
    fails(capsys, apply.main, [run, new, "--n-workers", 0], "--n-workers 0: must be at least 1")
    fails(capsys, apply.main, [run, folder / "other.xyz"], "--targets Li: no Li in the system")
    fails(capsys, apply.main, [run, new, "--out", run, "--overwrite"], "was not written by apply.py")
    applied(folder, "new")
    notes = folder / "run_new" / "notes.txt"
    notes.write_text("of a person")
    fails(
        capsys,
        apply.main,
        [run, new, "--frame-interval", 0.5, "--overwrite"],
        r"notes\.txt: was not written with .*run_new, which is replaced",
    )
    notes.unlink()
    fails(capsys, apply.main, [run, new, "--out", folder], "exists; --overwrite replaces it, --out names another")
    molecules = [ase.Atoms("LiO", [[0, 0, 0], [2 + 0.01 * t, 0, 0]]) for t in range(5)]
    ase.io.write(folder / "gas.xyz", molecules, format="extxyz")
    fails(capsys, apply.main, [run, folder / "gas.xyz"], "2 atoms and no periodic direction, so 1 neighbours at most;")
    assert not (folder / "run_gas").exists()


def test_runs_whose_graphs_are_gone(folder, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    for name in ("config.json", "scores.json"):
        (tmp_path / "run" / name).write_text((folder / "run" / name).read_text())
    config = json.loads((folder / "run" / "config.json").read_text())
    for graphs, message in (
        ({"path": str(tmp_path / "gone"), "sha256": "0"}, "gone: not a graph directory"),
        ({"path": str(folder / "graphs"), "sha256": "0"}, "is not the graph directory that .* was trained on"),
        ({"path": None, "sha256": "0"}, "was trained on graphs in memory, which the run does not hold"),
    ):
        (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "graphs": graphs, "versions": {}}))
        fails(capsys, apply.main, [tmp_path / "run", folder / "new.xyz"], message)


def test_selection_follows_from_the_targets():
    def graphs(elements, targets):
        from types import SimpleNamespace

        return SimpleNamespace(atomic_numbers=np.array(elements), targets=np.array(targets))

    water = [8, 1, 1, 8, 1, 1, 3]
    assert apply.inferred_selection(graphs([3, 3, 16], [[0], [1]])) == "Li"
    assert apply.inferred_selection(graphs([3, 3, 16], [[0], [1], [2]])) == "Li,S"
    assert apply.inferred_selection(graphs([3, 3, 16], [[0]])) is None
    assert apply.inferred_selection(graphs(water, [[1, 2, 0], [4, 5, 3]])) == "molecules H2O1"
    assert apply.inferred_selection(graphs(water, [[1, 2], [0, 6]])) is None


def test_fine_tuning_starts_where_the_run_ended(folder, tmp_path, capsys):
    words = ["--graphs", folder / "graphs", "--n-states", 2, "--tau", 2, "--seed", 5, "--epochs", 1]
    words += ["--batch-size", 200, "--start-from", folder / "run"]
    size = ["--n-conv", 1, "--n-features", 4]
    # A learning rate of 1e-9 leaves the weights where they are.
    out = ["--run", tmp_path / "tuned", "--learning-rate", 1e-9]
    assert train.main([str(word) for word in (*words, *size, *out)]) == 0
    start, tuned = load_model(folder / "run"), load_model(tmp_path / "tuned")
    np.testing.assert_allclose(start.convs[0].kernel, tuned.convs[0].kernel, atol=1e-6)
    np.testing.assert_allclose(start.states.kernel, tuned.states.kernel, atol=1e-6)
    before, after = ga.load_run(folder / "run").scores, ga.load_run(tmp_path / "tuned").scores
    assert after["vamp2"]["test"] == pytest.approx(before["vamp2"]["test"], abs=1e-3)
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert config["start_from"] == str(folder / "run")
    out = ["--run", tmp_path / "no"]
    fails(capsys, train.main, [*words, *out, "--n-features", 4], "--start-from .*run: its network has n_conv 1, not 3")
    fails(capsys, train.main, [*words, *out, "--model", "vampnet"], "--start-from .*run: is a GDyNet, not VAMPnet")
    fails(capsys, train.main, [*words, *out, *size, "--start-from", tmp_path], "model.keras: no such file")
    fails(capsys, train.main, [*words, *size, "--run", folder / "run", "--overwrite"], "run")
    assert (folder / "run" / "model.keras").is_file()
    assert not (tmp_path / "no").exists()
