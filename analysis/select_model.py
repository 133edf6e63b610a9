"""Command line of gdynet_tf.commands.select_model."""

import sys

from gdynet_tf.commands.select_model import main

if __name__ == "__main__":
    sys.exit(main())
