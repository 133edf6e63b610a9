"""Units of time, and the constants of physics that transport needs."""

__all__ = ["BOLTZMANN", "ELEMENTARY_CHARGE", "seconds"]

ELEMENTARY_CHARGE = 1.602176634e-19  # C
BOLTZMANN = 1.380649e-23  # J/K

_SECONDS = {"fs": 1e-15, "ps": 1e-12, "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def seconds(time_unit: str) -> float:
    """Seconds in a unit of time; ValueError for a unit that has none, such as frames."""
    if time_unit not in _SECONDS:
        raise ValueError(
            f"{time_unit!r} is no unit of time that can be converted to seconds; {', '.join(_SECONDS)} are"
        )
    return _SECONDS[time_unit]
