"""Element symbols and atomic numbers."""

from functools import cache
from pathlib import Path

from gdynet_tf.errors import InputError

__all__ = ["atomic_number", "symbol"]


@cache
def _symbols() -> dict[str, int]:
    # Loaded when first asked for: pymatgen takes long to import.
    from pymatgen.core.periodic_table import Element

    return {element.symbol: element.Z for element in Element if element.Z < 100 and element.symbol not in "DT"}


def atomic_number(name: str, where: str | Path) -> int:
    """Atomic number of an element symbol.

    Parameters
    ----------
    name : str
    where : str
        File or option, for the message.

    Raises
    ------
    InputError
        If there is no such element.
    """
    try:
        return _symbols()[str(name)]
    except KeyError:
        raise InputError(f"{where}: {name!r} is not an element symbol") from None


def symbol(number: int) -> str:
    """Element symbol of an atomic number."""
    return next(name for name, z in _symbols().items() if z == number)
