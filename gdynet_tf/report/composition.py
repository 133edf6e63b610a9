"""What a system and its targets are, in words."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gdynet_tf.analysis.system import System
from gdynet_tf.trajectory.elements import formula, symbol

__all__ = ["formula_text", "targets_text"]

_KINDS = 6  # of targets that are named, the others are counted


def formula_text(atomic_numbers: np.ndarray) -> str:
    """Composition of a system.

    Parameters
    ----------
    atomic_numbers : (N,) int array

    Returns
    -------
    str
        "416 atoms, 32 × Li6PS5I"; "10,479 atoms, C4002H8037..." where nothing can be divided out.
    """
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    times = int(np.gcd.reduce(counts))
    unit = formula(np.repeat(numbers, counts // times))
    return f"{len(atomic_numbers):,} atom{'s' if len(atomic_numbers) > 1 else ''}, " + (
        f"{times:,} × {unit}" if times > 1 else unit
    )


def targets_text(system: System) -> str:
    """What the targets are, how many there are and of how many.

    Parameters
    ----------
    system : System

    Returns
    -------
    str
        "all 33 Mg, of 10,479 atoms"; "12 of 192 Li, of 416 atoms"; "900 H2O, of 2,700 atoms".
    """
    rows, counts = np.unique(np.sort(system.atomic_numbers[system.targets], axis=1), axis=0, return_counts=True)
    kinds: Counter[str] = Counter()
    for row, count in zip(rows, counts, strict=True):
        kinds[formula(row)] += int(count)
    there = Counter(symbol(z) for z in system.atomic_numbers) if system.targets.shape[1] == 1 else {}
    texts = []
    for name, count in kinds.most_common(_KINDS):
        if there.get(name, 1) == 1:  # molecules, and an element with a single atom
            texts.append(f"{count:,} {name}")
        else:
            texts.append(f"all {count:,} {name}" if there[name] == count else f"{count:,} of {there[name]:,} {name}")
    if len(kinds) > _KINDS:
        texts.append(f"and {len(kinds) - _KINDS:,} other kinds")
    return f"{', '.join(texts)}, of {len(system.atomic_numbers):,} atoms"
