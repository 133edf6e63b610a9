"""Formulas."""

import pytest

from gdynet_tf.trajectory.elements import atomic_number, formula


@pytest.mark.parametrize(
    ("symbols", "text"),
    [
        ("O H H", "H2O"),
        ("S I P S S S S Li Li Li Li Li Li", "Li6PS5I"),
        ("S N S O O O O F F F F F F C C", "C2F6NO4S2"),
        ("H O C H H H", "CH4O"),
        ("Ar", "Ar"),
        ("Ne He", "HeNe"),
    ],
)
def test_formula(symbols, text):
    assert formula([atomic_number(symbol, "test") for symbol in symbols.split()]) == text
