"""What tells the states apart, as the run has it in ``explanation.json``: figures and sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding

if TYPE_CHECKING:
    from gdynet_tf.report.figures import Figure

__all__ = ["explanation_figures", "explanation_findings"]

_SECTION = "Explanation"
_TABLES = ("attention", "gradients", "sensitivities")


def _load(run: ga.Run) -> dict[str, Any] | None:
    """Content of ``explanation.json``; None where the run has none (a VAMPnet, or an older training)."""
    file = run.path / "explanation.json"
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        _ = [content[name] for name in (*_TABLES, "told_by", "n_samples", "own_share")]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: cannot be read: {error!r}") from None
    return content


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
    content = _load(run)
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


def explanation_figures(run: ga.Run, saved: Callable[..., Figure]) -> Iterator[Figure]:
    """Draw and save attention, gradients and sensitivities.

    Parameters
    ----------
    run : Run
    saved : callable
        (section, name, axes, numbers, title, caption) -> Figure.

    Yields
    ------
    Figure
        None for a run without ``explanation.json``.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    import pandas as pd

    from gdynet_tf.report.plots.explanation import attention, distance_gradients, distance_sensitivities

    content = _load(run)
    if content is None:
        return
    tables = {name: pd.DataFrame(content[name]) for name in _TABLES}
    source = f"From {content['n_samples']:,} targets and frames of the validation data."
    sentences = " ".join(finding.text for finding in explanation_findings(run))
    silent = "No few neighbours stand out: the states depend on many distances, or on others than the target's own."
    yield saved(
        _SECTION,
        "distance_sensitivities",
        distance_sensitivities(tables["sensitivities"]),
        content["sensitivities"],
        "Which neighbours tell the states",
        "Share of each neighbour, by rank among those of its element, in what the state's probability owes to the "
        "target's distances: mean squared derivative times the variance of the distance. "
        f"{sentences or silent} {source}",
    )
    yield saved(
        _SECTION,
        "distance_gradients",
        distance_gradients(tables["gradients"]),
        content["gradients"],
        "At which distances",
        "Mean derivative of each state's probability with respect to the distance of a neighbour in a shell of 0.1 Å, "
        "exact, by the network's own differentiation. Positive: the farther the neighbour, the likelier the state. "
        f"The target's own distances have {100 * content['own_share']:.0f} % of the derivatives (sum of the moduli "
        f"over all pairs of atoms). {source}",
    )
    yield saved(
        _SECTION,
        "attention",
        attention(tables["attention"]),
        content["attention"],
        "Attention",
        "Mean attention of a target to each neighbour in each convolution, weighted by the states. It is the weight of "
        "a message, not its content: a state need not depend on what is attended to. "
        f"{source}",
    )
