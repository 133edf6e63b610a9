"""Element symbols and atomic numbers."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding

__all__ = ["atomic_number", "elements_by_mass", "elements_of", "formula", "symbol"]

_SAME_MASS = 0.015  # u, by which a mass written with few digits may differ from the standard atomic weight


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


def elements_of(species: Sequence[int] | Sequence[str] | np.ndarray, where: str) -> np.ndarray:
    """Atomic numbers from atomic numbers or element symbols.

    Parameters
    ----------
    species : (N,) sequence of int or str
    where : str
        For the message.

    Returns
    -------
    (N,) int32

    Raises
    ------
    InputError
        If a symbol is none.
    """
    given = np.asarray(species)
    if given.dtype.kind not in "UO":
        return given.astype(np.int32)
    return np.array([atomic_number(str(name), where) for name in given], np.int32)


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


@cache
def _weights() -> np.ndarray:
    """Standard atomic weights by atomic number, u; (100,), 0 for none."""
    from pymatgen.core.periodic_table import Element

    return np.array([0.0] + [float(Element.from_Z(z).atomic_mass) for z in range(1, 100)])


def elements_by_mass(masses: np.ndarray, where: str | Path) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Elements whose atomic weight is the mass, or rounds to it.

    Parameters
    ----------
    masses : (N,) array
        u.
    where : str
        File, for the messages.

    Returns
    -------
    (N,) int32
        Atomic numbers.
    tuple of Finding
        One, that says so.

    Raises
    ------
    InputError
        If a mass is that of no element, or of two.
    """
    kinds, which = np.unique(np.asarray(masses, np.float64), return_inverse=True)
    weights, numbers = _weights(), []
    for mass in kinds:
        rounded = [np.round(weights, digits) == mass for digits in range(3)]
        alike = np.flatnonzero(np.any([np.abs(weights - mass) <= _SAME_MASS, *rounded], axis=0) & (weights > 0))
        if len(alike) != 1:
            which_ = " and ".join(symbol(int(z)) for z in alike) or "no element"
            raise InputError(
                f"{where}: no elements, and the mass {mass:g} u is that of {which_}; `species` names the element of "
                "each type"
            )
        numbers.append(int(alike[0]))
    said = ", ".join(f"{mass:g} u {symbol(z)}" for mass, z in zip(kinds, numbers, strict=True))
    finding = Finding(
        kind="elements by mass",
        severity="note",
        text=f"elements are told by the masses: {said}",
        numbers={f"{mass:g}": z for mass, z in zip(kinds, numbers, strict=True)},
    )
    return np.array(numbers, np.int32)[which.ravel()], (finding,)
