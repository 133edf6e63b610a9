"""Is the deviation that the Chapman-Kolmogorov verdict calls noticeable the one that it notices?

    python benchmarks/calibration_noticeable.py [--draws 200] [family ...]

"A deviation of d would have been noticed" says: had K(tau)^n and K(n tau) of infinitely many data differed by d, four
of five such data sets would have been refuted. Tried on families of processes whose memory has a strength that can be
turned up. At each strength the true deviation is known and the share of data sets that are refuted, of those that are
tested, is counted; the deviation at which that share passes 80 %, between the strengths by straight lines, is the
smallest one that truly is noticed. Beside it stands what the verdicts say there.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from calibration import LUMPED, STEPS, TAU, THREE, Chain, biased, trap, wells

import gdynet_tf.analysis as ga

_POWER = 0.8  # that the statement implies


@dataclass(frozen=True)
class Family:
    """Data of one size at several strengths of memory, weakest first."""

    chain: Callable[[float], Chain]
    strengths: tuple


def lumped(*size):
    """Two wells of two hidden states each; the time spent at the border."""
    return lambda recrossing: Chain(wells(recrossing), *size, observed=LUMPED)


def trapped(*size):
    """A state with a trap behind it that looks like it; how soon it is entered and left."""
    return lambda depth: Chain(trap(depth), *size, observed=(0, 1, 0))


def swapping(*size):
    """Two states that flip often, and whose populations, 0.5 + b and 0.5 - b, swap seldom; b."""
    return lambda bias: Chain(biased(10.0, 1000.0, bias), *size, observed=(0, 1, 0, 1))


def fuzzy(*size):
    """Posterior of a noisy measurement; the noise."""
    return lambda blur: Chain(THREE, *size, blur=blur)


FAMILIES = {
    "two wells, one target, 24,000 frames": Family(lumped((24_000,), 1), (1.0, 2.0, 3.0, 4.0, 6.0)),
    "two wells, one target, 12,000 frames": Family(lumped((12_000,), 1), (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)),
    "two wells, 100 targets, 400 frames": Family(lumped((400,), 100), (1.0, 2.0, 3.0, 4.0, 6.0)),
    "a trap, one target, 20,000 frames": Family(trapped((20_000,), 1), (0.05, 0.03, 0.02, 0.01)),
    "a trap, one target, 10,000 frames": Family(trapped((10_000,), 1), (0.05, 0.03, 0.02, 0.01, 0.006)),
    "weak and slow, one target, 80,000 frames": Family(swapping((80_000,), 1), (0.05, 0.08, 0.11, 0.15)),
    "weak and slow, one target, 20,000 frames": Family(swapping((20_000,), 1), (0.08, 0.11, 0.15, 0.2, 0.25)),
    "fuzzy, 40 targets, 400 frames": Family(fuzzy((400,), 40), (0.1, 0.2, 0.25, 0.3)),
}


@dataclass(frozen=True)
class Point:
    """One strength: the true deviation, and of the draws that were tested the share refuted and what was said."""

    deviation: float
    tested: float
    refuted: float
    stated: float


def measure(chain, draws, seed=0):
    """Draw and test."""
    refuted, stated = [], []
    for chi in chain.draw(draws, np.random.default_rng(seed)):
        test = ga.chapman_kolmogorov_test(chi, TAU, STEPS)
        if test.passed is not None:
            refuted.append(not test.passed)
            stated.append(test.noticeable)
    if not refuted:
        return Point(chain.deviation(), 0.0, np.nan, np.nan)
    return Point(chain.deviation(), len(refuted) / draws, float(np.mean(refuted)), float(np.median(stated)))


def noticed(points):
    """(true deviation, stated one) where the share refuted passes 80 %; NaN where it does not."""
    for before, after in pairwise(points):
        if before.refuted < _POWER <= after.refuted:
            part = (_POWER - before.refuted) / (after.refuted - before.refuted)
            return tuple(
                (1 - part) * getattr(before, name) + part * getattr(after, name) for name in ("deviation", "stated")
            )
    return np.nan, np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help=f"of: {'; '.join(FAMILIES)}")
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    if unknown := [name for name in args.families if name not in FAMILIES]:
        parser.error(f"unknown family {unknown[0]!r}; families are: {'; '.join(FAMILIES)}")
    print("| data | true deviation: refuted, % (tested, %) | noticed in 80 %, truly | stated there | stated / true |")
    print("|---|---|---|---|---|")
    for name in args.families or FAMILIES:
        family = FAMILIES[name]
        points = [measure(family.chain(strength), args.draws) for strength in family.strengths]
        true, stated = noticed(points)
        curve = ", ".join(f"{p.deviation:.3f}: {100 * p.refuted:.0f} ({100 * p.tested:.0f})" for p in points)
        print(f"| {name} | {curve} | {true:.3f} | {stated:.3f} | {stated / true:.2f} |", flush=True)


if __name__ == "__main__":
    main()
