"""Choice of lag and number of states: chains with a known answer, and the command."""

import csv
import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.linalg import expm

import gdynet_tf.analysis as ga
from gdynet_tf.commands import select_model as command
from gdynet_tf.commands import verify
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.learning.selection import Selection, disagreement, recommend
from gdynet_tf.learning.selection.candidates import Candidate, Shortfall, scan_lags
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


def candidate(n_states, lag, kind="holds", p_value=0.5):
    return Candidate(
        n_states=n_states,
        lag=lag,
        timescales=np.full(n_states - 1, 9.0),
        n_slow=n_states - 1,
        n_transitions=100,
        p_value=p_value,
        noticeable=0.02,
        max_deviation=0.01,
        shortfall=Shortfall(value=0.01, lower=-0.05, upper=0.07, reach=20),
        n_folds=3,
        finding=ga.Finding(kind=kind, severity="note", text="As seen.", numbers={"p_value": p_value}),
    )


def folds(path, n_folds=3, shown=None):
    shown = np.eye(path.max() + 1) if shown is None else shown
    return [[fold] for fold in np.array_split(shown[path], n_folds)]


def kinds(candidates):
    return {c.lag: c.finding.kind for c in candidates}


def test_markov_chain_holds_until_it_is_over():
    found = scan_lags(folds(chain(SLOW, 9000, 6)), [1, 4, 40])
    assert kinds(found) == {1: "holds", 4: "holds", 40: "nothing slow"}
    assert found[1].timescales[0] == pytest.approx(-1 / np.log(0.91), rel=0.1)
    assert found[0].n_folds == 3
    assert 13 <= found[0].shortfall.reach <= 19  # 0.2 is reached at 17
    assert found[0].shortfall.lower < 0 < found[0].shortfall.upper < 0.2
    assert found[0].n_transitions == sum(ga.observed_transitions(fold, 1).sum() for fold in folds(chain(SLOW, 9000, 6)))


def test_folds_together_notice_what_one_does_not():
    """The pooled test of nine folds notices a deviation three times smaller than one fold does."""
    path = chain(SLOW, 18_000, 2, seed=3)
    alone = scan_lags(folds(path, 9)[:1], [2])[0]
    together = scan_lags(folds(path, 9), [2])[0]
    assert together.noticeable == pytest.approx(alone.noticeable / 3, rel=0.3)


def test_states_of_folds_need_no_common_names():
    """Each fold has its own network: permuted and blurred states say the same."""
    same = folds(chain(SLOW, 9000, 6))
    blurred = np.array([[0.1, 0.9], [0.8, 0.2]])  # an invertible mix has the same eigenvalues
    mixed = [[same[0][0][..., ::-1]], same[1], [same[2][0] @ blurred]]
    first, second = scan_lags(same, [2])[0], scan_lags(mixed, [2])[0]
    assert second.p_value == pytest.approx(first.p_value, rel=0.05)
    assert second.shortfall.value == pytest.approx(first.shortfall.value, abs=1e-6)


def hidden_memory(n_frames, n_targets, seed):
    """Two wells, each with an edge from which targets return soon: 21 frames at lag 1, truly 51."""
    a, b, o = 0.299, 0.25, 0.0281
    rates = np.array([[-o, o, 0, 0], [b, -a - b, a, 0], [0, a, -a - b, b], [0, 0, o, -o]])
    return chain(expm(rates), n_frames, n_targets, seed)


LUMPED = np.eye(2)[[0, 0, 1, 1]]


@pytest.mark.parametrize(("n_frames", "n_targets"), [(3000, 1), (9000, 2), (9000, 8)])
def test_a_lag_with_memory_is_not_recommended(n_frames, n_targets):
    """Whatever the amount of data: few cannot tell, many refute."""
    for seed in range(3):
        found = scan_lags(folds(hidden_memory(n_frames, n_targets, seed), shown=LUMPED), [1])
        assert "holds" not in kinds(found).values()


def test_the_shortfall_is_that_of_the_chain():
    """1 - t(tau) / limit of the slowest timescale: 1 - 21 / 51 at lag 1."""
    found = scan_lags(folds(hidden_memory(20_000, 20, 1), shown=LUMPED), [1])[0]
    assert found.shortfall.value == pytest.approx(1 - 21 / 51, abs=0.06)
    assert found.shortfall.lower < 1 - 21 / 51 < found.shortfall.upper
    assert found.finding.kind == "refuted"


def test_nothing_is_recommended_without_power():
    short = scan_lags(folds(chain(SLOW, 150, 1)), [2, 30, 60])
    assert "holds" not in kinds(short).values()
    assert short[2].finding.kind == "untested"
    assert str(short[2].finding) == "Not tested: no stretch of the test data is longer than 60 frames."


def test_too_few_data_to_show_a_constant_timescale():
    found = scan_lags(folds(chain(SLOW, 1500, 1, seed=2)), [2])[0]
    assert found.finding.kind == "no power"
    assert str(found.finding).startswith("The data could not show that timescales are constant: the slowest timescale")


def test_frozen_targets_show_no_dynamics():
    state = np.arange(33) % 2
    noise = np.random.default_rng(0).normal(0, 0.01, (101, 33))
    chi = np.where(state[:, None] == [0, 1], 0.95, 0.05) + noise[..., None] * [1, -1]
    found = scan_lags([[fold] for fold in np.array_split(chi, 3)], [1, 5])
    assert kinds(found) == {1: "no dynamics", 5: "no dynamics"}


def test_a_state_split_by_noise_has_no_process():
    path = chain(SLOW, 6000, 4)
    split = np.where(path == 1, 1 + np.random.default_rng(1).integers(0, 2, path.shape), 0)
    found = scan_lags(folds(split), [2])[0]
    assert found.finding.kind == "few slow"
    assert found.finding.numbers["n_slow"] == 1


def test_folds_of_different_numbers_of_states_are_refused():
    with pytest.raises(ValueError, match=r"folds of one number of states are needed, got \[2, 3\]"):
        scan_lags([[np.full((9, 1, 2), 0.5)], [np.full((9, 1, 3), 1 / 3)]], [1])


def test_the_smallest_of_both_is_recommended():
    candidates = [
        candidate(2, 1),  # by chance, as the next one shows
        candidate(2, 2, "refuted", 1e-4),
        candidate(2, 5),
        candidate(2, 9),
        candidate(2, 20, "no power"),
        candidate(3, 1),
        candidate(4, 1, "few slow"),
    ]
    chosen, (why, more) = recommend(candidates)
    assert (chosen.n_states, chosen.lag) == (2, 5)
    assert (why.kind, why.numbers["n_states"], why.numbers["lag"]) == ("recommended", 2, 5)
    assert str(why).startswith("2 states at a lag of 5 frames: the smallest number of states")
    assert (more.kind, dict(more.numbers)) == ("more states hold", {"n_states": 3, "lag": 1})
    assert str(more) == "3 states hold as well, from a lag of 1 frames, and tell more."


def test_one_of_many_lags_is_refuted_by_chance():
    """Bonferroni: at 4 % one of two longer lags says nothing, a single one does."""
    candidates = [candidate(2, 1), candidate(2, 2), candidate(2, 4, "refuted", 0.04)]
    assert recommend(candidates)[0].lag == 1
    assert recommend([candidate(2, 1), candidate(2, 2, "refuted", 0.04)])[0] is None


def test_a_timescale_that_more_states_lengthen_is_not_recommended():
    """Two states whose slowest timescale is 7 hold by chance where three show one of 9; 8.5 is as good."""
    fast, close = (replace(candidate(2, 1), timescales=np.array([t])) for t in (7.0, 8.5))
    assert recommend([fast, candidate(3, 2)])[0].n_states == 3
    assert recommend([close, candidate(3, 2)])[0].n_states == 2
    assert recommend([fast, candidate(3, 2, "no power")])[0].n_states == 2  # what does not hold says nothing


def test_nothing_is_recommended_when_nothing_holds():
    candidates = [candidate(2, 1, "no power"), candidate(2, 2, "refuted", 1e-3), candidate(3, 1, "refuted", 1e-3)]
    chosen, (why,) = recommend(candidates)
    assert chosen is None
    assert why.kind == "no recommendation"
    assert why.numbers["kinds"] == {"no power": 1, "refuted": 2}
    assert str(why) == (
        "No recommendation from 3 combinations of states and lag. 1: nothing against them, but the data could not have "
        "shown it; 2: refuted by the Chapman-Kolmogorov test."
    )


def test_states_that_other_seeds_do_not_find_count_against_their_number():
    good, bad = np.array([0.95, 0.9, 0.99]), np.array([0.95, 0.5, 0.6])
    assert disagreement(3, []) is None
    assert disagreement(3, [bad, good, good]) is None
    found = disagreement(3, [bad, bad, good])
    assert (found.kind, dict(found.numbers)) == ("not found again", {"n_states": 3, "n_folds": 2, "f1": 0.5})
    assert str(found).startswith("3 states are not found again by other seeds in 2 of 3 folds (smallest F1 0.50")


def test_figure_and_table():
    candidates = [candidate(2, 1, kind) for kind in ("holds", "refuted", "no power")] + [candidate(3, 2)]
    finding = ga.Finding(kind="recommended", severity="good", text="So.")
    result = Selection(candidates, {2: [1.9, 1.8], 3: [2.5, 2.6]}, candidates[0], finding, [], 0.5, "ps")
    table = result.to_dataframe()
    assert list(table["verdict"]) == ["holds", "refuted", "no power", "holds"]
    assert list(table["lag_time_ps"]) == [0.5, 0.5, 0.5, 1.0]
    axes = ga.plots.selection(result)
    shapes = {tuple(map(tuple, c.get_paths()[0].vertices.round(3))) for c in axes[1].collections}
    assert len(shapes) == 4 - 1  # three verdicts; the ring around the recommended one is a disc as well
    assert axes[1].get_xlabel() == "lag time (ps)"
    plt.close(axes[0].figure)


def test_the_table_is_in_units_that_people_use(caplog):
    """Frames of 5,000 ps: lags of 5 and 10 ns; timescales in the unit that fits theirs."""
    candidates = [replace(candidate(2, lag), timescales=np.array([4e6])) for lag in (1, 2)]
    finding = ga.Finding(kind="recommended", severity="good", text="So.")
    result = Selection(candidates, {2: [1.9, 1.8]}, candidates[0], finding, [], 5000.0, "ps")
    with caplog.at_level("INFO", logger="gdynet_tf"):
        command._print_result(result, SimpleNamespace(path="g"))
    assert "states  lag (ns)  verdict" in caplog.text
    assert "timescales (µs)" in caplog.text
    assert re.search(r"     2        10  holds .* 4$", caplog.text, re.MULTILINE)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """A bond of 2 or 3 Å whose length is a Markov chain."""
    n_frames = 15_000
    path = chain(SLOW, n_frames, 1)[:, 0]
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = 2.0 + path + np.random.default_rng(0).normal(0, 0.05, n_frames)
    cells = np.repeat(np.eye(3)[None] * 20, n_frames, axis=0)
    trajectory = Trajectory("md", positions, cells, [3, 8], frame_interval=0.5, time_unit="ps")
    out = tmp_path_factory.mktemp("g") / "graphs"
    build_graphs([trajectory], [[0]], out=out, n_neighbors=2, edges="distance", progress=False)
    return out


def test_command_recommends_two_states(graphs, tmp_path, capsys):
    out = tmp_path / "selection"
    words = ["--graphs", str(graphs), "--n-states", "3", "2", "--tau", "2", "--lags", "2", "4", "--n-splits", "2"]
    assert command.main([*words, "--n-restarts", "1", "--epochs", "3", "--seed", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "recommended: 2 states at a lag of 2 frames" in said
    assert f"next: python train.py --graphs {graphs} --n-states 2 --tau 2" in said
    assert json.loads((out / "recommendation.json").read_text())["tau"] == 2
    config = json.loads((out / "config.json").read_text())
    assert (config["seed"], config["lags"], config["n_states"]) == (1, [2, 4], [3, 2])
    rows = list(csv.DictReader((out / "selection.csv").read_text().splitlines()))
    assert [(r["n_states"], r["lag"]) for r in rows] == [("2", "2"), ("2", "4"), ("3", "2"), ("3", "4")]
    assert [row["verdict"] for row in rows] == ["holds", "holds", "few slow", "few slow"]
    assert len(list((out / "trainings").iterdir())) == 4  # two numbers of states, two folds
    assert len(rows[0]["vamp2_folds"].split()) == 2
    assert (out / "selection.png").stat().st_size > 5000
    assert command.main([*words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said == f"error: {out}: exists; --resume continues it, --out names another directory\n"
    assert verify.main([str(out)]) == 0

    def resume(*words):
        code = command.main(["--resume", "--out", str(out), *words])
        return code, capsys.readouterr().err

    assert resume() == (2, f"error: {out}: is finished, there is nothing to resume\n")
    table = (out / "selection.csv").read_text()
    for name in ("manifest.json", "recommendation.json", "selection.csv"):
        (out / name).unlink()
    shutil.rmtree(out / "trainings" / "n3_fold2_seed1")
    assert resume("--tau", "2") == (2, f"error: --tau: --resume goes on with the settings of {out}\n")
    assert resume("--graphs", "other") == (2, f"error: --graphs other: {out} was begun with {graphs}\n")
    assert resume("--graphs", str(graphs)) == (0, "")
    assert (out / "selection.csv").read_text() == table
    (out / "manifest.json").unlink()
    (out / "config.json").write_text(json.dumps(config | {"tau": 0}))
    assert "config.json: altered, tau: Input should be greater than or equal to 1" in resume()[1]
    (out / "config.json").write_text(json.dumps(config | {"graphs": config["graphs"] | {"sha256": "0"}}))
    assert resume()[1] == f"error: {graphs}: is not the graph directory that {out} was begun with\n"
    (out / "config.json").unlink()
    assert "no config.json in it, there is nothing to resume; without --resume it begins" in resume()[1]


def test_command_refuses(graphs, tmp_path, capsys):
    """At a lag at which all is over there is nothing to recommend: exit code 1, and the reason."""
    words = ["--graphs", str(graphs), "--n-states", "2", "--tau", "2", "--lags", "100", "--n-splits", "2"]
    assert command.main([*words, "--epochs", "1", "--seed", "1", "--out", str(tmp_path / "s")]) == 1
    assert (
        "No recommendation from 1 combinations of states and lag. 1: no relaxation that outlasts"
        in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "s" / "recommendation.json").read_text())["n_states"] is None
    assert len(list((tmp_path / "s" / "trainings").iterdir())) == 4  # two folds, two seeds


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--tau is needed"),
        ("--tau 0", "--tau 0: must be at least 1"),
        ("--tau 2 --n-states 1 2", "--n-states 1 2: different numbers of at least 2 are needed"),
        ("--tau 2 --n-states 2 2", "--n-states 2 2: different numbers of at least 2 are needed"),
        ("--tau 2 --lags 0 1", "--lags 0 1: different numbers of at least 1 are needed"),
        ("--tau 2 --n-splits 1", "--n-splits 1: must be at least 2"),
        ("--tau 2 --n-restarts 0", "--n-restarts 0: must be at least 1"),
        ("--tau 2 --epochs 0", "--epochs 0: must be at least 1"),
        ("--tau 2 --seed -1", "--seed -1: must be from 0 to 2147483647"),
        ("--tau 2 --graphs none", "none: not a graph directory (no such directory)"),
        ("--tau 2 --lags 5000", "--lags 5000: the test data of a fold have 3750 frames in a stretch"),
        ("--tau 4000", "--n-splits 3: Too many splits=3"),
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


def test_something_slow_that_the_states_hardly_show():
    """Flips of 10 frames whose populations, 0.62 and 0.38, swap every 1,000 frames: no lag of a few frames shows it."""
    rng = np.random.default_rng(1)
    swaps = (rng.random(180_000) < 1e-3).cumsum() % 2
    redrawn = rng.random(180_000) < 0.1
    drawn = rng.random(180_000) < np.where(swaps, 0.62, 0.38)
    state = drawn[np.maximum.accumulate(np.where(redrawn, np.arange(180_000), 0))]
    found = scan_lags([[np.eye(2)[fold.astype(int)][:, None]] for fold in np.array_split(state, 3)], [2])
    assert kinds(found) == {2: "hidden"}
    assert "frames: a slow process that the states hardly show." in found[0].finding.text
    best, (finding, *_) = recommend(found)
    assert best is None
    assert "1: something slow that the states hardly show" in finding.text
