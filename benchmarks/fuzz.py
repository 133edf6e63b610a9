"""Damaged files: is each one read, or refused in one line that names it?

    python benchmarks/fuzz.py [--files 20000] [--seed 0] [--out fuzz] [parser ...]

A small valid file of each format is damaged again and again (bytes changed, cut, copied, numbers made impossible) and
opened as the commands open it, all frames of it. What counts: read; refused (`InputError`); failed, with another
exception, a crash of the process, more than ten seconds or two gigabytes. Files that failed are kept in --out. Needs
the extras of the tests, which make the valid files.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

SECONDS, BYTES = 10, 2 << 30
_TESTS = Path(__file__).parents[1] / "tests"
_STRANGE = (
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"1e308",
    b"1e-320",
    b"99999999999999999999",
    b"2147483648",
    b"3.7",
    b"",
    b"\xff",
)


def valid_files(folder):
    """Name of the parser -> (file, options of the reader)."""
    import ase.io

    spec = importlib.util.spec_from_file_location("formats", _TESTS / "trajectory" / "readers" / "test_formats.py")
    t = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(t)
    top = folder / "top.pdb"
    t.universe().atoms.write(str(top))
    files = {Path(name).suffix[1:]: (t.DATA / name, {}) for name in ("nacl.lammpstrj", "nacl.extxyz", "nacl.data")}
    files |= {"gro": (t.DATA / "water.gro", {}), "pdb": (t.DATA / "water.pdb", {})}
    for name, given in (("nacl.dcd", "nacl.data"), ("water.xtc", "water.tpr"), ("water.trr", "water.tpr")):
        files[Path(name).suffix[1:]] = (t.DATA / name, {"topology": t.DATA / given})
    for name, kind in (("t.ncdf", "NCDF"), ("t.h5md", "H5MD")):
        t.write(folder / name, kind)
        files[kind.lower()] = (folder / name, {"topology": top})
    for name, kind in (("t.traj", "traj"), ("XDATCAR", "vasp-xdatcar"), ("t.geom", "castep-geom")):
        ase.io.write(folder / name, t.atoms(), format=kind)
        files[kind] = (folder / name, {})
    ase.io.write(folder / "t.md", t.moving_atoms(), format="castep-md")
    files["castep-md"] = (folder / "t.md", {})
    for name, text in (("HISTORY", t.history(1)), ("t.pwo", t.quantum_espresso())):
        (folder / name).write_text(text)
        files[name.removeprefix("t.").lower()] = (folder / name, {})
    for name in ("OUTCAR_example_1", "vasprun_pstress.xml"):
        files[name.split("_")[0].lower()] = (t.ASE_DATA / "testdata" / "vasp" / name, {})
    np.savez(
        folder / "t.npz",
        traj_coords=np.random.default_rng(0).random((5, 3, 3)),
        lattices=np.repeat(np.eye(3)[None], 5, axis=0),
        atom_types=np.array([3, 8, 8]),
        target_index=np.array([0]),
    )
    files["npz"] = (folder / "t.npz", {})
    return files


def damaged(content, rng):
    """The content with one to three kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        # Headers are short, and most of what a parser decides is in them.
        place = int(rng.integers(len(data) if rng.random() < 0.6 else min(400, len(data))))
        length = int(rng.integers(1, 40))
        match rng.integers(7):
            case 0:
                data[place] = rng.integers(256)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
            case 3:
                data[place] = ord(rng.choice(list("0123456789.- \neEna")))
            case 4:
                del data[place:]
            case 5:
                data[place:place] = data[place : place + 10 * length]
            case 6:  # a word
                start = place - len(bytes(data[:place]).split()[-1]) if data[:place].split() else 0
                words = bytes(data[start : start + 100]).split(None, 1)
                word = words[0] if words else b""
                data[start : start + len(word)] = _STRANGE[rng.integers(len(_STRANGE))]
        if not data:
            data = bytearray(b"x")
    return bytes(data)


def _late(*_):
    raise TimeoutError(f"more than {SECONDS} s")


class Forked:
    """In place of subprocess.Popen: the program runs in a copy of this process, which has its libraries loaded."""

    def __init__(self, command, stdin, stdout, stderr):
        program, argument = command[-2:]
        readable, writable = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                signal.alarm(SECONDS)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                os.dup2(writable, 1)
                os.dup2(stderr.fileno(), 2)
                sys.argv, sys.stdout = ["-c", argument], os.fdopen(1, "w", closefd=False)
                exec(program, {"__name__": "__main__"})
                sys.stdout.flush()
                code = 0
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        os.close(writable)
        self.stdout, self.code = os.fdopen(readable, "rb"), None

    def wait(self):
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def kill(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stdout.close()
        self.wait()


def attack(queue, name, files, given, place, seed):
    """In a process of its own: (number, what came of it) of each file."""
    from gdynet_tf.errors import InputError
    from gdynet_tf.trajectory.readers import library, open_source

    library.subprocess.Popen = Forked
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    signal.signal(signal.SIGALRM, _late)
    content, said = name.read_bytes(), []
    sys.unraisablehook = said.append  # tracebacks of destructors
    for number in files:
        place.write_bytes(damaged(content, np.random.default_rng([seed, number])))
        queue.put((number, "begun"))
        signal.alarm(SECONDS)
        try:
            for chunk in open_source(place, **given).chunks:
                del chunk
            result = "read"
        except InputError:
            result = "refused"
        except Exception as error:
            result = f"{type(error).__name__}: {str(error)[:100]}"
        finally:
            signal.alarm(0)
        if said:
            result = f"a destructor says {said[0].exc_value!r}"
            said.clear()
        queue.put((number, result))


def run(name, valid, given, n_files, seed, out):
    """Counts of one parser."""
    with tempfile.TemporaryDirectory() as folder:
        place, queue = Path(folder) / valid.name, multiprocessing.Queue()
        results, first = {}, 0
        while first < n_files:
            arguments = (queue, valid, range(first, n_files), given, place, seed)
            process = multiprocessing.Process(target=attack, args=arguments)
            process.start()
            last, begun = first, time.monotonic()
            while process.is_alive() or not queue.empty():
                try:
                    last, result = queue.get(timeout=1)
                    begun = time.monotonic()
                    results[last] = result
                except Exception:  # nothing came
                    if time.monotonic() - begun > 3 * SECONDS:  # hung where no signal reaches
                        process.kill()
            process.join()
            if results.get(last) == "begun":
                results[last] = f"process ended with {process.exitcode}"
            first = last + 1 if len(results) < n_files else n_files
        counts = Counter("failed" if r not in ("read", "refused") else r for r in results.values())
        for number, result in sorted(results.items()):
            if result not in ("read", "refused"):
                print(f"  {name} {number}: {result}", flush=True)
                out.mkdir(parents=True, exist_ok=True)
                content = damaged(valid.read_bytes(), np.random.default_rng([seed, number]))
                (out / f"{number}_{valid.name}").write_bytes(content)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parsers", nargs="*", help="default: all")
    parser.add_argument("--files", type=int, default=20_000, help="for each parser (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz"))
    args = parser.parse_args()
    multiprocessing.set_start_method("fork")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        files, total = valid_files(Path(folder)), Counter()
        print("| parser | files | read | refused | failed | s |\n|---|---|---|---|---|---|", flush=True)
        for name in args.parsers or files:
            start = time.monotonic()
            counts = run(name, *files[name], args.files, args.seed, args.out / name)
            total += counts
            row = [
                name,
                args.files,
                counts["read"],
                counts["refused"],
                counts["failed"],
                round(time.monotonic() - start),
            ]
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(json.dumps(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
