"""Choice of lag and number of states: chains with a known answer, and the command."""

import csv
import json

import numpy as np
import pytest

from gdynet_tf.commands import select_model as command
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.learning.selection import Candidate, recommend, scan_lags
from gdynet_tf.trajectory import Trajectory

SLOW = np.array([[0.97, 0.03], [0.06, 0.94]])  # timescale -1/ln 0.91 = 10.6


def chain(K, n_frames, n_targets, seed=0):
    rng = np.random.default_rng(seed)
    state, path = rng.integers(0, len(K), n_targets), np.empty((n_frames, n_targets), int)
    cumulative = np.cumsum(K, axis=1)
    for t in range(n_frames):
        path[t] = state
        state = np.minimum((rng.random((n_targets, 1)) > cumulative[state]).sum(axis=1), len(K) - 1)
    return path


def candidate(n_states, lag, passed, n_slow=None, flat=True):
    n_slow = n_states - 1 if n_slow is None else n_slow
    return Candidate(n_states, lag, passed, 0.01, np.full(n_states - 1, 9.0), n_slow, flat, "5 time chunks")


def test_markov_chain_passes_until_it_is_over():
    chi = np.eye(2)[chain(SLOW, 4000, 6)]
    verdicts = {c.lag: c.verdict for c in scan_lags([chi], [1, 4, 40])}
    assert verdicts == {1: "passes", 4: "passes", 40: "0 of 1 slow"}
    assert scan_lags([chi], [4])[0].timescales[0] == pytest.approx(-1 / np.log(0.91), rel=0.1)


def test_hidden_memory_fails_at_short_lags():
    """Three sites seen as two states: at short lags the return from the hidden one breaks the test."""
    K = np.array([[0.90, 0.10, 0.0], [0.10, 0.89, 0.01], [0.0, 0.01, 0.99]])
    path = chain(K, 20_000, 8, seed=1)
    lumped = np.stack([path != 1, path == 1], axis=-1).astype(float)
    assert scan_lags([lumped], [2])[0].verdict == "fails"


def test_short_data_are_undecided():
    chi = np.eye(2)[chain(SLOW, 30, 1)]
    first, last = scan_lags([chi], [10, 29])
    assert first.verdict in ("undecided", "0 of 1 slow")
    assert last.ck_passed is None
    short = scan_lags([chi], [40])[0]
    assert (short.verdict, short.interval) == ("undecided", "the data are too short")


def test_the_smallest_of_both_is_recommended():
    candidates = [
        candidate(2, 1, True),  # by chance, as the next one shows
        candidate(2, 2, False),
        candidate(2, 3, True, flat=False),
        candidate(2, 5, True),
        candidate(2, 9, True),
        candidate(3, 1, True),
        candidate(4, 1, True, n_slow=1),
    ]
    chosen, reason = recommend(candidates)
    assert (chosen.n_states, chosen.lag) == (2, 5)
    assert reason.startswith("2 states at a lag of 5 frames: the smallest number of states")
    assert chosen.verdict == "passes"
    assert candidates[2].verdict == "drifts"
    assert reason.endswith("3 states pass as well, from a lag of 1 frames, and tell more")


def test_nothing_is_recommended_when_nothing_passes():
    candidates = [
        candidate(2, 1, True),
        candidate(2, 2, False),
        candidate(2, 3, True, flat=False),
        candidate(2, 5, None),
        candidate(3, 5, True, n_slow=1),
    ]
    chosen, reason = recommend(candidates)
    assert chosen is None
    assert reason == (
        "none of the 5 combinations passes: 1 fail the Chapman-Kolmogorov test; 1 have timescales that are not "
        "constant in the lag; 1 pass, but not so all longer lags; 1 are undecided, the data being too short for "
        "intervals; 1 have fewer relaxations slower than the lag than states to tell apart"
    )


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """A bond of 2 or 3 Å whose length is a Markov chain."""
    path = chain(SLOW, 6000, 1)[:, 0]
    positions = np.zeros((6000, 2, 3))
    positions[:, 1, 0] = 2.0 + path + np.random.default_rng(0).normal(0, 0.05, 6000)
    cells = np.repeat(np.eye(3)[None] * 20, 6000, axis=0)
    trajectory = Trajectory("md", positions, cells, [3, 8], frame_interval=0.5, time_unit="ps")
    out = tmp_path_factory.mktemp("g") / "graphs"
    build_graphs([trajectory], [[0]], out=out, n_neighbors=2, edges="distance", progress=False)
    return out


def test_command_recommends_two_states(graphs, tmp_path, capsys):
    out = tmp_path / "selection"
    words = ["--graphs", str(graphs), "--n-states", "3", "2", "--tau", "2", "--lags", "2", "4", "--n-splits", "2"]
    assert command.main([*words, "--epochs", "3", "--seed", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "recommended: 2 states at a lag of 2 frames" in said
    assert f"next: python train.py --graphs {graphs} --n-states 2 --tau 2" in said
    assert json.loads((out / "recommendation.json").read_text())["tau"] == 2
    config = json.loads((out / "config.json").read_text())
    assert (config["seed"], config["lags"], config["n_states"]) == (1, [2, 4], [3, 2])
    rows = list(csv.DictReader((out / "selection.csv").read_text().splitlines()))
    assert [(r["n_states"], r["lag"]) for r in rows] == [("2", "2"), ("2", "4"), ("3", "2"), ("3", "4")]
    assert rows[0]["verdict"] == "passes"
    assert rows[2]["verdict"] == "1 of 2 slow"
    assert len(rows[0]["vamp2_folds"].split()) == 2
    assert (out / "selection.png").stat().st_size > 5000
    assert command.main([*words, "--out", str(out)]) == 2
    assert capsys.readouterr().err == f"error: {out}: exists; --out names another directory\n"


def test_command_refuses(graphs, tmp_path, capsys):
    """At a lag at which all is over there is nothing to recommend: exit code 1, and the reason."""
    words = ["--graphs", str(graphs), "--n-states", "2", "--tau", "2", "--lags", "100", "--n-splits", "2"]
    assert command.main([*words, "--epochs", "1", "--seed", "1", "--out", str(tmp_path / "s")]) == 1
    assert "no recommendation: none of the 1 combinations passes" in capsys.readouterr().out
    assert json.loads((tmp_path / "s" / "recommendation.json").read_text())["n_states"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tau 0", "--tau 0: must be at least 1"),
        ("--tau 2 --n-states 1 2", "--n-states 1 2: different numbers of at least 2 are needed"),
        ("--tau 2 --n-states 2 2", "--n-states 2 2: different numbers of at least 2 are needed"),
        ("--tau 2 --lags 0 1", "--lags 0 1: different numbers of at least 1 are needed"),
        ("--tau 2 --n-splits 1", "--n-splits 1: must be at least 2"),
        ("--tau 2 --epochs 0", "--epochs 0: must be at least 1"),
        ("--tau 2 --seed -1", "--seed -1: must be from 0 to 2147483647"),
        ("--tau 2 --graphs none", "none: not a graph directory (no such directory)"),
        ("--tau 2 --lags 5000", "--lags 5000: the test data of the last fold have 1500 frames in a stretch"),
        ("--tau 1800", "--n-splits 3: Too many splits=3"),
    ],
)
def test_bad_options(graphs, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    words = words.split()
    words += [] if "--graphs" in words else ["--graphs", str(graphs)]
    assert command.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert not any(tmp_path.iterdir())
