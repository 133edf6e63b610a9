"""The constants of physics that transport needs."""

__all__ = ["BOLTZMANN", "ELEMENTARY_CHARGE"]

ELEMENTARY_CHARGE = 1.602176634e-19  # C
BOLTZMANN = 1.380649e-23  # J/K
