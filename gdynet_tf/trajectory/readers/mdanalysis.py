"""Files that MDAnalysis reads: the frames of one, the atoms of a topology or of the same file."""

import re
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.objects import time_step
from gdynet_tf.trajectory.readers.compression import SUFFIXES, first_bytes, plain_file
from gdynet_tf.trajectory.readers.lammps import data_columns, is_lammps_data
from gdynet_tf.trajectory.readers.library import guarded, needed, records, said
from gdynet_tf.trajectory.readers.text import floats, integer, open_lines
from gdynet_tf.trajectory.source import Frame, FrameSource, gathered
from gdynet_tf.trajectory.universe import atoms_of_mdanalysis

__all__ = ["Atoms", "is_dlpoly", "is_gro", "is_pdb", "open_mdanalysis", "read_topology"]

Atoms = tuple[np.ndarray, dict[str, np.ndarray], tuple[Finding, ...]]
"""Atomic numbers, attributes and findings."""

_NEEDS_TOPOLOGY = ("XTC", "TRR", "DCD", "NCDF", "H5MD")
_REMEDY = "; a `topology` that has them tells them"
_SLAB = 6  # DL_POLY's key for boundaries that are not periodic along z
_XTC = """
import sys
import numpy as np
from MDAnalysis.lib.formats.libmdaxdr import XTCFile
with XTCFile(sys.argv[1]) as file:
    for frame in file:
        parts = np.array(frame.time, "<f4"), np.array(frame.step, "<i8"), frame.box.astype("<f4"), frame.x.astype("<f4")
        sys.stdout.buffer.write(b"".join(part.tobytes() for part in parts))
sys.stdout.buffer.flush()
"""
_PDB = (b"HEADER", b"TITLE ", b"REMARK", b"CRYST1", b"MODEL ", b"ATOM  ", b"HETATM", b"COMPND", b"EXPDTA")


def is_gro(head: bytes) -> bool:
    """Whether a file that begins like this is a GRO file: a title, a number, columns of fixed width."""
    lines = head.decode("utf-8", "replace").split("\n")
    return (
        len(lines) > 3
        and lines[1].strip().isdigit()
        and re.match(r"[ \d]{4}\d\S.{14}( *-?\d+\.\d+){3}", lines[2]) is not None
    )


def is_pdb(head: bytes) -> bool:
    """Whether a file that begins like this is a PDB file."""
    return head.startswith(_PDB)


def is_dlpoly(head: bytes) -> bool:
    """Whether a file that begins like this is a HISTORY of DL_POLY."""
    lines = head.split(b"\n")
    return len(lines) > 2 and lines[2].startswith(b"timestep") and lines[1].replace(b" ", b"").isdigit()


def open_mdanalysis(
    path: str | Path, kind: str, topology: str | Path | None = None, species: Sequence[str] | None = None
) -> FrameSource:
    """Open a file in a format of MDAnalysis; nothing is written beside it.

    Parameters
    ----------
    path : path-like
    kind : str
        MDAnalysis' name of the format.
    topology : path-like, optional
        File that names the atoms; needed where ``path`` holds coordinates alone.
    species : list of str, optional
        Elements of the types 1, 2, ... of the topology.

    Returns
    -------
    FrameSource
        Times in ps where the file tells them. Without cells where the file has none.
    """
    if topology is None and kind in _NEEDS_TOPOLOGY:
        raise InputError(
            f"{path}: holds coordinates alone; `topology` names a file that has the atoms (GRO, PDB, TPR, PSF, PRMTOP, "
            "LAMMPS data)"
        )
    numbers, attributes, findings = read_topology(topology or path, None if topology else kind, species)
    frames = guarded(_FRAMES.get(kind, _library_frames)(path, kind, len(numbers)), path, "MDAnalysis")
    frames = _of_atoms(frames, path, topology, len(numbers))
    first = next(frames)
    return FrameSource(
        path=str(path),
        atomic_numbers=numbers,
        chunks=gathered(chain([first], frames), str(path)),
        periodic=(True, True, kind != "HISTORY" or _history_boundaries(path) != _SLAB),
        time_unit=None if first.time is None else "ps",
        attributes=attributes,
        findings=findings,
        sources=(str(path),) if topology is None else (str(path), str(topology)),
    )


def read_topology(path: str | Path, kind: str | None = None, species: Sequence[str] | None = None) -> Atoms:
    """Atoms of a file that MDAnalysis reads as a topology.

    Parameters
    ----------
    path : path-like
    kind : str, optional
        MDAnalysis' name of the format; by default its content or name tells.
    species : list of str, optional
        Elements of its types 1, 2, ....

    Returns
    -------
    Atoms
    """
    needed("MDAnalysis", path)
    from MDAnalysis import Universe
    from MDAnalysis.topology.core import get_parser_for

    head, own, atoms = first_bytes(path), kind is not None, None
    by_content = next((name for name, fits in _TOPOLOGIES.items() if fits(head)), None)
    suffixes = [suffix for suffix in Path(path).suffixes if suffix not in SUFFIXES]
    kind = kind or by_content or "".join(suffixes[-1:]).lstrip(".").upper() or Path(path).name.upper()
    style = data_columns(path) if kind == "DATA" else None
    try:
        with warnings.catch_warnings():  # about what it does not find, which is found out here
            warnings.simplefilter("ignore")
            try:
                with plain_file(path) as plain, get_parser_for(str(plain), format=kind)(str(plain)) as parser:
                    atoms = Universe(parser.parse(**({"atom_style": style} if style else {})), to_guess=()).atoms
            except TruncatedFile:  # which its frames tell
                if atoms is None or not own:
                    raise
            return atoms_of_mdanalysis(atoms, str(path), _REMEDY, species)
    except InputError:
        raise
    except Exception as error:  # MDAnalysis raises many kinds for a malformed file
        raise InputError(f"{path}: cannot be read by MDAnalysis as a topology: {said(error)}") from None


def _of_atoms(frames: Iterator[Frame], path: str | Path, topology: str | Path | None, n_atoms: int) -> Iterator[Frame]:
    for frame in frames:
        if len(frame.positions) != n_atoms:
            raise InputError(f"{path}: has {len(frame.positions)} atoms, {topology or 'its first frame'} has {n_atoms}")
        yield frame


def _box(rows: np.ndarray) -> np.ndarray | None:
    """Lattice, None where all is zero: the file has none."""
    rows = np.asarray(rows, np.float64)
    return rows if rows.any() else None


def _lattice(dimensions: np.ndarray | None) -> np.ndarray | None:
    from MDAnalysis.lib.mdamath import triclinic_vectors

    return None if dimensions is None else _box(triclinic_vectors(dimensions, dtype=np.float64))


def _xdr_frames(path: str | Path, kind: str, n_atoms: int) -> Iterator[Frame]:
    """XTC and TRR one frame after another: MDAnalysis' own readers scan the file first and write what they find."""
    with plain_file(path) as plain:
        sound = _sound_frames(plain, kind, n_atoms, path)
        first = next(sound)  # before the library sees the file
        with closing(_xtc_frames(plain, n_atoms, path) if kind == "XTC" else _trr_frames(plain)) as frames:
            for _ in chain([first], sound):
                frame = next(frames)
                if frame is not None:
                    yield Frame(
                        positions=frame["x"].astype(np.float64) * 10,
                        lattice=_box(frame["box"].astype(np.float64) * 10),
                        time=float(frame["time"]),
                        step=int(frame["step"]),
                    )
            next(frames, None)  # which tells how it ended


def _xtc_frames(plain: Path, n_atoms: int, path: str | Path) -> Generator[np.void]:
    """In a process of its own: damage within a compressed frame makes the library write where it must not."""
    of_atoms = [("time", "<f4"), ("step", "<i8"), ("box", "<f4", (3, 3)), ("x", "<f4", (n_atoms, 3))]
    return records(_XTC, plain, np.dtype(of_atoms), path)


def _trr_frames(plain: Path) -> Generator[dict[str, Any] | None]:
    """None for frames that have velocities or forces alone."""
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    with TRRFile(str(plain)) as file:
        for frame in file:
            yield {"time": frame.time, "step": frame.step, "box": frame.box, "x": frame.x} if frame.hasx else None


def _sound_frames(plain: Path, kind: str, n_atoms: int, path: str | Path) -> Iterator[int]:
    """Numbers of the whole frames of an XTC or TRR file, before MDAnalysis reads them: it crashes on damaged ones."""
    size, at, n = plain.stat().st_size, 0, 0
    with open(plain, "rb") as file:
        while at < size:
            file.seek(at)
            head = np.frombuffer((file.read(92) + bytes(92))[:92], ">i4")
            length = (_xtc_length if kind == "XTC" else _trr_length)(head, n_atoms, path)
            if length is None or at + length > size:
                what = "is cut" if length is not None or size - at < 92 else "is damaged"
                raise TruncatedFile(
                    f"{path}: frame {n} {what} at byte {at} of {size}; the file is truncated or damaged"
                )
            at, n = at + length, n + 1
            yield n - 1


def _xtc_length(head: np.ndarray, n_atoms: int, path: str | Path) -> int | None:
    """Bytes of a frame, None where its header is impossible."""
    if head[0] != 1995 or head[1] < 1:
        return None
    _check_number(int(head[1]), n_atoms, path)
    if head[13] != n_atoms:
        return None
    if n_atoms <= 9:
        return 56 + 12 * n_atoms
    smallest, packed = int(head[21]), int(head[22])
    if not 9 <= smallest < 73 or packed < 1 or (head[15:18] > head[18:21]).any():
        return None
    return 92 + (packed + 3) // 4 * 4


def _trr_length(head: np.ndarray, n_atoms: int, path: str | Path) -> int | None:
    """Bytes of a frame, None where its header is impossible."""
    sizes, number = head[6:16].astype(int), int(head[16])
    if head[0] != 1993 or head[1] != 13 or head[2] != 12 or number < 1 or (sizes < 0).any():
        return None
    _check_number(number, n_atoms, path)
    box, vectors = sizes[2], sizes[7:10]
    real = 8 if box == 72 or (vectors == 24 * number).any() else 4
    if box not in (0, 9 * real) or not np.isin(vectors, (0, 3 * real * number)).all() or sizes[[0, 1, 5, 6]].any():
        return None
    return 76 + 2 * real + int(sizes.sum())


def _check_number(found: int, n_atoms: int, path: str | Path) -> None:
    if found != n_atoms:
        raise InputError(f"{path}: has {found} atoms, its topology has {n_atoms}")


def _dcd_frames(path: str | Path, kind: str, n_atoms: int) -> Iterator[Frame]:
    from MDAnalysis.coordinates.DCD import DCDReader

    with plain_file(path) as plain, DCDReader(str(plain)) as reader:
        header = reader._file.header
        # Plug-ins write 1 for a time step that they do not know, LAMMPS and CP2K one in their own units.
        timed = header["delta"] not in (0, 1) and not re.search("LAMMPS|CP2K", header["remarks"])
        for n, step in enumerate(reader):
            yield Frame(
                positions=step.positions.copy(),
                lattice=_lattice(step.dimensions),
                time=float(step.time) if timed else None,
                step=int(header["istart"] + n * header["nsavc"]),
            )
        with open(plain, "rb") as file:
            head = file.read(24)
        wide = 4 * (b"CORD" not in head[:8])  # records are marked by 8 bytes instead of 4
        written = int.from_bytes(head[8 + wide : 12 + wide], "little" if head[0] else "big")
        if len(reader) < written:
            raise TruncatedFile(f"{path}: has {len(reader)} of {written} frames; the file is truncated")


def _history_boundaries(path: str | Path) -> int:
    """The key imcon in the header of a HISTORY; those of cells that are no parallelepipeds are refused."""
    with open_lines(path) as lines:
        lines.need("the header")
        key = integer(path, "line 2: periodic boundary key", (lines.need("the header").split() + ["", ""])[1])
    if key not in (0, 1, 2, 3, _SLAB):
        raise InputError(f"{path}: periodic boundary key {key}: only cells that are parallelepipeds or slabs are read")
    return key


def _history_frames(path: str | Path, kind: str, n_atoms: int) -> Iterator[Frame]:
    """Positions by MDAnalysis; times and lattice vectors, which it leaves out or turns, from the headers."""
    from MDAnalysis.coordinates.DLPoly import HistoryReader

    with plain_file(path) as plain, open_lines(path) as lines, HistoryReader(str(plain)) as reader:
        lines.need("the header")
        level, boundaries = (integer(path, "line 2", word) for word in lines.need("the header").split()[:2])
        steps = iter(reader)
        while (line := lines.skip_blank()) is not None:
            words = line.split()
            where = f"timestep {words[1] if len(words) > 1 else '?'}"
            if words[0] != "timestep" or len(words) < 6:
                raise InputError(f"{path}: line {lines.number}: {line[:40]!r} where a timestep is expected")
            number, interval = floats(path, where, words[1:2])[0], floats(path, where, words[5:6])[0]
            box = None
            if boundaries:
                box = np.stack([floats(path, where, lines.need(where).split(), 3) for _ in range(3)])
            lines.rows(n_atoms * (2 + level), where)
            yield Frame(
                positions=next(steps).positions.copy(),
                lattice=box,
                time=number * interval,
                step=int(number),
            )


def _gro_frames(path: str | Path, kind: str, n_atoms: int) -> Iterator[Frame]:
    """All frames of a file of which MDAnalysis reads the first alone."""
    from MDAnalysis.coordinates.GRO import GROReader
    from MDAnalysis.lib.util import NamedStream

    n = 0
    with open_lines(path) as lines:
        while (title := lines.skip_blank()) is not None:
            count = integer(path, f"line {lines.number + 1}: number of atoms", lines.need(f"frame {n}"), 1)
            rows = lines.rows(count + 1, f"frame {n}").decode("utf-8", "replace")
            time, step = re.search(r"\bt=\s*([-+.\deE]+)", title), re.search(r"\bstep=\s*(\d+)", title)
            text = f"{title}\n{count}\n{rows}"
            with GROReader(NamedStream(StringIO(text), str(path)), n_atoms=count) as reader:
                yield Frame(
                    positions=reader.ts.positions.copy(),
                    lattice=_lattice(reader.ts.dimensions),
                    time=float(time[1]) if time else None,
                    step=int(step[1]) if step else None,
                )
            n += 1


def _library_frames(path: str | Path, kind: str, n_atoms: int) -> Iterator[Frame]:
    """Whatever MDAnalysis' reader says."""
    from MDAnalysis.coordinates.core import get_reader_for

    options: dict[str, Any] = {"n_atoms": n_atoms}
    head = first_bytes(path)
    if kind == "DATA":
        options["atom_style"] = data_columns(path)
    constant = _cryst1(head) if kind == "PDB" else None
    with plain_file(path) as plain, get_reader_for(str(plain), format=kind)(str(plain), **options) as reader:
        timed = kind not in ("PDB", "DATA") and _tells_times(reader)
        for step in reader:
            lattice = _edges(reader, step) if kind == "H5MD" else _lattice(step.dimensions)
            number = step.data.get("step")
            yield Frame(
                positions=step.positions.copy(),
                lattice=constant if lattice is None else lattice,
                time=float(step.time) if timed else None,
                step=None if number is None else int(number),
            )


def _tells_times(reader: Any) -> bool:
    """MDAnalysis counts frames where it finds no times."""
    if reader.format == "H5MD":
        return "time" in reader._particle_group["position"]
    return time_step(reader) is not None


def _cryst1(head: bytes) -> np.ndarray | None:
    """Cell of a PDB file that gives it once, before its models, where MDAnalysis does not look."""
    told = re.search(rb"^CRYST1(.{9})(.{9})(.{9})(.{7})(.{7})(.{7})", head, re.MULTILINE)
    values = np.array([float(word) for word in told.groups()]) if told else None
    # 1 Å stands for none.
    return None if values is None or (values[:3] == 1).all() else _lattice(values)


def _edges(reader: Any, step: Any) -> np.ndarray | None:
    """Lattice vectors of H5MD as they lie in the file: MDAnalysis keeps lengths and angles alone."""
    lattice = _lattice(step.dimensions)
    if lattice is None:
        return None
    edges = reader._particle_group["box/edges"]
    rows = np.asarray(edges["value"][step.frame] if "value" in edges else edges, np.float64)
    if rows.shape != (3, 3):
        return lattice
    return rows * (np.linalg.norm(lattice[0]) / np.linalg.norm(rows[0]))  # in Å


_TOPOLOGIES: dict[str, Callable[[bytes], bool]] = {
    "DATA": is_lammps_data,
    "GRO": is_gro,
    "PDB": is_pdb,
    "HISTORY": is_dlpoly,
}
_FRAMES: dict[str, Callable[[str | Path, str, int], Iterator[Frame]]] = {
    "XTC": _xdr_frames,
    "TRR": _xdr_frames,
    "DCD": _dcd_frames,
    "HISTORY": _history_frames,
    "GRO": _gro_frames,
}
