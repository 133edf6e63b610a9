"""The library that Keras computes with: loaded without its chatter, and on which device it computes."""

import os

from gdynet_tf.errors import InputError, shown

__all__ = ["load_backend", "on_cpu"]

_TRAINING = ("tensorflow", "jax", "torch")  # of those that Keras knows, the ones that differentiate


def load_backend() -> None:
    """Import Keras with what it computes with: TensorFlow, or what the environment variable ``KERAS_BACKEND`` says.

    What TensorFlow's C++ side says on stderr before any setting can silence it is left out.

    Raises
    ------
    InputError
        If that library is not installed, or cannot train.
    """
    name = os.environ.get("KERAS_BACKEND") or _TRAINING[0]
    if name not in _TRAINING:
        raise InputError(f"KERAS_BACKEND={shown(name)}: must be {', '.join(_TRAINING[:-1])} or {_TRAINING[-1]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import keras
        except ModuleNotFoundError as error:
            raise InputError(
                f"{error.name} is not installed, with which Keras is to compute; the environment variable "
                "KERAS_BACKEND names another library, such as jax"
            ) from None
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Warnings about retracing, which systems and batches of different sizes bring with them.
        tf.get_logger().setLevel("ERROR")
    elif backend == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)  # for the covariances; all else says that it is in single precision


def on_cpu() -> bool:
    """Whether Keras's backend computes on processors, with no accelerator."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return not (tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    if backend == "torch":
        import torch

        return str(torch.get_default_device()) == "cpu" and not torch.cuda.is_available()
    return True
