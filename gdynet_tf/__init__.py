"""Graph Dynamical Networks: the states of atoms in molecular dynamics and how fast they change.

Importing this package loads neither TensorFlow nor Keras; the modules that need
them (``layers``, ``model``, ``vamp``, ``training``, ``prediction``) are imported by name.
"""

from gdynet_tf._version import __version__

__all__ = ["__version__"]
