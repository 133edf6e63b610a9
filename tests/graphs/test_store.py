"""The graph directory: what is written is what is read, whole or not at all."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf import manifest
from gdynet_tf.errors import InputError
from gdynet_tf.graphs import build as module
from gdynet_tf.graphs import chunks, partial, store
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.chunks import graph_size
from gdynet_tf.graphs.expansion import expand_distances
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.graphs.partial import check_output
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.manifest import verify_files
from gdynet_tf.trajectory import Trajectory

TARGETS = [[0, 1], [2, 3]]


def walk(name="a", n_frames=9, n_atoms=6, seed=0, **fields):
    """Atoms that walk through a cubic cell."""
    rng = np.random.default_rng(seed)
    positions = rng.random((1, n_atoms, 3)) * 6 + np.cumsum(rng.normal(0, 0.3, (n_frames, n_atoms, 3)), axis=0)
    return Trajectory(
        name,
        positions % 6,
        np.repeat(np.eye(3)[None] * 6, n_frames, axis=0),
        [3, 16] * (n_atoms // 2),
        **fields,
    )


@pytest.fixture
def build(tmp_path):
    """Build into tmp_path/graphs, quietly."""

    def run(trajectories=None, **options):
        options = {"n_neighbors": 5, "edges": "gaussian", "out": tmp_path / "graphs", "progress": False, **options}
        return build_graphs(trajectories or [walk()], TARGETS, **options)

    return run


@pytest.mark.parametrize("edges", ["gaussian", "distance"])
def test_content(build, edges):
    a, b = (
        walk(segments=(4, 5), frame_interval=0.5, time_unit="ps"),
        walk("a", 3, seed=1, frame_interval=0.5, time_unit="ps"),
    )
    graphs = build([a, b], edges=edges)
    assert graphs.names == ["a", "a_2"]
    assert graphs.segments == [[4, 5], [3]]
    assert graphs.n_frames == [9, 3]
    assert (graphs.meta["frame_interval"], graphs.meta["time_unit"]) == (0.5, "ps")
    np.testing.assert_array_equal(graphs.targets, TARGETS)
    np.testing.assert_array_equal(graphs.atomic_numbers, a.atomic_numbers)
    neighbors, distances = nearest_neighbors(a.positions, a.lattices, 5)
    np.testing.assert_array_equal(graphs.array(0, "neighbors"), neighbors)
    expected = expand_distances(distances) if edges == "gaussian" else distances.astype(np.float32)
    np.testing.assert_array_equal(graphs.array(0, graphs.edge_array), expected)
    assert isinstance(graphs.array(0, "neighbors"), np.memmap)
    assert graphs.array(0, "neighbors").dtype == np.int16


def test_positions_are_unwrapped_within_segments(build):
    graphs = build([walk(segments=(4, 5))])
    steps = np.abs(np.diff(graphs.array(0, "positions"), axis=0)).max(axis=(1, 2))
    assert np.delete(steps, 3).max() < 3  # half the cell


def test_read_mixes_trajectories(build):
    graphs = build([walk(), walk("b", 7, seed=1)], edges="distance")
    found = graphs.read(np.array([1, 0, 1]), np.array([[6, 0], [8, 1], [2, 2]]))
    assert found["neighbors"].shape == (3, 2, 6, 5)
    assert found["neighbors"].dtype == np.int32
    np.testing.assert_array_equal(found["distances"][1, 0], graphs.array(0, "distances")[8])
    np.testing.assert_array_equal(found["distances"][2, 1], graphs.array(1, "distances")[2])


def test_workers_and_chunks_change_nothing(build, tmp_path, monkeypatch):
    one = build()
    content = [np.array(one.array(0, name)) for name in ("neighbors", "edges")]
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 1)
    two = build(n_workers=2, overwrite=True)
    for name, expected in zip(("neighbors", "edges"), content, strict=True):
        np.testing.assert_array_equal(two.array(0, name), expected)


@pytest.mark.parametrize("edges", ["gaussian", "distance"])
def test_graphs_in_memory_are_those_of_the_directory(build, tmp_path, edges):
    """Through every property that a training uses, and to the byte once they are written."""
    trajectories = [walk(segments=(4, 5)), walk("b", 3, seed=1)]
    there, here = build(trajectories, edges=edges), build(trajectories, edges=edges, out=None)
    assert here.path is None
    assert (here.names, here.segments, here.n_targets) == (there.names, there.segments, there.n_targets)
    assert here.input_shapes == there.input_shapes
    for name in ("neighbors", here.edge_array, "lattices", "positions"):
        for trajectory in (0, 1):
            found, expected = here.array(trajectory, name), there.array(trajectory, name)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(here.constants["targets"], there.constants["targets"])
    store.write_graphs(here, tmp_path / "copy")
    files = [file.relative_to(tmp_path / "copy") for file in (tmp_path / "copy").rglob("*.npy")]
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "copy" / file).read_bytes() == (tmp_path / "graphs" / file).read_bytes()
    metas = [json.loads((tmp_path / name / "meta.json").read_text()) for name in ("copy", "graphs")]
    assert {**metas[0], "created": None} == {**metas[1], "created": None}
    assert list(metas[0]) == list(metas[1])
    assert open_graphs(tmp_path / "copy").names == here.names
    with pytest.raises(InputError, match="copy: exists"):
        store.write_graphs(here, tmp_path / "copy")


def test_digest_in_memory_follows_the_content():
    digests = [
        build_graphs(walk(seed=seed), TARGETS, n_neighbors=m, progress=False).sha256
        for seed, m in ((0, 5), (0, 5), (1, 5), (0, 4))
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_workers_fill_the_memory_too(build, monkeypatch):
    one = build(out=None)
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 10_000)
    two = build(out=None, n_workers=2)
    np.testing.assert_array_equal(two.array(0, "edges"), one.array(0, "edges"))


def test_the_size_is_logged(build, caplog, capsys):
    with caplog.at_level("INFO", "gdynet_tf"):
        build()
    assert "graphs: " in caplog.text
    assert "kB to write" in caplog.text
    assert capsys.readouterr() == ("", "")


def test_size_is_what_is_written(build, tmp_path):
    expansion = {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2}
    build()
    arrays = [np.load(file) for file in (tmp_path / "graphs" / "a").glob("*.npy")]
    assert graph_size([walk()], 5, "gaussian", expansion) == sum(a.nbytes for a in arrays)


def test_too_large_for_the_disk(build, tmp_path, monkeypatch):
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(InputError, match=r"graphs: .* do not fit on the disk \(1 kB free\); `edges='distance'` takes"):
        build()
    with pytest.raises(InputError, match=r"do not fit on the disk \(1 kB free\)$"):
        build(edges="distance")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("edges", ["gaussian", "distance"])
def test_the_last_byte_on_the_disk(build, tmp_path, monkeypatch, edges):
    free = graph_size([walk()], 5, edges, {"dmin": 0.0, "dmax": 7.0, "step": 0.2, "sigma": 0.2})
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, free))
    build(edges=edges)
    free -= 1
    with pytest.raises(InputError, match="do not fit on the disk"):
        build(edges=edges, out=tmp_path / "other")


def test_failure_leaves_nothing(build, tmp_path):
    with pytest.raises(InputError, match="`n_neighbors=6`: only 5 neighbours can be reached"):
        build([walk(periodic=(False,) * 3)], n_neighbors=6)
    assert not list(tmp_path.iterdir())


def test_interrupted_build_resumes(build, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 1)
    real, calls = module.write_chunk, []

    def interrupted(*arguments):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(module, "write_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build()
    assert not (tmp_path / "graphs").exists()
    with pytest.raises(InputError, match=r"graphs\.partial: not a graph directory \(an interrupted build\)"):
        open_graphs(tmp_path / "graphs.partial")
    with pytest.raises(InputError, match=r"graphs\.partial: left by an interrupted build; `resume=True` continues it"):
        build()
    with pytest.raises(InputError, match=r"graphs\.partial: was begun with other settings"):
        build(resume=True, n_neighbors=4)
    monkeypatch.setattr(module, "write_chunk", lambda *a: calls.append(a[1]) or real(*a))
    graphs = build(resume=True)
    assert calls == list(range(9))  # every chunk once
    np.testing.assert_array_equal(
        graphs.array(0, "neighbors"), nearest_neighbors(walk().positions, walk().lattices, 5)[0]
    )


def test_existing_output(build, tmp_path):
    build()
    with pytest.raises(InputError, match="graphs: exists; `overwrite=True` replaces it, `out` names another"):
        build()
    assert build(overwrite=True, edges="distance").edge_array == "distances"
    shutil.rmtree(tmp_path / "graphs")
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="exists and is no graph directory; it is not overwritten"):
        build(overwrite=True)


def test_output_without_a_name():
    with pytest.raises(InputError, match="`out=.`: is not the name of a directory that can be made"):
        check_output(Path("."), overwrite=False, resume=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 0}, "`n_neighbors=0`: must be at least 1"),
        ({"n_neighbors": 10**9}, "`n_neighbors=1000000000`: must be at most 10,000"),
        ({"n_neighbors": 4.5}, "`n_neighbors=4.5`: must be a whole number"),
        ({"n_neighbors": "4"}, "`n_neighbors='4'`: must be a whole number"),
        ({"n_neighbors": True}, "`n_neighbors=True`: must be a whole number"),
        ({"n_workers": 1.5}, "`n_workers=1.5`: must be a whole number"),
        ({"edges": None}, "`edges=None`: must be gaussian or distance"),
        ({"out": 5}, "`out=5`: must be a path"),
        ({"out": "a\0b"}, r"`out='a\\x00b'`: holds the character 0, no path does"),
        ({"out": "a" * 241}, r"`out='a+\.\.\.a+'`: is too long for the name of a file$"),
        ({"trajectories": "a.xyz"}, "`trajectories`: Trajectory objects are needed, not str"),
        ({"trajectories": 3}, "`trajectories`: Trajectory objects are needed, not int"),
        ({"edges": "cosine"}, "`edges='cosine'`: must be gaussian or distance"),
        ({"expansion": {"sigma": 0}}, "`sigma=0`: must be from 0.0001 to 10,000 Å"),
        ({"expansion": {"step": -1}}, "`dmin`, `dmax`, `step`: Gaussian centres need dmin < dmax"),
        (
            {"trajectories": [walk(), walk("b", n_atoms=4)]},
            "b: atomic numbers of 4 atoms differ .* of 6 atoms",
        ),
        (
            {"trajectories": [walk(), walk("b", frame_interval=2.0)]},
            "b: frame interval 2 frames differs from .* not known",
        ),
    ],
)
def test_bad_settings(build, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        build(**options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], r"`targets`: of shape \(n_targets,\) or \(n_targets, k\) are needed, got \(0,\)"),
        ([[6]], r"`targets`: 6 is not one of the 6 atoms \(0 to 5\)"),
        ([0, -1], "`targets`: -1 is not one of the 6 atoms"),
        ([0.5], "`targets` hold 0.5, whole numbers are needed"),
        ([[0, 1], [1, 2]], "`targets`: 1 stands in them twice"),
        ([[0], [1, 2]], "`targets` are rows of unequal length, or no numbers"),
        (np.array([True] * 6), "`targets` are bool, whole numbers are needed"),
        (np.ma.array([0, 1], mask=[False, True]), "`targets` hold masked values, whole numbers are needed"),
        ("x" * 5000, "`targets='x+'`: 'x+' is neither an element, a file nor a selection"),
        ("Na", "`targets='Na'`: no Na in the system; there are Li"),
        (None, "a: names no targets; `targets` does, e.g. `targets='Li'`"),
    ],
)
def test_bad_targets(tmp_path, targets, message):
    with pytest.raises(InputError, match=message):
        build_graphs([walk()], targets, n_neighbors=3, out=tmp_path / "graphs")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["meta.json", "manifest.json", "Meta.json", "targets.npy", "journal.jsonl", "meta.tmp", ".manifest.tmp"]
)
def test_name_of_a_file_of_the_directory(build, tmp_path, name):
    message = f"trajectory '{name.lstrip('.')}': a file of every graph directory is called so; give it another name"
    for out in (tmp_path / "graphs", None):
        with pytest.raises(InputError, match=message):
            build([walk(name)], out=out)
    assert not list(tmp_path.iterdir())


def test_files_of_the_directory_are_known(build, monkeypatch):
    """Those that are there in the end, and while it is built."""
    seen, replace = set(), os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.add(Path(a).name), replace(a, b)))
    charged = walk(attributes={"charges": np.array([1.0, -1.0] * 3)})
    seen |= {file.name for file in build([charged]).path.iterdir() if file.is_file()}
    assert seen | {"journal.jsonl"} == partial.FILES


@pytest.mark.parametrize("name", ["../x", "", "a/b", "a\nb"])
def test_name_that_is_a_path(build, tmp_path, name):
    with pytest.raises(InputError, match="^'.*': the name of a trajectory must be that of a folder, no path"):
        build([walk(name)])
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy(build):
    """Whatever they are, the graphs are those of plain numbers and can be opened."""
    plain = build([walk(frame_interval=0.5)], out=None, expansion={"dmax": 3, "step": 0.5})
    other = build(
        [walk(frame_interval=np.float32(0.5))],
        n_neighbors=np.int64(5),
        n_workers=np.float64(1),
        expansion={"dmax": np.float32(3), "step": np.array(0.5)},
    )
    assert open_graphs(other.path).meta["expansion"] == plain.meta["expansion"]
    assert (other.meta["n_neighbors"], other.meta["frame_interval"]) == (5, 0.5)
    np.testing.assert_array_equal(other.array(0, "edges"), plain.array(0, "edges"))


def test_too_large_for_the_memory(monkeypatch):
    monkeypatch.setattr(module.os, "sysconf", {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 1000}.__getitem__)
    with pytest.raises(InputError, match=r"graphs of \S+ kB do not fit into the memory of 1 kB; `out` writes"):
        build_graphs(walk(), TARGETS, n_neighbors=5, progress=False)


def test_no_trajectory(tmp_path):
    with pytest.raises(InputError, match="no trajectory to build graphs from"):
        build_graphs([], TARGETS)


def _shorten(path):
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _edit_meta(path, **changes):
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps({**meta, **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda g: shutil.rmtree(g), "no such directory"),
        (lambda g: (g / "meta.json").unlink(), r"not a graph directory \(no meta.json in it\)"),
        (lambda g: (g / "meta.json").write_text("{"), r"meta\.json: cannot be read"),
        (lambda g: (g / "meta.json").write_text("{}"), "format version None, this program reads 1 and 2"),
        (lambda g: _edit_meta(g, format_version=99), "format version 99, this program reads 1 and 2"),
        (lambda g: _edit_meta(g, arrays=None), r"meta\.json: altered"),
        (lambda g: (g / "a" / "edges.npy").unlink(), r"edges\.npy: cannot be read"),
        (lambda g: _shorten(g / "a" / "edges.npy"), r"edges\.npy: cannot be read"),
        (
            lambda g: np.save(g / "a" / "neighbors.npy", np.zeros((2, 6, 5), np.int16)),
            r"neighbors\.npy: altered, <i2 \(2, 6, 5\) where meta.json says <i2 \(9, 6, 5\)",
        ),
    ],
)
def test_altered_directory_does_not_open(build, tmp_path, damage, message):
    """Without a manifest, which notices everything, as older directories are."""
    path = build().path
    (path / "manifest.json").unlink()
    damage(path)
    with pytest.raises(InputError, match=message):
        open_graphs(tmp_path / "graphs")


def test_opening_reads_small_files_and_verifying_all(build, monkeypatch):
    path = build().path
    assert verify_files(path, progress=False)[1] == []
    monkeypatch.setattr(manifest, "_SMALL", 0)  # as for large arrays
    _flip(path / "a" / "neighbors.npy")
    assert open_graphs(path).names == ["a"]  # sizes alone
    (problem,) = verify_files(path, progress=False)[1]
    assert "neighbors.npy: altered since it was written (digest differs)" in problem
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"neighbors\.npy: altered since it was written"):
        open_graphs(path)


def test_digests_are_those_of_the_files(build, monkeypatch):
    """Written in order or not, by several processes: what sha256sum prints."""
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 1)
    graphs = build(n_workers=2)
    for name, entry in graphs.meta["trajectories"][0]["arrays"].items():
        assert entry["sha256"] == hashlib.sha256((graphs.path / "a" / f"{name}.npy").read_bytes()).hexdigest()
