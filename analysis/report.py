"""Command line of gdynet_tf.commands.report."""

import sys

from gdynet_tf.commands.report import main

if __name__ == "__main__":
    sys.exit(main())
