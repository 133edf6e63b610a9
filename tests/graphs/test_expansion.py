"""Gaussian expansion of distances: its centres, its defaults, its limits."""

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.expansion import expand_distances, expansion_settings, gaussian_centers


def test_defaults_are_those_of_the_paper():
    """Centres 0, 0.2 ... 7 Å, sigma 0.2 Å; exp(-1) one sigma away."""
    expanded = expand_distances(np.array([0.2, 7.0, 8.0]))
    assert expanded.dtype == np.float32
    assert expanded.shape == (3, 36)
    np.testing.assert_allclose(expanded[0, :4], np.exp([-1, 0, -1, -4]), rtol=1e-5)
    np.testing.assert_allclose(expanded[1, -2:], np.exp([-1, 0]), rtol=1e-5)
    np.testing.assert_allclose(expanded[2, -1], np.exp(-25), rtol=1e-4)


def test_distances_stay_as_they_are():
    distances = np.array([1.0, 2.0], np.float32)
    expand_distances(distances, 1, 3, 0.5, 0.3)
    np.testing.assert_array_equal(distances, [1, 2])


def test_centers_start_at_dmin_and_hold_dmax():
    np.testing.assert_allclose(gaussian_centers(2, 3, 0.25), [2, 2.25, 2.5, 2.75, 3])


def test_as_many_centers_as_are_allowed():
    """1,000 steps are, whatever their length and wherever they begin; one more is not."""
    assert len(gaussian_centers(0, 2000, 2)) == 1001
    assert len(gaussian_centers(500, 1500, 1)) == 1001
    with pytest.raises(ValueError, match=r"from 0 to 1001 in steps of 1 there are more than 1,000 Gaussian centres"):
        gaussian_centers(0, 1001, 1)
    with pytest.raises(ValueError, match="more than 1,000 Gaussian centres"):
        gaussian_centers(0, 7, 0.001)


def test_settings_that_are_not_given_are_those_of_the_paper():
    assert expansion_settings(None) == {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2}
    found = expansion_settings({"dmax": np.float32(3), "sigma": 1})
    assert found == {"dmin": 0.0, "dmax": 3.0, "step": 0.2, "sigma": 1.0}
    assert {type(value) for value in found.values()} == {float}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dmaxx": 3}, "`expansion` holds 'dmaxx', which is none of dmin, dmax, step and sigma"),
        ([0, 7], "`expansion` is of type list, a dict of dmin, dmax, step, sigma is needed"),
        ({"dmax": "3"}, "`dmax='3'`: must be a number"),
        ({"sigma": None}, "`sigma=None`: must be a number"),
        ({"sigma": 0}, "`sigma=0`: must be from 0.0001 to 10,000 Å"),
        ({"dmin": float("nan")}, "`dmin`, `dmax`, `step`: Gaussian centres need dmin < dmax and step > 0"),
        ({"step": 1e-9}, "`dmin`, `dmax`, `step`: from 0.0 to 7.0 in steps of 1e-09 there are more than 1,000"),
    ],
)
def test_settings_that_cannot_be(given, message):
    with pytest.raises(InputError, match=message):
        expansion_settings(given)
