"""The atoms behind chi, read in parts: the same as from all frames at once."""

import numpy as np
import pytest

from gdynet_tf.analysis import system as module
from gdynet_tf.analysis.system import System
from gdynet_tf.graphs import dataset
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.dataset import FrameRange
from gdynet_tf.trajectory import Trajectory
from gdynet_tf.trajectory.cells import toroidal_paths

WATER = np.array([[0, 1, 2], [3, 4, 5]])


@pytest.fixture
def frames():
    """Two molecules and an atom in a breathing cell, the second molecule cut by its border."""
    rng = np.random.default_rng(0)
    lattices = np.eye(3) * 8 * (1 + 0.01 * np.sin(np.arange(50)))[:, None, None]
    start = np.array([[1, 1, 1], [1.8, 1, 1], [1, 1.8, 1], [7.8, 5, 5], [0.5, 5, 5], [7.8, 5.8, 5], [4, 2, 6.0]])
    steps = np.repeat(rng.normal(0, 0.1, (50, 3, 3)), [3, 3, 1], axis=1)
    return start + np.cumsum(steps, axis=0), lattices


def system_of(frames, targets):
    return System(*([part] for part in frames), [8, 1, 1, 8, 1, 1, 3], targets)


@pytest.mark.parametrize("targets", [[[6], [0]], WATER])
def test_parts_give_what_the_whole_gives(frames, targets, monkeypatch):
    """Parts of 3 frames and of all 50."""
    whole = system_of(frames, targets)
    expected = whole.target_positions(), whole.target_paths(), whole.target_paths(np.array([6]))
    monkeypatch.setattr(module, "_FRAMES", 3)
    parts = system_of(frames, targets)
    found = parts.target_positions(), parts.target_paths(), parts.target_paths(np.array([6]))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1:], expected[1:], atol=1e-12)


def test_centers_and_drift_by_hand(frames):
    """Centre of mass of whole molecules, and the motion of all atoms taken away."""
    positions, lattices = frames
    masses = np.array([15.999, 1.008, 1.008, 15.999, 1.008, 1.008, 6.94])
    whole = positions.copy()
    whole[:, 4] += lattices[:, 0]  # the hydrogen on the other side of the border
    weights = masses[WATER] / masses[WATER].sum(axis=1, keepdims=True)
    found = system_of(frames, WATER).target_positions()[0]
    np.testing.assert_allclose(found, (whole[:, WATER] * weights[..., None]).sum(axis=2), atol=2e-4)
    path = toroidal_paths(positions, lattices)
    drift = np.einsum("fad,a->fd", path - path[0], masses / masses.sum())
    targets = toroidal_paths(found, lattices) - drift[:, None]
    np.testing.assert_allclose(system_of(frames, WATER).target_paths()[0], targets, atol=2e-4)


@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True)])
def test_molecules_longer_than_half_the_cell(periodic):
    """Branched chains in a skewed cell, in any order of their atoms, each wrapped by itself."""
    rng = np.random.default_rng(3)
    cell = np.array([[12.0, 0, 0], [5.0, 11, 0], [-4.0, 3, 10]])
    bonds = rng.normal(size=(4, 15, 3))
    bonds *= 1.5 / np.linalg.norm(bonds, axis=2, keepdims=True)
    bonds[0] = [1.5, 0, 0]  # straight over three quarters of the cell
    bonds[0, 7:] = [0, 0, 1.5]
    whole = rng.random((4, 1, 3)) @ cell + bonds.cumsum(axis=1)
    fractional = whole @ np.linalg.inv(cell)
    wrapped = (fractional - np.where(periodic, np.floor(fractional), 0.0)) @ cell
    order = np.stack([rng.permutation(15) for _ in range(4)])
    positions = np.take_along_axis(wrapped, order[..., None], axis=1).reshape(1, 60, 3)
    system = System([positions], [cell[None]], np.full(60, 6), np.arange(60).reshape(4, 15), periodic)
    away = (system.target_positions()[0][0] - whole.mean(axis=1)) @ np.linalg.inv(cell)
    np.testing.assert_allclose(away, np.round(away), atol=1e-9)  # the same but for whole lattice vectors


def test_a_held_atom_is_seen_in_parts(frames, monkeypatch):
    positions, lattices = (part.copy() for part in frames)
    positions[:, 0] = positions[0, 0]
    monkeypatch.setattr(module, "_FRAMES", 3)
    system = system_of((positions, lattices), [[6]])
    np.testing.assert_allclose(system.target_paths()[0], toroidal_paths(positions[:, 6:], lattices), atol=1e-12)
    positions[-1, 0] += 0.1  # moves in the last frame alone
    system = system_of((positions, lattices), [[6]])
    assert np.abs(system.target_paths()[0] - toroidal_paths(positions[:, 6:], lattices)).max() > 0.1


@pytest.mark.parametrize("in_memory", [True, False])
def test_frame_range_is_indexed_like_the_array(frames, in_memory, tmp_path, monkeypatch):
    trajectory = Trajectory("water", *frames, [8, 1, 1, 8, 1, 1, 3])
    out = None if in_memory else tmp_path / "g"
    graphs = build_graphs(trajectory, [[6]], out=out, n_neighbors=2, progress=False)
    array = np.asarray(graphs.array(0, "positions"))[10:40]
    monkeypatch.setattr(dataset, "_MAPPED", 2000)  # opened anew after a dozen frames of 168 bytes
    part = FrameRange(graphs, 0, "positions", 10, 40)
    assert part.shape == array.shape == (30, 7, 3)
    assert (part.ndim, len(part)) == (3, 30)
    rows = np.array([3, 0, -1])
    for index in (0, -1, slice(None), slice(5, 99), slice(2, -3, 4), rows, (slice(5, 9), WATER), (4, 2), (rows, rows)):
        np.testing.assert_array_equal(part[index], array[index])
    np.testing.assert_array_equal(np.asarray(part), array)
    with pytest.raises(IndexError):
        part[30]
    part[0][:] = 0  # a copy
    np.testing.assert_array_equal(part[0], array[0])
