"""What tells the states apart, as the run has it in ``explanation.json``, and the sentences about it."""

from __future__ import annotations

from typing import Any

import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.files import read_json
from gdynet_tf.findings import Finding

__all__ = ["explanation_findings", "load_explanation"]

_TABLES = ("attention", "gradients", "sensitivities")


def load_explanation(run: ga.Run) -> dict[str, Any] | None:
    """Content of ``explanation.json``, as `gdynet_tf.networks.explanation.Explanation` describes it.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict or None
        None where the run has none: a VAMPnet, an older training, a model applied to other data.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    file = run.path / "explanation.json"
    if not file.is_file():
        return None
    try:
        content = read_json(file)
        _ = [content[name] for name in (*_TABLES, "told_by", "n_samples", "own_share")]
    except (KeyError, TypeError) as error:
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
    content = load_explanation(run)
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
