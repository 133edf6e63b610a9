"""Element symbols and atomic numbers."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError, whole_numbers
from gdynet_tf.findings import Finding

__all__ = ["atomic_number", "elements_by_mass", "elements_by_name", "elements_of", "formula", "symbol"]

_NEAR_MASS = 0.3  # by which the mass of an element told by a name may differ from the given one, relative
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
        What they are and of which file or argument, for the message.

    Returns
    -------
    (N,) int32

    Raises
    ------
    InputError
        If a symbol is none, or a number is not from 1 to 99.
    """
    if isinstance(species, str | bytes):
        raise InputError(f"{where}: {species!r}: a list is needed, with a symbol or number for each")
    given = np.asarray(species, object)
    if given.ndim == 1 and len(given) and isinstance(given[0], str):
        return np.array([atomic_number(name, where) for name in given], np.int32)
    numbers = whole_numbers(species, where)
    if numbers.ndim != 1:
        raise InputError(f"{where}: shape {numbers.shape}: one for each, (n,), are needed")
    wrong = (numbers < 1) | (numbers > 99)
    if wrong.any():  # before they are made int32, where 2**32 + 3 would be 3
        raise InputError(f"{where}: {numbers[wrong][0]} is not between 1 and 99")
    return numbers.astype(np.int32)


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


def elements_by_name(
    names: Sequence[str],
    residues: np.ndarray,
    masses: np.ndarray,
    guess: Callable[[str], str],
    where: str | Path,
    remedy: str,
) -> np.ndarray:
    """Elements that atom names tell.

    A name that begins with a symbol as it is written (Sn, Se1, O) is that element. Capitals are ambiguous: CA is
    calcium or a carbon. The mass decides where there is one; without it an atom that is a residue by itself is the
    element of two letters, one in a residue with carbon or hydrogen is what ``guess`` says, and any other cannot be
    told.

    Parameters
    ----------
    names : (N,) list of str
    residues : (N,) int array
        Number of the residue of each atom.
    masses : (N,) array
        u; 0 for not known.
    guess : callable
        Name -> symbol, for names of biomolecules and force fields.
    where : str
        File or name, for the messages.
    remedy : str
        What messages end with.

    Returns
    -------
    (N,) int32

    Raises
    ------
    InputError
        If a name tells no element, two, or one of another mass.
    """
    read = {name: _elements_in(name, guess) for name in dict.fromkeys(names)}
    for name, candidates in read.items():
        if not candidates:
            raise InputError(f"{where}: the topology has no elements and the atom name {name!r} tells none{remedy}")
    organic = [residue for name, residue in zip(names, residues, strict=True) if read[name] in ((1,), (6,))]
    with_carbon, (_, which, size) = set(organic), np.unique(residues, return_inverse=True, return_counts=True)
    numbers = np.empty(len(names), np.int32)
    for atom, (name, mass) in enumerate(zip(names, masses, strict=True)):
        candidates = read[name]
        fitting = [z for z in candidates if mass <= 0 or z == 1 or abs(mass - _weights()[z]) <= _NEAR_MASS * mass]
        if not fitting:
            element, weight = symbol(candidates[0]), _weights()[candidates[0]]
            raise InputError(
                f"{where}: the atom name {name!r} reads as {element} ({weight:.1f} u), its mass is {mass:.1f} u{remedy}"
            )
        if len(fitting) == 1 or residues[atom] in with_carbon:
            numbers[atom] = fitting[0]
        elif size[which.ravel()[atom]] == 1:
            numbers[atom] = fitting[-1]
        else:
            either = " or ".join(symbol(z) for z in fitting)
            raise InputError(
                f"{where}: the topology has no elements and the atom name {name!r} may be {either}{remedy}"
            )
    return numbers


def _elements_in(name: str, guess: Callable[[str], str]) -> tuple[int, ...]:
    """What a name may stand for: by convention, then by its two first letters."""
    letters = re.match("[A-Za-z]*", name.lstrip("0123456789"))
    word = letters[0] if letters else ""
    if word[1:2].islower() and len(word) == 2 and word[0].isupper() and _is_symbol(word):
        return (atomic_number(word, name),)
    usual, pair = str(guess(name)).capitalize(), word.capitalize()
    # What is found further on in a name, N in MN, is none; but SOD and POT are Na and K.
    inside = usual[:1] != word[:1].upper() and usual.upper() in word.upper()
    found = [usual] if _is_symbol(usual) and not inside else []
    if len(word) == 2 and _is_symbol(pair) and pair not in found:
        found.append(pair)
    return tuple(atomic_number(element, name) for element in found)


def _is_symbol(name: str) -> bool:
    try:
        return bool(atomic_number(name, ""))
    except InputError:
        return False
