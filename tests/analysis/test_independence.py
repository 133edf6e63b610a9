"""What counts as independent."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga


def kind(chi, tau=2):
    return ga.independent_blocks(chi, tau).basis.kind


def test_a_long_run_is_cut_into_blocks_of_time(two_states):
    blocks = ga.independent_blocks(two_states(10, 4000, 1), 2)
    assert blocks.basis.kind == "time blocks"
    assert blocks.basis.n_blocks == len(blocks) == 40
    assert blocks.basis.block_length >= 5 * blocks.basis.relaxation
    assert str(blocks.basis) == "40 blocks of 100 frames"
    np.testing.assert_allclose(blocks.weights, 1 / 40)


def test_every_frame_of_every_target_is_in_one_block_of_each_partition(two_states):
    for chi in (
        [two_states(10, n, 2, seed=n) for n in (70, 900, 33, 1500)],
        two_states(50, 200, 30, seed=1),
        two_states(30, 800, 3),
    ):
        chi = ga.as_chi(chi)
        blocks = ga.independent_blocks(chi, 2)
        assert blocks
        count = [np.zeros(segment.shape[:2], int) for segment in chi]
        total, sums = sum(segment.sum(axis=(0, 1)) for segment in chi), blocks.sums(chi)
        for number, part in enumerate(blocks.partitions, 1):
            for pieces in blocks.pieces[part]:
                for piece in pieces:
                    count[piece.segment][piece.frames, piece.targets] += 1
            assert all((c == number).all() for c in count)
            assert blocks.weights[part].sum() == pytest.approx(1)
            np.testing.assert_allclose(sums[part].sum(axis=0), total)
        np.testing.assert_allclose(blocks.left_out(sums)[0], total)
        for b in range(len(blocks)):
            left = sum(segment.sum(axis=(0, 1)) for segment in blocks.without(b, chi))
            np.testing.assert_allclose(left + blocks.sums(chi)[b], total)


def test_many_short_targets_are_grouped(two_states):
    blocks = ga.independent_blocks(two_states(50, 200, 60), 5)
    assert blocks.basis.kind == "groups of targets"
    assert len(blocks.pieces[blocks.partitions[0]]) == 40
    assert str(blocks.basis) == "40 groups of targets"
    # Beside them, all data once more in blocks of time, and in blocks that hold another time of each group.
    assert [part.stop - part.start for part in blocks.partitions] == [40, 20, 20]
    time, mixed = (blocks.pieces[part] for part in blocks.partitions[1:])
    assert all(len({piece.frames.start for piece in block}) == 1 for block in time)
    assert all(len({piece.frames.start for piece in block}) == 20 for block in mixed)
    assert 1 <= blocks.basis.design_effect < 1.5


def test_few_independent_targets_are_cut_one_by_one(two_states):
    blocks = ga.independent_blocks(two_states(30, 800, 3, seed=1), 3)
    assert blocks.basis.kind == "blocks of single targets"
    assert str(blocks.basis).endswith("frames of single targets")


def test_targets_that_move_together_are_not_called_independent(two_states):
    """However many copies there are of one short run."""
    basis = ga.independent_blocks(np.repeat(two_states(50, 300, 1, seed=1), 60, axis=1), 5).basis
    assert basis.kind is None
    assert basis.reason == "short"
    assert str(basis).startswith("no interval: the ")
    assert str(basis).endswith("targets are too few or not shown to be independent")
    assert kind(np.repeat(two_states(10, 4000, 1), 60, axis=1)) == "time blocks"  # time is enough


def test_targets_that_differ_for_good_are_not_averaged_by_time(two_states):
    """Half of the targets stays in state 0 for 9 of 10 frames, the others for 1 of 10."""
    alike = [two_states(5, 3000, 10, seed=k, p=p) for k, p in enumerate((0.1, 0.9))]
    chi = np.concatenate(alike, axis=1)
    assert kind(chi) == "groups of targets"
    both = np.repeat(np.concatenate([part[:, :1] for part in alike], axis=1), 2, axis=1)
    basis = ga.independent_blocks(both, 2).basis
    assert basis.kind is None
    assert basis.reason == "targets differ" or not np.isfinite(basis.relaxation)


def test_segments_of_one_run_are_joined(two_states):
    """40 segments of two relaxation times each: too short alone, and not independent, whatever is declared."""
    segments = np.split(two_states(50, 4000, 1, seed=4), 40)
    for trajectories in (None, range(40), [0] * 40):
        blocks = ga.independent_blocks(ga.Chi(segments, trajectories=trajectories), 5)
        assert blocks.basis.kind == "time blocks"
        assert blocks.basis.block_length > 150


def test_independent_trajectories_that_do_not_decay(two_states):
    """Each a third of a relaxation time long: only whole trajectories are independent, if they are declared or many."""
    trajectories = [two_states(300, 100, 1, seed=k) for k in range(60)]
    declared = ga.independent_blocks(ga.Chi(trajectories, trajectories=range(60)), 5)
    assert declared.basis.kind == "trajectories"
    assert len(declared) == 40  # of one or two trajectories
    assert str(declared.basis) == "40 trajectories"
    np.testing.assert_allclose(declared.weights.sum(), 1)
    assert ga.independent_blocks(ga.Chi(trajectories[:4], trajectories=range(4)), 5).basis.kind is None


def test_nothing_moves():
    basis = ga.independent_blocks(np.tile(np.eye(2)[[0, 1, 1, 0, 1, 1, 0]], (100, 1, 1)), 2).basis
    assert basis.kind is None
    assert basis.reason == "no dynamics"
    assert str(basis) == "no interval: no lasting change of state was seen"


def test_one_answer_for_one_chi(two_states):
    chi = ga.Chi(two_states(10, 1000, 2), tau=2)
    assert ga.independent_blocks(chi) is ga.independent_blocks(chi, 2)
