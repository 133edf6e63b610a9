"""The same trajectory in eight formats gives the same graphs and the same chi, to what each format keeps."""

import ase
import ase.io
import keras
import MDAnalysis
import numpy as np
import pytest

import gdynet_tf as gd
from gdynet_tf.learning.prediction import predict_chi
from gdynet_tf.networks.gdynet import GDyNet

LATTICE = np.array([[9.0, 0, 0], [1.5, 8.5, 0], [-1.0, 0.5, 8.0]])
NUMBERS = np.repeat([3, 8, 16], [6, 12, 18])
N_FRAMES, INTERVAL, M = 6, 0.5, 8

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of the writers


@pytest.fixture(scope="module")
def positions():
    """Atoms of a lattice that shake and drift, some across the border, (F, N, 3) Å."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.meshgrid(*[np.arange(4) / 4] * 3), -1).reshape(-1, 3)[rng.permutation(64)[: len(NUMBERS)]]
    drift = rng.uniform(-0.02, 0.02, sites.shape)
    shake = rng.normal(0, 0.01, (N_FRAMES, *sites.shape))
    return (sites + np.arange(N_FRAMES)[:, None, None] * drift + shake) @ LATTICE


def frames(positions):
    return [ase.Atoms(NUMBERS, positions=x, cell=LATTICE, pbc=True) for x in positions]


def by_ase(kind):
    return lambda path, positions: ase.io.write(path, frames(positions), format=kind)


def by_mdanalysis(kind, **options):
    def write(path, positions):
        made = MDAnalysis.Universe.empty(len(NUMBERS), trajectory=True)
        made.add_TopologyAttr("elements", [ase.data.chemical_symbols[z] for z in NUMBERS])
        dimensions = MDAnalysis.lib.mdamath.triclinic_box(*LATTICE)
        made.load_new(positions.astype(np.float32), dimensions=dimensions, dt=INTERVAL)
        with MDAnalysis.Writer(str(path), n_atoms=len(NUMBERS), format=kind, **options) as writer:
            for _ in made.trajectory:
                writer.write(made.atoms)
        made.trajectory[0]
        made.atoms.write(str(path.parent / "top.pdb"))

    return write


def by_lammps(path, positions):
    """A custom dump of ten digits, atoms shuffled."""
    rng, (a, b, c) = np.random.default_rng(1), LATTICE
    xy, xz, yz = b[0], c[0], c[1]
    x = f"{min(0, xy, xz, xy + xz):.10g} {a[0] + max(0, xy, xz, xy + xz):.10g} {xy:.10g}"
    bounds = f"{x}\n{min(0, yz):.10g} {b[1] + max(0, yz):.10g} {xz:.10g}\n0 {c[2]:.10g} {yz:.10g}\n"
    text = "ITEM: UNITS\nmetal\n"
    for n, frame in enumerate(positions):
        rows = [
            f"{i + 1} {ase.data.chemical_symbols[NUMBERS[i]]} " + " ".join(f"{v:.10g}" for v in frame[i])
            for i in rng.permutation(len(frame))
        ]
        text += f"ITEM: TIME\n{INTERVAL * n}\nITEM: TIMESTEP\n{500 * n}\nITEM: NUMBER OF ATOMS\n{len(rows)}\n"
        text += (
            f"ITEM: BOX BOUNDS xy xz yz pp pp pp\n{bounds}ITEM: ATOMS id element xu yu zu\n" + "\n".join(rows) + "\n"
        )
    path.write_text(text)


# name, how it is written, error of a coordinate in Å
FORMATS = [
    ("t.xtc", by_mdanalysis("XTC"), 0.0051),
    ("t.trr", by_mdanalysis("TRR"), 2e-6),
    ("t.dcd", by_mdanalysis("DCD", dt=INTERVAL), 2e-6),
    ("t.ncdf", by_mdanalysis("NCDF"), 2e-6),
    ("t.lammpstrj", by_lammps, 1e-9),
    ("t.extxyz", by_ase("extxyz"), 1e-8),
    ("XDATCAR", by_ase("vasp-xdatcar"), 1e-7),
    ("t.traj", by_ase("traj"), 1e-14),
]


@pytest.fixture(scope="module")
def reference(positions):
    """Graphs of the arrays themselves, a network of random weights, and its chi."""
    trajectory = gd.Trajectory.from_arrays(positions, LATTICE, NUMBERS, frame_interval=INTERVAL)
    graphs = gd.build_graphs(trajectory, "Li", n_neighbors=M, progress=False)
    keras.utils.set_random_seed(3)
    model = GDyNet(3, n_conv=2, n_features=6)
    return graphs, model, predict_chi(model, graphs, progress=False)[0]


@pytest.mark.parametrize(("name", "write", "error"), FORMATS, ids=[name for name, *_ in FORMATS])
def test_same_graphs_and_chi(tmp_path, positions, reference, name, write, error):
    expected, model, chi = reference
    write(tmp_path / name, positions)
    topology = tmp_path / "top.pdb"
    trajectory = gd.read(tmp_path / name, topology if topology.exists() else None)
    graphs = gd.build_graphs(trajectory, "Li", n_neighbors=M, progress=False)
    np.testing.assert_array_equal(graphs.atomic_numbers, expected.atomic_numbers)
    np.testing.assert_array_equal(graphs.targets, expected.targets)
    if trajectory.frame_interval is not None:  # XDATCAR, extended XYZ and .traj do not tell
        assert (trajectory.frame_interval, trajectory.time_unit) == (pytest.approx(INTERVAL), "ps")
    # Two coordinates and the cell are each rounded; the cells of MDAnalysis are of single precision.
    allowed = 2 * np.sqrt(3) * error + 3e-6
    distances = np.asarray(graphs.array(0, "distances"))
    np.testing.assert_allclose(distances, expected.array(0, "distances"), atol=allowed)
    # A neighbour is the same wherever the ones before and after it are not as near as the rounding.
    gaps = np.diff(np.asarray(expected.array(0, "distances")), axis=-1)
    clear = np.minimum(np.insert(gaps, 0, np.inf, axis=-1)[..., :-1], gaps) > 2 * allowed
    assert clear.mean() > 0.5
    same = np.asarray(graphs.array(0, "neighbors")) == np.asarray(expected.array(0, "neighbors"))
    assert same[..., :-1][clear].all()
    found = predict_chi(model, graphs, progress=False)[0]
    # Random weights of the usual size: chi changes less than the coordinates do (XTC: 0.0006).
    np.testing.assert_allclose(found, chi, atol=max(1e-6, error))
