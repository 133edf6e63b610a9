"""Command line of gdynet_tf.commands.apply."""

import sys

from gdynet_tf.commands.apply import main

if __name__ == "__main__":
    sys.exit(main())
