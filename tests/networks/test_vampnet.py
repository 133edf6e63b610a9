"""The VAMPnet on coordinates: the contract of the model, what it sees, and a run with it."""

import keras
import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.learning.runs import new_config, resume_config, train_run
from gdynet_tf.learning.splits import split_by_time
from gdynet_tf.learning.training import TrainingSettings
from gdynet_tf.networks.gdynet import load_model
from gdynet_tf.networks.vampnet import VAMPnet
from gdynet_tf.trajectory import Trajectory

LATTICE = np.array([[8.0, 0, 0], [2.0, 9, 0], [0, 1.0, 10]])


def hopping(n_frames=2000, seed=0, periodic=(True, True, True)):
    """An atom between two sites that look the same, at x = 0.25 and 0.75 of the cell, wandering over its images."""
    rng = np.random.default_rng(seed)
    jumps = (rng.random(n_frames) < 0.02) * rng.choice([-1, 1], n_frames)
    sites = jumps.cumsum()
    fractional = np.zeros((n_frames, 2, 3))
    fractional[:, 0, 0] = 0.25 + 0.5 * sites
    fractional[:, 0] += rng.normal(0, 0.03, (n_frames, 3))
    cells = np.repeat(LATTICE[None], n_frames, axis=0)
    return sites % 2, Trajectory("hop", fractional @ LATTICE, cells, [3, 16], periodic=periodic, unwrapped=True)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    out = tmp_path_factory.mktemp("graphs") / "g"
    build_graphs([hopping()[1]], [[0]], out=out, n_neighbors=2, edges="distance", progress=False)
    return open_inputs(out, "vampnet")


def test_contract():
    model = VAMPnet(3, 6, n_layers=2, n_features=5)
    x = np.random.default_rng(0).normal(size=(4, 2, 6)).astype(np.float32)
    chi = np.asarray(model({"coordinates": x}))
    assert chi.shape == (4, 2, 1, 3)
    np.testing.assert_allclose(chi.sum(axis=-1), 1, atol=1e-6)
    assert model.compute_output_shape({"coordinates": (4, 2, 6)}) == (4, 2, 1, 3)
    copy = VAMPnet.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(np.asarray(copy({"coordinates": x})), chi)


@pytest.mark.parametrize(("name", "value"), [("n_states", 1), ("n_layers", 0), ("n_features", 0)])
def test_bad_argument(name, value):
    arguments = {"n_states": 2, "n_layers": 1, "n_features": 4, name: value}
    with pytest.raises(ValueError, match=f"{name} must be at least {value + 1}, got {value}"):
        VAMPnet(n_coordinates=6, **arguments)


def test_coordinates_do_not_jump_at_the_border(graphs):
    """Images of an atom are one input; cosine and sine give the fractional coordinates back."""
    frames = np.array([0, 700, 1999])
    x = graphs.read(np.zeros(3, int), frames)["coordinates"]
    assert x.shape == (3, 6)
    angle = np.arctan2(x[:, 3:], x[:, :3]) / (2 * np.pi)
    expected = hopping()[1].positions[frames, 0] @ np.linalg.inv(LATTICE)
    difference = angle - expected
    np.testing.assert_allclose(difference, np.round(difference), atol=1e-6)
    assert graphs.n_targets == 1
    assert graphs.constants == {}


def test_run_tells_equal_sites_apart(graphs, tmp_path):
    """A graph network could not: the two sites have the same surroundings."""
    settings = TrainingSettings(
        2, 2, model="vampnet", n_conv=1, n_features=16, batch_size=200, epochs=6, learning_rate=0.01
    )
    config = new_config(graphs, split_by_time(graphs.segments, 2), settings, seed=3)
    scores = train_run(graphs, tmp_path / "r", config, progress=False)
    assert scores["vamp2"]["test"] > 1.7  # 1 + 0.92^2 at most: a jump in 2 frames changes the site with 4 %
    chi = ga.load_chi(tmp_path / "r")[0]
    assert chi.shape == (2000, 1, 2)
    same = np.mean(chi[:, 0].argmax(axis=1) == hopping()[0])
    assert max(same, 1 - same) > 0.98
    model = load_model(tmp_path / "r")
    assert isinstance(model, VAMPnet)
    x = graphs.read(np.zeros(5, int), np.arange(5))
    np.testing.assert_allclose(np.asarray(model(x)), chi[:5], atol=1e-6)
    assert resume_config(tmp_path / "r")[1].n_targets == 1
    assert len(ga.load_system(tmp_path / "r").targets) == 1
    keras.backend.clear_session()


def test_global_model_of_several_targets_has_no_surroundings(tmp_path):
    out = tmp_path / "g"
    build_graphs([hopping(200)[1]], [[0], [1]], out=out, n_neighbors=2, edges="distance", progress=False)
    graphs = open_inputs(out, "vampnet")
    settings = TrainingSettings(2, 2, model="vampnet", n_conv=1, n_features=4, batch_size=50, epochs=1)
    config = new_config(graphs, split_by_time(graphs.segments, 2), settings, seed=3)
    assert (config["data"]["n_targets"], config["data"]["group_size"]) == (1, 2)
    train_run(graphs, tmp_path / "r", config, progress=False)
    with pytest.raises(InputError, match="r: a global model: its states are of the system as a whole, not of an atom"):
        ga.load_system(tmp_path / "r")


def test_slab_is_refused(tmp_path):
    trajectory = hopping(50, periodic=(True, True, False))[1]
    build_graphs([trajectory], [[0]], out=tmp_path / "g", n_neighbors=1, edges="distance", progress=False)
    with pytest.raises(InputError, match="g: `model=vampnet` needs a system that is periodic in all directions"):
        open_inputs(tmp_path / "g", "vampnet")
