"""Training, prediction and runs on a small system with two states that are known."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gdynet_tf.analysis import load_chi, load_run, vamp2_score
from gdynet_tf.analysis.kinetics.covariances import lagged_sums
from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning import training as module
from gdynet_tf.learning.epochs.checkpoint import Checkpoint
from gdynet_tf.learning.prediction import predict_blocks, stream_vamp2, write_chi
from gdynet_tf.learning.runs import new_config, resume_config, train_run
from gdynet_tf.learning.splits import split_by_time
from gdynet_tf.learning.training import TrainingSettings, default_batch_size, float32_model, train_network
from gdynet_tf.networks.gdynet import GDyNet, load_model
from gdynet_tf.trajectory import Trajectory

SETTINGS = TrainingSettings(
    n_states=2, tau=2, n_conv=1, n_features=4, batch_size=200, epochs=3, learning_rate=0.02, patience=3
)


def switching(n_frames, seed):
    """Two atoms at 2 or 3 Å from each other; the bond switches with probability 0.02 a frame."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_frames) < 0.02) % 2
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = np.where(state, 3.0, 2.0) + rng.normal(0, 0.05, n_frames)
    return state, Trajectory("bond", positions, np.repeat(np.eye(3)[None] * 20, n_frames, axis=0), [3, 8])


@pytest.fixture(scope="module")
def state():
    return switching(3000, 0)[0]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    out = tmp_path_factory.mktemp("graphs") / "g"
    build_graphs([switching(3000, 0)[1]], [[0]], out=out, n_neighbors=2, edges="distance", progress=False)
    return open_graphs(out)


@pytest.fixture(scope="module")
def split(graphs):
    return split_by_time(graphs.segments, SETTINGS.tau)


@pytest.fixture(scope="module")
def finished(graphs, split, tmp_path_factory):
    """A finished run of two trainings."""
    run = tmp_path_factory.mktemp("runs") / "r"
    config = new_config(graphs, split, SETTINGS, seed=1, n_restarts=2)
    return run, train_run(graphs, run, config, progress=False)


def _rows(folder):
    """History without the wall-clock column."""
    with open(folder / "history.csv") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_run_finds_the_two_states(finished, graphs, state):
    run, scores = finished
    chi = load_chi(run)[0]
    found = chi[:, 0].argmax(axis=1)
    same = (found == state).mean()
    assert max(same, 1 - same) > 0.98
    assert scores["crispness"] > 0.95
    # A chain that switches with probability 0.02: the second eigenvalue after two steps is 0.96^2.
    assert scores["vamp2"]["train"] == pytest.approx(1 + 0.96**4, abs=0.06)
    assert scores["collapsed"] == []
    assert scores["agreement"]["found_again"] == [True, True]
    assert scores["agreement"]["canonical_correlations"][0] > 0.98


def test_run_directory(finished, graphs, split):
    run, scores = finished
    names = {
        "config.json",
        "history.csv",
        "scores.json",
        "explanation.json",
        "best.weights.h5",
        "model.keras",
        "checkpoints",
        "manifest.json",
        "chi",
    }
    assert {path.name for path in run.iterdir()} == names
    config = json.loads((run / "config.json").read_text())
    assert config["seed"] == 1
    assert {"gdynet_tf", "tensorflow", "keras", "numpy", "python"} <= set(config["versions"])
    assert config["data"]["trajectories"][0]["segments"] == [3000]
    model = load_model(run)
    chi = np.concatenate(list(predict_blocks(model, graphs, (0, 0, 3000))))
    np.testing.assert_allclose(chi, load_chi(run)[0], atol=1e-6)
    other = GDyNet.from_config(model.get_config())
    other.load_weights(run / "best.weights.h5")
    for mine, its in zip(other.state_map.get_weights(), model.state_map.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    for restart in scores["restarts"]:
        assert restart["n_resolved"] == 2
        assert restart["findings"] == []
        assert restart["train_vamp2_after_identification"] > restart["train_vamp2_before_identification"] - 0.02
    best = max(scores["restarts"], key=lambda row: row["validation_vamp2"])
    assert scores["best_seed"] == best["seed"]


def test_run_says_what_tells_its_states(finished):
    run, _ = finished
    explanation = json.loads((run / "explanation.json").read_text())
    for told in explanation["told_by"]:  # the only neighbour, seen with its two nearest images
        assert (told["center"], told["neighbor"], told["first_rank"]) == ("Li", "O", 1)
        assert told["from"] is None or 1.8 < told["from"] < told["to"] < 3.2  # 2 or 3 Å, hardly ever between
        assert abs(told["in_state"] - told["elsewhere"]) == pytest.approx(1.0, abs=0.05)


def test_missing_and_damaged_model(tmp_path):
    with pytest.raises(InputError, match=r"model\.keras: no such file; train\.py writes it at the end"):
        load_model(tmp_path)
    (tmp_path / "model.keras").write_text("no model")
    with pytest.raises(InputError, match=r"model\.keras: cannot be read as a Keras model"):
        load_model(tmp_path)


def test_streamed_score_is_that_of_all_pairs(finished, graphs, split):
    run, scores = finished
    for name in ("train", "validation", "test"):
        # The ridge of 1e-6 beside covariances of 0.1 changes the score by about 1e-5.
        assert scores["vamp2"][name] == pytest.approx(vamp2_score(load_chi(run, name), 2), abs=1e-4)


def test_lagged_sums_whatever_the_chunks():
    chi = np.random.default_rng(0).dirichlet(np.ones(3), (50, 2))
    whole, n = lagged_sums([chi], 7)
    x, y = chi[:-7].reshape(-1, 3), chi[7:].reshape(-1, 3)
    np.testing.assert_allclose(whole, [x.T @ x, x.T @ y, y.T @ y], rtol=1e-12)
    assert n == 86
    for size in (1, 3, 20):
        pieces, m = lagged_sums([chi[i : i + size] for i in range(0, 50, size)], 7)
        np.testing.assert_allclose(pieces, whole, rtol=1e-12)
        assert m == n


def test_same_seed_same_bits(graphs, split, tmp_path, finished):
    """Again from scratch: history and weights are equal to the bit."""
    run, _ = finished
    model, _ = train_network(graphs, split, SETTINGS, 1, tmp_path / "again", progress=False)
    assert _rows(tmp_path / "again") == _rows(run / "checkpoints" / "seed_1")
    first = GDyNet.from_config(model.get_config())
    first.load_weights(run / "checkpoints" / "seed_1" / "best.weights.h5")
    for a, b in zip(first.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_resume_continues_to_the_same_result(graphs, split, tmp_path, finished, monkeypatch):
    """Interrupted within the second epoch, and between the checkpoint's two files."""
    run, _ = finished
    real, calls = module.stream_vamp2, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "stream_vamp2", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_network(graphs, split, SETTINGS, 1, tmp_path, progress=False)
    assert len(_rows(tmp_path)) == 1
    train_network(graphs, split, SETTINGS, 1, tmp_path, resume=True, progress=False)
    assert len(calls) == 4
    assert _rows(tmp_path) == _rows(run / "checkpoints" / "seed_1")


def test_resumed_run_is_the_run(finished, graphs):
    run, scores = finished
    config, again = resume_config(run)
    assert again.path == graphs.path.resolve()
    (run / "scores.json").unlink()
    assert train_run(again, run, config, resume=True, progress=False)["vamp2"] == scores["vamp2"]
    assert load_run(run).scores["vamp2"] == scores["vamp2"]


def test_graphs_that_are_altered_meanwhile(graphs, split, tmp_path, monkeypatch):
    """The training ends, and writes no scores of two sets of graphs."""
    from gdynet_tf.learning import runs

    shutil.copytree(graphs.path, tmp_path / "g")
    mine = open_graphs(tmp_path / "g")
    real = runs.train_network

    def meanwhile(*arguments, **options):
        np.save(tmp_path / "g" / "bond" / "distances.npy", np.zeros((3000, 2, 2), np.float32))
        return real(*arguments, **options)

    monkeypatch.setattr(runs, "train_network", meanwhile)
    config = new_config(mine, split, SETTINGS, seed=1)
    with pytest.raises(InputError, match=r"distances\.npy: replaced or altered while it was in use"):
        train_run(mine, tmp_path / "r", config, progress=False)
    assert not (tmp_path / "r" / "scores.json").exists()


def test_nothing_to_resume(tmp_path, finished):
    with pytest.raises(InputError, match=r"no config\.json in it, there is nothing to resume"):
        resume_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json: cannot be read"):
        resume_config(tmp_path)
    config = json.loads((finished[0] / "config.json").read_text())
    config["graphs"]["sha256"] = "0"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="is not the graph directory that .* was begun with"):
        resume_config(tmp_path)
    config["graphs"]["path"] = str(tmp_path / "gone")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="gone: not a graph directory"):
        resume_config(tmp_path)


def test_divergence_ends_with_advice(graphs, split, tmp_path):
    from dataclasses import replace

    settings = replace(SETTINGS, epochs=1)
    object.__setattr__(settings, "learning_rate", float("inf"))  # none that is allowed diverges for certain
    message = r"the loss is not a number in epoch 1; a smaller `learning_rate` \(now inf\) helps most often"
    with pytest.raises(TrainingError, match=rf"{tmp_path}: {message}; best\.weights\.h5 holds the best epoch before"):
        train_network(graphs, split, settings, 0, tmp_path, progress=False)
    with pytest.raises(TrainingError, match=rf"^{message}$"):
        train_network(graphs, split, settings, 0, progress=False)


def test_learning_rate_falls_twice_before_the_end():
    def rate(scores, **changes):
        checkpoint = Checkpoint(None, [{"validation_vamp2": s} for s in scores])
        settings = TrainingSettings(2, 1, **{"epochs": 100, "patience": 2, "learning_rate": 0.1, **changes})
        return checkpoint.learning_rate(settings), checkpoint.best

    assert rate([]) == (0.1, -1)
    assert rate([1.5, 1.4]) == (0.1, 0)
    assert rate([1.5, 1.4, 1.3]) == (pytest.approx(0.03), 0)
    assert rate([1.5, 1.5002, 1.5004]) == (pytest.approx(0.03), 2)  # so small a gain does not count, but is the best
    assert rate([1.5, 1.4, 1.3, 1.6, 1.5]) == (pytest.approx(0.03), 3)
    assert rate([1.5, 1.4, 1.3, 1.6, 1.5, 1.5]) == (pytest.approx(0.009), 3)
    assert rate([1.5, 1.4, 1.3, 1.6, 1.5, 1.5, 1.5]) == (pytest.approx(0.009), 3)
    assert rate([1.5, 1.4, 1.3, 1.6, 1.5, 1.5, 1.5, 1.5]) == (None, 3)
    assert rate([1.5, 1.6], epochs=2) == (None, 1)


@pytest.mark.parametrize("variant", ["paper", "gdynet2019"])
def test_mixed_precision_and_variants_learn_the_same(graphs, split, tmp_path, variant, state):
    from dataclasses import replace

    precision = "mixed_float16" if variant == "paper" else "float32"
    settings = replace(SETTINGS, precision=precision, variant=variant, epochs=4)
    model, _ = train_network(graphs, split, settings, 1, tmp_path, progress=False)
    assert model.precision == "float32"
    assert stream_vamp2(model, graphs, split.train, 2) == pytest.approx(1 + 0.96**4, abs=0.06)


def test_float32_model_keeps_the_weights(graphs):
    half = GDyNet(2, n_conv=1, n_features=4, precision="mixed_float16")
    full = float32_model(half)
    assert full.convs[0].compute_dtype == "float32"
    for a, b in zip(half.get_weights(), full.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_default_batch_size():
    assert default_batch_size(1, 10**6) == 2000
    assert default_batch_size(192, 10**6) == 12  # chains of four
    assert default_batch_size(2000, 10**6) == 8  # two of them
    assert default_batch_size(1, 50) == 50


def test_each_frame_is_evaluated_once(graphs, tmp_path, monkeypatch):
    model, seen = GDyNet(2, n_conv=1, n_features=4), []
    real = model.predict_on_batch
    monkeypatch.setattr(model, "predict_on_batch", lambda x: (seen.append(len(x["neighbors"])), real(x))[1])
    write_chi(model, graphs, tmp_path, progress=False)
    assert sum(seen) == 3000
    assert np.load(tmp_path / "bond.npy").shape == (3000, 1, 2)


def test_memory_does_not_grow_with_the_trajectory(tmp_path):
    """Reading all batches of a trajectory four times as long takes no more memory."""
    peaks = []
    for n_frames in (5000, 20_000):
        out = tmp_path / str(n_frames)
        positions = np.random.default_rng(0).random((n_frames, 4, 3)) * 5
        trajectory = Trajectory("t", positions, np.repeat(np.eye(3)[None] * 5, n_frames, axis=0), [3, 8, 8, 8])
        build_graphs([trajectory], [[0]], edges="gaussian", out=out, progress=False)
        script = (
            "import resource, numpy as np\n"
            "from gdynet_tf.graphs.store import open_graphs\n"
            f"graphs = open_graphs({str(out)!r})\n"
            f"for start in range(0, {n_frames}, 500):\n"
            "    graphs.read(np.zeros(500, int), np.arange(start, start + 500))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert out.joinpath("t", "edges.npy").stat().st_size > 130e6
    assert peaks[1] - peaks[0] < 20_000  # kB; the longer file has 104 MB more
