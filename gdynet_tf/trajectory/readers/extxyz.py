"""XYZ files: extended ones with a cell, plain ones, and those of CP2K, whose cells are in a file beside."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.cells import cell_lattice
from gdynet_tf.trajectory.elements import atomic_number
from gdynet_tf.trajectory.readers.text import Table, batches, floats, integer, open_lines
from gdynet_tf.trajectory.source import Chunk, FrameSource

__all__ = ["is_extxyz", "open_extxyz"]

_VALUE = r"""\s*=\s*(?:"([^"]*)"|'([^']*)'|\{([^}]*)\}|\[([^\]]*)\]|(\S+))"""
_LATTICE = re.compile(r"\bLattice" + _VALUE, re.IGNORECASE)
_PBC = re.compile(r"\bpbc" + _VALUE, re.IGNORECASE)
_PROPERTIES = re.compile(r"\bProperties" + _VALUE, re.IGNORECASE)
_CP2K = re.compile(r"\s*i\s*=\s*(\d+)(?:,\s*time\s*=\s*([-+.\dE]+))?")
_TIMESTEP = re.compile(r"\bTimestep\s*[=:]\s*(\d+)", re.IGNORECASE)  # LAMMPS
_IPI = re.compile(r"#\s*CELL\s*[({](\w+)[)}]\s*:?((?:\s+[-+.\dEe]+(?=\s|$))+)\s*(.*)", re.IGNORECASE)
_IPI_STEP = re.compile(r"\bStep\s*:\s*(\d+)", re.IGNORECASE)
_UNIT = re.compile(r"\b(positions|x_centroid|cell)\s*\{(\w+)\}", re.IGNORECASE)
_LENGTHS = {"atomic_unit": 0.529177210903, "angstrom": 1.0, "nanometer": 10.0}  # Å
_PLAIN = "species:S:1:pos:R:3"
_SPECIES = ("species", "symbols", "symbol", "element", "numbers", "Z", "z")
_POSITIONS = ("pos", "positions")
_ATTRIBUTES = {"charges": ("charges", "charge", "initial_charges", "q"), "masses": ("masses", "mass")}


class _Header(NamedTuple):
    """What the first two lines of a frame say; unit is that of the positions, Å."""

    n_atoms: int
    lattice: np.ndarray | None
    periodic: tuple[bool, ...]
    properties: str
    step: int | None
    time: float | None
    unit: float = 1.0


def is_extxyz(head: bytes) -> bool:
    """Whether a file that begins like this is an XYZ file: a number, a comment, a name and three coordinates."""
    lines = head.decode("utf-8", "replace").lstrip().splitlines()
    if len(lines) < 3 or not lines[0].strip().isdigit():
        return False
    return (
        _PROPERTIES.search(lines[1]) is not None or re.match(r"\s*[A-Za-z]\S*(\s+[-+.\dEe]+){3}", lines[2]) is not None
    )


def open_extxyz(path: str | Path) -> FrameSource:
    """Open an (extended) XYZ file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FrameSource
        Without cells where the comments hold none, unless they say that nothing is periodic. Steps are those that CP2K,
        LAMMPS and i-PI write, times, fs, those of CP2K; other programs have no fixed place or unit for them.
    """
    frames = _frames(path)
    first, rows = next(frames)
    names = _column_names(path, first.properties, len(rows[: rows.index(b"\n")].split()))
    label, positions = _named(path, names, _SPECIES), _named(path, names, _POSITIONS)
    axes = [f"{positions}{i or ''}" for i in range(3)]
    if not set(axes) <= set(names):
        raise InputError(f"{path}: frame 0: {positions} has not three columns in {first.properties!r}")
    table = Table(path, names, rows[: rows.index(b"\n")], axes)
    atoms = table(rows, first.n_atoms, lambda row: "frame 0")
    numbers, findings = _atomic_numbers(path, atoms[label])
    if first.unit != 1:
        text = f"positions are in units of i-PI, and multiplied by {first.unit:g} for Å"
        findings += (Finding("converted units", "note", text, {"length": first.unit}),)
    found = {name: [key for key in keys if key in atoms] for name, keys in _ATTRIBUTES.items()}
    attributes = {name: atoms[keys[0]] for name, keys in found.items() if keys and atoms[keys[0]].dtype.kind == "f"}
    return FrameSource(
        path=str(path),
        atomic_numbers=numbers,
        chunks=_chunks(
            chain([(first, rows)], frames),
            path,
            table,
            atoms[label],
            (label, positions, found["charges"][0] if "charges" in attributes else None),
        ),
        periodic=first.periodic,
        time_unit="fs" if first.time is not None else None,
        attributes={"names": atoms[label].astype(str), **attributes},
        findings=findings,
        sources=(str(path),),
    )


def _frames(path: str | Path) -> Iterator[tuple[_Header, bytes]]:
    """Header and rows of each frame, all with the same atoms, columns and boundaries; never none."""
    first, n = None, 0
    with open_lines(path) as lines:
        while (line := lines.skip_blank()) is not None:
            n_atoms = integer(path, f"line {lines.number}: number of atoms", line, 1)
            header = _header(path, f"frame {n}", n_atoms, lines.need(f"the comment of frame {n}"))
            if first is not None:
                _check_like(path, n, header, first)
            rows = lines.rows(n_atoms, f"frame {n}")
            first, n = first or header, n + 1
            yield header, rows
    if first is None:
        raise InputError(f"{path}: holds no frame")


def _check_like(path: str | Path, n: int, header: _Header, first: _Header) -> None:
    if header.n_atoms != first.n_atoms:
        raise InputError(f"{path}: frame {n} has {header.n_atoms} atoms, frame 0 has {first.n_atoms}")
    if header.periodic != first.periodic:
        raise InputError(f"{path}: elements or periodicity change in frame {n}")
    if header.unit != first.unit:
        raise InputError(f"{path}: the unit changes in frame {n}")
    if header.properties != first.properties:
        raise InputError(f"{path}: the columns change in frame {n}")
    if (header.lattice is None) != (first.lattice is None):
        without, with_ = (n, 0) if header.lattice is None else (0, n)
        raise InputError(f"{path}: frame {without} has no cell, frame {with_} has one")


def _header(path: str | Path, where: str, n_atoms: int, comment: str) -> _Header:
    lattice, pbc, properties = (_value(key, comment) for key in (_LATTICE, _PBC, _PROPERTIES))
    cp2k = _CP2K.match(comment)
    step = cp2k or _TIMESTEP.search(comment)
    periodic = (True, True, True)
    if pbc is not None:
        flags = pbc.replace(",", " ").split()
        if len(flags) != 3:
            raise InputError(f"{path}: {where}: pbc {pbc!r} has {len(flags)} values where 3 are needed")
        periodic = tuple(flag.upper() in ("T", "TRUE", "1") for flag in flags)
    cell = None
    if lattice is not None:
        cell = floats(path, f"{where}: Lattice", lattice.replace(",", " ").split(), 9).reshape(3, 3)
    elif not any(periodic):
        cell = np.zeros((3, 3))
    if ipi := _IPI.match(comment):
        return _ipi_header(path, where, n_atoms, *ipi.groups())
    if told := _UNIT.search(comment):
        raise InputError(f"{path}: {where}: {told[0]} without the `# CELL(abcABC):` that i-PI writes")
    return _Header(
        n_atoms=n_atoms,
        lattice=cell,
        periodic=periodic,
        properties=properties or _PLAIN,
        step=int(step[1]) if step else None,
        time=float(cp2k[2]) if cp2k and cp2k[2] else None,
    )


def _ipi_header(path: str | Path, where: str, n_atoms: int, kind: str, cell: str, rest: str) -> _Header:
    """The comment of i-PI: lengths and angles, what is in the columns, the number of the step, and the units."""
    if kind.lower() != "abcabc":
        raise InputError(f"{path}: {where}: CELL({kind}): only cells by abcABC are read")
    what = re.search(r"\bTraj\s*:\s*(\w+)", rest, re.IGNORECASE)
    if what and what[1].lower() not in ("positions", "x_centroid"):
        raise InputError(f"{path}: {where}: holds {what[1]}, not positions")
    units = {name.lower().replace("x_centroid", "positions"): unit.lower() for name, unit in _UNIT.findall(rest)}
    unknown = [unit for unit in units.values() if unit not in _LENGTHS]
    if unknown:
        raise InputError(f"{path}: {where}: unit {unknown[0]}: is not known; known are {', '.join(_LENGTHS)}")
    length = {name: _LENGTHS[units.get(name, "atomic_unit")] for name in ("positions", "cell")}
    values, step = floats(path, f"{where}: CELL", cell.split(), 6), _IPI_STEP.search(rest)
    return _Header(
        n_atoms=n_atoms,
        lattice=cell_lattice([*(values[:3] * length["cell"]), *values[3:]]),
        periodic=(True, True, True),
        properties=_PLAIN,
        step=int(step[1]) if step else None,
        time=None,
        unit=length["positions"],
    )


def _value(key: re.Pattern[str], comment: str) -> str | None:
    match = key.search(comment)
    return None if match is None else next(group for group in match.groups() if group is not None)


def _column_names(path: str | Path, properties: str, n_columns: int) -> list[str]:
    """A name for every column: that of the property, with a number from the second on."""
    words = properties.split(":")
    if len(words) % 3 or not all(word.isdigit() for word in words[2::3]):
        raise InputError(f"{path}: frame 0: Properties {properties!r} are not names, types and numbers of columns")
    names = [f"{name}{i or ''}" for name, n in zip(words[::3], words[2::3], strict=True) for i in range(int(n))]
    if properties == _PLAIN:  # a plain file may hold more: velocities, forces
        names += [f"column{i}" for i in range(len(names), n_columns)]
    return names


def _named(path: str | Path, names: list[str], wanted: tuple[str, ...]) -> str:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise InputError(f"{path}: frame 0: no {wanted[0]} among the columns {' '.join(names)}")
    return found


def _atomic_numbers(path: str | Path, labels: np.ndarray) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """From symbols, labels that begin with one ("Li1", "O_w"), or atomic numbers."""
    if labels.dtype.kind == "f":
        if (labels != np.floor(labels)).any():
            raise InputError(f"{path}: frame 0: atomic number {labels[labels != np.floor(labels)][0]:g}")
        return labels.astype(np.int32), ()
    names, which = np.unique(labels, return_inverse=True)
    symbols = [re.split(r"[\d_]", str(name))[0] for name in names]
    numbers = np.array([atomic_number(symbol, path) for symbol in symbols], np.int32)
    told = {str(name): symbol for name, symbol in zip(names, symbols, strict=True) if name != symbol}
    said = ", ".join(f"{name} {symbol}" for name, symbol in told.items())
    finding = Finding("elements by label", "note", f"elements are told by the labels: {said}", told)
    return numbers[which], (finding,) if told else ()


def _chunks(
    frames: Iterator[tuple[_Header, bytes]],
    path: str | Path,
    table: Table,
    labels: np.ndarray,
    names: tuple[str, str, str | None],
) -> Iterator[Chunk]:
    label, positions, charges, start, n_atoms = *names, 0, len(labels)
    for headers, block in batches(frames):

        def where(row: int, start: int = start) -> str:
            return f"frame {start + row // n_atoms}"

        columns = table(block, len(headers) * n_atoms, where)
        changed = columns[label].reshape(len(headers), n_atoms) != labels
        if changed.any():
            raise InputError(
                f"{path}: elements or periodicity change in frame {start + int(np.argmax(changed.any(1)))}"
            )
        x = np.stack([columns[f"{positions}{i or ''}"] for i in range(3)], axis=-1)
        told = [(header.lattice, header.time, header.step) for header in headers]
        lattices, times, steps = ([row[i] for row in told] for i in range(3))
        yield Chunk(
            positions=x.reshape(len(headers), n_atoms, 3) * headers[0].unit,
            lattices=None if lattices[0] is None else np.stack([x for x in lattices if x is not None]),
            times=None if None in times else np.array(times, np.float64),
            steps=None if None in steps else np.array(steps, np.int64),
            charges=None if charges is None else columns[charges].reshape(len(headers), n_atoms),
        )
        start += len(headers)
