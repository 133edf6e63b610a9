"""Element symbols and atomic numbers."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["atomic_number", "formula", "symbol"]


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


@cache
def _electronegativity(number: int) -> float:
    from pymatgen.core.periodic_table import Element

    return float(Element.from_Z(number).data.get("X") or np.inf)


def formula(numbers: Sequence[int] | np.ndarray) -> str:
    """Chemical formula of some atoms: carbon, hydrogen, others (Hill 1900), without carbon by electronegativity.

    Parameters
    ----------
    numbers : (n,) int array
        Atomic numbers.

    Returns
    -------
    str
        "C2F6NO4S2", "Li6PS5I".
    """
    counts = Counter(np.asarray(numbers).tolist())
    if 6 in counts:
        order = sorted(counts, key=lambda z: (z != 6, z != 1, symbol(z)))
    else:
        order = sorted(counts, key=lambda z: (_electronegativity(z), symbol(z)))
    return "".join(f"{symbol(z)}{counts[z] if counts[z] > 1 else ''}" for z in order)
