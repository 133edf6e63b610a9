"""VASP XDATCAR, with a constant or a varying cell."""

from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.elements import atomic_number
from gdynet_tf.trajectory.readers.text import floats, open_text, stem
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read_xdatcar"]


def read_xdatcar(path: str | Path) -> Trajectory:
    """Read an XDATCAR of VASP 5 or later; several files of one run are joined by `concatenate`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Trajectory
        Wrapped as VASP writes it. The file does not tell the interval.
    """
    with open_text(path) as file:
        lines = file.read().split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    lattice, numbers, at = None, None, 0
    frames: list[np.ndarray] = []
    lattices: list[np.ndarray] = []
    while at < len(lines):
        words = lines[at].split()
        if words[:2] and words[0] in ("Direct", "Cartesian") and "configuration" in lines[at]:
            if lattice is None or numbers is None:
                raise InputError(f"{path}: line {at + 1}: a configuration before the lattice")
            if words[0] == "Cartesian":
                raise InputError(f"{path}: line {at + 1}: Cartesian configurations are not written by VASP")
            rows = lines[at + 1 : at + 1 + len(numbers)]
            if len(rows) < len(numbers):
                raise InputError(
                    f"{path}: configuration {len(frames) + 1} has {len(rows)} of {len(numbers)} atoms; "
                    "the file is truncated"
                )
            fractional = floats(path, f"configuration {len(frames) + 1}", " ".join(rows).split(), 3 * len(numbers))
            frames.append(fractional.reshape(-1, 3) @ lattice)
            lattices.append(lattice)
            at += 1 + len(numbers)
        else:
            lattice, found = _header(path, lines, at)
            if numbers is not None and not np.array_equal(found, numbers):
                raise InputError(f"{path}: line {at + 6}: the atoms change after configuration {len(frames)}")
            numbers, at = found, at + 7
    if numbers is None or not frames:
        raise InputError(f"{path}: holds no configuration")
    return Trajectory(
        name=stem(path),
        positions=np.stack(frames),
        lattices=np.stack(lattices),
        atomic_numbers=numbers,
        sources=(str(path),),
    )


def _header(path: str | Path, lines: list[str], at: int) -> tuple[np.ndarray, np.ndarray]:
    """Seven lines: comment, scale, three lattice vectors, symbols, counts."""
    block = [line.split() for line in lines[at : at + 7]]
    if len(block) < 7:
        raise InputError(f"{path}: line {at + 1}: the header has {len(block)} of 7 lines; the file is truncated")
    scale = floats(path, f"line {at + 2}", block[1], 1)[0]
    lattice = np.stack([floats(path, f"line {at + 3 + i}", block[2 + i], 3) for i in range(3)])
    if scale < 0:  # minus the volume of the cell
        scale = np.cbrt(-scale / abs(np.linalg.det(lattice)))
    symbols, counts = block[5], block[6]
    if len(symbols) != len(counts) or not all(count.isdigit() for count in counts):
        raise InputError(f"{path}: lines {at + 6} and {at + 7}: element symbols and their counts are needed (VASP 5)")
    numbers = [atomic_number(symbol.split("_")[0].split("/")[0], path) for symbol in symbols]
    return scale * lattice, np.repeat(numbers, [int(count) for count in counts])
