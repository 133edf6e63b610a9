"""The errors a user can meet.

Messages name arguments as Python spells them, between backticks: ```n_states=1`: must be at least 2``. A command shows
the same message in its own spelling: ``--n-states 1: must be at least 2``.
"""

import re
import reprlib
import unicodedata
from collections.abc import Mapping

__all__ = ["InputError", "TrainingError", "TruncatedFile", "as_options", "printable", "shortened", "shown"]

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
