"""Training, prediction and score from memory, in the manner of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gdynet_tf.analysis.chi import Chi
from gdynet_tf.analysis.runs import chi_of_blocks, segment_blocks
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.dataset import GraphDataset, as_inputs
from gdynet_tf.learning.settings import TrainingSettings, new_config
from gdynet_tf.learning.splits import Split, check_split, split_by_time
from gdynet_tf.networks.backend import load_backend

if TYPE_CHECKING:
    from gdynet_tf.learning.runs import TrainedRun

__all__ = ["GDyNetEstimator"]


class GDyNetEstimator(BaseEstimator):
    """A graph dynamical network: states of the targets and how they change, by maximising VAMP-2.

    One training or several of the same network; the best is identified, scored and applied to every frame. It does
    what ``train.py`` does, to the same numbers for the same seed.

    Parameters
    ----------
    n_states : int
    tau : int
        Lag time in frames.
    model : {"gdynet", "vampnet"}
        States of each target, or a plain network on the targets' coordinates, for the state of the system as a whole.
    n_conv : int
        Convolutions; of a VAMPnet, hidden layers.
    n_features : int, optional
        Length of an embedding, or width of the hidden layers; default 16, of a VAMPnet 64.
    variant : {"paper", "gdynet2019"}
    batch_size : int, optional
        Pairs of frames in a batch; default eight at least, and as many as hold 2,000 target samples.
    epochs : int
        At most so many, each of 100 batches, or of four passes over all pairs where these are fewer.
    learning_rate : float
        At first.
    patience : int
        Epochs without gain after which the learning rate falls, and the third time a training ends.
    n_restarts : int
        Trainings with the seeds seed, seed + 1, ...; the best is kept and compared with the others.
    seed : int, optional
        Of weights and shuffling; default drawn.
    split : three floats or Split
        Fractions of time that train, validate and test, or the blocks themselves (`learning.splits`).
    progress : bool
        Show bars. The score of each epoch is logged (``logging``, at the level INFO).

    Attributes
    ----------
    run_ : Run
        For `gdynet_tf.analysis`: ``ga.load_chi(estimator.run_, "test")``, ``ga.load_system(estimator.run_)``. Holds
        ``config`` and, once saved, ``path``.
    model_ : GDyNet or VAMPnet
    history_ : DataFrame
        Of the best training: epoch, train_vamp2 (mean of the batches), validation_vamp2 (exact), seconds.
    scores_ : dict
        vamp2 of train, validation and test, populations, crispness, collapsed, agreement of the trainings.
    split_ : Split

    Examples
    --------
    >>> estimator = GDyNetEstimator(n_states=3, tau=10, n_restarts=3, seed=1).fit(graphs)  # doctest: +SKIP
    >>> chi = estimator.transform(graphs)  # doctest: +SKIP
    >>> estimator.save("runs/mine")  # doctest: +SKIP
    """

    def __init__(
        self,
        n_states: int,
        tau: int,
        *,
        model: str = "gdynet",
        n_conv: int = 3,
        n_features: int | None = None,
        variant: str = "paper",
        batch_size: int | None = None,
        epochs: int = 100,
        learning_rate: float = 1e-2,
        patience: int = 3,
        n_restarts: int = 1,
        seed: int | None = None,
        split: Sequence[float] | Split = (0.70, 0.15, 0.15),
        progress: bool = True,
    ) -> None:
        self.n_states = n_states
        self.tau = tau
        self.model = model
        self.n_conv = n_conv
        self.n_features = n_features
        self.variant = variant
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.patience = patience
        self.n_restarts = n_restarts
        self.seed = seed
        self.split = split
        self.progress = progress

    def fit(self, graphs: GraphDataset) -> GDyNetEstimator:
        """Train, identify the states and score them.

        Parameters
        ----------
        graphs : GraphDataset
            From `build_graphs` or `open_graphs`.

        Returns
        -------
        GDyNetEstimator
            Itself.

        Raises
        ------
        InputError
            If a parameter is out of range, or does not fit the data.
        TrainingError
            If the loss is no number.
        """
        own = self.get_params(deep=False)
        settings = TrainingSettings(**{f.name: own[f.name] for f in fields(TrainingSettings) if f.name in own})
        inputs = _inputs(graphs, self.model)
        if isinstance(self.split, Split):
            split = self.split
            check_split(split, graphs.segments, settings.tau)
        else:
            split = split_by_time(graphs.segments, settings.tau, tuple(self.split))
        load_backend()
        from gdynet_tf.learning.runs import fit_run
        from gdynet_tf.learning.training import best_precision

        settings = replace(settings, precision=best_precision())
        config = new_config(inputs, split, settings, self.seed, self.n_restarts)
        self._adopt(fit_run(inputs, config, progress=self.progress))
        return self

    def _adopt(self, run: TrainedRun) -> None:
        self.run_ = run
        self.model_ = run.model
        self.history_ = run.history
        self.scores_ = run.scores
        self.split_ = Split.from_dict(run.config["split"])

    def transform(self, graphs: GraphDataset) -> Chi:
        """State probabilities of every frame.

        Parameters
        ----------
        graphs : GraphDataset
            Those of `fit` or others with the same number of neighbours.

        Returns
        -------
        Chi
            Of (F, n_targets, n_states) segments, with the lag time, the time scale of the graphs and the trajectory
            that each segment belongs to.

        Raises
        ------
        InputError
            If the graphs do not fit the network.
        """
        inputs = self._fitting(graphs)
        from gdynet_tf.learning.prediction import predict_chi

        with inputs.unchanged():
            arrays = predict_chi(self.model_, inputs, progress=self.progress)
        meta = graphs.meta
        blocks = segment_blocks(graphs.segments)
        return chi_of_blocks(arrays, blocks, self.run_.tau, meta["frame_interval"], meta["time_unit"])

    def score(self, graphs: GraphDataset) -> float:
        """VAMP-2 of all pairs of frames a lag time apart, in [1, n_states]; those it was trained on included.

        ``scores_["vamp2"]`` has it of training, validation and test.

        Parameters
        ----------
        graphs : GraphDataset

        Returns
        -------
        float

        Raises
        ------
        InputError
            If the graphs do not fit the network, their frames are spaced otherwise, or no segment is longer than the
            lag time.
        """
        inputs = self._fitting(graphs)
        from gdynet_tf.learning.prediction import stream_vamp2

        spacing = (graphs.meta["frame_interval"], graphs.meta["time_unit"])
        trained = (self.run_.frame_interval, self.run_.time_unit)
        if spacing != trained:
            raise InputError(
                f"the frames are {spacing[0]:g} {spacing[1]} apart, those of the training were {trained[0]:g} "
                f"{trained[1]}: a lag time of {self.run_.tau} frames is not the same"
            )
        tau = self.run_.tau
        blocks = [(n, start, stop) for n, start, stop in segment_blocks(graphs.segments) if stop - start > tau]
        if not blocks:
            raise InputError(f"`tau={tau}`: no segment is longer than the lag time")
        with inputs.unchanged():
            return stream_vamp2(self.model_, inputs, blocks, tau)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the run directory that ``train.py`` writes, for the report and for `load`.

        It gets config.json, history.csv, scores.json, best.weights.h5, model.keras, ``chi/``, and ``graphs/`` when the
        graphs are in memory; no checkpoints.

        Parameters
        ----------
        path : path-like
        overwrite : bool
            Replace a run directory that exists.

        Returns
        -------
        Path

        Raises
        ------
        InputError
            If ``path`` exists.
        """
        check_is_fitted(self)
        self._adopt(self.run_.save(path, overwrite))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> GDyNetEstimator:
        """Open a finished run directory, of `save` or of ``train.py``.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        GDyNetEstimator
            Fitted; its parameters are those of the run, with the blocks of its split.

        Raises
        ------
        InputError
            If there is no such run, or it is damaged.
        """
        load_backend()
        from gdynet_tf.learning.runs import load_trained_run

        run = load_trained_run(path)
        known = {**run.config, "split": Split.from_dict(run.config["split"])}
        estimator = cls(**{name: known[name] for name in cls._get_param_names() if name in known})
        estimator._adopt(run)
        return estimator

    def _fitting(self, graphs: GraphDataset) -> GraphDataset:
        """The inputs of the network, after a check that it can take them."""
        check_is_fitted(self)
        config = self.run_.config
        inputs = _inputs(graphs, config["model"])
        if config["model"] == "gdynet":
            checks = {
                "n_neighbors": (graphs.meta["n_neighbors"], config["data"]["n_neighbors"]),
                "expansion": (graphs.meta["expansion"], self.model_.expansion_settings),
            }
        else:
            (n_coordinates,), _ = inputs.input_shapes["coordinates"]
            checks = {"n_coordinates": (n_coordinates, self.model_.n_coordinates)}
        for name, (found, trained) in checks.items():
            if found != trained:
                raise InputError(f"the graphs have {name} {found}, the network was trained with {trained}")
        return inputs


def _inputs(graphs: GraphDataset, model: str) -> GraphDataset:
    if not isinstance(graphs, GraphDataset):
        raise InputError(f"graphs from build_graphs or open_graphs are needed, got {type(graphs).__name__}")
    return as_inputs(graphs, model)
