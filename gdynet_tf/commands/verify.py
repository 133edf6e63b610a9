"""gdynet-verify: directories in; whether every file in them is as it was written."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from gdynet_tf.commands.console import run_command
from gdynet_tf.errors import InputError
from gdynet_tf.manifest import NAME, verify_files

__all__ = ["main"]

logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="Read every file of graph directories, runs, reports and selections, whole, and compare it with "
        "the digest that was taken when it was written. Exit code 1 when one differs.",
    )
    parser.add_argument("directories", nargs="+", metavar="DIR", help="graph directory, run or selection")
    return parser


def _run(args: argparse.Namespace) -> int:
    n_problems = 0
    for folder in map(Path, args.directories):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such directory")
        parts = [folder, *sorted(file.parent for file in folder.glob(f"*/{NAME}"))]
        for part in parts:
            n_files, problems = verify_files(part, progress=not args.quiet)
            for problem in problems:
                logger.error(problem)
            n_problems += len(problems)
            if not problems:
                logger.info(f"{part}: {n_files} files, all as they were written")
    return 1 if n_problems else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
