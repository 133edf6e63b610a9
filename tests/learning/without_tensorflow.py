"""Commands with KERAS_BACKEND=jax, as if TensorFlow were not installed: without_tensorflow.py COMMAND ARG...

Steepest descent instead of Adam, as in several_devices.py.
"""

import importlib
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"


class NotInstalled:
    """Finds no TensorFlow."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, NotInstalled())
    from gdynet_tf.networks.backend import load_backend

    load_backend()
    import keras
    from several_devices import steepest_descent

    if len(keras.distribution.list_devices()) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    keras.optimizers.Adam = steepest_descent
    command = importlib.import_module(f"gdynet_tf.commands.{sys.argv[1]}")
    code = command.main(sys.argv[2:])
    assert not {"tensorflow", "torch"} & set(sys.modules)
    sys.exit(code)
