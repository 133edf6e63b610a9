"""Event files hold the history, and are written without TensorBoard."""

import struct
import subprocess
import sys

import pytest

from gdynet_tf.learning.curves import Curves


def read_events(folder):
    """(step, tag, value, plugin) of all event files of a folder, by the record format of TensorFlow."""
    import tensorflow as tf

    points = []
    for file in sorted(folder.glob("events.*")):
        content, at = file.read_bytes(), 0
        while at < len(content):  # length (8 bytes), checksum (4), the event, checksum (4)
            (length,) = struct.unpack_from("<Q", content, at)
            event = tf.compat.v1.Event.FromString(content[at + 12 : at + 12 + length])
            points += [
                (event.step, v.tag, float(tf.make_ndarray(v.tensor)), v.metadata.plugin_data.plugin_name)
                for v in event.summary.value
            ]
            at += length + 16
    return points


def test_points_can_be_read_while_the_training_goes_on(tmp_path):
    rows = [{"epoch": n, "train_vamp2": 1 + n / 8, "validation_vamp2": 1 + n / 16} for n in (1, 2)]
    curves = Curves(tmp_path)
    for row in rows:
        curves.add(row)
    expected = [(row["epoch"], k, v, "scalars") for row in rows for k, v in row.items() if k != "epoch"]
    assert read_events(tmp_path) == expected


def test_tensorboard_is_not_imported(tmp_path):
    script = (
        "import sys\nfrom gdynet_tf.learning.curves import Curves\n"
        f"Curves({str(tmp_path)!r}).add({{'epoch': 1, 'x': 2.0}})\nprint('tensorboard' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        Curves(tmp_path / "file")
