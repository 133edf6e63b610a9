"""Splits, pairs of frames and their chains, and tf.data pipelines."""

import itertools

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning.pairs import LaggedChains, chain_batches, frame_batches
from gdynet_tf.learning.splits import Split, check_split, split_by_name, split_by_time, time_folds
from gdynet_tf.trajectory import Trajectory


@pytest.mark.parametrize("segments", [[[1000]], [[100] * 7], [[60, 40], [300]], [[33], [57], [410]]])
@pytest.mark.parametrize("tau", [1, 10])
def test_blocks_stay_apart(segments, tau):
    """Blocks lie within a segment, do not overlap, and keep a gap of tau in the time of all segments."""
    split = split_by_time(segments, tau)
    start_of = np.concatenate([[0], np.cumsum([sum(s) for s in segments])])
    spans = {}
    for name, blocks in vars(split).items():
        for trajectory, start, stop in blocks:
            ends = np.cumsum(segments[trajectory])
            assert np.searchsorted(ends, start, side="right") == np.searchsorted(ends, stop - 1, side="right")
            assert stop - start > tau
        spans[name] = (
            start_of[blocks[0][0]] + blocks[0][1],
            start_of[blocks[-1][0]] + blocks[-1][2],
        )
    assert spans["train"][1] + tau <= spans["validation"][0]
    assert spans["validation"][1] + tau <= spans["test"][0]


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (((0, 760, 1000),), ""),
        (((1, 0, 10),), "test: block [1, 0, 10] is not in the data"),
        (((-1, 0, 10),), "test: block [-1, 0, 10] is not in the data"),
        (((0, 760, 1001),), "test: block [0, 760, 1001] is not in the data"),
        (((0, -240, 1000),), "test: block [0, -240, 1000] is not in the data"),
        (((0, 1000, 760),), "test: block [0, 1000, 760] is not in the data"),
        (((0, 760),), "test: block (0, 760) is not a trajectory, a start and a stop"),
        (((0, 760.0, 1000.0),), "test: block (0, 760.0, 1000.0) is not a trajectory"),
        ((("0", "a", "b"),), "test: block ('0', 'a', 'b') is not a trajectory"),
        (((False, True, 1000),), "test: block (False, True, 1000) is not a trajectory"),
        (((0, 700, 1000),), "validation: block [0, 510, 750] shares frames with block [0, 700, 1000] of test"),
        (((0, 0, 500),), "test: block [0, 0, 500] shares frames with block [0, 0, 500] of train"),
        (((0, 790, 820),), "test: block [0, 790, 820] is not within one segment of the data"),
        (((0, 760, 770),), "no block for test is longer than `tau=10`, so that no pair is left"),
        ((), "no block for test is longer than `tau=10`"),
        (3, "'int' object is not iterable"),
    ],
)
def test_a_division_of_somebody_else(test, message):
    split = Split(((np.int64(0), 0, 500),), ((0, 510, 750),), test)
    if not message:
        check_split(split, [[1000]], 10)
        return
    with pytest.raises(InputError) as caught:
        check_split(split, [[800, 200]] if "segment" in message else [[1000]], 10)
    assert str(caught.value).startswith(f"`split`: {message}")


def test_fractions():
    split = split_by_time([[1000]], 10, (0.5, 0.25, 0.25))
    assert split == Split(((0, 0, 500),), ((0, 510, 750),), ((0, 760, 1000),))
    assert Split.from_dict(split.to_dict()) == split


def test_whole_trajectories():
    split = split_by_name(["a", "b", "c"], [[50, 5], [50], [40]], 10, ["b"], ["c"])
    assert split == Split(((0, 0, 50),), ((1, 0, 50),), ((2, 0, 40),))


@pytest.mark.parametrize(
    ("tau", "fractions", "message"),
    [
        (100, (0.7, 0.15, 0.15), "`tau=100`: must be from 1 to 99, the longest segment has 100 frames"),
        (0, (0.7, 0.15, 0.15), "`tau=0`: must be from 1 to 99"),
        (40, (0.7, 0.15, 0.15), "`tau=40`: no pair is left for validation"),
        (5, (0.7, 0.3, 0.0), "`split=0.7 0.3 0.0`: three positive fractions that add up to 1"),
        (5, (0.7, 0.2, 0.2), "`split=0.7 0.2 0.2`: three positive fractions that add up to 1"),
    ],
)
def test_bad_split_by_time(tau, fractions, message):
    with pytest.raises(InputError, match=message):
        split_by_time([[100]], tau, fractions)


@pytest.mark.parametrize(
    ("validation", "test", "tau", "message"),
    [
        (["x"], ["b"], 5, "`validation=x`: no such trajectory; there are a, b, c"),
        (["b"], [], 5, "`test`: `validation` and `test` are given together"),
        (["b"], ["b"], 5, "`validation` and `test`: b is named in both"),
        (["b"], ["c"], 30, "`tau=30`: no pair is left for test"),
        (["a", "b"], ["c"], 5, "`tau=5`: no pair is left for train"),
    ],
)
def test_bad_split_by_name(validation, test, tau, message):
    with pytest.raises(InputError, match=message):
        split_by_name(["a", "b", "c"], [[50], [50], [20]], tau, validation, test)


def test_pairs_never_cross_a_block():
    trajectories, frames = LaggedChains([(0, 10, 15), (2, 0, 3), (1, 0, 4)], 3, 1).epoch(seed=0, epoch=0)
    pairs = list(zip(trajectories[:, 0].tolist(), frames[:, 0].tolist(), strict=True))
    for k in range(4):  # passes
        assert sorted(pairs[3 * k : 3 * k + 3]) == [(0, [10, 13]), (0, [11, 14]), (1, [0, 3])]
    assert len(pairs) == 12


def test_chains_leave_out_other_pairs_in_every_epoch():
    """Frames 0, 2, ..., 18 hold nine pairs, two chains of four and one pair more, the first or the last of them."""
    chains = LaggedChains([(0, 0, 20)], 2, 8, 4)
    assert (chains.chains_per_batch, chains.n_batches) == (2, 4 * 2)
    left_out = set()
    for epoch in range(20):
        _, frames = chains.epoch(seed=1, epoch=epoch)
        np.testing.assert_array_equal(np.diff(frames), 2)
        starts = sorted(frames[:2, ..., :-1].ravel().tolist())  # of the first pass
        left_out |= set(range(18)) - set(starts)
        assert len(set(starts)) == 16
    assert left_out == {0, 1, 16, 17}


@pytest.mark.parametrize(
    ("blocks", "tau", "batch_size", "most", "length"),
    [
        ([(0, 0, 1000)], 10, 12, 4, 4),
        ([(0, 0, 1000)], 10, 12, 3, 3),
        ([(0, 0, 1000)], 10, 8, 4, 4),
        ([(0, 0, 1000)], 10, 4, 4, 2),  # one chain of four would be too few
        ([(0, 0, 1000)], 10, 10, 4, 2),  # three pairs make up no batch of ten
        ([(0, 0, 1000)], 10, 11, 4, 1),
        ([(0, 0, 100)] * 7, 10, 12, 4, 3),  # nine pairs each: chains of four would leave out a ninth
        ([(0, 0, 100)], 49, 1, 4, 1),
        ([(0, 0, 100)], 60, 4, 4, 1),  # no frame ends one pair and begins another
        ([(0, 0, 20)], 10, 10, 4, 1),  # all pairs are one batch
    ],
)
def test_length_of_chains(blocks, tau, batch_size, most, length):
    chains = LaggedChains.longest(blocks, tau, batch_size, most)
    assert chains.length == length
    assert chains._n_whole >= 0.9 * LaggedChains(blocks, tau, batch_size)._n_whole > 0


def test_an_epoch_of_much_data_is_a_part_of_it():
    chains = LaggedChains.longest([(0, 0, 100_000)], 5, 12)
    assert (chains.length, chains.n_batches) == (4, 100)
    first, second = (set(chains.epoch(1, epoch)[1][..., 0].ravel().tolist()) for epoch in range(2))
    assert len(first) == len(second) == 300
    assert len(first & second) < 30


@pytest.fixture
def graphs(tmp_path):
    rng = np.random.default_rng(0)
    trajectories = [
        Trajectory(name, rng.random((n, 4, 3)) * 5, np.repeat(np.eye(3)[None] * 5, n, axis=0), [3, 8, 8, 8])
        for name, n in (("a", 30), ("b", 20))
    ]
    build_graphs(trajectories, [[0]], out=tmp_path / "g", n_neighbors=3, edges="distance", progress=False)
    return open_graphs(tmp_path / "g")


def _first_distances(batches):
    return np.concatenate([np.asarray(inputs["distances"])[:, :, 0, 0] for inputs, _ in batches])


@pytest.mark.parametrize("length", [1, 3])
def test_batches_of_a_pass_hold_each_pair_once(graphs, length):
    blocks = [(0, 0, 30), (1, 5, 20)]
    chains = LaggedChains(blocks, 4, 6, length)  # 26 + 11 pairs
    found = _first_distances(chain_batches(graphs, chains, seed=1, epoch=0))
    assert found.shape[1] == length + 1
    pairs = np.stack([found[:, :-1], found[:, 1:]], -1).reshape(-1, 2)
    expected = [
        [graphs.array(t, "distances")[s, 0, 0] for s in (f, f + 4)]
        for t, start, stop in blocks
        for f in range(start, stop - 4)
    ]
    assert {tuple(row) for row in pairs} <= {tuple(row) for row in expected}
    assert len(pairs) == 6 * chains.n_batches == 4 * {1: 36, 3: 30}[length]
    a_pass = pairs[: len(pairs) // 4]
    assert len({tuple(row) for row in a_pass}) == len(a_pass)


def test_order_follows_from_seed_and_epoch(graphs):
    chains = LaggedChains([(0, 0, 30)], 4, 4, 2)
    first = _first_distances(chain_batches(graphs, chains, seed=1, epoch=0))
    np.testing.assert_array_equal(first, _first_distances(chain_batches(graphs, chains, seed=1, epoch=0)))
    for other in ({"seed": 1, "epoch": 1}, {"seed": 2, "epoch": 0}):
        assert (first != _first_distances(chain_batches(graphs, chains, **other))).any()


def test_shapes_are_static(graphs):
    inputs, label = chain_batches(graphs, LaggedChains([(0, 0, 30)], 4, 6, 3), 0, 0).element_spec
    assert inputs["distances"].shape == (2, 4, 4, 3)
    assert inputs["neighbors"].shape == (2, 4, 4, 3)
    assert inputs["atomic_numbers"].shape == (4,)
    assert inputs["targets"].shape == (1, 1)
    assert label.shape == (2, 1)


def test_frames_are_filled_up_with_the_last(graphs):
    batches = list(frame_batches(graphs, (1, 3, 10), 4))
    found = np.concatenate([np.asarray(b["distances"]) for b in batches])
    expected = graphs.array(1, "distances")
    np.testing.assert_array_equal(found[:7], expected[3:10])
    np.testing.assert_array_equal(found[7], expected[9])
    assert len(found) == 8


@pytest.mark.parametrize("segments", [[[1000]], [[120] * 7], [[60, 40], [300]]])
def test_folds_are_blocks_of_time(segments):
    """Each fold trains before its test block, and tau frames lie between train, validation and test."""
    tau, start_of = 3, np.concatenate([[0], np.cumsum([sum(s) for s in segments])])
    folds = time_folds(segments, tau, 3)
    assert len(folds) == 3

    def span(blocks):
        return start_of[blocks[0][0]] + blocks[0][1], start_of[blocks[-1][0]] + blocks[-1][2]

    tests = [span(fold.test) for fold in folds]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(tests))
    for fold in folds:
        assert span(fold.train)[0] == 0
        assert span(fold.train)[1] + tau <= span(fold.validation)[0]
        assert span(fold.validation)[1] + tau <= span(fold.test)[0]


def test_too_many_folds():
    with pytest.raises(InputError, match=r"`n_splits=50`: Cannot have number of folds=51 .* \(40 frames, lag time 2\)"):
        time_folds([[40]], 2, 50)
    with pytest.raises(InputError, match="`n_splits=3`: no pair is left for validation in fold 1"):
        time_folds([[100]], 8, 3)
