"""Messages name arguments, which a command tells as options, and show values, however large or odd they are."""

import pytest

from gdynet_tf.errors import as_options, printable, shortened, shown


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`n_states=1`: must be at least 2", "--n-states 1: must be at least 2"),
        ("`targets='Li'`: no Li", "--targets Li: no Li"),
        (
            "g: exists; `overwrite=True` replaces it, `out` names another",
            "g: exists; --overwrite replaces it, --out names another",
        ),
        ("`validation=a`: no such trajectory", "--val a: no such trajectory"),
        ("run `a-b`: no argument", "run `a-b`: no argument"),
        ("`start=1` `stop=None` selects none", "--start 1 --stop None selects none"),
    ],
)
def test_arguments_as_options(message, expected):
    assert as_options(message, {"validation": "val"}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ten", "'ten'"),
        (2.5, "2.5"),
        ([0.5, 0.5], "[0.5, 0.5]"),
        (2**64, "18446744073709551616"),
        pytest.param(10**5000, "an integer of 16610 bits", id="huge"),
        pytest.param([10**5000], "[an integer of 16610 bits]", id="list of huge"),
        ([[[[1]]]], "[[[...]]]"),
    ],
)
def test_values(value, expected):
    assert shown(value) == expected


def test_values_without_end():
    """A list that would take longer than the world to write down, one of itself, a long text and a wide list."""
    bomb = ["x"] * 10
    for _ in range(30):
        bomb = [bomb] * 10
    ring = []
    ring.append(ring)
    for value in (bomb, ring, "x" * 10**6, [["x" * 1000] * 1000] * 1000, {i: bomb for i in range(1000)}, b"x" * 10**6):
        assert len(shown(value)) <= 80
    assert shortened("x" * 81) == "x" * 77 + "..."
    assert shortened("x" * 80) == "x" * 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("written: ünï😀 \udcff ~", "written: ünï😀 \udcff ~"),
        ("new\nline\r\t", r"new\nline\r\t"),
        ("esc\x1b[31m\x9b", r"esc\x1b[31m\x9b"),
        ("exe\u202egpj\u2028", r"exe\u202egpj\u2028"),
    ],
)
def test_controls(text, expected):
    assert printable(text) == expected
