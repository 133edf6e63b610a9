"""Graphs built in parts: the whole has the bytes of a build at once, and nothing else is put together."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdynet_tf.errors import InputError
from gdynet_tf.files import SourceFile, digest
from gdynet_tf.graphs import build as module
from gdynet_tf.graphs import merge_graphs, open_graphs, partial
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.parallel import shards
from gdynet_tf.graphs.parallel.shards import part_of, shard_path
from gdynet_tf.locks import locked
from gdynet_tf.manifest import verify_files
from gdynet_tf.trajectory import Trajectory

pytestmark = pytest.mark.usefixtures("small_chunks")

TARGETS = [[0, 1, 2], [3, 4, 5]]


@pytest.fixture
def build(tmp_path, walk):
    def run(trajectories=None, targets=TARGETS, **options):
        options = {"n_neighbors": 5, "out": tmp_path / "graphs", "progress": False, **options}
        return build_graphs(trajectories or [walk(segments=(10, 13)), walk("b", 1, 7)], targets, **options)

    return run


@pytest.fixture
def merge(tmp_path):
    return lambda **options: merge_graphs(tmp_path / "graphs", progress=False, **options)


@pytest.fixture
def parts(build):
    """The directories of three shards."""
    return [build(shard=(index, 3)).path for index in (1, 2, 3)]


@pytest.mark.parametrize(("n", "edges"), [(1, "distance"), (2, "gaussian"), (5, "distance"), (11, "distance")])
def test_the_same_bytes(build, merge, same, tmp_path, n, edges):
    """Two trajectories, segments, atoms that cross the cell several times, a cell that varies, pooled targets."""
    build(edges=edges, out=tmp_path / "serial")
    for index in range(n, 0, -1):
        build(edges=edges, shard=(index, n))
    whole = merge()
    assert same(tmp_path / "serial", tmp_path / "graphs") == 12
    assert open_graphs(whole.path).segments == [[10, 13], [7]]
    paths = np.load(whole.path / "a" / "positions.npy")
    for segment in (paths[:10], paths[10:]):
        assert np.abs(np.diff(segment, axis=0)).max() < 3
        assert np.ptp(segment, axis=0).mean() > 6  # a cell


def test_equal_distances(same, tmp_path, merge):
    """Which of them come first depends on all frames of a chunk in small systems: parts are whole chunks."""
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    edges = np.tile([3.0, 9, 4, 8, 5, 7], 5)
    lattices = np.eye(3) * edges[:, None, None]
    fcc = Trajectory.from_arrays(sites @ lattices, lattices, ["Li", "S", "S", "S"])
    for shard in (None, (1, 2), (2, 2)):
        out = tmp_path / ("serial" if shard is None else "graphs")
        build_graphs(fcc, "all", n_neighbors=5, out=out, shard=shard, progress=False)
    merge()
    assert same(tmp_path / "serial", tmp_path / "graphs") == 8


@pytest.mark.parametrize("charges", [(1.0, 1.0), (1.0, 0.5)])
def test_charges_are_those_of_the_whole(build, merge, same, walk, tmp_path, charges):
    """Their mean over all frames, also in the part that has frames of one trajectory alone."""
    given = [np.array([-2, 1, 1, -2, 1, 1]) * charge for charge in charges]
    trajectories = [walk(name, attributes={"charges": c}) for name, c in zip("ab", given, strict=True)]
    build(trajectories, out=tmp_path / "serial")
    for index in (1, 2, 3):
        build(trajectories, shard=(index, 3))
    merge()
    same(tmp_path / "serial", tmp_path / "graphs")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4), data=st.data())
def test_parts_are_all_frames_in_their_order(walk, lengths, data):
    trajectories = [
        walk(name, n_frames=sum(segments), segments=tuple(segments)).unwrap()
        for name, segments in zip("abcd", lengths, strict=False)
    ]
    meta = {"n_neighbors": 5, "edges": "distance", "expansion": {}}
    meta["trajectories"] = [{"name": t.name} for t in trajectories]
    n_chunks = sum(-(-len(t.positions) // 3) for t in trajectories)
    n = data.draw(st.integers(1, n_chunks))
    found = {t.name: [] for t in trajectories}
    for index in range(1, n + 1):
        own, described = part_of(trajectories, meta, (index, n))
        assert own
        for part, entry in zip(own, described["trajectories"], strict=True):
            assert described["shard"]["first"][part.name] == sum(map(len, found[part.name]))
            assert sum(entry["segments"]) == entry["n_frames"] == len(part.positions)
            found[part.name].append(part.positions)
    for trajectory in trajectories:
        np.testing.assert_array_equal(np.concatenate(found[trajectory.name]), trajectory.positions)
    assert meta.keys() == {"n_neighbors", "edges", "expansion", "trajectories"}


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (1, 0), (-1, 3)])
def test_no_such_shard(build, tmp_path, shard):
    with pytest.raises(InputError, match=rf"`shard={shard[0]}/{shard[1]}`: must be i/n, with i from 1 to n"):
        build(shard=shard)
    assert not list(tmp_path.iterdir())


def test_more_shards_than_pieces(build):
    with pytest.raises(InputError, match="`shard=3/12`: the frames make 11 pieces of 32 MB, no more can share them"):
        build(shard=(3, 12))


def test_a_shard_in_memory(build):
    with pytest.raises(InputError, match=r"`shard`: needs `out`, a directory to write"):
        build(shard=(1, 2), out=None)


def test_a_shard_is_no_graph_directory(parts):
    assert verify_files(parts[0], progress=False) == (7, [])
    with pytest.raises(InputError, match=r"shard-1-of-3: is a part of the graphs; .*build_graphs.py --merge makes"):
        open_graphs(parts[0])


def test_each_shard_is_built_like_any_output(build, parts):
    """Refused where it is, replaced, written by one, resumed."""
    with pytest.raises(InputError, match=r"shard-2-of-3: exists; `overwrite=True` replaces it"):
        build(shard=(2, 3))
    build(shard=(2, 3), overwrite=True)
    other = shard_path(parts[0].with_name("graphs"), (2, 2))
    with locked(other), pytest.raises(InputError, match=r"shard-2-of-3: is being written by another|exists"):
        build(shard=(2, 3))
    build(shard=(2, 2))
    assert other.is_dir()


def test_an_interrupted_shard_is_resumed(build, merge, same, tmp_path, monkeypatch):
    build(out=tmp_path / "serial")
    computed, real = [], module.write_chunk

    def stopping(folder, start, *args):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(start)
        return real(folder, start, *args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_chunk", stopping)
        with pytest.raises(KeyboardInterrupt):
            build(shard=(1, 2))
    assert (tmp_path / "graphs.shard-1-of-2.partial").is_dir()
    with pytest.raises(
        InputError, match=r"shard-1-of-2.partial: left by an interrupted build; `resume=True` continues"
    ):
        build(shard=(1, 2))
    with pytest.raises(InputError, match=r"begun with other settings"):
        build(shard=(1, 2), n_neighbors=6, resume=True)
    monkeypatch.setattr(module, "write_chunk", lambda *args: computed.append(args[1]) or real(*args))
    build(shard=(1, 2), resume=True)
    assert computed == [0, 3, 6, 9, 12]
    build(shard=(2, 2), resume=True)
    merge()
    same(tmp_path / "serial", tmp_path / "graphs")


def test_an_interrupted_merge_is_resumed(build, merge, parts, same, tmp_path, monkeypatch):
    build(out=tmp_path / "serial")
    copied, real = [], shards.copy_stretch

    def stopping(source, *args):
        if len(copied) == 2:
            raise KeyboardInterrupt
        copied.append(source)
        return real(source, *args)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "copy_stretch", stopping)
        with pytest.raises(KeyboardInterrupt):
            merge()
    with pytest.raises(InputError, match=r"graphs.partial: left by an interrupted build; `resume=True` continues it"):
        merge()
    with pytest.raises(InputError, match=r"graphs.partial: was begun with other settings"):
        build(resume=True)
    monkeypatch.setattr(shards, "copy_stretch", lambda *args: copied.append(args[0]) or real(*args))
    merge(resume=True)
    assert len(copied) == len(set(copied)) == 4  # three parts of a and b, one of which has frames of both
    same(tmp_path / "serial", tmp_path / "graphs")


def test_what_exists_is_replaced_when_asked(build, merge, parts, same, tmp_path):
    build(n_neighbors=4)
    before = digest(tmp_path / "graphs" / "meta.json")
    with pytest.raises(InputError, match="graphs: exists; `overwrite=True` replaces it"):
        merge()
    assert digest(tmp_path / "graphs" / "meta.json") == before
    merge(overwrite=True)
    build(out=tmp_path / "serial")
    same(tmp_path / "serial", tmp_path / "graphs")
    assert all(path.is_dir() for path in parts)


def test_several_processes_copy(build, merge, parts, same, tmp_path):
    build(out=tmp_path / "serial")
    merge(n_workers=2)
    same(tmp_path / "serial", tmp_path / "graphs")


@pytest.fixture
def refused(merge, tmp_path):
    """Function that makes sure that nothing is merged, for the reason that is given."""

    def refused(match):
        before = sorted(path.name for path in tmp_path.iterdir())
        with pytest.raises(InputError, match=match):
            merge()
        assert sorted(path.name for path in tmp_path.iterdir()) == before

    return refused


def test_no_shards(refused):
    refused(r"graphs: has no shards: graphs.shard-1-of-1 or the like, which `shard` builds")


def test_missing_shards(build, parts, refused):
    shutil.rmtree(parts[1])
    (parts[1].parent / "graphs.shard-2-of-3.partial").mkdir()
    refused(r"graphs: of its 3 shards there is no 2; `shard` with `resume=True` builds them")


def test_shards_of_another_number(build, parts, refused):
    build(shard=(1, 2))
    refused(r"graphs: has shards of 2 and of 3; delete those that are not meant")


@pytest.mark.parametrize(
    ("changes", "differ"),
    [
        ({"n_neighbors": 4}, "n_neighbors"),
        ({"edges": "gaussian"}, "edges"),
        ({"expansion": {"sigma": 0.3}}, "expansion"),
        ({"targets": [[3, 4, 5], [0, 1, 2]]}, "targets"),
        ({"targets": [0]}, "group_size, n_targets, targets"),
    ],
)
def test_other_settings(build, parts, refused, changes, differ):
    build(shard=(2, 3), overwrite=True, **changes)
    refused(rf"graphs.shard-2-of-3: was built with other {differ} than .*graphs.shard-1-of-3; build one of them again")


@pytest.mark.parametrize(
    ("fields", "differ"),
    [
        ({"n_frames": 24}, "n_frames, segments"),
        ({"segments": (11, 12)}, "segments"),
        ({"frame_interval": 2.0, "time_unit": "ps"}, "frame_interval, time_unit"),
        ({"periodic": (True, True, False)}, "periodic"),
    ],
)
def test_other_sources(build, walk, refused, fields, differ):
    for index in (1, 2):
        build([walk(**(fields if index == 2 else {}))], shard=(index, 2))
    refused(rf"graphs.shard-2-of-2: was built with other {differ} than")


def source(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return {"sources": (SourceFile(path),)}


def test_each_host_has_a_copy_of_the_trajectory(build, merge, same, walk, tmp_path):
    """At a path of its own; the whole names that of the first."""
    first, second = (walk(**source(tmp_path / host / "run.xtc", b"frames")) for host in ("one", "two"))
    build([first], shard=(1, 2))
    build([second], shard=(2, 2))
    build([first], out=tmp_path / "serial")
    whole = merge()
    same(tmp_path / "serial", whole.path)
    assert whole.meta["trajectories"][0]["sources"][0]["path"] == str(tmp_path / "one" / "run.xtc")


def test_another_file_of_the_same_name(build, walk, refused, tmp_path):
    for index, content in enumerate((b"frames", b"others"), start=1):
        build([walk(**source(tmp_path / "one" / "run.xtc", content))], shard=(index, 2))
    refused(r"graphs.shard-2-of-2: was built with other sources than")


def test_shards_of_another_name(parts, refused):
    shutil.rmtree(parts[2])
    shutil.copytree(parts[1], parts[2])
    refused(r"graphs.shard-3-of-3: is not the shard that its name says")


def test_graphs_that_are_called_a_shard(build, parts, refused):
    shutil.rmtree(parts[0])
    build(out=parts[0])
    refused(r"graphs.shard-1-of-3: is not the shard that its name says")


def test_damaged_shards(build, parts, refused):
    file = parts[2] / "b" / "positions.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    refused(r"b/positions.npy: altered since it was written \(digest differs\); gdynet-verify .*shard-3-of-3 checks")
    file.write_bytes(content[:-8])
    refused(r"b/positions.npy: altered since it was written \(\d+ bytes")
    file.unlink()
    refused(r"b/positions.npy: cannot be read: No such file")


def test_damage_in_large_files_is_found_while_they_are_copied(build, parts, merge, same, tmp_path, monkeypatch):
    """What is done stays: the damaged shard is built again, and the merge goes on."""
    file = parts[1] / "a" / "distances.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr("gdynet_tf.manifest._SMALL", 0)  # as if it were too large to be read when it is opened
        message = (
            r"graphs: .*a/distances.npy: altered since it was written \(digest differs\): build this shard again; "
            "`resume=True` continues from what is done"
        )
        with pytest.raises(InputError, match=message):
            merge()
    build(shard=(2, 3), overwrite=True)
    merge(resume=True)
    build(out=tmp_path / "serial")
    same(tmp_path / "serial", tmp_path / "graphs")


def rewrite(path, change):
    """Edit meta.json as somebody would who also mends the manifest."""
    meta = json.loads((path / "meta.json").read_text())
    change(meta)
    (path / "meta.json").write_text(json.dumps(meta))
    (path / "manifest.json").unlink()


@pytest.mark.filterwarnings("default")
def test_edited_shards(parts, refused, caplog):
    kept = [(path, path.with_name(f"kept-{path.name}")) for path in parts]
    for path, copy in kept:
        shutil.copytree(path, copy)
    for change, message in (
        (lambda meta: meta["shard"]["first"].update(a=6), "graphs: no shard has frame 9 of a; build the shards again"),
        (lambda meta: meta["shard"]["first"].clear(), r"altered, shard.first: a is missing"),
        (lambda meta: meta["shard"].pop("whole"), r"altered, shard.whole: Field required"),
        (lambda meta: meta["shard"].update(index=0), r"altered, shard.index: Input should be"),
    ):
        rewrite(parts[1], change)
        refused(message)
        shutil.rmtree(parts[1])
        shutil.copytree(kept[1][1], parts[1])
    for path in parts:
        rewrite(path, lambda meta: meta["shard"]["whole"].update(periodic=[True]))
    refused(r"shard-1-of-3/meta.json: altered, periodic: List should have at least 3 items")


def test_a_shard_that_is_being_written(parts, refused, monkeypatch):
    import threading

    held, end = threading.Event(), threading.Event()

    def hold():
        with locked(parts[2]):
            held.set()
            end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        refused(r"graphs.shard-3-of-3: is being written by process")
    finally:
        end.set()
        thread.join()


def test_no_room_for_the_whole(parts, refused, monkeypatch):
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 1000))
    refused(r"graphs: .* do not fit on the disk \(1 kB free\)$")
