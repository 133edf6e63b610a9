"""What all commands share: where their messages go, and how they end.

The library logs and raises; here alone it is decided what a user sees. Messages are for stdout, warnings and errors for
stderr; ``--quiet`` leaves these two, ``--log FILE`` keeps everything with the time.
"""

import argparse
import io
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tqdm import tqdm

from gdynet_tf._version import __version__
from gdynet_tf.errors import InputError, TrainingError, as_options
from gdynet_tf.findings import Finding

__all__ = ["run_command", "tell"]

logger = logging.getLogger(__name__)


class _Console(logging.Handler):
    """Lines above the bars of tqdm: warnings and errors on stderr, the rest on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        tqdm.write(prefix + record.getMessage(), file=stream)
        stream.flush()


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is told once, in one line, not in a traceback for each message."""
        logging.getLogger("gdynet_tf").removeHandler(self)
        with suppress(OSError):  # for what is not written yet
            self.close()
        raise


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
    console = _Console(logging.INFO)
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
            if isinstance(handler, _Console):
                handler.setLevel(logging.WARNING)
    if args.log is not None:
        try:
            file = _LogFile(args.log, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InputError(f"`log={args.log}`: cannot be written: {error.strerror}") from None
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
        library.addHandler(file)


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files hold characters that not every terminal has
            with suppress(OSError):  # of what was to be written before
                stream.reconfigure(errors="backslashreplace")
    parser.add_argument("--quiet", action="store_true", help="no messages but warnings and errors, no bars")
    parser.add_argument("--log", metavar="FILE", help="add all messages, with the time, to a file")
    with _console() as library:
        try:
            with _own_process(argv):
                args = parse(parser, argv)
                _set_up(library, args)
                words = sys.argv[1:] if argv is None else argv
                logger.debug(f"gdynet_tf {__version__}: {parser.prog} {shlex.join(words)}")
                return command(args) or 0
        except (InputError, TrainingError) as error:
            logger.error(as_options(" ".join(str(error).split()), options))
            return 2 if isinstance(error, InputError) else 1
        except BrokenPipeError:
            _discard_stdout()
            return 141
        except OSError as error:
            _discard_stdout()
            where = error.filename or "a file cannot be written or read"
            logger.error(f"{where}: {error.strerror or error}")
            return 2
        except KeyboardInterrupt:
            logger.error("interrupted")
            return 130
        except _Terminated:
            logger.error("terminated")
            return 143
        except Exception:
            logger.debug("ended by a fault of the program", exc_info=True)
            raise


def _discard_stdout() -> None:
    """Let what cannot be written to stdout go nowhere, so that Python does not complain of it at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
