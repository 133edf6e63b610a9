"""gdynet-apply: a run and new trajectories in, a run-like directory with their states out."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.commands.console import run_command, tell
from gdynet_tf.commands.reading import add_reading_options, read_trajectories
from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, output_path, read_json, whole_folder, write_json
from gdynet_tf.findings import Finding
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.parallel.executors import available_cores
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.graphs.targets import find_targets
from gdynet_tf.learning.settings import NOT_OF_THE_TRAINING
from gdynet_tf.locks import locked
from gdynet_tf.manifest import check_outside, check_own, write_manifest
from gdynet_tf.networks.backend import load_backend
from gdynet_tf.times import seconds, time_text
from gdynet_tf.trajectory import Trajectory
from gdynet_tf.trajectory.elements import symbol

if TYPE_CHECKING:
    from gdynet_tf.analysis import Run
    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = ["main"]

logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apply.py",
        description="Find the states of a trained network in other trajectories: another temperature, size or "
        "composition. The states keep their numbers.",
    )
    parser.add_argument("run", metavar="RUN", help="run directory of the training")
    parser.add_argument("trajectories", nargs="+", metavar="TRAJ", help="trajectory files")
    parser.add_argument("--out", help="directory to write (default: RUN_TRAJ, beside the run)")
    parser.add_argument(
        "--targets", metavar="SELECTION", help="as for build_graphs.py (default: the elements or molecules of the run)"
    )
    parser.add_argument("--n-workers", type=int, help="processes (default: one per core)")
    add_reading_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace the directory if it exists")
    return parser


def training_graphs(run: Run) -> GraphDataset:
    """The graphs that a run was trained on.

    Raises
    ------
    InputError
        If they are gone or are others now: nothing could be said of what the training saw.
    """
    if run.config["graphs"]["path"] is None:
        raise InputError(f"{run.path}: was trained on graphs in memory, which the run does not hold")
    return run.graphs()


def inferred_selection(graphs: GraphDataset) -> str | None:
    """The selection that the targets of graphs follow from: elements, all, or molecules; None where none does."""
    elements = graphs.atomic_numbers[graphs.targets]  # (n_targets, k)
    if elements.shape[1] == 1:
        chosen = np.unique(elements)
        if graphs.targets.size < np.isin(graphs.atomic_numbers, chosen).sum():
            return None
        return ",".join(symbol(z) for z in chosen)
    formulas = {"".join(f"{symbol(z)}{n}" for z, n in sorted(Counter(row).items())) for row in elements.tolist()}
    return f"molecules {formulas.pop()}" if len(formulas) == 1 else None


def _targets(args: argparse.Namespace, run: Run, training: GraphDataset, trajectory: Trajectory) -> np.ndarray:
    selection = args.targets or inferred_selection(training)
    if selection is None:
        raise InputError(
            f"{run.path}: its targets are neither all atoms of some elements nor molecules; `targets` is needed"
        )
    targets = find_targets(selection, trajectory)
    logger.info(f"targets: {selection}, {len(targets)} of {targets.shape[1]} atom{'s' if targets.shape[1] > 1 else ''}")
    return targets


def lag_in_frames(run: Run, frame_interval: float, time_unit: str) -> tuple[int, list[Finding]]:
    """The run's lag time in frames of other data, and what is to be known of it."""
    try:
        factor = 1.0 if time_unit == run.time_unit else seconds(run.time_unit) / seconds(time_unit)
    except ValueError:
        text = (
            f"The training counts time in {run.time_unit}, these data in {time_unit}: the lag time is taken to be "
            f"{run.tau} frames here as there."
        )
        return run.tau, [Finding(kind="other time unit", severity="warning", text=text, numbers={"tau": run.tau})]
    lag_time = run.tau * run.frame_interval * factor
    tau = max(1, round(lag_time / frame_interval))
    if abs(tau * frame_interval - lag_time) <= 1e-6 * lag_time:
        return tau, []
    here, there, apart = (time_text(t, time_unit, 4) for t in (tau * frame_interval, lag_time, frame_interval))
    text = f"The lag time is {here} here, {there} in the training: frames are {apart} apart."
    numbers = {"lag_time": tau * frame_interval, "training": lag_time}
    return tau, [Finding(kind="other lag time", severity="note", text=text, numbers=numbers)]


def _check_system(run: Run, training: GraphDataset, trajectory: Trajectory, targets: np.ndarray) -> None:
    """What cannot work at all."""
    m, n_atoms = training.meta["n_neighbors"], len(trajectory.atomic_numbers)
    if not any(trajectory.periodic) and n_atoms - 1 < m:
        raise InputError(
            f"{trajectory.origin}: {n_atoms} atoms and no periodic direction, so {n_atoms - 1} neighbours at most; "
            f"the network of {run.path} looks at {m}"
        )
    if run.config["model"] == "vampnet" and targets.size != training.targets.size:
        raise InputError(
            f"{trajectory.origin}: {targets.size} atoms in the targets; the vampnet of {run.path} takes the "
            f"coordinates of {training.targets.size}"
        )


def _run(args: argparse.Namespace) -> None:
    if args.n_workers is not None and args.n_workers < 1:
        raise InputError(f"--n-workers {args.n_workers}: must be at least 1")
    from gdynet_tf.analysis import load_run

    run = load_run(args.run)
    training = training_graphs(run)
    trajectories = read_trajectories(args, scratch=run.path.resolve().parent)
    targets = _targets(args, run, training, trajectories[0])
    _check_system(run, training, trajectories[0], targets)
    out = output_path(args.out or run.path.with_name(f"{run.path.resolve().name}_{trajectories[0].name}"))
    with locked(out):
        _check_output(out, args.overwrite)
        scores = _apply(args, run, training, trajectories, targets, out)
    logger.info(f"populations: {' '.join(f'{p:.4f}' for p in scores['populations'])}")
    for finding in scores["findings"]:
        tell(Finding(**finding))
    logger.info(f"written: {out}; next: python analysis/report.py {shlex.quote(str(out))}")


def _apply(
    args: argparse.Namespace,
    run: Run,
    training: GraphDataset,
    trajectories: list[Trajectory],
    targets: np.ndarray,
    out: Path,
) -> dict[str, Any]:
    """Write everything beside ``out``, and give it its name when it is complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(out) as new:
        build_graphs(
            trajectories,
            targets,
            out=new / "graphs",
            n_neighbors=training.meta["n_neighbors"],
            edges=training.meta["edges"],
            expansion=training.meta["expansion"],
            n_workers=args.n_workers or available_cores(),
            progress=not args.quiet,
        )
        load_backend()
        graphs = open_inputs(new / "graphs", run.config["model"])
        scores = apply_run(run, training, graphs, new, graphs_path=out / "graphs")
        write_manifest(new, leave_out=NOT_OF_THE_TRAINING)
    return scores


def _check_output(out: Path, overwrite: bool) -> None:
    check_outside(out)
    if out.exists():
        if not overwrite:
            raise InputError(f"{out}: exists; --overwrite replaces it, --out names another")
        config = out / "config.json"
        content = read_json(config) if config.is_file() else {}
        if not (isinstance(content, dict) and "applied_from" in content):
            raise InputError(f"{out}: exists and was not written by apply.py; it is not overwritten")
        check_own(out)


def apply_run(
    run: Run, training: GraphDataset, graphs: GraphDataset, out: Path, graphs_path: Path | None = None
) -> dict[str, Any]:
    """Predict the states of every frame and write config.json, scores.json and chi/.

    Parameters
    ----------
    run : Run
    training : GraphDataset
        What it was trained on.
    graphs : GraphDataset
        The new data.
    out : Path
    graphs_path : Path, optional
        Where the graphs will be found, when they are to be moved.

    Returns
    -------
    dict
        Content of ``scores.json``; ``findings`` tells what occurs that the training never saw.

    Raises
    ------
    InputError
        If the run has no model.
    """
    from gdynet_tf.analysis import collapsed_states, crispness, load_chi, populations
    from gdynet_tf.analysis.runs import Run, segment_blocks
    from gdynet_tf.graphs.coverage import compare_with_training
    from gdynet_tf.learning.prediction import predict_chi, stream_vamp2
    from gdynet_tf.learning.settings import describe_data, graphs_reference
    from gdynet_tf.learning.splits import Split
    from gdynet_tf.networks.gdynet import load_model

    model = load_model(run.path)
    blocks = segment_blocks(graphs.segments)
    tau, findings = lag_in_frames(run, graphs.meta["frame_interval"], graphs.meta["time_unit"])
    config = {
        **run.config,  # how the network was trained
        "applied_from": {
            "run": str(run.path.resolve()),
            "model_sha256": digest(run.path / "model.keras"),
            **{name: run.config[name] for name in ("tau", "split", "graphs", "data")},
        },
        "tau": tau,
        "split": Split(train=(), validation=(), test=tuple(blocks)).to_dict(),
        "graphs": graphs_reference(graphs) | ({"path": str(graphs_path.resolve())} if graphs_path else {}),
        "data": describe_data(graphs),
    }
    predict_chi(model, graphs, out / "chi")
    findings += compare_with_training(training, run.blocks("train"), graphs, blocks)
    long_enough = [block for block in blocks if block[2] - block[1] > tau]
    scores: dict[str, Any] = {
        "vamp2": {"all": stream_vamp2(model, graphs, long_enough, tau) if long_enough else None},
        "agreement": run.scores.get("agreement"),  # the states are those of the training
        "findings": [finding.to_dict() for finding in findings],
    }
    write_json(out / "config.json", config)
    write_json(out / "scores.json", scores)
    chi = load_chi(Run(path=out, config=config, scores=scores))
    scores |= {"crispness": crispness(chi), "populations": populations(chi).tolist()}
    scores["collapsed"] = [finding.text for finding in collapsed_states(chi, tau).findings] if long_enough else []
    write_json(out / "scores.json", scores)
    return scores


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
