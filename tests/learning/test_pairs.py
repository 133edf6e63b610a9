"""Splits, lagged pairs and tf.data pipelines."""

import itertools

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning.pairs import frame_batches, lagged_pairs, pair_batches
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
    pairs = lagged_pairs([(0, 10, 15), (2, 0, 3), (1, 0, 4)], 3)
    np.testing.assert_array_equal(pairs, [[0, 10], [0, 11], [1, 0]])
    assert lagged_pairs([(0, 0, 3)], 3).shape == (0, 2)


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


def test_batches_hold_each_pair_once(graphs):
    pairs = lagged_pairs([(0, 0, 30), (1, 5, 20)], 4)  # 26 + 11
    found = _first_distances(pair_batches(graphs, pairs, 4, 5, seed=1, epoch=0))
    expected = np.array([[graphs.array(t, "distances")[s, 0, 0] for s in (f, f + 4)] for t, f in pairs])
    assert found.shape == (35, 2)  # the last, incomplete batch is left out
    assert {tuple(row) for row in found} <= {tuple(row) for row in expected}
    assert len({tuple(row) for row in found}) == 35


def test_order_follows_from_seed_and_epoch(graphs):
    pairs = lagged_pairs([(0, 0, 30)], 4)
    first = _first_distances(pair_batches(graphs, pairs, 4, 5, seed=1, epoch=0))
    np.testing.assert_array_equal(first, _first_distances(pair_batches(graphs, pairs, 4, 5, seed=1, epoch=0)))
    for other in ({"seed": 1, "epoch": 1}, {"seed": 2, "epoch": 0}):
        assert (first != _first_distances(pair_batches(graphs, pairs, 4, 5, **other))).any()


def test_shapes_are_static(graphs):
    inputs, label = pair_batches(graphs, lagged_pairs([(0, 0, 30)], 4), 4, 5, 0, 0).element_spec
    assert inputs["distances"].shape == (5, 2, 4, 3)
    assert inputs["neighbors"].shape == (5, 2, 4, 3)
    assert inputs["atomic_numbers"].shape == (4,)
    assert inputs["targets"].shape == (1, 1)
    assert label.shape == (5, 1)


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
