"""Run directories, figures and the report."""

import base64
import csv
import hashlib
import html as markup
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.chi import Chi
from gdynet_tf.commands import report as command
from gdynet_tf.errors import InputError
from gdynet_tf.files import digest
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.manifest import verify_files
from gdynet_tf.report import ReportOptions, analyse, plots, report_paths, write_report
from gdynet_tf.report.atomistic import AtomisticResults, _space
from gdynet_tf.report.composition import formula_text, targets_text
from gdynet_tf.report.figures import FIGURES
from gdynet_tf.report.tables import overview, time_with_interval_text
from gdynet_tf.report.viewer import scene
from gdynet_tf.trajectory import Trajectory

DYNAMICS = {"timescales", "chapman_kolmogorov", "populations", "koopman_matrix", "eigenvectors", "chi_histogram"}
DYNAMICS |= {"chi_trace", "first_passage"}
TRAINING = {"history", "state_agreement"}
TIMES = {"frame_interval": 0.5, "time_unit": "ps"}  # of the runs and of their graphs
SOURCES = [{"path": "a"}, {"path": "b"}]


def write_run(path, n_states=3, n_frames=3000, tau=5, agreement=None, n_targets=2, graphs=None, n_atoms=6):
    """A run directory as train_run writes it, with chi of Markov chains; ``graphs`` is a graph directory or none."""
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
        "split": {"train": [[0, 0, a]], "validation": [[0, min(a + tau, b - 1), b]], "test": [[0, b + tau, n_frames]]},
        "graphs": {"path": str(graphs or "g"), "sha256": digest(graphs / "meta.json") if graphs else "0" * 64},
        "data": {
            "frame_interval": 0.5,
            "time_unit": "ps",
            "n_atoms": n_atoms,
            "n_targets": n_targets,
            "group_size": 1,
            "trajectories": [
                {"name": "md", "segments": [n_frames] if graphs else [a, n_frames - a], "sources": SOURCES}
            ],
        },
        "versions": {"gdynet_tf": "0.2.0", "numpy": np.__version__},
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
    assert [len(c) for c in every] == [1500, 1500]
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
        (
            lambda r: np.save(r / "chi" / "md.npy", np.ones((3000, 5, 3))),
            r"md\.npy: altered, shape \(3000, 5, 3\) where config\.json says 3000 frames, 2 targets, 3 states",
        ),
        (
            lambda r: np.save(r / "chi" / "md.npy", np.ones((9, 1, 3), complex)),
            r"md\.npy: altered, complex128 are no probabilities",
        ),
    ],
)
def test_damaged_run(run, damage, message):
    damage(run)
    with pytest.raises(InputError, match=message):
        ga.load_chi(run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read: No columns to parse from file"),
        (b"\xff\xfe\0", "cannot be read: "),
        (b"epoch,loss\n1,2\n", "altered, no column train_vamp2 and validation_vamp2"),
        (b'epoch,"train\n1,2\n', "cannot be read: "),
    ],
)
def test_damaged_history(run, content, message):
    (run / "history.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"history\.csv: {message}"):
        ga.load_run(run).history  # noqa: B018


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data", None, r"config\.json: altered, data: "),
        ("split", {}, r"config\.json: altered, split\.train: Field required"),
        ("split", {"train": [], "validation": [], "test": []}, "altered, no block of frames for test"),
        *(
            ("split", {"train": [], "validation": [], "test": [block]}, f"split.test: block {block} is not in the data")
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
    run = write_run(tmp_path / "r", n_states, n_frames=8000, agreement=agreement)
    path, analysis = write_report(run)
    html = path.read_text()
    names = re.findall(r'<figure id="(\w+)"', html)
    assert set(names) == DYNAMICS | TRAINING | ({"committor"} if n_states > 2 else set())
    assert "Nothing is said about structure and motion: g: not a graph directory" in html
    for name in names:
        assert (run / "analysis" / f"{name}.png").stat().st_size > 5000
        assert (run / "analysis" / f"{name}.svg").read_text().rstrip().endswith("</svg>")
        rows = list(csv.reader((run / "analysis" / f"{name}.csv").read_text().splitlines()))
        assert len(rows) > 1
        assert all(len(row) == len(rows[0]) for row in rows)
    assert not re.search(r'(src|href)="(?!data:|#)', html)  # nothing is loaded from elsewhere
    assert set(re.findall(r'href="#(\w+)"', html)) <= set(re.findall(r'id="(\w+)"', html))
    assert "md (2 files)" in html
    assert f'<p class="verdict {analysis.verdict.severity}">{analysis.verdict.text}</p>' in html.replace("&#39;", "'")
    assert f"Not found again: state {n_states - 1}." in html
    summary = json.loads((run / "analysis" / "summary.json").read_text())
    # Of two states about five changes are expected that another one follows in time, and ten are asked for.
    assert summary["verdict"]["kind"] == ("untested" if n_states == 2 else "not refuted")
    np.testing.assert_allclose(summary["populations"]["value"], ga.populations(ga.load_chi(run, "test")))
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
    kinds = {finding.kind for finding in analysis.findings}
    assert kinds & {"unresolved relaxation", "no stationary distribution"}


def test_plots_draw_into_given_axes(run):
    analysis = analyse(ga.load_run(run))
    _, ax = plt.subplots()
    for draw, result in (
        (ga.plots.timescales, analysis.timescales),
        (ga.plots.koopman_matrix, analysis.koopman.value),
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
    assert "Not tested: too few transitions are followed by another one within 12.5 ps: try a longer lag." in out
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


# --- with the atoms ----------------------------------------------------------------------------


def build(path, targets=((0,), (1,)), step=0.15, periodic=(True, True, True), drift=0.0, **fields):
    """Graphs of two lithium and four sulfur atoms that wander in a cell of 9 Å, 3,000 frames.

    ``drift`` is added to each step; None: they only rattle.
    """
    rng = np.random.default_rng(1)
    steps = rng.normal(0, step, (3000, 6, 3))
    moved = steps if drift is None else (steps + drift).cumsum(axis=0)
    positions = rng.random((6, 3)) * 9 + moved
    cells = np.repeat(np.eye(3)[None] * 9, 3000, axis=0)
    trajectory = Trajectory("md", positions, cells, [3, 3, 16, 16, 16, 16], periodic=periodic, **TIMES, **fields)
    build_graphs([trajectory], targets, out=path, n_neighbors=3, edges="distance", progress=False)
    return path


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return build(tmp_path_factory.mktemp("graphs") / "g")


def test_report_with_everything(graphs, tmp_path):
    run = write_run(tmp_path / "r", graphs=graphs)
    path, analysis = write_report(run, "test", ReportOptions("Li=1,S=-0.5", 300.0, 3.0, (4, 3)))
    html, folder = path.read_text(), run / "analysis"
    names = set(re.findall(r'<figure id="(\w+)"', html))
    assert names == DYNAMICS | {"history", "committor"} | {
        "surroundings",
        "radial_distribution",
        "charge_integral",
        "bond_order",
        "displacement",
        "diffusivity",
        "conductivity",
        "mean_squared_displacement",
        "population_profile",
        "density",
    }
    for name in names:
        rows = list(csv.reader((folder / f"{name}.csv").read_text().splitlines()))
        assert len(rows) > 1
        assert all(len(row) == len(rows[0]) for row in rows)
    for name in ("state_0.extxyz", "state_2.cif", "states.extxyz", "density_1.cube"):
        assert (folder / name).stat().st_size > 100
        assert name in html
    for words in ("residence time", "Å of Li", "mean q4", "charge (e)", "D while it lasts", "constrained"):
        assert words in html
    summary = json.loads((folder / "summary.json").read_text())
    found = analysis.atomistic
    assert summary["atomistic"]["tracer_diffusivity"]["exponent"] == pytest.approx(1, abs=0.15)  # free walkers
    assert found.diffusivity.diffusivity.value == pytest.approx(0.15**2 / 2 / 0.5, rel=0.3)  # sigma^2 / 2 / interval
    assert summary["atomistic"]["conductivity_S_per_cm"]["total"]["value"] == pytest.approx(
        found.conductivity.total.value
    )
    assert found.rdf.pairs == (("Li", "Li"), ("Li", "S"))
    with open(folder / "radial_distribution.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "1" and row["element"] == "S"]
    np.testing.assert_allclose([float(row["g"]) for row in rows], found.rdf.g[1, 1])
    assert plt.get_fignums() == []


def test_defaults_need_no_charges(graphs, tmp_path):
    _, analysis = write_report(write_run(tmp_path / "r", graphs=graphs))
    assert analysis.atomistic.charge is None
    assert analysis.atomistic.conductivity is None
    assert not (tmp_path / "r" / "analysis" / "conductivity.png").exists()


def test_charges_of_the_trajectory(tmp_path):
    charges = {"charges": np.array([0.8, 0.8, -0.4, -0.4, -0.4, -0.4])}
    run = ga.load_run(write_run(tmp_path / "r", graphs=build(tmp_path / "g", attributes=charges)))
    own = analyse(run, options=ReportOptions(temperature=300.0)).atomistic
    np.testing.assert_allclose(own.target_charges, 0.8)
    assert own.conductivity.target_charge == 0.8
    given = analyse(run, options=ReportOptions(charges="Li=1,S=-0.5")).atomistic
    np.testing.assert_allclose(given.target_charges, 1.0)


def test_frames_too_far_apart_are_told(tmp_path):
    """Steps of 2 Å along each axis of a cell of 9 Å: a part of them is more than half a cell."""
    run = write_run(tmp_path / "r", graphs=build(tmp_path / "g", step=2.0))
    told = [finding for finding in analyse(ga.load_run(run)).findings if finding.kind == "coarse frames"]
    assert [finding.severity for finding in told] == ["warning"]
    assert told[0].numbers["beyond_quarter"] > 0.2


def test_what_is_no_diffusion_is_told(tmp_path):
    """Atoms that rattle do not diffuse; a drift of all of them is taken out and is none."""
    found = {}
    for name, drift in (("rattle", None), ("drift", 0.3)):
        run = write_run(tmp_path / f"r_{name}", graphs=build(tmp_path / f"g_{name}", drift=drift))
        found[name] = {finding.kind: finding for finding in analyse(ga.load_run(run)).findings}["diffusion"]
    assert found["rattle"].severity == "warning"
    assert found["drift"].severity == "good"


def test_slab_has_no_radial_distribution(tmp_path):
    run = write_run(tmp_path / "r", graphs=build(tmp_path / "g", periodic=(True, True, False)))
    _, analysis = write_report(run)
    assert analysis.atomistic.rdf is None
    assert [p.axis for p in analysis.atomistic.profiles] == [0, 1]
    assert "no radial distribution" in {finding.kind for finding in analysis.findings}


def test_groups_have_no_bond_order(tmp_path):
    run = write_run(tmp_path / "r", graphs=build(tmp_path / "g", [[0, 2], [1, 3]]))
    _, analysis = write_report(run)
    assert analysis.atomistic.bond_order is None
    assert not (run / "analysis" / "bond_order.png").exists()


def test_negative_conductivity_is_told(graphs, tmp_path):
    run = write_run(tmp_path / "r", graphs=graphs)
    analysis = analyse(ga.load_run(run), options=ReportOptions("Li=1,S=-2", 300.0, 5.0))
    assert analysis.atomistic.conductivity.total.value < 0
    assert "negative conductivity" in {finding.kind for finding in analysis.findings}


def test_conductivity_needs_a_time_unit(graphs, tmp_path):
    run = ga.load_run(write_run(tmp_path / "r", graphs=graphs))
    run.config["data"] |= {"time_unit": "frames", "frame_interval": 1.0}
    analysis = analyse(run, options=ReportOptions("Li=1,S=-0.5", 300.0))
    assert any("No conductivity: 'frames' is no unit of time" in finding.text for finding in analysis.findings)


def test_other_graphs_are_noticed(graphs, tmp_path):
    run = write_run(tmp_path / "r", graphs=graphs)
    config = json.loads((run / "config.json").read_text())
    config["graphs"]["sha256"] = "0" * 64
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="g: is not the graph directory that .*r was trained on"):
        ga.load_system(run)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--temperature 300", "--temperature 300: a conductivity needs --charges as well"),
        ("--viscosity 0.001", "--viscosity 0.001: the finite-size correction needs --temperature as well"),
        ("--viscosity -1 --temperature 300", "--viscosity -1: must be a positive number of Pa s"),
        ("--charges Li=1,S=-1 --temperature -4", "--temperature -4: must be a positive number of kelvin"),
        ("--cluster-radius 3", "--cluster-radius 3: needs --charges"),
        ("--charges Li=1,S=-1 --cluster-radius 9", "--cluster-radius 9: must be above 0 and at most 8 Å"),
        ("--charges Li=1", "--charges Li=1: no charge of S"),
        ("--bond-order 0 4", "--bond-order 0 4: both must be at least 1"),
    ],
)
def test_bad_report_options(graphs, tmp_path, capsys, words, message):
    run = write_run(tmp_path / "r", graphs=graphs)
    assert command.main([str(run), *words.split()]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (run / "report.html").exists()


def test_correction_for_the_finite_cell(graphs, tmp_path):
    run = ga.load_run(write_run(tmp_path / "r", graphs=graphs))
    plain = analyse(run).atomistic.diffusivity
    corrected = analyse(run, options=ReportOptions(temperature=300.0, viscosity=1e-3)).atomistic.diffusivity
    # 2.837297 kB T / (6 pi eta L), 9 Å, in Å^2/ps.
    added = 2.837297 * 1.380649e-23 * 300 / (6 * np.pi * 1e-3 * 9e-10) * 1e8
    assert corrected.diffusivity.value - plain.diffusivity.value == pytest.approx(added)


def test_without_dynamics_there_are_no_times(tmp_path):
    """Two targets that keep their states, but for a little noise: no number is given for what did not happen."""
    run = write_run(tmp_path / "r", n_states=2)
    rng = np.random.default_rng(0)
    p = np.clip([[0.95, 0.05]] + rng.normal(0, 0.01, (3000, 2)), 0, 1)
    chi = np.stack([p, 1 - p], axis=-1).astype(np.float32)
    np.save(run / "chi" / "md.npy", chi)
    report, analysis = write_report(run)
    assert analysis.verdict.kind == "no dynamics"
    assert np.isnan(analysis.timescales.timescales).all()
    assert np.isnan(analysis.kinetics.residence.value).all()
    assert "No dynamics was seen" in report.read_text()


# --- the page ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reported(graphs, tmp_path_factory):
    """A run with atoms, its page and its analysis."""
    run = write_run(tmp_path_factory.mktemp("reported") / "r", graphs=graphs)
    path, analysis = write_report(run, options=ReportOptions("Li=1,S=-0.5", 300.0, 3.0, (4, 3)))
    return run, path.read_text(encoding="utf-8"), analysis


@pytest.fixture
def few_figures(monkeypatch):
    """A report that is written soon."""
    chosen = [spec for spec in FIGURES if spec.name in ("populations", "surroundings")]
    monkeypatch.setattr("gdynet_tf.report.html.FIGURES", chosen)


def content(*paths):
    return {file: file.read_bytes() for path in paths for file in (path.iterdir() if path.is_dir() else [path])}


def test_parts_of_the_data_have_their_own_report(run, few_figures):
    write_report(run)
    before = content(run / "analysis", run / "report.html")
    page, _ = write_report(run, "all")
    assert page == run / "report_all.html"
    assert report_paths(run, "all") == (run / "analysis_all", page)
    assert content(run / "analysis", run / "report.html") == before
    assert json.loads((run / "analysis_all" / "summary.json").read_text())["split"] == "all"
    assert json.loads((run / "analysis" / "summary.json").read_text())["split"] == "test"


def test_nothing_of_an_earlier_report_stays_and_an_error_leaves_it_whole(run, few_figures, monkeypatch):
    (run / "analysis").mkdir()
    (run / "analysis" / "conductivity.csv").write_text("of another call")
    write_report(run)
    assert not (run / "analysis" / "conductivity.csv").exists()
    before = content(run / "analysis", run / "report.html")
    monkeypatch.setattr("gdynet_tf.report.html.write_summary", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(run)
    assert content(run / "analysis", run / "report.html") == before
    assert not list(run.glob(".analysis*"))


def test_notes_within_the_folder_are_not_deleted(run, few_figures):
    write_report(run)
    (run / "analysis" / "notes.txt").write_text("of a person")
    with pytest.raises(InputError, match=r"analysis/notes\.txt: was not written with .*analysis, which is replaced"):
        write_report(run)
    assert (run / "analysis" / "notes.txt").read_text() == "of a person"


def test_only_scripts_of_the_page_run(reported):
    """The hashes in the policy are those of the scripts, which are the package's own files, and nothing is fetched."""
    _, html, _ = reported
    policy = markup.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', html).group(1))
    assert policy.startswith("default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-")
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert len(scripts) == 3
    assert not re.search(r"\son\w+=", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))
    assert len(html) < 5_000_000


def test_names_from_the_data_are_text(tmp_path, few_figures):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"
    run = write_run(tmp_path / "a<b>&'c")
    config = json.loads((run / "config.json").read_text())
    config["data"]["trajectories"][0]["name"] = name = "x<script>alert(0)<'\"&"
    (run / "chi" / "md.npy").rename(run / "chi" / f"{name}.npy")
    config["versions"]["numpy"] = evil
    (run / "config.json").write_text(json.dumps(config))
    scores = json.loads((run / "scores.json").read_text())
    scores["findings"] = [{"kind": "k", "severity": "note", "text": evil, "numbers": {}}]
    (run / "scores.json").write_text(json.dumps(scores))
    html = write_report(run)[0].read_text(encoding="utf-8")
    assert "alert(1)" in html
    for raw in ("<script>alert", "<img src=x", f"<h1>{run.name}"):
        assert raw not in html


def test_no_text_ends_the_data_of_the_view(reported, few_figures, monkeypatch):
    run, _, _ = reported
    monkeypatch.setattr("gdynet_tf.report.html.scene", lambda _: {"states": ["</script><!--<script>&\u2028"]})
    html = write_report(run, "validation")[0].read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="scene">(.*?)</script>', html, re.DOTALL).group(1)
    assert not set(data) & set("<>&\u2028")
    assert json.loads(data) == {"states": ["</script><!--<script>&\u2028"]}


def test_the_view_in_three_dimensions(reported):
    _, html, analysis = reported
    data = json.loads(re.search(r'id="scene">(.*?)</script>', html, re.DOTALL).group(1))
    assert data == json.loads(json.dumps(scene(analysis.atomistic)))
    found = analysis.atomistic
    for state, one in enumerate(found.surroundings):
        assert data["states"][state]["symbols"] == one.symbols
        np.testing.assert_allclose(data["states"][state]["positions"], one.positions, atol=1e-3)
        assert data["states"][state]["own"] == 1
    assert data["colors"].keys() == {"Li", "S"}
    density = data["density"]
    assert density["symbols"] == ["S"] * 4
    np.testing.assert_allclose(density["lattice"], 9 * np.eye(3), atol=1e-3)
    for values, level in zip(density["values"], density["levels"], strict=True):
        voxels = np.frombuffer(base64.b64decode(values), np.uint8).reshape(density["shape"]).astype(float)
        np.testing.assert_array_equal(voxels[-1], voxels[0])  # the cell is closed
        inside = voxels[:-1, :-1, :-1]
        assert inside[inside >= level].sum() / inside.sum() == pytest.approx(0.7, abs=0.1)
    np.testing.assert_allclose(np.array(density["shape"]) - 1, np.round(9 / np.diag(density["voxels"])))


@pytest.mark.parametrize(("n_targets", "wanders", "shown"), [(2, True, True), (20, False, True), (20, True, False)])
def test_densities_of_many_targets_that_keep_to_places(n_targets, wanders, shown):
    """Few targets have one in any case."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 0.5, (300, n_targets, 3))
    x = rng.random((n_targets, 3)) * 12 + (steps.cumsum(axis=0) if wanders else steps)
    cells = np.tile(np.eye(3) * 12, (300, 1, 1))
    system = ga.System([x], [cells], np.full(n_targets, 3), np.arange(n_targets)[:, None])
    chi = Chi([np.full((300, n_targets, 2), 0.5)], tau=1)
    found = AtomisticResults(system, ReportOptions())
    _space(found, chi)
    assert (found.density is not None) == shown


def test_arguments_in_findings_are_options_in_the_page(graphs, tmp_path, few_figures):
    run = write_run(tmp_path / "r", graphs=graphs)
    scores = json.loads((run / "scores.json").read_text())
    scores["findings"] = [{"kind": "k", "severity": "note", "text": "a `topology` tells them", "numbers": {}}]
    (run / "scores.json").write_text(json.dumps(scores))
    assert "a --topology tells them" in write_report(run)[0].read_text(encoding="utf-8")


def test_figures_that_are_looked_at_closer(reported):
    _, html, _ = reported
    zooming = {"timescales", "chi_trace", "radial_distribution", "mean_squared_displacement"}
    assert {spec.name for spec in FIGURES if spec.zooms} == zooming
    shown = re.findall(r'<figure id="(\w+)".*?<img src="data:image/(\S+?);', html, re.DOTALL)
    assert {name for name, kind in shown if kind == "svg+xml"} == zooming


IN_THE_RUN = [spec for spec in FIGURES if spec.section != "Explanation" and spec.name != "state_agreement"]


@pytest.mark.parametrize("spec", IN_THE_RUN, ids=lambda spec: spec.name)
def test_letters_and_axes(reported, spec):
    """All texts of one size, every axis named, no legend over another, no wider than the page."""
    _, _, analysis = reported
    with plots.report_style():
        axes = np.ravel(spec.draw(plots, analysis, spec.result(analysis)))
        figure = axes[0].figure
        figure.canvas.draw()
        texts = [text for text in figure.findobj(plt.Text) if text.get_visible() and text.get_text().strip()]
        assert {text.get_fontsize() for text in texts} == {9}
        assert figure.get_figwidth() <= 9.01
        for ax in axes:
            if ax.axison and not figure.get_supxlabel():
                assert ax.get_xlabel()
                assert ax.get_ylabel() or not ax.get_subplotspec().is_first_col()


def test_what_the_targets_are(reported, graphs):
    _, html, analysis = reported
    rows = dict(overview(analysis))
    assert rows["system"] == "6 atoms, 2 × LiS2"
    assert rows["targets"] == "all 2 Li, of 6 atoms"
    assert rows["1 trajectory"] == "md (2 files)"
    assert rows["frames"] == "3,000 in 1 segment, 0.5 ps apart: 1.5 ns"
    assert rows["analysed here"] == "test data: 1,195 frames in 1 segment, 597.5 ps"
    assert rows["lag time"] == "2.5 ps (5 frames)"
    assert "all 2 Li, of 6 atoms" in html


@pytest.mark.parametrize(
    ("numbers", "targets", "text"),
    [
        ([12] * 2 + [6] * 3, [[0], [1]], "all 2 Mg, of 5 atoms"),
        ([12] * 2 + [6] * 3, [[1]], "1 of 2 Mg, of 5 atoms"),
        ([3, 16, 16], [[0]], "1 Li, of 3 atoms"),
        ([8, 1, 1] * 2, [[0, 1, 2], [3, 4, 5]], "2 H2O, of 6 atoms"),
        ([3, 3, 11], [[0], [1], [2]], "all 2 Li, 1 Na, of 3 atoms"),
        (range(1, 9), [[k] for k in range(8)], "1 H, 1 He, 1 Li, 1 Be, 1 B, 1 C, and 2 other kinds, of 8 atoms"),
    ],
)
def test_targets_in_words(numbers, targets, text):
    numbers = np.array(numbers)
    x = np.zeros((1, len(numbers), 3))
    assert targets_text(ga.System([x], [np.eye(3)[None]], numbers, np.array(targets))) == text


def test_composition_in_words():
    assert formula_text(np.repeat([3, 15, 16, 53], [192, 32, 160, 32])) == "416 atoms, 32 × Li6PS5I"
    assert formula_text(np.repeat([12, 6, 1], [33, 2000, 4001])) == "6,034 atoms, C2000H4001Mg33"


def test_times_with_their_intervals():
    assert time_with_interval_text(7.9e6, 6.1e6, 9.94e6, "ps") == "7.9 µs (6.1 to 9.94)"
    assert time_with_interval_text(945, 520, 1724, "ps") == "945 ps (520 to 1,720)"
    assert time_with_interval_text(0.5, 0.1, np.inf, "ns") == "0.5 ns (0.1 upwards)"
    assert time_with_interval_text(20, np.nan, np.nan, "frames") == "20 frames"
    assert time_with_interval_text(np.nan, np.nan, np.nan, "ps") == "–"
    assert time_with_interval_text(np.inf, 3.0, np.inf, "ps") == "∞"


def test_axes_show_the_unit_but_keep_the_coordinates(run):
    """A user who adds to a plot adds in the unit of the data."""
    slow = ga.implied_timescales(ga.load_chi(run), [1, 2, 5], 5e4, "ps")
    ax = plots.timescales(slow)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "lag time (ns)"
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [5e4, 1e5, 2.5e5])
    shown = {float(label.get_text()) for label in ax.get_xticklabels() if label.get_text()}
    np.testing.assert_allclose(sorted(shown), np.array(ax.get_xticks())[np.argsort(ax.get_xticks())] / 1e3)


def test_panels_that_share_an_axis_share_its_unit(run):
    """One is slow and one is fast, and the same ticks stand for both."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, sharey=True)
    for ax, interval in zip(axes, (1.0, 5e4), strict=True):
        plots.timescales(ga.implied_timescales(ga.load_chi(run), [1, 2, 5], interval, "ps"), ax=ax)
    axes[0].figure.canvas.draw()
    assert [ax.get_ylabel() for ax in axes] == ["timescale (ps)"] * 2
    shown = [label for label in axes[0].get_yticklabels() if label.get_text()]
    assert all(float(label.get_text()) == pytest.approx(label.get_position()[1], rel=1e-4) for label in shown)


def altered_chi(run, change):
    """A run whose chi has been changed, without a manifest that would tell."""
    file = run / "chi" / "md.npy"
    chi = np.load(file)
    change(chi)
    np.save(file, chi)
    return run


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "not finite"), (np.inf, "not finite"), (-0.5, "holds -0.5"), (0.9, r"add up to|probabilities")],
)
def test_chi_that_are_no_probabilities(run, capsys, value, message):
    altered_chi(run, lambda chi: chi.__setitem__((2900, 1, 0), value))
    assert command.main([str(run)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(rf"error: .*chi: altered, chi of segment 0.*({message})", err)


def test_a_lone_atom_has_no_surroundings(tmp_path, few_figures):
    rng = np.random.default_rng(0)
    positions = np.cumsum(rng.normal(0, 0.1, (3000, 1, 3)), axis=0)
    cells = np.repeat(np.eye(3)[None] * 4, 3000, axis=0)
    trajectory = Trajectory("md", positions, cells, [3], **TIMES, unwrapped=True)
    graphs = build_graphs(trajectory, "Li", n_neighbors=3, out=tmp_path / "g", progress=False)
    run = write_run(tmp_path / "r", 2, n_targets=1, graphs=graphs.path, n_atoms=1)
    _, analysis = write_report(run)
    assert analysis.atomistic.rdf is None
    assert "No radial distribution functions: there are no other atoms." in [f.text for f in analysis.findings]
    assert verify_files(run / "analysis", progress=False)[1] == []


def test_many_states_of_few_frames(tmp_path, few_figures):
    """More states than targets x frames: no pair is estimated, nothing takes long."""
    run = write_run(tmp_path / "r", 50, n_frames=500, tau=2)
    _, analysis = write_report(run)
    assert analysis.kinetics.residence.value.shape == (50,)
    axes = plots.chapman_kolmogorov(analysis.ck)
    assert axes.shape == (8, 8)
    ax = plots.koopman_matrix(analysis.koopman.value)
    assert not ax.texts


def test_elements_outside_of_zero_and_one_are_seen(run):
    """Between fuzzy states, elements of the Koopman matrix may be negative."""
    test = analyse(ga.load_run(run)).ck
    estimated = test.estimated.copy()
    estimated[2, 0, 1] = -0.3
    axes = plots.chapman_kolmogorov(replace(test, estimated=estimated))
    assert all(ax.get_ylim() == (-0.38, 1.08) for ax in axes.flat)


def test_scores_that_tell_less(run, few_figures):
    """As those of older versions: what is not there is not shown."""
    (run / "scores.json").write_text("{}")
    assert ga.load_run(run).scores["agreement"] is None
    assert write_report(run)[0].is_file()
