"""The libraries that Keras computes with, loaded without their chatter."""

import os

__all__ = ["load_tensorflow"]


def load_tensorflow() -> None:
    """Import TensorFlow without what its C++ side says on stderr before any setting can silence it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import tensorflow as tf
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    # Warnings about retracing, which systems and batches of different sizes bring with them.
    tf.get_logger().setLevel("ERROR")
