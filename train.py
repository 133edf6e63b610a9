"""Command line of gdynet_tf.commands.train."""

import sys

from gdynet_tf.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
