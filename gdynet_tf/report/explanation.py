"""The sentences about what tells the states apart."""

from __future__ import annotations

from typing import Any

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.runs import load_explanation
from gdynet_tf.findings import Finding

__all__ = ["explanation_findings"]


def explanation_findings(run: ga.Run) -> list[Finding]:
    """One sentence for each state that few distances tell; none for the others, or where the run says nothing.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of Finding
        Kind "told by distances", severity "note".
    """
    content = load_explanation(run.path)
    if content is None:
        return []
    told = list(enumerate(content["told_by"]))
    # The probabilities of two states are each other's complement.
    return [_finding(state, by) for state, by in (told[1:] if len(told) == 2 else told) if by is not None]


def _finding(state: int, by: dict[str, Any]) -> Finding:
    first, last = by["first_rank"], by["last_rank"]
    several = last > first
    where = "" if by["from"] is None else f" at {by['from']:.1f}–{by['to']:.1f} Å"
    text = (
        f"State {state} is told by the {_which(first, last)} {by['neighbor']} of {by['center']}{where}: "
        f"{'their mean distance' if several else 'its distance'} is "
        f"{by['in_state']:.2f} Å on average in this state and {by['elsewhere']:.2f} Å elsewhere, and accounts by "
        f"itself for {100 * by['accounted']:.0f} % of the variance of the state's probability."
    )
    return Finding("told by distances", "note", text, {"state": state, **by})


def _which(first: int, last: int) -> str:
    if first == last:
        return "nearest" if first == 1 else f"{_ordinal(first)} nearest"
    if first == 1:
        return f"{last} nearest"
    return f"{_ordinal(first)} {'and' if last == first + 1 else 'to'} {_ordinal(last)} nearest"


def _ordinal(n: int) -> str:
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
