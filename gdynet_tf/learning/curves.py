"""The course of a training as TensorBoard shows it while it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Curves"]


class Curves:
    """Event files of TensorBoard, with a point an epoch. TensorBoard itself is needed to see them, not to write them.

    Parameters
    ----------
    folder : path-like
        Gets the files; a resumed training adds one.
    """

    def __init__(self, folder: str | Path) -> None:
        import tensorflow as tf

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
