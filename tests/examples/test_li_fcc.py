"""The trajectory that ships: what it is, and that its states are those of the paper's toy system."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.trajectory import EXAMPLE, read

FOLDER = Path(__file__).parents[2] / "examples" / "li_fcc"


def load(name):
    """A script of the example as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sites():
    return load("sites")


@pytest.fixture(scope="module")
def example():
    return read(EXAMPLE)


def test_size_and_interval(example):
    assert EXAMPLE.stat().st_size < 5e6
    assert len(example.positions) >= 200_000
    assert (example.frame_interval, example.time_unit) == (0.1, "ps")
    np.testing.assert_array_equal(example.targets, [[0]])
    np.testing.assert_array_equal(example.atomic_numbers, [3, 16, 16, 16, 16])


def test_sulfur_is_fcc_and_lithium_can_be_followed(example):
    np.testing.assert_allclose(example.lattices[0], np.eye(3) * 6.5)
    expected = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]) * 3.25
    assert np.ptp(example.positions[:, 1:], axis=0).max() == 0
    np.testing.assert_allclose(example.positions[0, 1:], expected, atol=1e-9)
    steps = np.diff(example.positions[:, 0], axis=0) / 6.5
    assert np.abs(steps - np.round(steps)).max() < 0.4  # unwrapping is unique below half a cell


def test_sites_of_the_lattice(sites):
    """Each site is 1.6 or 2.8 Å from its nearest S: tetrahedral sqrt(3)/4 a, octahedral a/2."""
    sulfur = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    difference = sites.SITES[:, None] - sulfur
    difference -= np.round(difference)
    nearest = np.linalg.norm(difference, axis=-1).min(axis=1)
    np.testing.assert_allclose(nearest[: sites.N_OCTAHEDRAL], 0.5)
    np.testing.assert_allclose(nearest[sites.N_OCTAHEDRAL :], np.sqrt(3) / 4)
    np.testing.assert_array_equal(sites.nearest_sites(sites.SITES * 6.5 + 13.0, np.eye(3) * 6.5), np.arange(12))


def test_populations_by_counting(sites, example):
    """Simulations of 200 ns have 0.09 to 0.10; 40 ns hold some hundred visits to tetrahedral sites, so +-0.015."""
    found = sites.nearest_sites(example.positions[:, 0], example.lattices[0])
    assert 0.06 < (found >= sites.N_OCTAHEDRAL).mean() < 0.14
    assert len(np.unique(found)) == 12


def test_neighbors_of_the_sites(sites):
    """In the periodic cell each octahedral site is next to all eight tetrahedral ones, each of these to all four."""
    expected = np.zeros((12, 12))
    expected[:4, 4:] = expected[4:, :4] = 1
    np.testing.assert_array_equal(sites.site_neighbors(), expected)
    np.testing.assert_array_equal(sites.KINDS, np.repeat([0, 1], [4, 8]))


def test_cores_do_not_see_jitter_at_a_border(sites):
    """From site 0 to the border with site 4 and back is no hop; into the core of 4 is."""
    way = sites.SITES[4] - sites.SITES[0]
    along = np.array([0.0, 0.45, 0.55, 0.48, 0.6, 0.1, 0.6, 1.0, 0.4])
    x = (sites.SITES[0] + along[:, None] * way) * 6.5
    np.testing.assert_array_equal(sites.nearest_sites(x, np.eye(3) * 6.5), [0, 0, 4, 0, 4, 0, 4, 4, 0])
    np.testing.assert_array_equal(sites.core_sites(x, np.eye(3) * 6.5), [0, 0, 0, 0, 0, 0, 0, 4, 4])


def test_dynamics_and_figures_of_perfect_jumps(sites, tmp_path, monkeypatch, capsys):
    """A walk among the sites at known rates: reconstruction and both countings give 1/k_OT."""
    from scipy.linalg import expm

    from gdynet_tf.files import digest, write_json
    from gdynet_tf.graphs.build import build_graphs
    from gdynet_tf.trajectory import Trajectory, write_compact

    k_ot, k_to = 0.02, 0.1  # per ps
    Q = sites.site_neighbors() * np.where(sites.KINDS == 0, k_ot / 8, k_to / 4)[:, None]
    P = expm((Q - np.diag(Q.sum(axis=1))) * 0.5).cumsum(axis=1)
    rng, site, path = np.random.default_rng(0), 0, []
    for u in rng.random(60_000):
        site = min(int(np.searchsorted(P[site], u)), 11)
        path.append(site)
    path = np.array(path)
    x = (sites.SITES[path] + rng.normal(0, 0.01, (len(path), 3))) * 6.5
    sulfur = np.tile([[0.0, 0.0, 0.0]], (len(path), 1))
    trajectory = Trajectory(
        "walk",
        np.stack([x, sulfur], axis=1),
        np.tile(np.eye(3) * 6.5, (len(path), 1, 1)),
        [3, 16],
        unwrapped=True,
        frame_interval=0.5,
        time_unit="ps",
        targets=[[0]],
    )
    build_graphs([trajectory], [[0]], out=tmp_path / "g", n_neighbors=2, edges="distance", progress=False)
    run = tmp_path / "r"
    (run / "chi").mkdir(parents=True)
    np.save(run / "chi" / "walk.npy", np.eye(2, dtype=np.float32)[sites.KINDS[path]][:, None])
    data = {"frame_interval": 0.5, "time_unit": "ps", "trajectories": [{"name": "walk", "segments": [len(path)]}]}
    graphs = {"path": str(tmp_path / "g"), "sha256": digest(tmp_path / "g" / "meta.json")}
    blocks = {"train": [], "validation": [], "test": [[0, 0, len(path)]]}  # as an applied network has them
    write_json(run / "config.json", {"tau": 4, "n_states": 2, "data": data, "graphs": graphs, "split": blocks})
    write_json(run / "scores.json", {"agreement": None})
    monkeypatch.syspath_prepend(FOLDER)
    module = load("global_dynamics")
    rows = {row[0]: row[1:] for row in module.compare(run)}
    local, two_sites, rebuilt, nearest, cores = rows[2.0]
    assert two_sites == pytest.approx(local, rel=0.02)  # the states are the sites; the estimators differ
    assert local == pytest.approx(1 / (k_ot + k_to), rel=0.1)  # some 2,000 visits to tetrahedral sites
    assert rebuilt == pytest.approx(1 / k_ot, rel=0.1)
    assert module.mean_timescale(nearest) == pytest.approx(1 / k_ot, rel=0.15)
    assert module.mean_timescale(cores) == pytest.approx(1 / k_ot, rel=0.15)
    monkeypatch.setattr("sys.argv", ["global_dynamics.py", str(run)])
    capsys.readouterr()
    module.main()
    said = capsys.readouterr().out
    # All is over within the lag time of the test; the probabilities are zero or one anyway.
    assert "Chapman-Kolmogorov test, K(10 ps)^n: nothing slow up to 50 ps" in said
    assert "likeliest state: nothing slow" in said
    assert f"\n{(np.diff(sites.KINDS[path]) == 1).sum()} visits" in said
    assert len(said.splitlines()) == 4 + 5 + len(module.LAG_TIMES)

    monkeypatch.setitem(sys.modules, "simulate", load("simulate"))  # another example has one, too
    friction = load("friction")
    write_compact(tmp_path / "langevin_0.0055_1.npz", trajectory, mobile=[0])
    row = friction.count(tmp_path / "langevin_0.0055_1.npz")
    assert row["local"] == pytest.approx(two_sites, rel=0.1)  # at another lag
    assert row["lower"] < 1 / (k_ot + k_to) < row["upper"]
    assert row["global"] == pytest.approx(1 / k_ot, rel=0.15)
    assert row["population"] == pytest.approx((sites.KINDS[path] == 1).mean())
    rows = [{"thermostat": "langevin", "damping_ps": damping, **row} for damping in (0.005, 0.01)]
    friction.draw([*rows, {"thermostat": "chain", "damping_ps": 0.1, **row}], tmp_path / "friction")
    assert (tmp_path / "friction.png").stat().st_size > 10_000

    monkeypatch.setattr("sys.argv", ["figures.py", str(run), str(run), str(tmp_path / "figures")])
    load("figures").main()
    for name, column in (
        ("timescales", "local_timescale_1_ps"),
        ("sites", "global_probability_of_state_0"),
        ("chapman_kolmogorov", "local_estimated"),
    ):
        assert (tmp_path / "figures" / f"li_fcc_{name}.png").stat().st_size > 10_000
        numbers = np.genfromtxt(tmp_path / "figures" / f"li_fcc_{name}.csv", delimiter=",", names=True)
        assert np.isfinite(numbers[column]).any()
