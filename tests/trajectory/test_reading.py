"""From files to trajectories: chunks give what whole files give, and nothing odd about frames passes in silence."""

from dataclasses import replace

import numpy as np
import pytest

from gdynet_tf import spool
from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.spool import FileArray
from gdynet_tf.trajectory import Chunk, FrameSource, concatenate, read, reading, unwrap

CELL = np.array([[9.0, 0, 0], [2.0, 8, 0], [-1.5, 1, 10]])


def walk(n_frames=40, n_atoms=12, width=0.3, seed=0):
    """Atoms that walk through the cell, wrapped: (F, N, 3) Å."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, width, (n_frames, n_atoms, 3))
    x = rng.random((n_atoms, 3)) @ CELL + steps.cumsum(axis=0)
    return ((x @ np.linalg.inv(CELL)) % 1) @ CELL


def npz(path, x, cell=CELL):
    """A file without times, which the reader hands over bit by bit as it is."""
    np.savez(path, traj_coords=x, lattices=np.repeat(cell[None], len(x), axis=0), atom_types=np.full(x.shape[1], 3))
    return path


def dump(path, x, steps=None, times=None):
    """A LAMMPS dump of lithium in a cube of 10 Å."""
    steps = range(0, 100 * len(x), 100) if steps is None else steps
    text = ""
    for t, frame in enumerate(x):
        text += "" if times is None else f"ITEM: UNITS\nmetal\nITEM: TIME\n{times[t]}\n"
        text += f"ITEM: TIMESTEP\n{steps[t]}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n"
        text += "ITEM: BOX BOUNDS pp pp pp\n" + "0 10\n" * 3 + "ITEM: ATOMS id element x y z\n"
        text += "".join(f"{i} Li {a:.6f} {b:.6f} {c:.6f}\n" for i, (a, b, c) in enumerate(frame, 1))
    path.write_text(text)
    return path


def kinds(trajectory):
    return [finding.kind for finding in trajectory.findings]


def said(trajectory, kind):
    (finding,) = [finding for finding in trajectory.findings if finding.kind == kind]
    return finding.text


@pytest.fixture
def chunked(monkeypatch):
    """Hand over the frames of files by so many."""

    def by(n):
        real = reading.open_source

        def opened(*args, **options):
            source = real(*args, **options)

            def cut():
                for chunk in source.chunks:
                    for a in range(0, len(chunk.positions), n):
                        yield Chunk(*(None if part is None else part[a : a + n] for part in chunk))

            return replace(source, chunks=cut())

        monkeypatch.setattr(reading, "open_source", opened)

    return by


class TestFrames:
    @pytest.mark.parametrize("n", [1, 3, 7, 40])
    def test_chunks_change_nothing(self, tmp_path, chunked, n):
        x = walk()
        expected = unwrap(x, np.repeat(CELL[None], 40, axis=0))
        chunked(n)
        found = read(npz(tmp_path / "a.npz", x))
        np.testing.assert_array_equal(found.positions, expected)
        assert (found.name, found.segments, found.unwrapped, found.findings) == ("a", (40,), True, ())

    @pytest.mark.parametrize(
        "frames",
        [
            (3, None, None),
            (None, 17, None),
            (None, None, 4),
            (2, 33, 5),
            (-10, None, None),
            (None, -10, 3),
            (5, -5, 2),
            (-20, 35, 2),
            (None, 400, None),
        ],
    )
    def test_slices_are_those_of_python(self, tmp_path, chunked, frames):
        file = npz(tmp_path / "a.npz", walk())
        whole = read(file, frame_interval=0.5)
        chunked(6)
        found = read(file, frame_interval=0.5, **dict(zip(("start", "stop", "stride"), frames, strict=True)))
        np.testing.assert_array_equal(found.positions, whole.positions[slice(*frames)])
        assert len(found.lattices) == len(found.positions) == sum(found.segments)
        assert found.frame_interval == 0.5 * (frames[2] or 1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"start": 40}, "a.npz: `start=40` `stop=None` `stride=None` selects none of 40 frames"),
            ({"start": 5, "stop": 5}, "`start=5` `stop=5`: selects no frame"),
            ({"start": -5, "stop": -6}, "`start=-5` `stop=-6`: selects no frame"),
            ({"stop": 0}, "`start=None` `stop=0`: selects no frame"),
            ({"stride": 0}, "`stride=0`: must be at least 1"),
            ({"start": 2**63}, f"`start={2**63}`: no trajectory has so many frames"),
            ({"stride": 10**30}, f"`stride={10**30}`: no trajectory has so many frames"),
            (
                {"frame_interval": 1.0, "time_unit": "$f_s$"},
                r"`time_unit=\$f_s\$`: must be a word, as ps",
            ),
        ],
    )
    def test_slices_without_a_frame(self, tmp_path, options, message):
        with pytest.raises(InputError, match=message):
            read(npz(tmp_path / "a.npz", walk()), **options)

    def test_impossible_values_are_named_by_file_and_frame(self, tmp_path, chunked):
        chunked(4)
        x = walk()
        x[13, 2, 1] = np.inf
        with pytest.raises(InputError, match=r"a\.npz: coordinate y of atom 2 in frame 13 is inf"):
            read(npz(tmp_path / "a.npz", x))
        for value, dtype in ((1e18, "float64"), (2e5, "float32")):  # as the file has them
            x[13, 2, 1] = value
            with pytest.raises(InputError, match=rf"a\.npz: .* y of atom 2 in frame 13 is \S+ Å, in {dtype} they are"):
                read(npz(tmp_path / "a.npz", x.astype(dtype)))
        lattices = np.repeat(CELL[None], 40, axis=0)
        for value, message in ((np.nan, "holds nan"), (0.0, "has no volume")):
            lattices[22, 1] = value
            np.savez(tmp_path / "b.npz", traj_coords=walk(), lattices=lattices, atom_types=np.full(12, 3))
            with pytest.raises(InputError, match=rf"b\.npz: lattice of frame 22 {message}"):
                read(tmp_path / "b.npz")

    def test_nothing_is_read_beyond_the_last_frame(self, tmp_path, monkeypatch):
        x, closed = walk(), []

        def frames():
            try:
                for frame in x[:10]:
                    yield Chunk(frame[None], CELL[None])
                raise AssertionError("was read too far")
            finally:
                closed.append(True)

        source = FrameSource(path="a", atomic_numbers=np.full(12, 3, np.int32), chunks=frames())
        monkeypatch.setattr(reading, "open_source", lambda *args, **options: source)
        assert len(read("a", stop=10).positions) == 10
        assert closed == [True]

    def test_no_frame(self, monkeypatch):
        source = FrameSource(path="a", atomic_numbers=np.full(2, 3, np.int32), chunks=iter(()))
        monkeypatch.setattr(reading, "open_source", lambda *args, **options: source)
        with pytest.raises(InputError, match="a: holds no frame"):
            read("a")


class TestSpool:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(spool, "_IN_MEMORY", 2000)
        monkeypatch.setattr(spool, "_PIECE", 1500)

    def test_long_trajectories_lie_in_a_file(self, tmp_path, chunked):
        x = walk()
        chunked(3)
        found = read(npz(tmp_path / "a.npz", x), scratch=tmp_path)
        assert isinstance(found.positions, FileArray)
        assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]  # it has no name
        expected = unwrap(x, np.repeat(CELL[None], 40, axis=0))
        np.testing.assert_array_equal(found.positions, expected)
        np.testing.assert_array_equal(found.select(3, -2, 5).positions, expected[3:-2:5])
        both = concatenate([found, found])
        np.testing.assert_array_equal(both.positions, np.concatenate([expected] * 2))
        assert both.segments == (40, 40)
        wrapped = replace(found, unwrapped=False, segments=(25, 15))
        for part, frames in ((slice(25), slice(25)), (slice(25, 40), slice(25, 40))):
            np.testing.assert_array_equal(
                wrapped.unwrap().positions[part], unwrap(expected[frames], found.lattices[frames])
            )

    def test_no_room(self, tmp_path):
        with pytest.raises(InputError, match=r"a\.npz: its positions do not fit into .*nowhere .*; `scratch` names"):
            read(npz(tmp_path / "a.npz", walk()), scratch=tmp_path / "nowhere")


class TestCell:
    @pytest.fixture
    def plain(self, tmp_path):
        """Two frames of two atoms, 9 Å apart."""
        (tmp_path / "t.xyz").write_text("2\n\nLi 0 0 0\nO 9 0 0\n2\n\nLi 0 0 0.1\nO 9 0 0\n")
        return tmp_path / "t.xyz"

    def test_none_is_found(self, plain):
        with pytest.raises(InputError, match=r"t\.xyz: tells no cell; `cell=a b c` or .* `no_cell=True` says"):
            read(plain)

    def test_it_is_given(self, plain):
        np.testing.assert_array_equal(
            read(plain, cell=(10, 11, 12)).lattices, np.repeat(np.diag([10.0, 11, 12])[None], 2, 0)
        )
        found = read(plain, cell=(10, 11, 12, 80, 95, 110))
        assert found.periodic == (True, True, True)
        lengths = np.linalg.norm(found.lattices[0], axis=1)
        a, b, c = found.lattices[0] / lengths[:, None]
        np.testing.assert_allclose(lengths, [10, 11, 12])
        np.testing.assert_allclose(np.degrees(np.arccos([b @ c, c @ a, a @ b])), [80, 95, 110])
        assert (found.lattices[0, 0, 1:] == 0).all()
        assert found.lattices[0, 1, 2] == 0

    def test_there_is_none(self, plain):
        assert read(plain, no_cell=True).periodic == (False, False, False)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"cell": (1, 2)}, "`cell=1 2`: three lengths, or three lengths and three angles, are needed"),
            (
                {"cell": (1, 2, -3)},
                "`cell=1 2 -3`: lengths must be between 0 and 100000 Å, angles between 0 and 180",
            ),
            ({"cell": (1, 2, 3, 90, 90, 180)}, "lengths must be between 0 and 100000 Å, angles between"),
            ({"cell": (1, 2, 3, 30, 30, 90)}, "no cell has these three angles"),
            ({"cell": (1, 2, 3), "no_cell": True}, "`cell` and `no_cell`: one of them is enough"),
        ],
    )
    def test_none_that_can_be(self, plain, options, message):
        with pytest.raises(InputError, match=message):
            read(plain, **options)

    def test_the_file_says_that_there_is_none(self, tmp_path):
        (tmp_path / "t.xyz").write_text('1\npbc="F F F" Properties=species:S:1:pos:R:3\nLi 0 0 0\n')
        assert read(tmp_path / "t.xyz").periodic == (False, False, False)
        assert read(tmp_path / "t.xyz", no_cell=True).periodic == (False, False, False)
        with pytest.raises(InputError, match=r"`cell=5 5 5 90 90 90`: .*t\.xyz says that the system is not periodic"):
            read(tmp_path / "t.xyz", cell=(5, 5, 5))

    def test_the_file_has_another(self, tmp_path):
        file = npz(tmp_path / "a.npz", walk())
        shape = (*np.linalg.norm(CELL, axis=1), *(84.5, 98.5, 76.0))
        with pytest.raises(InputError, match=r"`cell=5 5 5 90 90 90`: .*a\.npz has another cell, 9 8.246.* in frame 0"):
            read(file, cell=(5, 5, 5))
        with pytest.raises(InputError, match=r"`no_cell=True`: .*a\.npz has a cell, 9 8.246"):
            read(file, no_cell=True)
        cosines = [CELL[1] @ CELL[2], CELL[0] @ CELL[2], CELL[0] @ CELL[1]]
        lengths = np.linalg.norm(CELL, axis=1)
        angles = np.degrees(np.arccos(cosines * lengths / lengths.prod()))
        same = read(file, cell=(*lengths.round(4), *angles.round(3)))
        np.testing.assert_array_equal(same.lattices[0], CELL)  # that of the file
        assert len(shape) == 6


class TestSingleFrames:
    def test_ordered_by_time_step(self, tmp_path):
        x = walk(12)
        files = [dump(tmp_path / f"dump.{k}", x[k : k + 1] % 10, [1000 - 50 * k]) for k in range(12)]
        (found,) = read(files)
        np.testing.assert_allclose(found.positions[:, 0] % 10, x[::-1, 0] % 10, atol=1e-6)
        assert found.segments == (12,)
        assert said(found, "single frames") == (
            "12 files of one frame each, in the order of their time steps, 450 to 1000, are one trajectory."
        )
        assert [source.path.rsplit(".", 1)[1] for source in found.sources[:2]] == ["11", "10"]
        assert read(files, timestep=0.002)[0].frame_interval == pytest.approx(0.1)
        part = read(files, stop=5, stride=2)[0]
        assert (part.segments, len(part.sources)) == ((3,), 5)

    def test_ordered_by_name(self, tmp_path):
        x = walk(12)
        files = [npz(tmp_path / f"f{k}.npz", x[k : k + 1]) for k in range(12)]
        (found,) = read(sorted(files))  # f0, f1, f10, f11, f2
        np.testing.assert_array_equal(found.positions, unwrap(x, np.repeat(CELL[None], 12, axis=0)))
        assert "in the order of the numbers in their names, f0.npz to f11.npz, are" in said(found, "single frames")

    def test_files_that_do_not_belong_together(self, tmp_path):
        x = walk(3) % 10
        files = [dump(tmp_path / f"dump.{k}", x[k : k + 1], [100 * k]) for k in range(3)]
        text = files[0].read_text()
        files[0].write_text(text.replace(" x y z", " xu yu zu"))
        with pytest.raises(InputError, match=r"dump\.1: unwrapped False, in .*dump\.0 True; they are not joined"):
            read(files)
        files[0].write_text(text.replace("pp pp pp", "pp pp ff"))
        with pytest.raises(
            InputError, match=r"dump\.1: periodic \(True, True, True\), in .*dump\.0 \(True, True, False\)"
        ):
            read(files)

    def test_a_gap_names_the_files(self, tmp_path):
        x = walk(12) % 10
        files = [dump(tmp_path / f"dump.{k}", x[k : k + 1], [100 * k]) for k in range(12) if k != 7]
        (found,) = read(files)
        assert found.segments == (7, 4)
        assert "from frame 6 (dump.6) at 600 to frame 7 (dump.8) at 800 steps" in said(found, "gap")

    def test_other_atoms(self, tmp_path):
        files = [npz(tmp_path / f"f{k}.npz", walk(1, 12 - k)) for k in range(2)]
        with pytest.raises(InputError, match=r"f1\.npz: its atoms are not those of .*f0\.npz"):
            read(files)

    def test_some_hold_more(self, tmp_path):
        files = [npz(tmp_path / "a.npz", walk(1)), npz(tmp_path / "b.npz", walk(2, seed=1))]
        assert [found.segments for found in read(files)] == [(1,), (2,)]
        assert read([files[0]])[0].segments == (1,)


class TestTimes:
    def test_times_of_the_file(self, tmp_path):
        x = walk(6) % 10
        found = read(dump(tmp_path / "t.dump", x, times=np.arange(6) * 0.05))
        assert (found.frame_interval, found.time_unit) == (0.05, "ps")
        found = read(dump(tmp_path / "s.dump", x))
        assert (found.frame_interval, found.time_unit, found.findings) == (None, None, ())
        found = read(tmp_path / "s.dump", timestep=0.5, time_unit="fs")
        assert (found.frame_interval, found.time_unit) == (50.0, "fs")
        found = read(tmp_path / "s.dump", frame_interval=0.05, stride=2)
        assert (found.frame_interval, found.time_unit) == (0.1, "ps")

    def test_single_precision(self, tmp_path):
        """Times as an XTC file keeps them, far from the start."""
        times = (1e6 + np.arange(50) * 0.1).astype(np.float32).astype(float)
        found = read(dump(tmp_path / "t.dump", walk(50) % 10, times=times))
        assert found.segments == (50,)
        assert found.frame_interval == pytest.approx(0.1, rel=0.02)

    def test_files_that_continue_each_other(self, tmp_path):
        """In single precision their times give 0.1, 0.09999999 and 0.1000061 ps."""
        x = walk(300) % 10
        files = []
        for a in (0, 100, 200):
            times = (10.0 * a + np.arange(100) * 0.1).astype(np.float32).astype(float)
            files.append(dump(tmp_path / f"{a}.dump", x[a : a + 100], times=times))
        found = read(files)
        assert [part.frame_interval for part in found] == [0.1, 0.1, 0.1]
        assert concatenate(found).segments == (100, 100, 100)

    def test_intervals_that_differ_by_rounding(self, tmp_path):
        one = read(dump(tmp_path / "t.dump", walk(4) % 10), frame_interval=0.1)
        assert concatenate([one, replace(one, frame_interval=0.10001)]).frame_interval == 0.1
        for other in ({"frame_interval": 0.11}, {"time_unit": "fs"}, {"frame_interval": None, "time_unit": None}):
            with pytest.raises(InputError, match=r"t\.dump: frame interval .* differs from that of .*t\.dump, 0.1 ps"):
                concatenate([one, replace(one, **other)])

    def test_times_that_are_too_coarse(self, tmp_path):
        """Steps of 2 fs after two microseconds, in single precision; integers are not rounded."""
        times = (2e6 + np.arange(100) * 0.002).astype(np.float32).astype(float)
        file = dump(tmp_path / "t.dump", walk(100) % 10, times=times)
        with pytest.raises(InputError, match=r"times about 2e\+06 ps are kept in steps of 0.12 ps, too coarse to tell"):
            read(file)
        assert read(file, frame_interval=0.002).frame_interval == 0.002
        assert read(file, timestep=2e-5).frame_interval == 0.002
        file = dump(tmp_path / "s.dump", walk(4) % 10, 2**31 + 128 * np.arange(4))
        assert read(file, timestep=0.001).frame_interval == 0.128

    @pytest.mark.parametrize(
        ("steps", "segments", "kind", "text"),
        [
            ([0, 10, 20, 50, 60], (3, 2), "gap", "Frames are missing from frame 2 at 20 to frame 3 at 50 steps"),
            ([0, 10, 20, 10, 20, 30], (3, 3), "restart", "does not go on from frame 2 at 20 to frame 3 at 10 steps"),
            ([1, 2, 3, 4, 1, 2, 3, 4], (4, 4), "restart", "from frame 3 at 4 to frame 4 at 1 steps"),
            ([0, 10, 30], (2, 1), "gap", "from frame 1 at 10 to frame 2 at 30 steps"),
        ],
    )
    def test_cuts(self, tmp_path, steps, segments, kind, text):
        found = read(dump(tmp_path / "t.dump", walk(len(steps)) % 10, steps))
        assert found.segments == segments
        assert kinds(found) == [kind]
        assert text in said(found, kind)
        assert "cut there into segments" in said(found, kind)

    def test_a_stride_over_a_cut(self, tmp_path):
        steps = [*range(0, 100, 10), *range(200, 300, 10)]
        found = read(dump(tmp_path / "t.dump", walk(20) % 10, steps), start=1, stride=3)
        assert found.segments == (3, 4)  # 1 4 7 | 10 13 16 19

    @pytest.mark.parametrize(
        ("steps", "times", "options", "message"),
        [
            ([5] * 4, None, {}, "all 4 frames have the time stamp 5 steps; `frame_interval` tells the time between"),
            (None, [0.0] * 4, {"timestep": 0}, "`timestep=0`: must be a positive time"),
            ([4, 3, 2, 1], None, {}, "time stamps run backwards, from 4 to 1 steps; `frame_interval`"),
            ([0, 10, 25, 30], None, {}, "not equally spaced in time: frame 1 at 10 steps is followed by frame 2 at 25"),
            ([0, 1, 2, 3], [0, 1, 2, 3], {"frame_interval": 2}, "`frame_interval=2` ps: .* says 1 ps between frames"),
            ([0, 1, 2, 3], [0, 1, 2, 3], {"timestep": 2}, "`timestep=2` ps: .* says 1 ps between frames"),
            (None, None, {"timestep": 1, "frame_interval": 1}, "`frame_interval` and `timestep`: one of them"),
            (None, None, {"time_unit": "fs"}, "`time_unit=fs`: needs `frame_interval` or `timestep`"),
            (None, None, {"frame_interval": np.nan}, "`frame_interval=nan`: must be a positive time"),
        ],
    )
    def test_impossible_times(self, tmp_path, steps, times, options, message):
        with pytest.raises(InputError, match=message):
            read(dump(tmp_path / "t.dump", walk(4) % 10, steps, times), **options)

    def test_stamps_that_tell_nothing_are_overruled(self, tmp_path):
        found = read(dump(tmp_path / "t.dump", walk(4) % 10, [0] * 4), frame_interval=0.5)
        assert (found.segments, found.frame_interval) == ((4,), 0.5)

    def test_steps_that_are_not_numbered(self, tmp_path):
        with pytest.raises(InputError, match=r"`timestep=1`: .*a\.npz does not number its time steps"):
            read(npz(tmp_path / "a.npz", walk()), timestep=1)


class TestSpacing:
    """Files whose frames are not equally many time steps apart."""

    @pytest.fixture
    def files(self, tmp_path):
        x = walk(12) % 10
        return [dump(tmp_path / f"{by}.dump", x[:6] + 0.1 * by, range(0, 6 * by, by)) for by in (10, 20)]

    def test_they_are_not_put_together(self, files):
        for together in (concatenate, lambda found: build_graphs(found, "Li", n_neighbors=2)):
            with pytest.raises(
                InputError, match=r"20\.dump: frames are 20 time steps apart, those of .*10\.dump 10; `timestep` makes"
            ):
                together(read(files))

    def test_with_a_frame_interval_they_are(self, files):
        assert concatenate(read(files, frame_interval=0.1)).segments == (6, 6)

    def test_equal_after_a_stride(self, files):
        found = [read(files[0], stride=2), read(files[1])]
        assert [part.frame_steps for part in found] == [20, 20]
        assert found[1].select(stride=3).frame_steps == 60
        assert concatenate(found).segments == (3, 6)


class TestCharges:
    """A q column, which may change with time."""

    def dump(self, path, charges):
        x, text = walk(len(charges), 2) % 10, ""
        for t, (frame, row) in enumerate(zip(x, charges, strict=True)):
            text += f"ITEM: TIMESTEP\n{t}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n" + "0 10\n" * 3
            text += "ITEM: ATOMS id element q x y z\n"
            text += "".join(f"{i + 1} Li {row[i]} {a} {b} {c}\n" for i, (a, b, c) in enumerate(frame))
        path.write_text(text)
        return path

    def test_constant(self, tmp_path):
        found = read(self.dump(tmp_path / "q.dump", [(0.5, -0.5)] * 4))
        np.testing.assert_array_equal(found.attributes["charges"], [0.5, -0.5])
        assert kinds(found) == []

    def test_their_mean_is_used(self, tmp_path, chunked):
        chunked(2)
        charges = [(0.5, -0.5), (0.7, -0.7), (0.6, -0.5), (0.4, -0.5), (9, 9)]
        found = read(self.dump(tmp_path / "q.dump", charges), stop=4)
        np.testing.assert_allclose(found.attributes["charges"], [0.55, -0.55])
        assert said(found, "varying charges") == (
            "Charges change with time, that of atom 0 (Li) from 0.4 to 0.7 e: the mean of each atom over the frames is "
            "used."
        )

    def test_those_of_a_topology(self, tmp_path):
        """The charges of the frames go before them, unless they are zero."""
        head = "data\n\n2 atoms\n1 atom types\n\n0 10 xlo xhi\n0 10 ylo yhi\n0 10 zlo zhi\n\nMasses\n\n1 6.94\n\n"
        (tmp_path / "t.data").write_text(f"{head}Atoms  # charge\n\n1 1 1.0 0 0 0\n2 1 -1.0 1 1 1\n")
        for told, kept in (((0.5, -0.5), [0.5, -0.5]), ((0, 0), [1, -1])):
            found = read(self.dump(tmp_path / "q.dump", [told] * 2), tmp_path / "t.data")
            np.testing.assert_array_equal(found.attributes["charges"], kept)

    def test_several_trajectories(self, tmp_path, caplog):
        """Weighted by their frames; told where they differ, or where some alone tell charges."""
        one = read(self.dump(tmp_path / "a.dump", [(0.5, -0.5)] * 3))
        two = read(self.dump(tmp_path / "b.dump", [(0.9, -0.9)] * 1))
        text = "The trajectories tell charges that differ by up to 0.4 e: their mean over all frames is used."
        joined = concatenate([one, two])
        np.testing.assert_allclose(joined.attributes["charges"], [0.6, -0.6])
        assert said(joined, "differing charges") == text
        np.testing.assert_allclose(build_graphs([one, two], "Li", n_neighbors=2).charges, [0.6, -0.6])
        assert text in caplog.text
        none = replace(two, attributes={})
        assert "charges" not in concatenate([one, none]).attributes
        assert build_graphs([one, none], "Li", n_neighbors=2).charges is None
        assert "Some of the trajectories tell charges, others do not: none are kept." in caplog.text
        np.testing.assert_array_equal(build_graphs([one, one], "Li", n_neighbors=2).charges, [0.5, -0.5])


class TestRepeated:
    def test_the_same_file_twice(self, tmp_path):
        file = npz(tmp_path / "a.npz", walk())
        one, two = read([file, file])
        assert kinds(one) == []
        assert "All frames are those of" in said(two, "repeated frames")
        assert "a.npz, the same file twice: 40 repeated frames, `drop_repeated=True` leaves" in said(
            two, "repeated frames"
        )
        (only,) = read([file, file], drop_repeated=True)
        assert "All frames are those" in said(only, "repeated frames")
        assert len(only.positions) == 40

    def test_a_frame_at_the_join_of_files(self, tmp_path):
        x = walk(60)
        files = [npz(tmp_path / "a.npz", x[:40]), npz(tmp_path / "b.npz", x[39:])]
        _, two = read(files)
        assert "frame 0 is frame 39 of " in said(two, "repeated frames")
        _, two = read(files, drop_repeated=True)
        np.testing.assert_array_equal(two.positions, unwrap(x[40:], np.repeat(CELL[None], 20, axis=0)))
        assert "1 repeated frame, left out" in said(two, "repeated frames")

    @pytest.mark.parametrize("n", [1, 5, 100])
    def test_a_restart_within_a_file(self, tmp_path, chunked, n):
        """Frames 30 to 39 are written again after a crash; without them the path is whole."""
        x = walk(60)
        again = npz(tmp_path / "a.npz", np.concatenate([x[:40], x[30:]]))
        chunked(n)
        found = read(again)
        assert "frames 40 to 49 are frames 30 to 39 again: 10 repeated" in said(found, "repeated frames")
        whole = read(again, drop_repeated=True)
        np.testing.assert_array_equal(whole.positions, unwrap(x, np.repeat(CELL[None], 60, axis=0)))
        assert whole.segments == (60,)

    def test_a_restart_with_time_steps(self, tmp_path):
        x = walk(30) % 10
        steps = [*range(20), *range(15, 30)]
        file = dump(tmp_path / "t.dump", x[steps], steps)
        found = read(file)
        assert found.segments == (20, 15)
        assert kinds(found)[:2] == ["restart", "repeated frames"]
        whole = read(file, drop_repeated=True)
        assert whole.segments == (30,)
        assert kinds(whole) == ["repeated frames"]

    def test_chance_is_no_repetition(self, tmp_path):
        """One atom that moves on a coarse grid comes back to where it was; written again after a restart it is told."""
        x = np.zeros((400, 5, 3))
        x[:, 0, 0] = 0.005 * np.random.default_rng(1).integers(0, 2000, 400)
        x[:, 1:, 1] = np.arange(1, 5)
        assert len(np.unique(x[:, 0, 0])) < 370
        assert "repeated frames" not in kinds(read(npz(tmp_path / "a.npz", x)))
        steps = [*range(300), *range(290, 400)]
        found = read(dump(tmp_path / "t.dump", x[steps], steps))
        assert "frames 300 to 309 are frames" in said(found, "repeated frames")

    def test_many_places_are_counted(self, tmp_path):
        x = walk(60)[np.repeat(np.arange(60), np.where(np.arange(60) % 10 == 5, 2, 1))]
        text = said(read(npz(tmp_path / "a.npz", x)), "repeated frames")
        assert text.startswith("frame 6 is frame 5 again; frame 17 is frame 16 again;")
        assert "3 more such stretches: 6 repeated frames" in text


class TestTruncated:
    @pytest.fixture
    def cut_short(self, tmp_path):
        file = dump(tmp_path / "t.dump", walk(10) % 10)
        file.write_text(file.read_text()[:-30])
        return file

    def test_it_is_told(self, cut_short):
        with pytest.raises(
            TruncatedFile,
            match=r"t\.dump: .*truncated; `allow_truncated=True` uses the 9 whole frames before it, `stop=9` too",
        ):
            read(cut_short)

    def test_it_is_allowed(self, cut_short):
        found = read(cut_short, allow_truncated=True)
        assert found.segments == (9,)
        assert said(found, "truncated file") == "The file ends within a frame; the 9 whole frames before it are used."
        assert read(cut_short, stop=9).findings == ()

    def test_no_whole_frame(self, tmp_path):
        file = dump(tmp_path / "t.dump", walk(1) % 10)
        file.write_text(file.read_text()[:-30])
        with pytest.raises(InputError, match="truncated$"):
            read(file, allow_truncated=True)
