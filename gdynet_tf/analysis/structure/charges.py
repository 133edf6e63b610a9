"""Charges of the atoms, given by element or in a file."""

from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["read_charges"]


def read_charges(given: str, atomic_numbers: np.ndarray) -> np.ndarray:
    """Charge of every atom.

    Parameters
    ----------
    given : str
        "Li=1,S=-2" for every element, or the path of a file with one charge per atom.
    atomic_numbers : (N,) int array

    Returns
    -------
    (N,) float64
        Elementary charges.

    Raises
    ------
    InputError
        If an element or an atom has no charge, or a charge is no number.
    """
    if "=" not in given:
        return _from_file(given, len(atomic_numbers))
    from gdynet_tf.trajectory.elements import atomic_number, symbol

    charges = {}
    for word in given.split(","):
        name, _, value = word.strip().partition("=")
        charges[atomic_number(name.strip(), "`charges`")] = _number(value, f"`charges={word.strip()}`")
    missing = [symbol(z) for z in np.unique(atomic_numbers) if z not in charges]
    if missing:
        raise InputError(f"`charges={given}`: no charge of {', '.join(missing)}")
    return np.array([charges[z] for z in atomic_numbers])


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: {word.strip()!r} is no charge")
    return value


def _from_file(path: str | Path, n_atoms: int) -> np.ndarray:
    if not Path(path).is_file():
        raise InputError(f"`charges={path}`: neither a file nor a list such as Li=1,S=-2")
    try:
        words = Path(path).read_text(encoding="utf-8").split()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text file of charges") from None
    if len(words) != n_atoms:
        raise InputError(f"{path}: {len(words)} charges for {n_atoms} atoms")
    return np.array([_number(word, f"{path}: atom {n}") for n, word in enumerate(words)])
