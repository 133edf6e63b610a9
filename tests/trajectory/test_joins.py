"""Jumps that no atom makes are found, and what atoms do make is none."""

import numpy as np
import pytest

from gdynet_tf.trajectory.following import Follower
from gdynet_tf.trajectory.joins import impossible_jumps

EDGE = 20.0


def jumps(x, numbers=None, starts=(0,)):
    """Frames to which an impossible jump leads, and what is said."""
    lattices = np.repeat(np.eye(3)[None] * EDGE, len(x), axis=0)
    follower = Follower(np.full(x.shape[1], 3) if numbers is None else numbers, (True,) * 3)
    follower.follow(x % EDGE, lattices)
    return impossible_jumps(follower.typical_steps, follower.elements, starts, lambda frame: f"frame {frame}")


def walk(rng, width, n_atoms=40, n_frames=200):
    """Steps of a given width, one number or one for each frame."""
    width = np.broadcast_to(width, n_frames)[:, None, None]
    return rng.random((n_atoms, 3)) * EDGE + (rng.normal(size=(n_frames, n_atoms, 3)) * width).cumsum(axis=0)


def gas(rng):
    return rng.random((40, 3)) * EDGE + np.arange(200)[:, None, None] * rng.normal(0, 1, (40, 3))


def hopping(rng, rate=0.05, together=1):
    """Atoms rattle about sites and hop by 2.5 Å, alone or several at once."""
    hops = np.zeros((200, 40, 3))
    for frame, atom in np.argwhere(rng.random((200, 40)) < rate):
        hops[frame, (atom + np.arange(together)) % 40, 0] += rng.choice([-2.5, 2.5])
    return rng.random((40, 3)) * EDGE + hops.cumsum(axis=0) + rng.normal(0, 0.1, (200, 40, 3))


MOTIONS = {
    "liquid": lambda rng: walk(rng, 0.3),
    "gas": gas,
    "hops": hopping,
    "ten atoms hop together": lambda rng: hopping(rng, 0.001, 10),
    "heated": lambda rng: walk(rng, np.linspace(0.02, 1, 200)),
    "quenched": lambda rng: walk(rng, np.where(np.arange(200) < 100, 0.5, 0.1)),
    "at rest, then moving": lambda rng: walk(rng, np.where(np.arange(200) < 3, 0.0, 0.3)),
    "frozen": lambda rng: np.repeat(rng.random((1, 40, 3)), 200, axis=0),
}


@pytest.mark.parametrize("motion", MOTIONS)
def test_motion_is_no_jump(motion):
    rng = np.random.default_rng(0)
    assert [jumps(MOTIONS[motion](rng))[0] for _ in range(10)] == [[]] * 10


@pytest.mark.parametrize("motion", [name for name in MOTIONS if name != "frozen"])
def test_two_runs_end_to_end(motion):
    rng = np.random.default_rng(1)
    x = np.concatenate([MOTIONS[motion](rng)[:100], MOTIONS[motion](rng)[100:]])
    frames, (finding,) = jumps(x)
    assert frames == [100]
    assert finding.kind == "impossible jump"
    assert "three quarters of the Li move by " in finding.text
    assert " Å or more from frame 99 to frame 100, by " in finding.text
    assert jumps(x, starts=(0, 100)) == ([], ())  # known already


def test_one_element_may_jump():
    rng = np.random.default_rng(2)
    x = np.concatenate([walk(rng, 0.2), walk(rng, 0.01, 30)], axis=1)
    x[120:, :40] = walk(rng, 0.2)[120:]
    frames, (finding,) = jumps(x, np.repeat([3, 16], [40, 30]))
    assert frames == [120]
    assert "of the Li" in finding.text


def test_few_atoms_are_not_judged():
    rng = np.random.default_rng(3)
    x = walk(rng, 0.1, 5)
    x[100:] += rng.normal(0, 3, (5, 3))
    assert jumps(x) == ([], ())


def test_many_jumps_are_counted():
    rng = np.random.default_rng(4)
    x = np.concatenate([walk(rng, 0.1, n_frames=20) for _ in range(6)])
    frames, (finding,) = jumps(x)
    assert frames == [20, 40, 60, 80, 100]
    assert "; 2 more such jumps" in finding.text
    assert finding.numbers["n_jumps"] == 5
