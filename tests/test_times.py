"""Times in the unit that a person would use."""

import numpy as np
import pytest

from gdynet_tf.times import plain_number, readable_unit, seconds, time_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (7.9e6, "ps", "7.9 µs"),
        (0.1, "ps", "0.1 ps"),
        (0.05, "ps", "50 fs"),
        (999.4, "ps", "999 ps"),
        (999.6, "ps", "1 ns"),
        (40_000.1, "ps", "40 ns"),
        (0.002, "us", "2 ns"),
        (3, "us", "3 µs"),
        (5e5, "s", "500,000 s"),
        (1e7, "frames", "1e+07 frames"),
        (1720, "frames", "1,720 frames"),
        (np.nan, "ps", "–"),
        (np.inf, "ps", "∞"),
    ],
)
def test_text(value, unit, text):
    assert time_text(value, unit) == text


def test_the_longest_finite_time_decides():
    factor, unit = readable_unit([3.0, 5e4, np.inf, np.nan], "ps")
    assert (factor, unit) == (pytest.approx(1e-3), "ns")
    assert readable_unit([np.nan], "ps") == (1.0, "ps")


@pytest.mark.parametrize("unit", ["fs", "ps", "ns", "us", "ms", "s"])
@pytest.mark.parametrize("power", range(-3, 8))
def test_the_time_is_the_same_in_any_unit(unit, power):
    value = 3 * 10.0**power
    factor, shown = readable_unit(value, unit)
    assert value * factor * seconds(shown) == pytest.approx(value * seconds(unit))
    if shown not in ("fs", "s"):
        assert 0.1 <= value * factor < 1000


@pytest.mark.parametrize(
    ("value", "text"), [(1724.0, "1,720"), (0.0123, "0.0123"), (0, "0"), (2.5e7, "2.5e+07"), (-1234.0, "-1,230")]
)
def test_plain_numbers(value, text):
    assert plain_number(value) == text


def test_no_unit_of_time():
    with pytest.raises(ValueError, match="'frames' is no unit of time that can be converted to seconds; fs, ps"):
        seconds("frames")
