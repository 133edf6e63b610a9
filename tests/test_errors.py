"""Messages name arguments and show values, however odd; what users give is converted, or refused in one line."""

from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.errors import (
    InputError,
    as_options,
    file_path,
    plain_text,
    printable,
    real_number,
    real_numbers,
    shortened,
    shown,
    whole_number,
    whole_numbers,
)


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


class Number(IntEnum):
    FOUR = 4


@pytest.mark.parametrize(
    "value",
    [4, 4.0, np.int64(4), np.uint8(4), np.float32(4), np.array(4), np.array(4.0), np.longdouble(4), Number.FOUR],
)
def test_numbers_become_plain(value):
    assert type(whole_number(value, "n")) is int
    assert whole_number(value, "n", least=4, most=4) == 4
    assert type(real_number(value, "x")) is float
    assert real_number(value, "x") == 4


def test_reals():
    for value, expected in ((np.float32(0.1), 0.1), (Fraction(1, 10), 0.1), (10**30, 1e30)):
        assert real_number(value, "x") == pytest.approx(expected, rel=1e-7)
    assert np.isnan(real_number(np.nan, "x"))


NO_NUMBERS = [True, np.True_, "4", b"4", None, [4], np.array([4, 5]), np.ma.masked, 4j, Decimal(4), object()]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(value)[:20])
def test_what_is_no_number(value):
    with pytest.raises(InputError, match=r"^`n=[^`\n]*`: must be a whole number$"):
        whole_number(value, "n")
    with pytest.raises(InputError, match=r"^run: `x=[^`\n]*`: must be a number$"):
        real_number(value, "x", where="run")


class Mute:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (4.5, "`n=4.5`: must be a whole number"),
        (np.float64(4.5), "`n=4.5`: must be a whole number"),
        (float("inf"), "`n=inf`: must be a whole number"),
        (0, "`n=0`: must be at least 1"),
        (2_000_000, "`n=2000000`: must be at most 1,000,000"),
        pytest.param(10**5000, "`n=an integer of 16610 bits`: must be at most 1,000,000", id="huge"),
        (Mute(), "`n=.*Mute.*`: must be a whole number"),
        ("a`b\n" * 100, r"`n='a'b\\n.{,60}'`: must be a whole number"),
    ],
)
def test_ranges_and_what_is_shown(value, message):
    with pytest.raises(InputError, match=rf"^{message}$"):
        whole_number(value, "n", least=1, most=1_000_000)


def test_a_number_too_large_for_a_real_one():
    with pytest.raises(InputError, match="`x=an integer of 1329 bits`: must be a number"):
        real_number(10**400, "x")


@pytest.mark.parametrize(
    "values",
    [[1, 2], (1.0, 2.0), np.array([1, 2], np.uint64), np.array([1, 2], ">f4"), np.ma.array([1, 2]), range(1, 3)],
)
def test_arrays(values):
    found = whole_numbers(values, "x")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [1, 2])
    np.testing.assert_array_equal(real_numbers(values, "x"), [1, 2])
    if isinstance(values, np.ndarray):
        assert not np.shares_memory(found, values)
        assert real_numbers(values, "x").dtype == values.dtype  # nothing is rounded
    assert whole_numbers([], "x").shape == (0,)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([True, False], "are bool"),
        ([True, 2], "are bool"),
        ([[1, True]], "are bool"),
        (np.array([True]), "are bool"),
        (["1"], "are <U1"),
        ([b"1"], r"are \|S1"),
        ([1j], "are complex128"),
        (None, "are object"),
        ([None, 1], "are object"),
        ({1, 2}, "are object"),
        ([2**70], "are object"),
        (np.array(["2020"], "M8[Y]"), r"are datetime64\[Y\]"),
        (np.ma.array([1, 2], mask=[True, False]), "hold masked values"),
        ([np.ma.masked, 1], "hold masked values"),
        ([np.ma.array([1, 2], mask=True)], "hold masked values"),
    ],
)
def test_arrays_of_something_else(values, found):
    for convert, needed in ((whole_numbers, "whole"), (real_numbers, "real")):
        with pytest.raises(InputError, match=f"^run: x {found}, {needed} numbers are needed$"):
            convert(values, "run: x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2.5], "x hold 2.5, whole numbers are needed"),
        ([np.nan], "x hold nan, whole numbers are needed"),
        ([-np.inf], "x hold -inf, whole numbers are needed"),
        ([1e30], r"x hold 1e\+30, which is too large"),
        (np.array([2**63], np.uint64), r"x hold 9.22337e\+18, which is too large"),
        ([-(2**63)], r"x hold -9.22337e\+18, which is too large"),
        ([[1], [1, 2]], "x are rows of unequal length, or no numbers"),
    ],
)
def test_whole_numbers_that_are_none(values, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        whole_numbers(values, "x")


def test_paths_and_text():
    assert plain_text(np.str_("ä"), "name") == "ä"
    assert file_path("a/b", "out") == file_path(Path("a/b"), "out") == Path("a/b")
    assert file_path("ä" * 120, "out", longest=240) == Path("ä" * 120)
    for value, why in (
        (3, "must be a path"),
        (b"a", "must be a path"),
        (None, "must be a path"),
        ("a\0", "holds the character 0, no path does"),
        ("\udcff", "is not UTF-8"),
        ("a" * 256 + "/b", "is too long for the name of a file"),
        ("a/" * 2001, "is too long for the name of a file"),
        ("a/" + "b" * 241, "is too long for the name of a file"),
    ):
        with pytest.raises(InputError, match=f"^`out=[^`\n]*`: {why}$"):
            file_path(value, "out", longest=240)
    for value, why in ((3, "must be text"), (b"a", "must be text"), ("\ud800", "is not UTF-8")):
        with pytest.raises(InputError, match=f"^run: `name=.*`: {why}$"):
            plain_text(value, "name", where="run")
