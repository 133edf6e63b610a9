"""The networks, in keras.ops alone."""
