"""The network: shapes, receptive field, serialisation, and the 2019 weights."""

import keras
import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.expansion import expand_distances
from gdynet_tf.learning.vamp import VAMPLoss
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.gdynet2019 import load_gdynet2019_weights


def _chi(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def _full(model, inputs):
    """chi without pruning: every atom in every convolution."""
    graph = {name: inputs[name] for name in ("neighbors", "distances", "atomic_numbers")}
    v = keras.ops.convert_to_numpy(model._embed(graph, model.n_conv, None, False))
    v = v[:, inputs["targets"]].mean(axis=2)
    return keras.ops.convert_to_numpy(model.states(model.hidden(v)))


def test_probabilities_of_single_frames_and_pairs(graph):
    inputs = graph(6, 10, 4, 3, k=2)
    model = GDyNet(3, n_conv=2, n_features=5)
    chi = _chi(model, inputs)
    assert chi.shape == (6, 3, 3)
    assert chi.dtype == np.float32
    assert chi.min() >= 0
    np.testing.assert_allclose(chi.sum(axis=-1), 1, atol=1e-6)
    pairs = {
        **inputs,
        **{n: inputs[n].reshape(3, 2, *inputs[n].shape[1:]) for n in ("neighbors", "distances")},
    }
    np.testing.assert_allclose(_chi(model, pairs), chi.reshape(3, 2, 3, 3), atol=1e-6)
    shapes = {name: value.shape for name, value in pairs.items()}
    assert model.compute_output_shape(shapes) == (3, 2, 3, 3)


# Tables of targets, of targets and neighbours, and of all atoms: every branch of the receptive field.
@pytest.mark.parametrize(
    ("n_atoms", "n_targets", "n_conv"), [(8, 8, 3), (60, 2, 1), (60, 2, 2), (60, 2, 3), (300, 1, 4)]
)
def test_receptive_field_is_exact(graph, n_atoms, n_targets, n_conv):
    inputs = graph(3, n_atoms, 4, n_targets)
    model = GDyNet(3, n_conv=n_conv, n_features=6)
    np.testing.assert_allclose(_chi(model, inputs), _full(model, inputs), atol=2e-6)


def test_edges_and_distances_give_the_same_chi(graph):
    inputs = graph(3, 9, 5, 4)
    model = GDyNet(2, n_conv=3)
    expanded = {name: value for name, value in inputs.items() if name != "distances"}
    expanded["edges"] = expand_distances(inputs["distances"])
    np.testing.assert_allclose(_chi(model, expanded), _chi(model, inputs), atol=2e-6)


def test_group_is_the_mean_of_its_atoms(graph):
    inputs = graph(2, 9, 5, 1, k=3)
    model = GDyNet(2)
    shuffled = {**inputs, "targets": inputs["targets"][:, ::-1]}
    np.testing.assert_allclose(_chi(model, shuffled), _chi(model, inputs), atol=1e-6)


def test_an_embedding_steps_as_far_as_other_weights(graph):
    """The first step of Adam is the learning rate in every weight, however many atoms share an embedding."""
    inputs = {name: values for name, values in graph(40, 30, 4, 6).items()}
    inputs["atomic_numbers"][:] = 8
    pairs = {name: values.reshape(20, 2, 30, 4) for name, values in inputs.items() if values.ndim == 3}
    model = GDyNet(2, n_conv=2, n_features=4)
    before = keras.ops.convert_to_numpy(model.embedding.embeddings)[8].copy()
    model.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-12), loss=VAMPLoss())
    model.train_on_batch({**inputs, **pairs}, np.zeros((20, 1)))
    step = keras.ops.convert_to_numpy(model.embedding.embeddings)[8] - before
    np.testing.assert_allclose(np.abs(step), 1e-3, rtol=1e-3)


def test_state_map_is_the_identity_until_set(graph):
    inputs = graph(2, 9, 5, 4)
    model = GDyNet(3)
    chi = _chi(model, inputs)
    np.testing.assert_allclose(chi, _full(model, inputs), atol=2e-6)
    model.state_map.kernel.assign(np.eye(3)[[2, 0, 1]])
    np.testing.assert_allclose(_chi(model, inputs), chi[..., [1, 2, 0]], atol=1e-6)


@pytest.mark.parametrize("variant", ["paper", "gdynet2019"])
def test_saved_model_is_the_same(graph, tmp_path, variant):
    inputs = graph(2, 9, 5, 4)
    model = GDyNet(3, variant=variant, expansion={"dmax": 5.0})
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_chi(loaded, inputs), _chi(model, inputs))
    assert loaded.get_config() == model.get_config()


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_states must be at least 2, got 1"):
        GDyNet(1)
    with pytest.raises(ValueError, match="n_conv must be at least 1, got 0"):
        GDyNet(2, n_conv=0)


@pytest.mark.parametrize("name", ["small", "medium"])
def test_2019_weights_reproduce_its_chi(data_path, name):
    model = load_gdynet2019_weights(data_path / f"gdynet2019_{name}.hdf5")
    reference = np.load(data_path / f"gdynet2019_{name}.npz")
    assert model.n_states == reference["n_states"]
    assert model.n_conv == reference["n_conv"]
    assert model.n_features == reference["n_features"]
    # The reference has the pair in front: (2, B, ...).
    inputs = {n: np.moveaxis(reference[n], 0, 1) for n in ("neighbors", "distances")}
    inputs |= {"atomic_numbers": reference["atomic_numbers"], "targets": reference["targets"][:, None]}
    np.testing.assert_allclose(_chi(model, inputs), np.moveaxis(reference["chi"], 0, 1), atol=1e-5)


def test_2019_weights_from_a_wrong_file(data_path, tmp_path):
    with pytest.raises(InputError, match=r"missing\.hdf5: cannot be read as an HDF5 weight file"):
        load_gdynet2019_weights(tmp_path / "missing.hdf5")
    (tmp_path / "text.hdf5").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.hdf5: cannot be read as an HDF5 weight file"):
        load_gdynet2019_weights(tmp_path / "text.hdf5")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match=r"other\.weights\.h5: not the weights of a 2019 GDyNet: 0 embedding"):
        load_gdynet2019_weights(tmp_path / "other.weights.h5")
