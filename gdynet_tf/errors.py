"""The errors a user can meet.

Messages name arguments as Python spells them, between backticks: ```n_states=1`: must be at least 2``. A command shows
the same message in its own spelling: ``--n-states 1: must be at least 2``.
"""

import re
from collections.abc import Mapping

__all__ = ["InputError", "TrainingError", "TruncatedFile", "as_options"]

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
