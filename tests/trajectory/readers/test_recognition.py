"""Which format a file is of, and how it is compressed."""

import bz2
import gzip
import lzma
import shutil
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers import FORMATS, open_source

DATA = Path(__file__).parents[2] / "data" / "formats"
XYZ = "2\npbc='F F F'\nLi 0 0 0\nO 1 1 1\n" * 50


@pytest.mark.parametrize(
    "name",
    ["nacl.lammpstrj", "nacl.extxyz", "nacl.data", "water.gro", "water.pdb", "nacl.dcd", "water.xtc", "water.trr"],
)
def test_content_goes_before_the_name(tmp_path, opened, name):
    """Under the name of another format, and compressed."""
    topologies = {"dcd": "nacl.data", "xtc": "water.tpr", "trr": "water.tpr"}
    given = {"topology": DATA / topologies[name[-3:]]} if name[-3:] in topologies else {}
    expected = opened(DATA / name, **given)
    shutil.copy(DATA / name, tmp_path / "t.npz")
    (tmp_path / "t.xyz.gz").write_bytes(gzip.compress((DATA / name).read_bytes()))
    for file in ("t.npz", "t.xyz.gz"):
        np.testing.assert_array_equal(opened(tmp_path / file, **given).positions, expected.positions)


def test_name_where_the_content_tells_nothing(tmp_path):
    (tmp_path / "t.xyz").write_text("no number\n")
    with pytest.raises(InputError, match=r"t\.xyz: line 1: number of atoms 'no number' is not an integer"):
        open_source(tmp_path / "t.xyz")


def test_insisting_on_a_format(tmp_path, opened):
    (tmp_path / "data").write_text("2\n\n3 0 0 0\n8 1 1 1\n")
    with pytest.raises(InputError, match="data: neither its content nor its name is that of a known format"):
        open_source(tmp_path / "data")
    assert len(opened(tmp_path / "data", format="extxyz").positions) == 1
    with pytest.raises(
        InputError, match="`format=xzy`: is not known; known are npz, lammps, xdatcar, cp2k, extxyz, xtc"
    ):
        open_source(tmp_path / "data", format="xzy")


def test_converters_are_named(tmp_path):
    (tmp_path / "t.foo").write_text("nothing")
    with pytest.raises(
        InputError, match=r"`format` insists .*; gmx trjconv, cpptraj, MDAnalysis, mdconvert or ase conv"
    ):
        open_source(tmp_path / "t.foo")


def test_formats_have_names_of_their_own():
    names = [known.name for known in FORMATS]
    assert len(set(names)) == len(names)


# --- compression -------------------------------------------------------------------------------

PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", sorted(PACKERS))
def test_compressed(tmp_path, opened, suffix):
    packed = PACKERS[suffix](XYZ.encode())
    for name in (f"t.xyz.{suffix}", "t.xyz"):  # told by the first bytes
        (tmp_path / name).write_bytes(packed)
        assert opened(tmp_path / name).positions.shape == (50, 2, 3)
    (tmp_path / "t.xyz").write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"t\.xyz: ends within its \w+ data; the file is truncated"):
        list(open_source(tmp_path / "t.xyz").chunks)
    (tmp_path / "t.xyz").write_bytes(packed[:20] + b"damage" + packed[26:])
    with pytest.raises(InputError, match=r"t\.xyz: damaged \w+ data"):
        list(open_source(tmp_path / "t.xyz").chunks)


def test_cut_gzip_gives_its_whole_frames(tmp_path, opened):
    rows = np.random.default_rng(0).random((200, 100, 3))
    frames = ["100\n\n" + "".join(f"Li {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in frame) for frame in rows]
    text = "".join(frames)
    packed = gzip.compress(text.encode())
    (tmp_path / "t.xyz.gz").write_bytes(packed[: len(packed) // 2])
    found = opened(tmp_path / "t.xyz.gz")
    assert 80 < len(found.positions) < 120
    assert "ends within its gzip data" in str(found.cut)


@pytest.mark.parametrize("suffix", ["gz", "xz"])
@pytest.mark.parametrize(
    ("name", "topology"),
    [("water.xtc", "water.tpr"), ("water.trr", "water.tpr"), ("nacl.dcd", "nacl.data"), ("water.pdb", None)],
)
def test_cut_copies_give_their_whole_frames(tmp_path, opened, suffix, name, topology):
    """Of what a library must have as a file, too; smaller files than the head by which formats are recognised."""
    given = {"topology": DATA / topology} if topology else {}
    whole, packed = opened(DATA / name, **given).positions, PACKERS[suffix]((DATA / name).read_bytes())
    (tmp_path / f"t.{suffix}").write_bytes(packed[: 2 * len(packed) // 3])
    found = opened(tmp_path / f"t.{suffix}", **given)
    assert 2 <= len(found.positions) < len(whole)
    np.testing.assert_array_equal(found.positions, whole[: len(found.positions)])
    assert "truncated" in str(found.cut)


def test_cut_before_anything(tmp_path):
    (tmp_path / "t.xtc").write_bytes(lzma.compress((DATA / "water.xtc").read_bytes())[:40])
    with pytest.raises(InputError, match=r"t\.xtc: frame 0 is cut at byte 0 of 7; the file is truncated"):
        open_source(tmp_path / "t.xtc", topology=DATA / "water.tpr")
    (tmp_path / "t.tpr").write_bytes(gzip.compress((DATA / "water.tpr").read_bytes())[:-20])
    with pytest.raises(InputError, match=r"t\.tpr: "):
        open_source(DATA / "water.xtc", topology=tmp_path / "t.tpr")


@pytest.mark.parametrize("name", ["nacl.lammpstrj", "nacl.extxyz", "water.gro", "water.pdb"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_mark_of_utf8(tmp_path, opened, name, pack):
    """With which editors of Windows begin a file."""
    (tmp_path / name).write_bytes(pack(b"\xef\xbb\xbf" + (DATA / name).read_bytes()))
    np.testing.assert_array_equal(opened(tmp_path / name).positions, opened(DATA / name).positions)


@pytest.mark.parametrize("name", ["water.gro", "water.pdb", "nacl.data"])
def test_titles_before_utf8(tmp_path, opened, name):
    """MDAnalysis, which takes UTF-8 alone, gets a copy."""
    title, rest = (DATA / name).read_bytes().split(b"\n", 1)
    (tmp_path / name).write_bytes(title + b" \xe9\n" + rest)
    np.testing.assert_array_equal(opened(tmp_path / name).positions, opened(DATA / name).positions)


def test_zstd(tmp_path, opened):
    """Two frames of zstd one after another, as pzstd writes them."""
    zstandard = pytest.importorskip("zstandard")
    half = len(XYZ) // 2
    packed = b"".join(zstandard.ZstdCompressor().compress(part.encode()) for part in (XYZ[:half], XYZ[half:]))
    (tmp_path / "t.xyz.zst").write_bytes(packed)
    assert opened(tmp_path / "t.xyz.zst").positions.shape == (50, 2, 3)
    (tmp_path / "t.xyz.zst").write_bytes(packed[:-5])
    with pytest.raises(InputError, match="ends within its zstd data"):
        list(open_source(tmp_path / "t.xyz.zst").chunks)
    (tmp_path / "t.xyz.zst").write_bytes(packed[:30] + b"damage" + packed[36:])
    with pytest.raises(InputError, match=r"t\.xyz\.zst: damaged zstd data"):
        list(open_source(tmp_path / "t.xyz.zst").chunks)


def test_zstd_needs_a_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "t.xyz.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(
        InputError, match=r"t\.xyz\.zst: is compressed by zstd, which needs zstandard: pip install zstan"
    ):
        open_source(tmp_path / "t.xyz.zst")


@pytest.mark.parametrize("suffix", sorted(PACKERS))
def test_bombs(tmp_path, suffix):
    """30 MB of zeros in one line take no memory: they are no frames."""
    bomb = PACKERS[suffix](b"2\n\nLi 0 0 0\n" + b"0" * 30_000_000)
    (tmp_path / "t.xyz").write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"t\.xyz: "):
            list(open_source(tmp_path / "t.xyz").chunks)
        assert tracemalloc.get_traced_memory()[1] < 1.5e7
    finally:
        tracemalloc.stop()


def test_no_room_for_a_copy(tmp_path, monkeypatch):
    """What MDAnalysis is to read must be decompressed into a file."""
    (tmp_path / "water.xtc.gz").write_bytes(gzip.compress((DATA / "water.xtc").read_bytes()))
    monkeypatch.setattr("gdynet_tf.trajectory.readers.compression._ROOM", 2**62)
    with pytest.raises(
        InputError, match=r"water\.xtc\.gz: does not fit decompressed into .*; set TMPDIR to a larger disk"
    ):
        open_source(tmp_path / "water.xtc.gz", topology=DATA / "water.tpr")
