"""LAMMPS text dumps: any columns for the coordinates, any order of atoms, orthogonal and triclinic boxes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.elements import atomic_number
from gdynet_tf.trajectory.readers.text import floats, open_text, stem
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read_lammps"]

Frame = dict[str, Any]  # what the sections of a timestep say

# Columns -> scaled, unwrapped; the first set that is there is used.
_COORDINATES = {
    ("xu", "yu", "zu"): (False, True),
    ("xsu", "ysu", "zsu"): (True, True),
    ("x", "y", "z"): (False, False),
    ("xs", "ys", "zs"): (True, False),
}
_TIME_UNITS = {"metal": "ps", "real": "fs"}


def read_lammps(path: str | Path, species: Sequence[str] | None = None) -> Trajectory:
    """Read a dump of style atom or custom.

    Parameters
    ----------
    path : path-like
    species : list of str, optional
        Elements of the types 1, 2, ...; needed when the dump has no ``element`` column. A single one will do when
        there is no ``type`` column either.

    Returns
    -------
    Trajectory
        The interval is known when the dump has ``ITEM: TIME`` and ``ITEM: UNITS`` of metal or real.
    """
    first, numbers, positions = None, None, []
    boxes: list[Frame] = []
    for frame in _frames(path):
        if first is None:
            first, numbers = frame, _atomic_numbers(path, frame, species)
        _check_like_first(path, frame, first)
        x, unwrapped = _positions(path, frame)
        positions.append(x)
        boxes.append({name: frame.get(name) for name in ("timestep", "time", "units", "lattice")})
    if first is None or numbers is None:
        raise InputError(f"{path}: holds no frame")
    interval, unit = _interval(path, boxes)
    return Trajectory(
        name=stem(path),
        positions=np.stack(positions),
        lattices=np.stack([box["lattice"] for box in boxes]),
        atomic_numbers=numbers,
        periodic=first["periodic"],
        frame_interval=interval,
        time_unit=unit,
        unwrapped=unwrapped,
        sources=(str(path),),
    )


def _check_like_first(path: str | Path, frame: Frame, first: Frame) -> None:
    if len(frame["table"]) != len(first["table"]):
        raise InputError(
            f"{path}: timestep {frame['timestep']} has {len(frame['table'])} atoms, "
            f"timestep {first['timestep']} has {len(first['table'])}"
        )
    if frame["columns"] != first["columns"] or frame["periodic"] != first["periodic"]:
        raise InputError(f"{path}: columns or boundaries change at timestep {frame['timestep']}")
    if not np.array_equal(frame["ids"], first["ids"]):
        raise InputError(f"{path}: the atom ids of timestep {frame['timestep']} are not those of the first")


def _frames(path: str | Path) -> Iterator[Frame]:
    """Yield a dict per frame: timestep, box, columns and the table, sorted by id."""
    with open_text(path) as file:
        frame: Frame = {}
        for line in file:
            if not line.startswith("ITEM:"):
                raise InputError(f"{path}: {line.strip()[:40]!r} where a line that begins with ITEM: is expected")
            item = line[5:].strip()
            if item == "TIMESTEP":
                frame = {
                    "timestep": _integer(path, "timestep", _next(path, file, item)),
                    "units": frame.get("units"),
                }
            elif item == "UNITS":
                frame["units"] = _next(path, file, item).strip()
            elif item == "TIME":
                frame["time"] = float(floats(path, "time", [_next(path, file, item).strip()])[0])
            elif item == "NUMBER OF ATOMS":
                frame["n_atoms"] = _integer(path, "number of atoms", _next(path, file, item))
            elif item.startswith("BOX BOUNDS"):
                _read_box(path, file, item, frame)
            elif item.startswith("ATOMS"):
                _read_atoms(path, file, item, frame)
                yield frame
            else:
                raise InputError(f"{path}: unknown section ITEM: {item}")
        if frame and "table" not in frame:
            raise InputError(f"{path}: ends within timestep {frame.get('timestep')}, before its atoms")


def _next(path: str | Path, file: TextIO, item: str) -> str:
    line = file.readline()
    if not line:
        raise InputError(f"{path}: ends after ITEM: {item}; the file is truncated")
    return line


def _integer(path: str | Path, what: str, line: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise InputError(f"{path}: {what} {line.strip()!r} is not an integer") from None


def _read_box(path: str | Path, file: TextIO, item: str, frame: Frame) -> None:
    """Lattice and origin. Bounds of a triclinic box are those of the box around it."""
    words = item.split()[2:]
    rows = [_next(path, file, item).split() for _ in range(3)]
    where = f"box of timestep {frame.get('timestep')}"
    if "origin" in words:  # general triclinic: a, b, c and the origin component by component
        table = np.stack([floats(path, where, row, 4) for row in rows])
        frame["lattice"], frame["origin"] = table[:, :3], table[:, 3]
    elif "xy" in words:
        table = np.stack([floats(path, where, row, 3) for row in rows])
        xy, xz, yz = table[:, 2]
        low = table[:, 0] - [min(0, xy, xz, xy + xz), min(0, yz), 0]
        high = table[:, 1] - [max(0, xy, xz, xy + xz), max(0, yz), 0]
        lx, ly, lz = high - low
        frame["lattice"], frame["origin"] = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]), low
    else:
        table = np.stack([floats(path, where, row, 2) for row in rows])
        frame["lattice"], frame["origin"] = np.diag(table[:, 1] - table[:, 0]), table[:, 0]
    flags = [word for word in words if len(word) == 2 and set(word) <= set("pfsm")]
    frame["periodic"] = tuple("p" in flag for flag in flags) if len(flags) == 3 else (True, True, True)


def _read_atoms(path: str | Path, file: TextIO, item: str, frame: Frame) -> None:
    missing = {"timestep", "n_atoms", "lattice"} - set(frame)
    if missing:
        raise InputError(f"{path}: ITEM: ATOMS before {', '.join(sorted(missing))}")
    columns, n_atoms, timestep = item.split()[1:], frame["n_atoms"], frame["timestep"]
    rows: list[list[str]] = []
    for _ in range(n_atoms):
        line = file.readline()
        if not line or line.startswith("ITEM:"):
            raise InputError(f"{path}: timestep {timestep} has {len(rows)} of {n_atoms} atoms; the file is truncated")
        rows.append(line.split())
    if any(len(row) != len(columns) for row in rows):
        row = next(row for row in rows if len(row) != len(columns))
        raise InputError(
            f"{path}: timestep {timestep}: {' '.join(row)!r} does not have the columns {' '.join(columns)}"
        )
    table = np.array(rows, dtype=object).reshape(n_atoms, len(columns))
    if "id" in columns:
        ids = floats(path, f"ids of timestep {timestep}", list(table[:, columns.index("id")])).astype(np.int64)
        order = np.argsort(ids, kind="stable")
        ids, table = ids[order], table[order]
        if (np.diff(ids) == 0).any():
            raise InputError(f"{path}: atom id {ids[1:][np.diff(ids) == 0][0]} stands twice in timestep {timestep}")
    else:
        ids = np.arange(n_atoms)
    frame.update(columns=columns, table=table, ids=ids)


def _positions(path: str | Path, frame: Frame) -> tuple[np.ndarray, bool]:
    """Positions (N, 3) Å relative to the origin of the box, and whether they are unwrapped."""
    columns, where = frame["columns"], f"timestep {frame['timestep']}"
    names = next((names for names in _COORDINATES if set(names) <= set(columns)), None)
    if names is None:
        raise InputError(f"{path}: no coordinates among the columns {' '.join(columns)}")
    scaled, unwrapped = _COORDINATES[names]

    def values(wanted: Sequence[str]) -> np.ndarray:
        chosen = frame["table"][:, [columns.index(name) for name in wanted]]
        return floats(path, where, list(chosen.ravel())).reshape(-1, 3)

    x = values(names)
    x = x @ frame["lattice"] if scaled else x - frame["origin"]
    if not unwrapped and {"ix", "iy", "iz"} <= set(columns):
        return x + values(("ix", "iy", "iz")) @ frame["lattice"], True
    return x, unwrapped


def _atomic_numbers(path: str | Path, frame: Frame, species: Sequence[str] | None) -> np.ndarray:
    columns, table = frame["columns"], frame["table"]
    if "element" in columns:
        if species:
            raise InputError(f"`species={' '.join(species)}`: {path} has the elements itself")
        return np.array([atomic_number(symbol, path) for symbol in table[:, columns.index("element")]])
    types = np.ones(len(table), int)
    if "type" in columns:
        types = floats(path, "types", list(table[:, columns.index("type")])).astype(int)
    seen = sorted({int(t) for t in types})
    if not species:
        what = f"types {' '.join(map(str, seen))}" if "type" in columns else "no type column"
        raise InputError(
            f"{path}: {what} and no elements; `species` names the element of each type, e.g. `species=Li S`"
        )
    if "type" not in columns and len(species) > 1:
        raise InputError(
            f"`species={' '.join(species)}`: {path} has no type column to tell {len(species)} elements apart"
        )
    if max(seen) > len(species) or min(seen) < 1:
        raise InputError(f"`species={' '.join(species)}`: {path} has types {' '.join(map(str, seen))}")
    numbers = np.array([atomic_number(symbol, "`species`") for symbol in species])
    return numbers[types - 1]


def _interval(path: str | Path, frames: Sequence[Frame]) -> tuple[float, str] | tuple[None, None]:
    """Time between frames and its unit, if the dump tells; frames must be equally spaced."""
    steps = np.array([frame["timestep"] for frame in frames])
    spacing = np.diff(steps)
    if len(spacing) and (spacing[0] <= 0 or (spacing != spacing[0]).any()):
        wrong = int(np.argmax(spacing != spacing[0])) if spacing[0] > 0 else 0
        raise InputError(
            f"{path}: frames are not equally spaced: timestep {steps[wrong]} is followed by {steps[wrong + 1]}, "
            f"the first two are {steps[0]} and {steps[1]}"
        )
    unit = _TIME_UNITS.get(frames[0]["units"] or "")
    if len(frames) < 2 or unit is None or frames[0]["time"] is None:
        return None, None
    return round((frames[-1]["time"] - frames[0]["time"]) / (len(frames) - 1), 9), unit
