"""The notebooks in examples/ run from a fresh kernel and say what their texts promise."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"


NUMBER = r"\d+(?:\.\d*)?(?:e[-+]?\d+)?"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    """All that the cells of a notebook print or show as text."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    streams = [o.text for o in outputs if o.output_type == "stream" and o.name == "stdout"]
    return "\n".join(streams + [o.data["text/plain"] for o in outputs if "data" in o])


def kinds_of_outputs(notebook):
    """For each cell, whether it prints, and the kinds of what it shows."""
    kinds = []
    for cell in notebook.cells:
        outputs = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
        prints = any(o.output_type == "stream" for o in outputs)
        kinds.append((prints, [sorted(o.data) for o in outputs if "data" in o]))
    return kinds


def executed(name, folder, monkeypatch):
    """Everything that a notebook prints or shows as text, and its number of pictures.

    The outputs that it was stored with, which the site shows, are of the same kinds, cell by cell, and say the same
    with about the same numbers (another processor rounds otherwise); nothing is on stderr.
    """
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # as a user's shell, which silences nothing
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    stored, told = kinds_of_outputs(notebook), texts(notebook)
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    NotebookClient(notebook, timeout=300).execute(cwd=str(folder))
    assert kinds_of_outputs(notebook) == stored, "make notebooks stores the outputs anew"
    assert "stderr" not in {o.get("name") for cell in code_cells(notebook) for o in cell.outputs}
    said = texts(notebook)
    assert re.sub(NUMBER, "#", told) == re.sub(NUMBER, "#", said)
    for then, now in zip(re.findall(NUMBER, told), re.findall(NUMBER, said), strict=True):
        assert float(now) == pytest.approx(float(then), rel=0.3, abs=0.05), "make notebooks stores the outputs anew"
    return said, sum("image/png" in o.get("data", {}) for cell in code_cells(notebook) for o in cell.outputs)


# The kernel's own complaint about its transport, and sockets that are closed late, are not ours.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
class TestNotebooks:
    def test_quickstart(self, tmp_path, monkeypatch):
        said, n_pictures = executed("quickstart.ipynb", tmp_path, monkeypatch)
        assert n_pictures == 4
        large, small = map(float, re.search(r"populations \[([\d.]+)\s+([\d.]+)\]", said).groups())
        assert 0.8 < large < 0.97
        assert large + small == pytest.approx(1, abs=0.01)
        octahedral, tetrahedral = map(float, re.search(r"S within 4.2 Å: \[([\d.]+)\s+([\d.]+)\]", said).groups())
        assert octahedral == pytest.approx(6, abs=0.3)
        assert tetrahedral == pytest.approx(4, abs=0.5)
        assert "Chapman-Kolmogorov test passed: None" in said  # the data cannot tell at this lag
        assert "report_all.html" in said

    def test_own_trajectory(self, tmp_path, monkeypatch):
        said, n_pictures = executed("own_trajectory.ipynb", tmp_path, monkeypatch)
        assert n_pictures == 1
        assert "(30000, 5, 3) targets: 1" in said
        assert float(re.search(r"VAMP-2 ([\d.]+)", said)[1]) > 1.3
        assert len(re.findall(r"state \d: population [\d.]+, D [\d.]+ Å²/ps", said)) == 2
        assert next(tmp_path.glob("*/mine.png")).stat().st_size > 20_000

    def test_from_memory(self, tmp_path, monkeypatch):
        notebook = nbformat.read(EXAMPLES / "from_memory.ipynb", as_version=4)
        assert sum(len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code") < 20
        said, n_pictures = executed("from_memory.ipynb", tmp_path, monkeypatch)
        assert n_pictures == 2
        assert float(re.search(r"VAMP-2 ([\d.]+)", said)[1]) > 1.3
        large, small = map(float, re.search(r"populations \[([\d.]+)\s+([\d.]+)\]", said).groups())
        assert 0.8 < large < 0.97
        assert large + small == pytest.approx(1, abs=0.011)
        assert not list(tmp_path.iterdir())  # all in memory
