"""How far a long computation is: a bar on a terminal or in a notebook, plain lines elsewhere, curves in TensorBoard."""

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from gdynet_tf.errors import InputError

__all__ = ["Curves", "Progress"]

_SECONDS, _SHARE = (
    10.0,
    0.1,
)  # a line when so much time has passed and so much of the whole has been done since the last
logger = logging.getLogger(__name__)


class Progress:
    """A context that is told of each piece that is done.

    Where nobody watches stderr (a batch job, a pipe) a bar is nothing but noise, so a line is logged at most every ten
    seconds and ten per cent.

    Parameters
    ----------
    total : int
        Pieces.
    unit : str
        What a piece is called.
    description : str
        What is done to them.
    shown : bool
        False: neither bar nor lines.
    """

    def __init__(self, total: int, unit: str, description: str, shown: bool = True) -> None:
        watched = (sys.stderr is not None and sys.stderr.isatty()) or "ipykernel" in sys.modules
        self.total, self.unit, self.description = total, unit, description
        self.done, self._lines = 0, shown and not watched
        self._bar = tqdm(
            total=total, unit=unit, desc=description, leave=False, mininterval=0.5, disable=not (shown and watched)
        )
        self._began = self._said = time.monotonic()
        self._said_at = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, n: int = 1) -> None:
        """Note that ``n`` more pieces are done."""
        self.done += n
        self._bar.update(n)
        now = time.monotonic()
        if not self._lines or now - self._said < _SECONDS or self.done - self._said_at < _SHARE * self.total:
            return
        self._said, self._said_at = now, self.done
        passed, share = now - self._began, self.done / self.total
        units = self.unit + ("es" if self.unit.endswith("ch") else "s")
        logger.info(
            f"{self.description}: {self.done} of {self.total} {units} ({100 * share:.0f} %), {passed:.0f} s, "
            f"about {passed / share - passed:.0f} s left"
        )


class Curves:
    """Event files of TensorBoard, with a point an epoch. TensorBoard itself is needed to see them, not to write them.

    Parameters
    ----------
    folder : path-like
        Gets the files; a resumed training adds one.

    Raises
    ------
    InputError
        If TensorFlow, which writes them, is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            import tensorflow as tf
        except ModuleNotFoundError:
            raise InputError("`tensorboard`: TensorFlow, which writes its files, is not installed") from None

        Path(folder).mkdir(parents=True, exist_ok=True)  # whose errors are Python's
        self._tf, self._writer = tf, tf.summary.create_file_writer(str(folder))
        # What tf.summary.scalar does; that function is of the package TensorBoard.
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})

    def add(self, row: Mapping[str, Any]) -> None:
        """Write the numbers of an epoch, so that they can be seen at once.

        Parameters
        ----------
        row : mapping
            A row of the history: ``epoch``, and numbers.
        """
        with self._writer.as_default(step=row["epoch"]):
            for name, value in row.items():
                if name != "epoch":
                    self._tf.summary.write(name, self._tf.constant(value, self._tf.float32), metadata=self._metadata)
        self._writer.flush()
