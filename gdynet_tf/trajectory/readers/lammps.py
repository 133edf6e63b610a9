"""LAMMPS text dumps: any columns for the coordinates, any order of atoms, all boxes; and the columns of data files."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.elements import atomic_number, elements_by_mass
from gdynet_tf.trajectory.readers.compression import first_bytes
from gdynet_tf.trajectory.readers.text import Lines, Table, batches, floats, integer, open_lines
from gdynet_tf.trajectory.source import Chunk, FrameSource

__all__ = ["data_columns", "is_lammps", "is_lammps_data", "open_lammps"]

# Columns -> scaled, unwrapped; the first set that is there is used.
_COORDINATES: dict[tuple[str, ...], tuple[bool, bool]] = {
    ("xu", "yu", "zu"): (False, True),
    ("xsu", "ysu", "zsu"): (True, True),
    ("x", "y", "z"): (False, False),
    ("xs", "ys", "zs"): (True, False),
}
_IMAGES = ("ix", "iy", "iz")
_STYLES = {  # of LAMMPS data, where MDAnalysis guesses by the number of columns
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "full": "id resid type charge x y z",
} | dict.fromkeys(("molecular", "bond", "angle"), "id resid type x y z")
_SECTIONS = 2**20  # bytes of a data file in which its atoms begin


class _Units(NamedTuple):
    """What is to be multiplied for Å, the time unit, u and e."""

    length: float
    time: float
    time_unit: str
    mass: float
    charge: float


_GRAM, _COULOMB = 6.02214076e23, 1 / 1.602176634e-19
_UNITS = {
    "metal": _Units(1.0, 1.0, "ps", 1.0, 1.0),
    "real": _Units(1.0, 1.0, "fs", 1.0, 1.0),
    "electron": _Units(0.529177210903, 1.0, "fs", 1.0, 1.0),
    "si": _Units(1e10, 1e12, "ps", 1e3 * _GRAM, _COULOMB),
    "cgs": _Units(1e8, 1e12, "ps", _GRAM, _COULOMB / 2.99792458e9),
    "micro": _Units(1e4, 1e6, "ps", 1e-12 * _GRAM, 1e-12 * _COULOMB),
    "nano": _Units(10.0, 1e3, "ps", 1e-18 * _GRAM, 1.0),
}


class _Header(NamedTuple):
    """What stands before the atoms of a timestep."""

    timestep: int
    time: float | None
    n_atoms: int
    lattice: np.ndarray
    origin: np.ndarray
    periodic: tuple[bool, ...]
    columns: tuple[str, ...]
    units: str | None


def is_lammps(head: bytes) -> bool:
    """Whether a file that begins like this is a dump."""
    return head.startswith(b"ITEM: ")


def open_lammps(path: str | Path, species: Sequence[str] | None = None, elements_known: bool = False) -> FrameSource:
    """Open a dump of style atom or custom.

    Parameters
    ----------
    path : path-like
    species : list of str, optional
        Elements of the types 1, 2, ...; needed when the dump has neither an ``element`` nor a ``mass`` column. A single
        one will do when there is no ``type`` column either.
    elements_known : bool
        That a topology names them: those that the dump does not tell are 0.

    Returns
    -------
    FrameSource
        In Å, and ps or fs. Times are known when the dump has ``ITEM: TIME`` and ``ITEM: UNITS``; steps are the
        timesteps.
    """
    frames = _frames(path)
    first, rows = next(frames)
    if first.units not in (None, *_UNITS):
        said = "has no lengths in Å" if first.units == "lj" else "is not known"
        raise InputError(f"{path}: units {first.units}: {said}; known are {', '.join(_UNITS)}")
    units = _UNITS[first.units or "metal"]
    coordinates = _coordinates(path, first.columns)
    table = Table(path, first.columns, rows[: rows.index(b"\n")], {"id", "mass", "q", "mol", *coordinates, *_IMAGES})
    atoms = _by_id(path, [first], table(rows, first.n_atoms, lambda row: f"timestep {first.timestep}"))
    numbers, findings = _atomic_numbers(path, first.columns, atoms, units, species, elements_known)
    if units.length != 1:
        text = f"units {first.units}: lengths are multiplied by {units.length:g} for Å"
        findings += (Finding("converted units", "note", text, {"length": units.length}),)
    if "id" not in first.columns and first.n_atoms > 1:
        text = (
            "no id column: atoms are taken to stand in the same order in every frame, which LAMMPS does not see to by "
            "itself (dump id, or dump_modify sort id)"
        )
        findings += (Finding("no atom ids", "warning", text, {}),)
    return FrameSource(
        path=str(path),
        atomic_numbers=numbers,
        chunks=_chunks(chain([(first, rows)], frames), path, table, atoms, units),
        periodic=first.periodic,
        time_unit=units.time_unit if first.units and first.time is not None else None,
        unwrapped=_COORDINATES[coordinates][1] or set(_IMAGES) <= set(first.columns),
        attributes=_attributes(atoms, units),
        findings=findings,
        sources=(str(path),),
    )


def _frames(path: str | Path) -> Iterator[tuple[_Header, bytes]]:
    """Header and rows of each timestep, all with the same atoms, columns and boundaries; never none."""
    first = None
    with open_lines(path) as lines:
        while (header := _header(lines, first)) is not None:
            if first is not None:
                _check_like(path, header, first)
            rows = lines.rows(header.n_atoms, f"timestep {header.timestep}")
            if b"ITEM:" in rows:
                n = rows[: rows.index(b"ITEM:")].count(b"\n")
                raise InputError(
                    f"{path}: timestep {header.timestep} has {n} of {header.n_atoms} atoms, then another one begins"
                )
            first = first or header
            yield header, rows
    if first is None:
        raise InputError(f"{path}: holds no frame")


def _check_like(path: str | Path, header: _Header, first: _Header) -> None:
    if header.n_atoms != first.n_atoms:
        raise InputError(
            f"{path}: timestep {header.timestep} has {header.n_atoms} atoms, timestep {first.timestep} has "
            f"{first.n_atoms}"
        )
    if header.columns != first.columns or header.periodic != first.periodic:
        raise InputError(f"{path}: columns or boundaries change at timestep {header.timestep}")
    if header.units != first.units:
        raise InputError(f"{path}: units change from {first.units} to {header.units} at timestep {header.timestep}")


def _header(lines: Lines, first: _Header | None) -> _Header | None:
    """Sections up to the columns of the atoms; None at the end of the file."""
    known: dict[str, Any] = {"time": None, "units": first and first.units}
    while line := lines.skip_blank():
        if not line.startswith("ITEM:"):
            raise InputError(f"{lines.path}: {line[:40]!r} where a line that begins with ITEM: is expected")
        item = line[5:].strip()
        if item == "TIMESTEP":
            known["timestep"] = integer(lines.path, "timestep", lines.need("the timestep"))
        elif item == "UNITS":
            known["units"] = lines.need("the units").strip()
        elif item == "TIME":
            known["time"] = float(floats(lines.path, "time", [lines.need("the time").strip()])[0])
        elif item == "NUMBER OF ATOMS":
            known["n_atoms"] = integer(lines.path, "number of atoms", lines.need("the number of atoms"), 1)
        elif item.startswith("BOX BOUNDS"):
            known |= _box(lines, item.split()[2:], f"box of timestep {known.get('timestep')}")
        elif item.startswith("ATOMS"):
            missing = {"timestep", "n_atoms", "lattice"} - set(known)
            if missing:
                raise InputError(f"{lines.path}: ITEM: ATOMS before {', '.join(sorted(missing))}")
            return _Header(columns=tuple(item.split()[1:]), **known)
        else:
            raise InputError(f"{lines.path}: unknown section ITEM: {item}")
    if "timestep" in known:
        raise TruncatedFile(
            f"{lines.path}: ends within timestep {known['timestep']}, before its atoms; it is truncated"
        )
    return None


def _box(lines: Lines, words: Sequence[str], where: str) -> dict[str, Any]:
    """Lattice, origin and boundaries. Bounds of a triclinic box are those of the box around it."""
    general, tilted = "origin" in words, "xy" in words
    n = 4 if general else 3 if tilted else 2
    table = np.stack([floats(lines.path, where, lines.need(f"the {where}").split(), n) for _ in range(3)])
    if general:  # a, b, c and the origin, component by component
        lattice, origin = table[:, :3], table[:, 3]
    else:
        xy, xz, yz = table[:, 2] if tilted else (0.0, 0.0, 0.0)
        low = table[:, 0] - [min(0, xy, xz, xy + xz), min(0, yz), 0]
        high = table[:, 1] - [max(0, xy, xz, xy + xz), max(0, yz), 0]
        if (high < low).any():
            axis = int(np.argmax(high < low))
            raise InputError(f"{lines.path}: {where}: {'xyz'[axis]} begins at {low[axis]:g} and ends at {high[axis]:g}")
        lx, ly, lz = high - low
        lattice, origin = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]), low
    flags = [word for word in words if len(word) == 2 and set(word) <= set("pfsm")]
    periodic = tuple("p" in flag for flag in flags) if len(flags) == 3 else (True, True, True)
    return {"lattice": lattice, "origin": origin, "periodic": periodic}


def _by_id(path: str | Path, headers: Sequence[_Header], columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns as (frames, atoms), the atoms in the order of their ids."""
    arrays = {name: values.reshape(len(headers), -1) for name, values in columns.items()}
    if "id" not in arrays:
        return arrays
    ids = arrays["id"]
    whole = np.isfinite(ids) & (ids == np.floor(ids))
    if not whole.all():
        frame, atom = np.argwhere(~whole)[0]
        raise InputError(
            f"{path}: atom id {ids[frame, atom]:g} in timestep {headers[frame].timestep} is not an integer"
        )
    if (np.diff(ids) > 0).all():
        return arrays
    order = np.argsort(ids, axis=1, kind="stable")
    arrays = {name: np.take_along_axis(values, order, axis=1) for name, values in arrays.items()}
    twice = np.argwhere(np.diff(arrays["id"]) == 0)
    if len(twice):
        frame, atom = twice[0]
        raise InputError(
            f"{path}: atom id {arrays['id'][frame, atom]:.0f} stands twice in timestep {headers[frame].timestep}"
        )
    return arrays


def _coordinates(path: str | Path, columns: Sequence[str]) -> tuple[str, ...]:
    names = next((names for names in _COORDINATES if set(names) <= set(columns)), None)
    if names is None:
        raise InputError(f"{path}: no coordinates among the columns {' '.join(columns)}")
    return names


def _chunks(
    frames: Iterator[tuple[_Header, bytes]],
    path: str | Path,
    table: Table,
    atoms: dict[str, np.ndarray],
    units: _Units,
) -> Iterator[Chunk]:
    for headers, block in batches(frames):
        n_atoms, columns = headers[0].n_atoms, headers[0].columns

        def where(row: int, headers: list[_Header] = headers, n_atoms: int = n_atoms) -> str:
            return f"timestep {headers[row // n_atoms].timestep}"

        values = _by_id(path, headers, table(block, len(headers) * n_atoms, where))
        for name, what in (("id", "atom ids"), ("type", "types"), ("element", "elements")):
            if name in values and (values[name] != atoms[name]).any():
                frame = int(np.argmax((values[name] != atoms[name]).any(axis=1)))
                raise InputError(f"{path}: the {what} of timestep {headers[frame].timestep} are not those of the first")
        lattices = np.stack([header.lattice for header in headers])
        names = _coordinates(path, columns)
        scaled, unwrapped = _COORDINATES[names]
        x = np.stack([values[name] for name in names], axis=-1)
        x = x @ lattices if scaled else x - np.stack([header.origin for header in headers])[:, None]
        if not unwrapped and set(_IMAGES) <= set(columns):
            x += np.stack([values[name] for name in _IMAGES], axis=-1) @ lattices
        timed = headers[0].units is not None and all(header.time is not None for header in headers)
        yield Chunk(
            positions=x * units.length,
            lattices=lattices * units.length,
            times=np.array([header.time for header in headers], np.float64) * units.time if timed else None,
            steps=np.array([header.timestep for header in headers], np.int64),
            charges=values["q"] * units.charge if "q" in values else None,
        )


def _atomic_numbers(
    path: str | Path,
    columns: Sequence[str],
    atoms: dict[str, np.ndarray],
    units: _Units,
    species: Sequence[str] | None,
    elements_known: bool,
) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """From the elements, the species of the types or the masses, in this order."""
    if "element" in columns:
        if species:
            raise InputError(f"`species={' '.join(species)}`: {path} has the elements itself")
        names, which = np.unique(atoms["element"][0], return_inverse=True)
        return np.array([atomic_number(str(name), path) for name in names], np.int32)[which], ()
    n_atoms = atoms[columns[0]].shape[1]
    if elements_known and not species:
        return np.zeros(n_atoms, np.int32), ()
    if not species and "mass" in columns:
        return elements_by_mass(atoms["mass"][0] * units.mass, path)
    kinds = atoms["type"][0] if "type" in columns else np.ones(n_atoms)
    seen = " ".join(f"{kind:g}" if kinds.dtype.kind == "f" else kind for kind in np.unique(kinds))
    if not species:
        what = f"types {seen}" if "type" in columns else "no type column"
        raise InputError(
            f"{path}: {what} and no elements; `species` names the element of each type, e.g. `species=Li S`"
        )
    if "type" not in columns and len(species) > 1:
        raise InputError(
            f"`species={' '.join(species)}`: {path} has no type column to tell {len(species)} elements apart"
        )
    if kinds.dtype.kind != "f" or not np.isin(kinds, np.arange(1, len(species) + 1)).all():
        raise InputError(f"`species={' '.join(species)}`: {path} has types {seen}")
    numbers = np.array([atomic_number(symbol, "`species`") for symbol in species], np.int32)
    return numbers[kinds.astype(int) - 1], ()


def _attributes(atoms: dict[str, np.ndarray], units: _Units) -> dict[str, np.ndarray]:
    found = {}
    if "type" in atoms:
        kinds = atoms["type"][0]
        found["types"] = np.array([f"{kind:g}" for kind in kinds]) if kinds.dtype.kind == "f" else kinds
    if "mol" in atoms:
        found["resids"] = atoms["mol"][0].astype(np.int64)
    if "q" in atoms:
        found["charges"] = atoms["q"][0] * units.charge
    if "mass" in atoms:
        found["masses"] = atoms["mass"][0] * units.mass
    return found


def is_lammps_data(head: bytes) -> bool:
    """Whether a file that begins like this is a LAMMPS data file."""
    return re.search(rb"^\s*\d+\s+atoms\s*$", head[:2000], re.MULTILINE) is not None and b"xlo xhi" in head


def data_columns(path: str | Path) -> str | None:
    """Columns of the atoms in a data file, as MDAnalysis calls them.

    By the style that it names, or else by their number and whether the third is a charge, not a type.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str or None
        None where MDAnalysis may find out.

    Raises
    ------
    InputError
        If it names a style whose columns are not known.
    """
    lines = iter(first_bytes(path, _SECTIONS).split(b"\n")[:-1])  # the last one may be cut
    told = next(filter(None, (re.match(rb"\s*Atoms\s*(?:#\s*(\w+)|$)", line) for line in lines)), None)
    if told is None:
        return None
    if told[1]:
        style = told[1].decode()
        if style not in _STYLES:
            raise InputError(f"{path}: atoms of style {style}: is not known; known are {', '.join(_STYLES)}")
        return _STYLES[style]
    words = (line.split(b"#")[0].split() for line in lines)
    rows = list(takewhile(lambda row: row[0].isdigit(), filter(None, words)))
    if not rows:
        return None
    images = len(rows[0]) > 7 and b"." not in b"".join(rows[0][-3:])
    charged = any(b"." in row[2] for row in rows if len(row) > 2)
    names = {5: "atomic", 6: "charge" if charged else "molecular", 7: "full"}
    return _STYLES.get(names.get(len(rows[0]) - 3 * images, ""))
