"""Command line of gdynet_tf.commands.verify."""

import sys

from gdynet_tf.commands.verify import main

if __name__ == "__main__":
    sys.exit(main())
