"""The scripts of the silicon interface, on a slab that is built: crystal in the middle, random atoms about it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import gdynet_tf.analysis as ga
from gdynet_tf.files import digest, write_json
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning.runs import new_config, train_run
from gdynet_tf.learning.splits import split_by_time
from gdynet_tf.learning.training import TrainingSettings
from gdynet_tf.trajectory import Trajectory, read

FOLDER = Path(__file__).parents[2] / "examples" / "si_interface"
A = 5.47  # Å
CELL = np.array([A / np.sqrt(2), A, A / np.sqrt(2)])
BASIS = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.25, 0.5], [0.5, 0.75, 0]])
REPEATS = (3, 2, 16)
HEIGHT = REPEATS[2] * CELL[2]  # 61.9 Å
LOW, HIGH = HEIGHT / 4, 3 * HEIGHT / 4 - CELL[2] / 2  # first and last layer of the crystal
HALF = (HIGH - LOW) / 2
N_FRAMES = 60
N_ATOMS = int(np.prod(REPEATS)) * len(BASIS)


def load(name, monkeypatch):
    """A script of the example as a module; scripts import each other by name."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "simulate", raising=False)
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def slab():
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(*map(np.arange, REPEATS), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    atoms = ((cells + BASIS) * CELL).reshape(-1, 3)
    melt = (atoms[:, 2] < LOW - 0.1) | (atoms[:, 2] > HIGH + 0.1)
    start = np.where(melt[:, None], rng.random(atoms.shape) * CELL * REPEATS, atoms)
    start[melt, 2] = atoms[melt, 2]
    positions = start + rng.normal(0, np.where(melt, 0.6, 0.1)[:, None], (N_FRAMES, *atoms.shape))
    lattices = np.tile(np.diag(CELL * REPEATS), (N_FRAMES, 1, 1))
    return Trajectory(
        "slab", positions, lattices, [14] * len(atoms), unwrapped=True, time_unit="ps", frame_interval=1.0
    )


def test_crystal_is_found(slab, monkeypatch):
    """To a bin and a half of the seven over which q3 is smoothed."""
    low, high = load("simulate", monkeypatch).crystal_edges(slab, slice(0, 5))
    assert low == pytest.approx(LOW, abs=1.5)
    assert high == pytest.approx(HIGH, abs=1.5)


def test_targets_are_melt_and_two_layers_of_the_crystal_on_each_side(slab, monkeypatch):
    simulate = load("simulate", monkeypatch)
    targets = simulate.choose_targets(slab)[:, 0]
    low, high = simulate.crystal_edges(slab, slice(0, 100))
    z = slab.positions.mean(axis=0)[:, 2] % HEIGHT
    melt = (z < low) | (z > high)
    assert np.isin(np.flatnonzero(melt), targets).all()
    layers = np.round(np.sort(z[targets[~melt[targets]]]) / simulate.LAYER)  # noise is a tenth of their distance
    assert 3 <= len(np.unique(layers)) <= 5  # two on each side, to the position of the edge within a layer
    assert 0.5 < len(targets) / len(z) < 0.7


def test_gold_is_never_a_target(slab, monkeypatch):
    numbers = np.array(slab.atomic_numbers)
    numbers[::7] = 79
    mixed = Trajectory("mixed", slab.positions, slab.lattices, numbers, unwrapped=True)
    targets = load("simulate", monkeypatch).choose_targets(mixed)[:, 0]
    assert len(targets) > 100
    assert (numbers[targets] == 14).all()


def test_melted_crystal_is_said(slab, monkeypatch):
    positions = np.random.default_rng(2).random((5, 200, 3)) * CELL * REPEATS
    molten = Trajectory("molten", positions, slab.lattices[:5], [14] * 200, unwrapped=True)
    with pytest.raises(SystemExit, match="no crystal is left: lower the temperature"):
        load("simulate", monkeypatch).choose_targets(molten)


def test_failure_of_the_engine_is_said(tmp_path, monkeypatch):
    engine = tmp_path / "lmp"
    engine.write_text(
        '#!/bin/sh\nprintf "ERROR: Cannot open\\n--> parsed line: pair_coeff A.meam\\n" > "$4"\nexit 1\n',
        encoding="utf-8",
    )
    engine.chmod(0o755)
    simulate = load("simulate", monkeypatch)
    monkeypatch.setattr(simulate.shutil, "which", lambda *_, **__: str(engine))
    with pytest.raises(SystemExit, match="LAMMPS stopped: ERROR: Cannot open --> parsed line: pair_coeff A.meam"):
        simulate.simulate(tmp_path / "run", {"seed": 1}, 1)


def test_missing_engine_is_said(tmp_path, monkeypatch):
    simulate = load("simulate", monkeypatch)
    monkeypatch.setattr(simulate.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SystemExit, match="lmp not found"):
        simulate.simulate(tmp_path / "run", {"seed": 1}, 1)


class Engine:
    """Instead of LAMMPS: pieces of the slab's trajectory, each beginning where its restart file says.

    Attributes
    ----------
    calls : int
    ends_at : int or None
        Call that is interrupted when half of its frames are written.
    """

    def __init__(self, slab):
        self.slab, self.calls, self.ends_at = slab, 0, None

    def __call__(self, script, variables, log):
        self.calls += 1
        n_frames = 0
        if script == "in.si_piece":
            first = int(variables["from"].read_text(encoding="utf-8"))
            n_frames = variables["steps"] // variables["every"]
            half = n_frames // 2 if self.calls == self.ends_at else n_frames
            frames = [self._frame(t) for t in range(first + 1, first + 1 + half)]
            variables["dump"].write_text("".join(frames), encoding="utf-8")
            n_frames += first
        if self.calls == self.ends_at:
            raise KeyboardInterrupt
        variables["restart"].write_text(str(n_frames), encoding="utf-8")

    def _frame(self, t):
        bounds = "".join(f"0 {side}\n" for side in np.diag(self.slab.lattices[t]))
        rows = "".join(f"{i + 1} 1 {x:.6f} {y:.6f} {z:.6f}\n" for i, (x, y, z) in enumerate(self.slab.positions[t]))
        return (
            f"ITEM: TIMESTEP\n{t}\nITEM: NUMBER OF ATOMS\n{N_ATOMS}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
            f"ITEM: ATOMS id type xu yu zu\n{rows}"
        )


@pytest.mark.parametrize("ends_at", [1, 2, 4])
def test_interrupted_run_continues_without_a_frame_missing_or_twice(slab, tmp_path, monkeypatch, ends_at):
    simulate, engine = load("simulate", monkeypatch), Engine(slab)
    monkeypatch.setattr(simulate, "_lammps", engine)
    variables = {"seed": 1, "every": 10, "steps": 50}
    engine.ends_at = ends_at
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(tmp_path, variables, 3)
    dumps = simulate.simulate(tmp_path, variables, 3)
    assert engine.calls == 5  # the preparation, three pieces, and the interrupted one again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000", "0001", "0002", "0003"]
    found = simulate.read_dumps(dumps, ["Si", "Si"])
    np.testing.assert_allclose(found.positions, slab.positions[1:16], atol=1e-6)
    assert found.segments == (15,)
    assert simulate.simulate(tmp_path, variables, 4)[:3] == dumps  # longer
    assert engine.calls == 6


def test_replicas_have_the_same_targets(slab, tmp_path, monkeypatch, capsys):
    simulate, engine = load("simulate", monkeypatch), Engine(slab)
    monkeypatch.setattr(simulate, "_lammps", engine)
    monkeypatch.setattr(simulate, "PIECE", 10)
    chosen = iter([np.array([[3], [5]]), np.array([[1], [5]])])
    monkeypatch.setattr(simulate, "choose_targets", lambda _: next(chosen))
    monkeypatch.setattr("sys.argv", f"simulate.py --length-ns 0.015 --replicas 2 --seed 7 --out {tmp_path}".split())
    simulate.main()
    assert capsys.readouterr().out.count(f"20 frames of {N_ATOMS} atoms, 3 targets") == 2
    for name in ("si_7", "si_8"):
        written = read(tmp_path / f"{name}.npz")
        assert written.positions.shape == (20, N_ATOMS, 3)  # to a whole number of pieces
        assert written.frame_interval == 1.0
        np.testing.assert_array_equal(written.targets, [[1], [3], [5]])


def test_dump_of_another_run_is_taken(slab, tmp_path, monkeypatch):
    engine = Engine(slab)
    dump, before = tmp_path / "mine.lammpstrj", tmp_path / "restart"
    before.write_text("0", encoding="utf-8")
    engine("in.si_piece", {"from": before, "restart": before, "dump": dump, "steps": 100, "every": 10}, None)
    monkeypatch.setattr("sys.argv", f"simulate.py --dump {dump} --out {tmp_path}".split())
    load("simulate", monkeypatch).main()
    assert len(read(tmp_path / "mine.npz").positions) == 10


@pytest.fixture
def run(slab, tmp_path):
    """A run whose four states are cut along z: melt, melt and crystal within 4 Å of the border, crystal."""
    z = slab.positions[:, :, 2] % HEIGHT
    outside = np.abs(z - (LOW + HIGH) / 2) - HALF
    states = np.digitize(-outside, [-4, 0, 4])  # 0 melt ... 3 crystal
    everything = np.arange(slab.positions.shape[1])[:, None]
    build_graphs([slab], everything, out=tmp_path / "g", n_neighbors=4, edges="distance", progress=False)
    run = tmp_path / "r"
    (run / "chi").mkdir(parents=True)
    np.save(run / "chi" / "slab.npy", np.eye(4, dtype=np.float32)[states])
    data = {"frame_interval": 1.0, "time_unit": "ps", "trajectories": [{"name": "slab", "segments": [N_FRAMES]}]}
    graphs = {"path": str(tmp_path / "g"), "sha256": digest(tmp_path / "g" / "meta.json")}
    blocks = {"train": [], "validation": [], "test": [[0, 0, N_FRAMES]]}  # as an applied network has them
    write_json(run / "config.json", {"tau": 2, "n_states": 4, "data": data, "graphs": graphs, "split": blocks})
    write_json(run / "scores.json", {"agreement": None})
    return run


def as_written(run, atoms, frames):
    """What `states_of` gives, from chi of all atoms."""
    chi = np.load(run.path / "chi" / "slab.npy").astype(float)
    return np.array([chi[frame, atoms] for _, frame in frames])


def test_states_of_atoms_that_are_no_targets(slab, tmp_path, monkeypatch):
    """A network trained on half of the atoms says of these what chi says, and of the others something."""
    half = np.arange(0, slab.positions.shape[1], 2)
    build_graphs([slab], half[:, None], out=tmp_path / "g", n_neighbors=4, edges="distance", progress=False)
    graphs = open_graphs(tmp_path / "g")
    settings = TrainingSettings(n_states=2, tau=1, n_conv=1, n_features=4, batch_size=10, epochs=1)
    config = new_config(graphs, split_by_time(graphs.segments, 1), settings, seed=1)
    train_run(graphs, tmp_path / "r", config, progress=False)
    run = ga.load_run(tmp_path / "r")
    found = load("interface", monkeypatch).states_of(run, np.arange(2 * len(half)), [(0, 2), (0, 5)])
    np.testing.assert_allclose(found[:, half], ga.load_chi(run, "test")[0][[2, 5]], atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=2), 1.0, atol=1e-5)


def test_states_along_z(run, monkeypatch, capsys):
    """Bulk states are within their phase, border states in between, on both sides alike."""
    interface = load("interface", monkeypatch)
    monkeypatch.setattr(interface, "states_of", as_written)
    found = interface.Interface(run)
    assert found.half == pytest.approx(HALF, abs=1.5)
    distance = found.mean_distance()
    assert (np.diff(distance, axis=1) < 0).all()  # from melt to crystal
    np.testing.assert_allclose(distance[0], distance[1], atol=1.0)
    np.testing.assert_allclose(found.densest()[:, 1], 2.0, atol=2.5)  # melt within 4 Å of the border, crystal likewise
    np.testing.assert_allclose(found.densest()[:, 2], -2.0, atol=2.5)
    np.testing.assert_allclose(found.likeliest(-np.inf, -6), [0, 0, 0, 1], atol=0.01)
    np.testing.assert_allclose(found.likeliest(6, np.inf), [1, 0, 0, 0], atol=0.01)
    assert (found.agreement() > 0.99)[:, 0].all()  # q3 of the random atoms themselves reaches into the crystal's
    np.testing.assert_allclose((found.density.sum(axis=0) * interface.BIN).sum(), N_ATOMS, rtol=1e-6)

    monkeypatch.setattr("sys.argv", ["interface.py", str(run)])
    interface.main()
    said = capsys.readouterr().out
    assert "bulk crystal: likeliest state agrees for 100.0 %" in said
    assert "likeliest state, over 10 Å inside: 0.0 0.0 0.0 100.0 %" in said
    assert said.count("relaxation") == 3
    numbers = np.genfromtxt(run.with_name(f"{run.name}_interface.csv"), delimiter=",", names=True)
    np.testing.assert_allclose(numbers["state_3_per_angstrom"], found.density[3], rtol=1e-6)
    assert run.with_name(f"{run.name}_interface.png").stat().st_size > 10_000


def test_agreement_sees_states_that_are_not_the_phases(run, monkeypatch):
    rng = np.random.default_rng(1)
    shape = np.load(run / "chi" / "slab.npy").shape
    np.save(run / "chi" / "slab.npy", rng.dirichlet(np.ones(4), shape[:2]).astype(np.float32))
    interface = load("interface", monkeypatch)
    monkeypatch.setattr(interface, "states_of", as_written)
    found = interface.Interface(run)
    assert found.agreement()[:, 0].min() < 0.9
    assert found.agreement()[0, 1] > 0.9  # the crystal's own q3 is unmoved
