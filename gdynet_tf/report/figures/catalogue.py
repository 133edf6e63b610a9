"""The one list of the figures of a report, in the order in which it shows them.

An entry says what is shown, how it is drawn, the numbers beside it and its caption; nothing else has to know of it.
"""

from __future__ import annotations

from gdynet_tf.analysis.agreement import FOUND_AGAIN
from gdynet_tf.report.figures.atomistic import MOTION, SPACE, STRUCTURE
from gdynet_tf.report.figures.common import frame
from gdynet_tf.report.figures.drawing import FigureSpec
from gdynet_tf.report.figures.dynamics import DYNAMICS
from gdynet_tf.report.figures.explanation import EXPLANATION

__all__ = ["FIGURES"]

_TRAINING = (
    FigureSpec(
        "Training",
        "history",
        "Training",
        result=lambda a: a.run.history,
        draw=lambda plots, a, r: plots.history(r),
        table=lambda a, r: r,
        caption=lambda a, r: (
            "VAMP-2 score by epoch, before the states are identified. The validation score is of all pairs at once."
        ),
    ),
    FigureSpec(
        "Training",
        "state_agreement",
        "Found again by the restarts",
        result=lambda a: a.run.scores["agreement"],
        draw=lambda plots, a, r: plots.state_agreement(r["f1"], FOUND_AGAIN),
        table=lambda a, r: frame({"state": range(len(r["f1"])), "f1": r["f1"], "found_again": r["found_again"]}),
        caption=lambda a, r: (
            "Smallest overlap (F1 score of the frames in which a state is the likeliest) with its match in the other "
            f"{r['n_restarts'] - 1} trainings, on the validation data."
        ),
    ),
)

FIGURES = (*DYNAMICS, *STRUCTURE, *MOTION, *SPACE, *EXPLANATION, *_TRAINING)
