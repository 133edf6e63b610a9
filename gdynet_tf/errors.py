"""The errors a user can meet, and how a command ends on them.

Messages name arguments as Python spells them, between backticks: ```n_states=1`: must be at least 2``. A command shows
the same message in its own spelling: ``--n-states 1: must be at least 2``.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence

__all__ = ["InputError", "TrainingError", "TruncatedFile", "as_options", "run_command"]

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


def run_command(
    command: Callable[[Sequence[str] | None], int | None],
    argv: Sequence[str] | None = None,
    options: Mapping[str, str] | None = None,
) -> int:
    """Run ``command(argv)`` and turn bad input into one line on stderr.

    Parameters
    ----------
    command : callable
        Takes a list of arguments (None: ``sys.argv[1:]``); may return an exit code.
    argv : list of str, optional
    options : mapping, optional
        Argument -> option, for messages of the library about arguments that the command calls otherwise.

    Returns
    -------
    int
        Exit code: the command's or 0, 2 for bad input, 1 for a training that failed, 130 when interrupted.
    """
    try:
        return command(argv) or 0
    except (InputError, TrainingError) as error:
        print(f"error: {as_options(' '.join(str(error).split()), options)}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
