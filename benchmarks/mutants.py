"""Would the tests notice a fault? Small faults (mutmut) put into the core modules one at a time.

    python benchmarks/mutants.py [--sample 60] [--seed 0] [--out mutants] [module ...]

Each module is tried with its own tests in a copy of the repository below --out, of its mutants a random --sample (0:
all of them, which takes hours). Printed: how many were run and noticed, and the difference that each of the others
makes; whether that matters is for a reader to decide. Needs mutmut (`make mutants` installs it).
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_KINETICS, _ANALYSIS = "tests/analysis/kinetics/test_", "tests/analysis/test_"
TESTS = {
    "analysis/kinetics/chapman_kolmogorov": [f"{_KINETICS}chapman_kolmogorov.py"],
    "analysis/kinetics/covariances": [
        f"{_KINETICS}covariances.py",
        f"{_KINETICS}koopman.py",
        f"{_ANALYSIS}uncertainty.py",
    ],
    "analysis/kinetics/global_dynamics": [f"{_KINETICS}koopman.py", f"{_KINETICS}markov_model.py"],
    "analysis/kinetics/koopman": [f"{_KINETICS}koopman.py"],
    "analysis/kinetics/markov_model": [f"{_KINETICS}markov_model.py"],
    "analysis/kinetics/paths": [f"{_KINETICS}paths.py"],
    "analysis/kinetics/pcca": [f"{_KINETICS}pcca.py"],
    "analysis/kinetics/rates": [f"{_KINETICS}rates.py", f"{_KINETICS}paths.py"],
    "analysis/kinetics/spectral": [
        f"{_KINETICS}spectral.py",
        f"{_KINETICS}koopman.py",
        f"{_KINETICS}paths.py",
    ],
    "analysis/kinetics/timescales": [f"{_KINETICS}timescales.py"],
    "analysis/blocks": [f"{_ANALYSIS}{name}.py" for name in ("blocks", "uncertainty", "independence")],
    "analysis/uncertainty": [f"{_ANALYSIS}uncertainty.py"],
    "graphs/neighbors": ["tests/graphs/test_neighbors.py", "tests/test_properties.py"],
    "graphs/expansion": ["tests/graphs/test_expansion.py", "tests/networks/test_layers.py"],
    "trajectory/cells": ["tests/trajectory/test_cells.py"],
    "trajectory/following": [f"tests/trajectory/test_{name}.py" for name in ("following", "cells", "reading")],
    "learning/vamp": ["tests/learning/test_vamp.py"],
    "learning/identification": ["tests/learning/test_identification.py"],
}
_SETTINGS = """
[tool.mutmut]
source_paths = ["gdynet_tf"]
only_mutate = ["gdynet_tf/{module}.py"]
pytest_add_cli_args_test_selection = {tests}
also_copy = ["README.md", "CONTRIBUTING.md", "benchmarks", "docs", "examples"]
timeout_multiplier = 2.0
timeout_constant = 10.0
"""


def copied(module, folder):
    """The repository in ``folder``, with settings for one module."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("gdynet_tf", "tests", "benchmarks", "docs", "examples", "README.md", "CONTRIBUTING.md"):
        source = _ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder)
    settings = (_ROOT / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(settings + _SETTINGS.format(module=module, tests=TESTS[module]))


def mutants_of(module):
    """Names of all mutants, in mutmut's order."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    path = Path("gdynet_tf") / f"{module}.py"
    return [get_mutant_name(path, name) for name in mutate_file_contents(str(path), path.read_text()).mutant_names]


def run(module, folder, sample, seed):
    """(mutants there are, run, noticed), and the names of those that were not noticed."""
    copied(module, folder)
    os.chdir(folder)
    names = mutants_of(module)
    chosen = sorted(random.Random(seed).sample(names, sample)) if 0 < sample < len(names) else names
    mutmut = [sys.executable, "-m", "mutmut"]
    # One at a time: the tests of a module use every core that they are given.
    done = subprocess.run(
        [*mutmut, "run", "--max-children", "1", *chosen],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise SystemExit(f"{module}: mutmut stopped\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    results = subprocess.run([*mutmut, "results"], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^\s*(\S+): (.+)$", results, re.MULTILINE))
    missed = [name for name in chosen if found.get(name) in ("survived", "no tests")]
    unclear = [f"{name}: {found[name]}" for name in chosen if found.get(name) in ("suspicious", "not checked")]
    if unclear:
        print(*unclear, sep="\n", flush=True)
    return len(names), len(chosen) - len(unclear), len(chosen) - len(unclear) - len(missed), missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", default=list(TESTS))
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mutants"))
    options = parser.parse_args()
    unknown = set(options.modules) - set(TESTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(TESTS)}")
    out, rows = options.out.resolve(), []
    for module in options.modules:
        there, tried, noticed, missed = run(module, out / module.replace("/", "."), options.sample, options.seed)
        rows.append(f"| `{module}.py` | {there} | {tried} | {noticed} | {len(missed)} |")
        for name in missed:
            shown = [sys.executable, "-m", "mutmut", "show", name]
            print(subprocess.run(shown, capture_output=True, text=True).stdout, flush=True)
        print(rows[-1], flush=True)
    print("\n| module | mutants | run | noticed | not noticed |\n| --- | --- | --- | --- | --- |", *rows, sep="\n")


if __name__ == "__main__":
    main()
