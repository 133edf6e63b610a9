"""The figures of what tells the states apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gdynet_tf.analysis.runs import load_explanation
from gdynet_tf.report.explanation import explanation_findings
from gdynet_tf.report.figures.drawing import FigureSpec

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["EXPLANATION"]

_SECTION = "Explanation"


def _table(name: str) -> Callable[[Analysis, dict[str, Any]], pd.DataFrame]:
    def table(analysis: Analysis, explanation: dict[str, Any]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(explanation[name])

    return table


def _source(explanation: dict[str, Any]) -> str:
    return f"From {explanation['n_samples']:,} targets and frames of the validation data."


def _sentences(analysis: Analysis) -> str:
    sentences = " ".join(finding.text for finding in explanation_findings(analysis.run))
    return sentences or "No few neighbours stand out: the states depend on many distances, or not on the target's own."


EXPLANATION = (
    FigureSpec(
        _SECTION,
        "distance_sensitivities",
        "Which neighbours tell the states",
        result=lambda a: load_explanation(a.run.path),
        draw=lambda plots, a, r: plots.distance_sensitivities(_table("sensitivities")(a, r)),
        table=_table("sensitivities"),
        caption=lambda a, r: (
            "Share of each neighbour, by rank among those of its element, in what the state's probability owes to the "
            "target's distances: mean squared derivative times the variance of the distance. "
            f"{_sentences(a)} {_source(r)}"
        ),
    ),
    FigureSpec(
        _SECTION,
        "distance_gradients",
        "At which distances",
        result=lambda a: load_explanation(a.run.path),
        draw=lambda plots, a, r: plots.distance_gradients(_table("gradients")(a, r)),
        table=_table("gradients"),
        caption=lambda a, r: (
            "Mean derivative of each state's probability with respect to the distance of a neighbour in a shell of "
            "0.1 Å, exact, by the network's own differentiation. Positive: the farther the neighbour, the likelier the "
            f"state. The target's own distances have {100 * r['own_share']:.0f} % of the derivatives (sum of the "
            f"moduli over all pairs of atoms). {_source(r)}"
        ),
    ),
    FigureSpec(
        _SECTION,
        "attention",
        "Attention",
        result=lambda a: load_explanation(a.run.path),
        draw=lambda plots, a, r: plots.attention(_table("attention")(a, r)),
        table=_table("attention"),
        caption=lambda a, r: (
            "Mean attention of a target to each neighbour in each convolution, weighted by the states. It is the "
            f"weight of a message, not its content: a state need not depend on what is attended to. {_source(r)}"
        ),
    ),
)
