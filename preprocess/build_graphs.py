"""Command line of gdynet_tf.commands.build_graphs."""

import sys

from gdynet_tf.commands.build_graphs import main

if __name__ == "__main__":
    sys.exit(main())
