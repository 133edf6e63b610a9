"""Parts of the data, and what is said of them, by hand."""

import numpy as np
import pytest

from gdynet_tf.analysis.blocks import Basis, Blocks, Piece, blocks_of_time, groups_of_targets, pieces_of

UNPROVEN = "targets are too few or not shown to be independent"
FOLLOW = "targets do what others did before"


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (Basis("time blocks", 12, 49.6), "12 blocks of 50 frames"),
        (Basis("blocks of single targets", 12, 50), "12 blocks of 50 frames of single targets"),
        (Basis("groups of targets", 40), "40 groups of targets"),
        (Basis("trajectories", 5), "5 trajectories"),
        (Basis("posterior"), "the posterior of the model"),
        (Basis(None, reason="no dynamics"), "no interval: no lasting change of state was seen"),
        (
            Basis(None, reason="no diffusion"),
            "no interval: the displacement is not that of diffusion in the fitted range",
        ),
        (
            Basis(None, reason="targets differ"),
            "no interval: targets differ by more than time averages away and are not shown to be independent",
        ),
        (
            Basis(None, reason="shared", slower=123.0),
            "no interval: all targets feel something that lasts about 1.2e+02 frames, too long here",
        ),
        (
            Basis(None, reason="not in equilibrium"),
            "no interval: not in equilibrium, so that an average over the frames is one of these frames only",
        ),
        (Basis(None, reason="targets follow"), f"no interval: {FOLLOW}"),
        (
            Basis(None, reason="targets follow", relaxation=10.0, n_relaxations=4.2),
            f"no interval: the data hold 4.2 relaxation times of the 30 needed, and {FOLLOW}",
        ),
        (
            Basis(None, reason="short", relaxation=10.0, n_relaxations=4.2),
            f"no interval: the data hold 4.2 relaxation times of the 30 needed, and {UNPROVEN}",
        ),
        (
            Basis(None, reason="short", relaxation=np.inf),
            f"no interval: the slowest relaxation does not decay in the data, and {UNPROVEN}",
        ),
        (
            Basis(None, reason="short"),
            f"no interval: the slowest relaxation does not decay in the data, and {UNPROVEN}",
        ),
        (
            Basis(None, reason="short", relaxation=10.0, n_relaxations=90, slower=50),
            "no interval: a weak process is slow, of about 50 frames, beside the length of the data, and " + UNPROVEN,
        ),
    ],
)
def test_words(basis, words):
    assert str(basis) == words


def values(*lengths, n_targets=2):
    """A running number for each frame and target."""
    ends = np.cumsum(lengths)
    return [
        np.arange(end - n, end)[:, None] + 100.0 * np.arange(n_targets) for n, end in zip(lengths, ends, strict=True)
    ]


def test_blocks_of_time_run_over_segments():
    """Ten frames in segments of 4 and 6, cut after 5: the first block holds a frame of the second segment."""
    blocks = blocks_of_time(values(4, 6), 2, Basis(None, reason="short", relaxation=3.0))
    assert [[(p.segment, p.frames) for p in block] for block in blocks.pieces] == [
        [(0, slice(0, 4)), (1, slice(0, 1))],
        [(1, slice(1, 6))],
    ]
    assert blocks.basis == Basis("time blocks", 2, 5.0, relaxation=3.0)
    np.testing.assert_allclose(blocks.weights, [0.5, 0.5])


@pytest.mark.parametrize(("length", "n_time"), [(17, 0), (16, 6), (1, 20)])
def test_groups_have_blocks_of_time_beside_them_where_six_fit(length, n_time):
    """90 targets in 40 groups of two or three, 100 frames."""
    data = [np.ones((100, 90, 2))]
    blocks = groups_of_targets(data, Basis(None, reason="short", relaxation=7.0), length)
    assert blocks.basis == Basis("groups of targets", 40, 2.25, relaxation=7.0)
    assert len(blocks) == len(blocks.weights) == 40 + 2 * n_time
    sums = blocks.sums(data)[:, 0] / 9000
    np.testing.assert_allclose(sums, blocks.weights)
    for part in blocks.partitions:
        assert sums[part].sum() == pytest.approx(1)


def test_without_blocks_there_is_one_of_all_data():
    data = values(4, 6)
    assert pieces_of(Blocks(Basis(None)), data) == [[Piece(0, slice(0, 4)), Piece(1, slice(0, 6))]]
    np.testing.assert_allclose(Blocks(Basis(None)).sums(data), [2 * 45 + 10 * 100])


def test_data_without_a_block():
    """Frames of all targets part the segment; frames of one target make each a segment; a whole target is left out."""
    data = values(4, 6)
    blocks = Blocks(
        Basis("time blocks", 3),
        [
            [Piece(1, slice(2, 4))],
            [Piece(1, slice(2, 4), np.array([1]))],
            [Piece(0, slice(0, 4), np.array([1])), Piece(1, slice(0, 6), np.array([1]))],
        ],
    )
    left = [[part.T.tolist() for part in blocks.without(b, data)] for b in range(3)]
    assert left[0] == [
        [[0, 1, 2, 3], [100, 101, 102, 103]],
        [[4, 5], [104, 105]],
        [[8, 9], [108, 109]],
    ]
    assert left[1] == [[[0, 1, 2, 3]], [[100, 101, 102, 103]], [[4, 5, 6, 7, 8, 9]], [[104, 105]], [[108, 109]]]
    assert left[2] == [[[0, 1, 2, 3]], [[4, 5, 6, 7, 8, 9]]]
