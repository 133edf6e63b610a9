"""Input that cannot be used: the errors a user can meet, and the conversions of what users give, which raise them.

Numbers become plain Python numbers, whatever package they are from. What would change its meaning on the way is refused
in one line: bools, text, fractions where whole numbers are needed, and masked values.

Messages name arguments as Python spells them, between backticks: ```n_states=1`: must be at least 2``. A command shows
the same message in its own spelling: ``--n-states 1: must be at least 2``.
"""

import os
import re
import reprlib
import unicodedata
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "InputError",
    "TrainingError",
    "TruncatedFile",
    "as_options",
    "file_path",
    "plain_text",
    "printable",
    "real_number",
    "real_numbers",
    "shortened",
    "shown",
    "whole_number",
    "whole_numbers",
]

_LARGEST = 2**62  # of whole numbers in arrays, which are kept as int64
_LONGEST_NAME, _LONGEST_PATH = 255, 4000  # bytes
_LONGEST = 80  # characters of a value in a message
_ARGUMENT = re.compile(r"`([a-z]\w*)(?:=([^`]*))?`")


class InputError(ValueError):
    """Input that cannot be used. The message names the file or argument, and the value."""


class TruncatedFile(InputError):
    """A file that ends within a frame; a reader has handed over all whole frames before it raises this."""


class TrainingError(RuntimeError):
    """A training that cannot go on. The message says what to change."""


def as_options(message: str, options: Mapping[str, str] | None = None) -> str:
    """A message about arguments, told in options of the command line.

    Parameters
    ----------
    message : str
        With arguments between backticks: ```name```, ```name=value``` or ```name=True``` for a switch.
    options : mapping, optional
        Argument -> option, for those that are not called alike.

    Returns
    -------
    str
        With ``--name``, ``--name value`` and ``--name``.
    """

    def spelled(match: re.Match[str]) -> str:
        name, value = match.groups()
        option = "--" + (options or {}).get(name, name).replace("_", "-")
        return option if value in (None, "True") else f"{option} {value.strip(chr(39))}"

    return _ARGUMENT.sub(spelled, message)


class _Short(reprlib.Repr):
    """``repr`` in so many steps at most, however large or nested a value is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 2, _LONGEST - 20, _LONGEST - 20

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write down the longest ones."""
        return repr(x) if x.bit_length() <= 128 else f"an integer of {x.bit_length()} bits"


_short = _Short()


def shown(value: object) -> str:
    """A value in a message: as Python writes it, but never long.

    Parameters
    ----------
    value : object
        Of any size: what a file holds.

    Returns
    -------
    str
        At most 80 characters.
    """
    return shortened(_short.repr(value))


def shortened(text: str, most: int = _LONGEST) -> str:
    """The beginning of a text that may be long.

    Parameters
    ----------
    text : str
    most : int
        Characters.

    Returns
    -------
    str
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Text whose control characters do nothing: ``\\n`` for a new line, ``\\x1b`` for what moves a terminal's cursor.

    Parameters
    ----------
    text : str
        With names of files, which hold anything.

    Returns
    -------
    str
    """
    if text.isprintable():
        return text
    odd = ("Cc", "Cf", "Zl", "Zp")  # controls, what turns the direction of writing, ends of lines
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in odd else c for c in text)


def _refused(value: Any, name: str, where: str, why: str) -> InputError:
    spelled = " ".join(shown(_scalar(value)).split()).replace("`", "'")  # which ends an argument in a message
    return InputError(f"{where}{': ' if where else ''}`{name}={spelled}`: {why}")


def _scalar(value: Any) -> Any:
    """A number as Python has it; what is none stays."""
    if isinstance(value, np.ndarray | np.generic) and not value.ndim and not np.ma.is_masked(value):
        kind = value.dtype.kind
        value = int(value) if kind in "iu" else float(value) if kind == "f" else value
    return value


def whole_number(value: Any, name: str, *, least: int | None = None, most: int | None = None, where: str = "") -> int:
    """A whole number as Python's int.

    Parameters
    ----------
    value : object
        An integer of Python or NumPy, or a float without a fraction.
    name : str
        Of the argument, for the message.
    least, most : int, optional
        Range in which it must be.
    where : str
        File or name before it in the message, if any.

    Returns
    -------
    int

    Raises
    ------
    InputError
    """
    number = _scalar(value)
    whole = isinstance(number, Integral) or (isinstance(number, float) and number.is_integer())
    if isinstance(number, bool) or not whole:
        raise _refused(value, name, where, "must be a whole number")
    if least is not None and number < least:
        raise _refused(value, name, where, f"must be at least {least:,}")
    if most is not None and number > most:
        raise _refused(value, name, where, f"must be at most {most:,}")
    return int(number)


def real_number(value: Any, name: str, *, where: str = "") -> float:
    """A real number as Python's float; parameters as of `whole_number`.

    Returns
    -------
    float
        May be infinite or NaN: ranges are for the caller.

    Raises
    ------
    InputError
    """
    number = _scalar(value)
    try:
        if isinstance(number, Real) and not isinstance(number, bool):
            return float(number)
    except OverflowError:
        pass
    raise _refused(value, name, where, "must be a number")


def _strays(values: Any) -> set[str]:
    """What NumPy would make a number of without a word, in an array or in nested lists of numbers."""
    if isinstance(values, list | tuple):
        return set().union(*map(_strays, values))
    if np.ma.is_masked(values):
        return {"masked"}
    return {"bool"} if isinstance(values, bool | np.bool_) else set()


def _numbers(values: Any, what: str, needed: str) -> np.ndarray:
    strays = _strays(values)
    if "masked" in strays:
        raise InputError(f"{what} hold masked values, {needed} are needed")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{what} are rows of unequal length, or no numbers") from None
    if strays or array.dtype.kind not in "iuf":
        raise InputError(f"{what} are {'bool' if strays else array.dtype}, {needed} are needed")
    return array


def real_numbers(values: Any, what: str) -> np.ndarray:
    """An array of real numbers, in the precision in which it was given: nothing is copied or rounded.

    Parameters
    ----------
    values : array-like
        Of integers or floats.
    what : str
        What they are and of which file or argument, for the message.

    Returns
    -------
    array

    Raises
    ------
    InputError
        If they are of another type, some are masked, or the rows are of unequal length.
    """
    return _numbers(values, what, "real numbers")


def whole_numbers(values: Any, what: str) -> np.ndarray:
    """An array of whole numbers, which some programs write as real ones; parameters as of `real_numbers`.

    Returns
    -------
    int64 array
        A new one.

    Raises
    ------
    InputError
        Also if one has a fraction, or is beyond 2**62.
    """
    array = _numbers(values, what, "whole numbers")
    if array.dtype.kind == "f":
        wrong = ~np.isfinite(array) | (array != np.floor(array))
        if wrong.any():
            raise InputError(f"{what} hold {array[wrong][0]:g}, whole numbers are needed")
    large = (array >= _LARGEST) | (array <= -_LARGEST)
    if large.any():
        raise InputError(f"{what} hold {array[large][0]:g}, which is too large")
    return array.astype(np.int64)


def plain_text(value: Any, name: str, *, where: str = "") -> str:
    """A text that can be written as UTF-8, as JSON files are; parameters as of `whole_number`.

    Raises
    ------
    InputError
    """
    if not isinstance(value, str):
        raise _refused(value, name, where, "must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(value, name, where, "is not UTF-8") from None
    return str(value)


def file_path(value: Any, name: str, *, longest: int = _LONGEST_NAME) -> Path:
    """The path of a file that may or may not exist.

    Parameters
    ----------
    value : object
        Text, or an object that has a path.
    name : str
        Of the argument, for the message.
    longest : int
        Bytes that the last part of it may have.

    Raises
    ------
    InputError
        If it can be that of no file.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise _refused(value, name, "", "must be a path")
    text = plain_text(os.fspath(value), name)
    if "\0" in text:
        raise _refused(value, name, "", "holds the character 0, no path does")
    path = Path(text)
    sizes = [len(part.encode()) for part in path.parts]
    if max(sizes, default=0) > _LONGEST_NAME or len(text.encode()) > _LONGEST_PATH or (sizes and sizes[-1] > longest):
        raise _refused(value, name, "", "is too long for the name of a file")
    return path
