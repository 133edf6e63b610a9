"""What all commands share: where their messages go, and how they end.

The library logs and raises; here alone it is decided what a user sees. Messages are for stdout, warnings and errors for
stderr; ``--quiet`` leaves these two, ``--log FILE`` keeps everything with the time.
"""

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from tqdm import tqdm

from gdynet_tf._version import __version__
from gdynet_tf.commands.streams import Console, LogFile, check_log, discard, named, open_streams
from gdynet_tf.errors import InputError, TrainingError, as_options
from gdynet_tf.findings import Finding

__all__ = ["run_command", "tell"]

logger = logging.getLogger(__name__)


class _Terminated(BaseException):
    """SIGTERM, by which a batch system announces the end."""


@contextmanager
def _own_process(argv: Sequence[str] | None) -> Iterator[None]:
    """The process belongs to the command, unless it is called from Python with its words."""
    if argv is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    # The lock of tqdm, for bars of several processes, would be a semaphore that a kill leaves behind.
    tqdm.set_lock(threading.RLock())

    def terminate(number: int, frame: object) -> None:
        raise _Terminated

    after = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, _Terminated):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt, and the end is soon
        after = signal.SIG_IGN
        raise
    finally:
        signal.signal(signal.SIGTERM, after)


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    return parser.parse_args(argv)


@contextmanager
def _console() -> Iterator[logging.Logger]:
    """The logger of the library with the handlers of a command, for as long as it runs."""
    library = logging.getLogger("gdynet_tf")
    before = library.level, library.propagate, list(library.handlers)
    library.setLevel(logging.DEBUG)
    library.propagate = False  # what others hang on the root logger would say it twice
    console = Console(logging.INFO)
    library.addHandler(console)
    try:
        yield library
    finally:
        for handler in set(library.handlers) - set(before[2]):
            library.removeHandler(handler)
            handler.close()
        library.level, library.propagate = before[:2]


def _set_up(library: logging.Logger, args: argparse.Namespace) -> None:
    if args.quiet:
        for handler in library.handlers:
            if isinstance(handler, Console):
                handler.setLevel(logging.WARNING)
    if args.log is not None:
        check_log(args.log)
        library.addHandler(LogFile(args.log))


def run_command(
    command: Callable[[argparse.Namespace], int | None],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
    *,
    options: Mapping[str, str] | None = None,
    parse: Callable[[argparse.ArgumentParser, Sequence[str] | None], argparse.Namespace] = _parse,
) -> int:
    """Parse the command line, run the command, and turn what a user can mend into one line on stderr.

    Parameters
    ----------
    command : callable
        Takes the options; may return an exit code.
    parser : argparse.ArgumentParser
        Gets ``--quiet`` and ``--log`` too.
    argv : list of str, optional
        Default: ``sys.argv[1:]``.
    options : mapping, optional
        Argument -> option, for messages of the library about arguments that the command calls otherwise.
    parse : callable, optional
        Parses ``argv`` by the parser, when there is more to it than that.

    Returns
    -------
    int
        Exit code: the command's or 0; 2 for bad input, or output that cannot be written; 1 for a training that failed;
        130 when interrupted, 141 when nobody reads stdout any more, 143 when terminated (SIGTERM).
    """
    open_streams(own=argv is None)
    parser.error = _refuse  # type: ignore[method-assign]  # in one line, as all else
    parser.add_argument("--quiet", action="store_true", help="no messages but warnings and errors, no bars")
    parser.add_argument("--log", metavar="FILE", help="add all messages, with the time, to a file")
    with _console() as library:
        try:
            with _own_process(argv):
                try:
                    args = parse(parser, argv)
                except SystemExit:
                    with named("stdout"):
                        sys.stdout.flush()  # of --help
                    raise
                _set_up(library, args)
                words = sys.argv[1:] if argv is None else argv
                logger.debug(f"gdynet_tf {__version__}: {parser.prog} {shlex.join(words)}")
                return command(args) or 0
        except (InputError, TrainingError) as error:
            _say(as_options(" ".join(str(error).split()), options))
            return 2 if isinstance(error, InputError) else 1
        except BrokenPipeError:
            discard(sys.stdout)
            return 141
        except OSError as error:
            discard(sys.stdout)
            _say(f"{_place(error)}: {error.strerror or error}")
            return 2
        except KeyboardInterrupt:
            _say("interrupted")
            return 130
        except _Terminated:
            _say("terminated")
            return 143
        except Exception:
            with suppress(OSError):
                logger.debug("ended by a fault of the program", exc_info=True)
            raise
        finally:
            discard(sys.stderr)  # what others have written there, and could not be


def _refuse(message: str) -> NoReturn:
    raise InputError(f"{message} (--help tells the options)")


def _say(message: str) -> None:
    """The last word, on stderr; a log that cannot be written changes nothing any more."""
    with suppress(OSError):
        logger.error(message)


def _place(error: OSError) -> str:
    """What could not be written or read."""
    if error.filename:
        return str(error.filename)
    try:
        os.getcwd()
    except OSError:
        return "the working directory"
    return "a file cannot be written or read"


def tell(finding: Finding, where: str = "") -> None:
    """Log a finding, in options of the command line: as a warning where it is one.

    Parameters
    ----------
    finding : Finding
    where : str
        What it is about, in front of it.
    """
    text = f"{where}: " if where else ""
    if finding.severity in ("warning", "bad"):
        logger.warning(text + as_options(finding.text))
    else:
        logger.info(f"{text}{'note: ' if finding.severity == 'note' else ''}{as_options(finding.text)}")
