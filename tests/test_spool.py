"""Arrays in files: what an array in memory would give, and never a file that is left behind."""

import os

import numpy as np
import pytest

from gdynet_tf import spool
from gdynet_tf.errors import InputError
from gdynet_tf.spool import FileArray, Spool, pieces


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The same in memory and in a file, read by a few rows at a time."""
    monkeypatch.setattr(spool, "_PIECE", 100)
    x = np.random.default_rng(0).random((23, 4, 3))
    np.save(tmp_path / "x.npy", x)
    return x, FileArray.open(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        np.int64(7),
        slice(None),
        slice(3, 19, 4),
        slice(-3, None),
        slice(5, 5),
        slice(None, None, -1),
        [4, 2, 2, 22],
        np.array([[0, 1], [5, 4]]),
        np.arange(23) % 2 == 0,
        (slice(None), 2),
        (3, 1, 2),
        (slice(2, 9), [0, 3], slice(1)),
        ([7, 3], ..., 0),
        ...,
        (..., 1),
    ],
    ids=repr,
)
def test_index(both, index):
    x, found = both
    np.testing.assert_array_equal(found[index], x[index])


def test_like_an_array(both):
    x, found = both
    assert (len(found), found.shape, found.ndim, found.dtype, found.nbytes) == (23, x.shape, 3, x.dtype, x.nbytes)
    np.testing.assert_array_equal(np.asarray(found), x)
    np.testing.assert_array_equal(list(found), x)
    assert np.asarray(found, np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([part for _, part in pieces(found)]), x)
    for start, part in pieces(found, range(2, 20, 3)):
        np.testing.assert_array_equal(part[0], x[start])
    with pytest.raises(IndexError):
        found[23]
    with pytest.raises(ValueError, match="cannot be had without a copy"):
        np.asarray(found, copy=False)
    assert repr(found) == "FileArray(shape=(23, 4, 3), dtype=float64)"


def test_written_in_place(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((5, 2), np.int16))
    FileArray.open(tmp_path / "x.npy", "r+b").write(3, np.array([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy")[2:], [[0, 0], [1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "127 bytes where its header asks for|bytes where its header asks for"),
        (lambda b: b + b"x", "bytes where its header asks for"),
        (lambda b: b"no array at all", "magic"),
        (lambda b: b"", "EOF|magic"),
    ],
)
def test_files_that_are_none(tmp_path, change, message):
    np.save(tmp_path / "x.npy", np.zeros((5, 2)))
    (tmp_path / "x.npy").write_bytes(change((tmp_path / "x.npy").read_bytes()))
    with pytest.raises(ValueError, match=message):
        FileArray.open(tmp_path / "x.npy")


def test_files_of_another_order(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(np.zeros((5, 2))))
    with pytest.raises(ValueError, match="not a plain C-ordered array"):
        FileArray.open(tmp_path / "x.npy")


def test_a_file_that_becomes_shorter(both, tmp_path):
    _, found = both
    os.truncate(tmp_path / "x.npy", 500)
    with pytest.raises(OSError, match="became shorter while it was read"):
        found[22]


@pytest.mark.parametrize("limit", [0, 300, 10**6])
def test_gathered(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(spool, "_IN_MEMORY", limit)
    x = np.random.default_rng(0).random((23, 3))
    gathered = Spool("a", tmp_path)
    for start in range(0, 23, 5):
        gathered.append(x[start : start + 5])
    assert len(gathered) == 23
    found = gathered.array()
    assert isinstance(found, np.ndarray) == (limit > x.nbytes)
    del gathered
    np.testing.assert_array_equal(np.asarray(found), x)
    assert not list(tmp_path.iterdir())


def test_descriptors_are_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "_IN_MEMORY", 0)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        gathered = Spool("a", tmp_path)
        gathered.append(np.zeros((3, 3)))
        gathered.array()
        del gathered
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "_IN_MEMORY", 0)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(InputError, match=r"a\.xtc: its positions do not fit into .* \(No space left on device\); `scr"):
        Spool("a.xtc", tmp_path).append(np.zeros((3, 3)))
