"""What holds for any input: results against brute force, by hypothesis.

Some examples here; ``make fuzz`` tries two thousand of each.
"""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gdynet_tf import analysis as ga
from gdynet_tf.graphs import neighbors as module
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.learning.pairs import LaggedChains, count_pairs
from gdynet_tf.trajectory.cells import plane_spacings

seeds = st.integers(0, 2**32 - 1)


# --- graphs: cells, densities, counts, M, periodic directions ----------------------------------


@st.composite
def systems(draw):
    """Positions (1, N, 3), lattice (1, 3, 3) and periodic directions; cells as skewed and flat as people have them."""
    rng = np.random.default_rng(draw(seeds))
    lengths = np.array([draw(st.floats(1.5, 12)) for _ in range(3)])
    cell = np.diag(lengths) + np.tril(rng.uniform(-1, 1, (3, 3)), -1) * lengths.max() * draw(st.floats(0, 1))
    cell = cell[draw(st.permutations(range(3)))]
    assume(plane_spacings(cell).min() > 0.8)
    n_atoms = draw(st.integers(1, 12))
    fractional = rng.random((1, n_atoms, 3)) + rng.integers(-3, 4, (1, n_atoms, 3)) * draw(st.booleans())
    if draw(st.booleans()):  # ties: on a grid, where atoms may lie on one another
        fractional = np.round(fractional * 4) / 4
    periodic = np.array(draw(st.tuples(st.booleans(), st.booleans(), st.booleans())))
    return fractional @ cell, cell[None], periodic


def all_distances(positions, lattice, periodic, reach):
    """Sorted distances (N, many) to all images within ``reach``, the atom itself left out."""
    spacing = plane_spacings(lattice)
    fractional = positions @ np.linalg.inv(lattice)
    fractional = fractional - np.where(periodic, np.floor(fractional), 0)
    n = np.where(periodic, np.ceil(reach / spacing) + 1, 0).astype(int)
    shifts = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n], indexing="ij"), -1).reshape(-1, 3)
    images = (fractional[:, None] + shifts) @ lattice  # (j, S, 3)
    distances = np.linalg.norm(images[None] - (fractional @ lattice)[:, None, None], axis=-1)  # (i, j, S)
    atoms = np.arange(len(positions))
    distances[atoms, atoms, len(shifts) // 2] = np.inf
    return np.sort(distances.reshape(len(positions), -1), axis=1)


@pytest.mark.parametrize("many_atoms", [0, 10**9], ids=["tree", "images"])
@given(system=systems(), m=st.integers(1, 24))
def test_neighbors_are_the_nearest_images(many_atoms, system, m):
    positions, lattices, periodic = system
    assume(periodic.any() or positions.shape[1] > m)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MANY_ATOMS", many_atoms)
        neighbors, distances = nearest_neighbors(positions, lattices, m, periodic)
    expected = all_distances(positions[0], lattices[0], periodic, distances.max())[:, :m]
    np.testing.assert_allclose(distances[0], expected, atol=1e-8)
    # An atom is at the distance that is said, in one of its images.
    for atom in range(positions.shape[1]):
        for other, distance in zip(neighbors[0, atom], distances[0, atom], strict=True):
            pair = positions[0, [atom, other]] if atom != other else positions[0, [atom]]
            images = all_distances(pair, lattices[0], periodic, distance)
            assert np.abs(images[0] - distance).min() < 1e-7


# --- pairs of frames, covariances, displacements: lags and segments ----------------------------


@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5), tau=st.integers(1, 14), length=st.integers(1, 5))
def test_chains_of_pairs_stay_within_their_blocks(lengths, tau, length):
    stops = np.cumsum(lengths)
    blocks = [(n, int(stop - size), int(stop)) for n, (size, stop) in enumerate(zip(lengths, stops, strict=True))]
    expected = {(n, t, t + tau) for n, start, stop in blocks for t in range(start, stop - tau)}
    assert count_pairs(blocks, tau) == len(expected)
    chains = LaggedChains(blocks, tau, length, length)  # one a batch
    trajectories, frames = (rows[: chains._n_whole] for rows in chains.epoch(0, 0))  # the first pass
    found = [
        (n, *pair)
        for n, chain in zip(trajectories[:, 0].tolist(), frames[:, 0].tolist(), strict=True)
        for pair in itertools.pairwise(chain)
    ]
    assert len(found) == len(set(found))
    assert set(found) <= expected
    assert length > 1 or set(found) == expected
    # Of frames that are multiples of tau apart, fewer pairs than a chain holds are left out.
    classes = {(n, (t - start) % tau) for n, start, stop in blocks for t in range(start, stop - tau)}
    assert len(expected) - len(found) <= (length - 1) * len(classes)


@st.composite
def segments(draw):
    """List of chi (F, n_targets, n_states), crisp or fuzzy, and a lag that fits into the longest."""
    rng = np.random.default_rng(draw(seeds))
    n_targets, n_states = draw(st.integers(1, 7)), draw(st.integers(2, 5))
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    assume(max(lengths) > 2)
    concentration = draw(st.sampled_from([0.02, 1.0]))
    chi = [rng.dirichlet(np.full(n_states, concentration), (length, n_targets)) for length in lengths]
    return chi, draw(st.integers(1, max(lengths) - 1))


@given(data=segments())
def test_covariances_are_sums_over_pairs(data):
    chi, tau = data
    pairs = [(x[t, n], x[t + tau, n]) for x in chi for t in range(len(x) - tau) for n in range(x.shape[1])]
    expected = [
        np.mean([np.outer(a, b) for a, b in which], axis=0)
        for which in ([(x, x) for x, _ in pairs], pairs, [(y, y) for _, y in pairs])
    ]
    np.testing.assert_allclose(ga.covariances(chi, tau), expected, atol=1e-12)


@given(data=segments())
def test_blocks_are_what_falls_out(data):
    """Whatever counts as independent: sums over a block and over the data without it are those of all data."""
    chi, tau = data
    blocks = ga.independent_blocks(chi, tau)
    if not blocks:
        return
    total, sums = sum(x.sum(axis=(0, 1)) for x in chi), blocks.sums(chi)
    for b in range(len(blocks)):
        left = sum(x.sum(axis=(0, 1)) for x in blocks.without(b, chi))
        np.testing.assert_allclose(left + sums[b], total, atol=1e-9)
        np.testing.assert_allclose(blocks.left_out(sums)[b + 1], left, atol=1e-9)


@given(seed=seeds, n_frames=st.integers(2, 40), n_targets=st.integers(1, 4), data=st.data())
def test_mean_squared_displacement_is_the_direct_sum(seed, n_frames, n_targets, data):
    x = np.random.default_rng(seed).normal(size=(n_frames, n_targets, 3)).cumsum(axis=0)
    longest = data.draw(st.integers(1, n_frames - 1))
    expected = [np.mean(np.sum((x[lag:] - x[: n_frames - lag]) ** 2, axis=-1)) for lag in range(longest + 1)]
    found = ga.mean_squared_displacement([x], longest)
    np.testing.assert_allclose(found.msd.value, expected, rtol=1e-9, atol=1e-9)


@given(seed=seeds, groups=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_targets_of_several_atoms_are_at_their_centre(seed, groups):
    """Of atoms that lie within half the cell of the first one, whichever image of each the trajectory has."""
    rng, cell = np.random.default_rng(seed), np.diag([10.0, 11.0, 12.0])
    size, n_frames = 3, 4
    centers = rng.uniform(0, 10, (n_frames, len(groups), 1, 3))
    atoms = centers + rng.uniform(-2, 2, (n_frames, len(groups), size, 3))
    images = rng.integers(-1, 2, (1, len(groups), size, 3)) @ cell
    positions = (atoms + images).reshape(n_frames, -1, 3)
    system = ga.System(
        positions=[positions],
        lattices=[np.repeat(cell[None], n_frames, axis=0)],
        atomic_numbers=np.full(positions.shape[1], 8),
        targets=np.arange(positions.shape[1]).reshape(len(groups), size),
    )
    difference = (system.target_positions()[0] - atoms.mean(axis=2)) @ np.linalg.inv(cell)
    np.testing.assert_allclose(difference, np.round(difference), atol=1e-9)
