"""What Keras is to compute with is known before anything is loaded."""

import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.networks.backend import load_backend


@pytest.mark.parametrize("name", ["numpy", "tensorflow ", "x" * 1000])
def test_none_that_can_train(monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(InputError, match=r"^KERAS_BACKEND='.{5,79}: must be tensorflow, jax or torch$"):
        load_backend()


@pytest.mark.parametrize("name", ["", "tensorflow"])
def test_what_is_there(monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    load_backend()
