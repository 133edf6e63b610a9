"""The choice of lag time and number of states: the smallest of both that fulfil the Chapman-Kolmogorov equation.

Xie et al. 2019, "Hyperparameter optimization and model validation": more states and longer lags always help a model to
look Markovian and always cost detail, so the smallest that pass within statistical uncertainty are taken. What passes
must also be such that a failure would have been noticed, and must be found again by other seeds.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.learning.identification import identify_states
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.learning.selection.candidates import Candidate, scan_lags
from gdynet_tf.learning.splits import time_folds
from gdynet_tf.learning.training import TrainingSettings, train_network

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = ["Selection", "disagreement", "recommend", "select_model"]

logger = logging.getLogger(__name__)

_LEVEL = 0.05  # of all longer lags together, at which one speaks against a shorter one
_WITHIN = 0.10  # by which the slowest timescale may be below that of more states
_SAMPLES = 200_000  # frames x targets compared between seeds

_WORDS = {
    "refuted": "refuted by the Chapman-Kolmogorov test",
    "drifts": "timescales that are not constant in the lag",
    "no power": "nothing against them, but the data could not have shown it",
    "hidden": "something slow that the states hardly show",
    "not found again": "states that other seeds do not find again",
    "few slow": "fewer relaxations that outlast the lag than the states need",
    "nothing slow": "no relaxation that outlasts the lag",
    "no dynamics": "no lasting change of state seen",
    "untested": "too few data for any test",
    "holds": "hold, but a longer lag is refuted",
}


@dataclass(frozen=True)
class Selection:
    """What was found.

    Attributes
    ----------
    candidates : list of Candidate
    scores : dict of int to list of float
        Number of states -> test VAMP-2 of the folds, each of the seed with the best validation score.
    recommended : Candidate or None
    finding : Finding
        "recommended" or "no recommendation", and why.
    findings : list of Finding
        What else is to be known: "not found again", "more states hold".
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    """

    candidates: list[Candidate]
    scores: dict[int, list[float]]
    recommended: Candidate | None
    finding: ga.Finding
    findings: list[ga.Finding] = field(default_factory=list)
    frame_interval: float = 1.0
    time_unit: str = "frames"

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each candidate."""
        import pandas as pd

        rows = [
            {
                "n_states": c.n_states,
                "lag": c.lag,
                f"lag_time_{self.time_unit}": c.lag * self.frame_interval,
                "verdict": c.finding.kind,
                "max_deviation": c.max_deviation,
                "p_value": c.p_value,
                "noticeable": c.noticeable,
                "shortfall": c.shortfall.value,
                "shortfall_lower": c.shortfall.lower,
                "shortfall_upper": c.shortfall.upper,
                "reach": c.shortfall.reach,
                "n_transitions": c.n_transitions,
                "n_slow": c.n_slow,
                "n_folds": c.n_folds,
                f"timescales_{self.time_unit}": " ".join(f"{t:.6g}" for t in c.timescales),
                "vamp2_mean": np.mean(self.scores[c.n_states]),
                "vamp2_folds": " ".join(f"{s:.6g}" for s in self.scores[c.n_states]),
            }
            for c in self.candidates
        ]
        return pd.DataFrame(rows)


def recommend(candidates: Sequence[Candidate]) -> tuple[Candidate | None, list[ga.Finding]]:
    """The smallest number of states that holds, at the shortest lag.

    A longer lag at which the Chapman-Kolmogorov test refutes the same states counts against the shorter one, if it
    still does after Bonferroni's correction for the number of lags: with many of them, one is refuted by chance. More
    states that hold and show a slowest timescale more than a tenth longer count against fewer: states can only shorten
    it, and those that shorten it least describe the slow process best (Nüske et al., J. Chem. Theory Comput. 10, 1739
    (2014)).

    Parameters
    ----------
    candidates : sequence of Candidate

    Returns
    -------
    Candidate or None
    list of Finding
        "recommended" or "no recommendation" first; then "more states hold" if they do.
    """
    holding = [c for c in candidates if c.finding.kind == "holds" and not _refuted_later(c, candidates)]
    holding.sort(key=lambda c: (c.n_states, c.lag))
    holding = [c for c in holding if not _slower_with_more_states(c, holding)]
    kinds = dict(Counter(c.finding.kind for c in candidates))
    if not holding:
        parts = "; ".join(f"{n}: {_WORDS[kind]}" for kind, n in kinds.items())
        text = f"No recommendation from {len(candidates)} combinations of states and lag. {parts}."
        return None, [ga.Finding(kind="no recommendation", severity="bad", text=text, numbers={"kinds": kinds})]
    chosen = holding[0]
    text = (
        f"{chosen.n_states} states at a lag of {chosen.lag} frames: the smallest number of states, and the shortest "
        f"lag for it, that hold. {chosen.finding}"
    )
    numbers = {"n_states": chosen.n_states, "lag": chosen.lag, "kinds": kinds} | dict(chosen.finding.numbers)
    findings = [ga.Finding(kind="recommended", severity="good", text=text, numbers=numbers)]
    most = max(c.n_states for c in holding)
    if most > chosen.n_states:
        lag = min(c.lag for c in holding if c.n_states == most)
        text = f"{most} states hold as well, from a lag of {lag} frames, and tell more."
        more = ga.Finding(kind="more states hold", severity="note", text=text, numbers={"n_states": most, "lag": lag})
        findings.append(more)
    return chosen, findings


def _refuted_later(candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    longer = [c for c in candidates if c.n_states == candidate.n_states and c.lag > candidate.lag]
    return any(c.finding.kind == "refuted" and c.p_value * len(longer) < _LEVEL for c in longer)


def _slower_with_more_states(candidate: Candidate, holding: Sequence[Candidate]) -> bool:
    """Asked of each larger number of states at the shortest lag at which it holds."""
    first: dict[int, Candidate] = {}
    for c in holding:
        if c.n_states > candidate.n_states:
            first.setdefault(c.n_states, c)
    return any(candidate.timescales[0] < (1 - _WITHIN) * c.timescales[0] for c in first.values())


def disagreement(n_states: int, f1: Sequence[np.ndarray]) -> ga.Finding | None:
    """Whether other seeds find other states.

    Parameters
    ----------
    n_states : int
    f1 : sequence of (n_states,) arrays
        For each fold, the F1 score of each state of the best seed, the smallest over the other seeds.

    Returns
    -------
    Finding or None
        "not found again" if in half of the folds or more some state is not; the early folds train on few data.
    """
    lost = [int((fold < ga.FOUND_AGAIN).sum()) for fold in f1]
    n_lost = sum(map(bool, lost))
    if not n_lost or 2 * n_lost < len(lost):
        return None
    worst = min(float(np.min(fold)) for fold in f1)
    text = (
        f"{n_states} states are not found again by other seeds in {n_lost} of {len(lost)} folds (smallest F1 "
        f"{worst:.2f}, {ga.FOUND_AGAIN:g} is needed)."
    )
    numbers = {"n_states": n_states, "n_folds": n_lost, "f1": worst}
    return ga.Finding(kind="not found again", severity="warning", text=text, numbers=numbers)


def select_model(
    graphs: GraphDataset,
    settings: TrainingSettings,
    n_states: Sequence[int],
    lags: Sequence[int],
    n_splits: int,
    n_restarts: int,
    seed: int,
    folder: str | Path,
    resume: bool = False,
    progress: bool = True,
) -> Selection:
    """Cross-validate every number of states with several seeds, and scan the lags of the test data of all folds.

    Parameters
    ----------
    graphs : GraphDataset
    settings : TrainingSettings
        Of all trainings but for the number of states; ``tau`` is the lag time of the training.
    n_states : sequence of int
    lags : sequence of int
        Frames.
    n_splits : int
        Folds of scikit-learn's TimeSeriesSplit, with a gap of tau.
    n_restarts : int
        Trainings of each fold, from different seeds; one says nothing about whether states are found again.
    seed : int
        Of the first.
    folder : path-like
        Gets a directory for each training.
    resume : bool
        Take up the trainings that are there.
    progress : bool

    Returns
    -------
    Selection
    """
    folds = time_folds(graphs.segments, settings.tau, n_splits)
    units = (graphs.meta["frame_interval"], graphs.meta["time_unit"])
    candidates, scores, findings = [], {}, []
    for n in n_states:
        tested, f1 = [], []
        for k, fold in enumerate(folds):
            models, validation = [], []
            for restart in range(n_restarts):
                logger.info(f"{n} states, fold {k + 1} of {n_splits}, seed {seed + restart}")
                model, history = train_network(
                    graphs,
                    fold,
                    replace(settings, n_states=n),
                    seed + restart,
                    Path(folder) / f"n{n}_fold{k + 1}_seed{seed + restart}",
                    resume=resume,
                    progress=progress,
                )
                identify_states(model, graphs, fold.train, settings.tau)
                models.append(model)
                validation.append(max(row["validation_vamp2"] for row in history))
            best = int(np.argmax(validation))
            if n_restarts > 1:
                runs = [_chi(model, graphs, fold.validation, _SAMPLES) for model in models]
                f1.append(ga.restart_agreement(runs, best).f1)
            tested.append(_chi(models[best], graphs, fold.test))
        scores[n] = [ga.vamp2_score(chi, settings.tau) for chi in tested]
        scanned = scan_lags(tested, lags, *units)
        if lost := disagreement(n, f1):
            findings.append(lost)
            scanned = [replace(c, finding=lost) if c.finding.kind == "holds" else c for c in scanned]
        candidates += scanned
    recommended, (finding, *more) = recommend(candidates)
    return Selection(
        candidates=candidates,
        scores=scores,
        recommended=recommended,
        finding=finding,
        findings=findings + more,
        frame_interval=units[0],
        time_unit=units[1],
    )


def _chi(
    model: Any, graphs: GraphDataset, blocks: Sequence[tuple[int, int, int]], n_samples: int | None = None
) -> list[np.ndarray]:
    """chi of blocks, one array for each; of evenly spaced frames if no more than about n_samples are wanted."""
    total = sum(stop - start for _, start, stop in blocks) * graphs.n_targets
    stride = max(1, total // n_samples) if n_samples else 1
    return [np.concatenate([chi[::stride] for chi in predict_blocks(model, graphs, block)]) for block in blocks]
