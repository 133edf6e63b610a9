"""The errors a user can meet, and how a command ends on them."""

import sys

__all__ = ["InputError", "TrainingError", "run_command"]


class InputError(ValueError):
    """Input that cannot be used. The message names the file or option, and the value."""


class TrainingError(RuntimeError):
    """A training that cannot go on. The message says what to change."""


def run_command(command, argv=None):
    """Run ``command(argv)`` and turn bad input into one line on stderr.

    Parameters
    ----------
    command : callable
        Takes a list of arguments (None: ``sys.argv[1:]``); may return an exit code.
    argv : list of str, optional

    Returns
    -------
    int
        Exit code: the command's or 0, 2 for bad input, 1 for a training that failed, 130 when interrupted.
    """
    try:
        return command(argv) or 0
    except (InputError, TrainingError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
