"""The rooms of the package: who may import whom. The rule is the diagram in CONTRIBUTING.md, and is read from there."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FACES = ("gdynet_tf", "gdynet_tf.analysis")  # may show, when asked for, what they do not use; the first shows all rooms
MAX_MODULES, MAX_LINES = 10, 400


def module_name(file, root):
    """Dotted name of a file below ``root``; that of the folder for its ``__init__.py``."""
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


class Imports:
    """Which module of a package imports which, anywhere in its code: lazily, and for type checkers, too.

    A name that a face shows lazily counts as an import of the module that it is from.
    """

    def __init__(self, package):
        self.files = {module_name(file, package.parent): file for file in sorted(package.rglob("*.py"))}
        self.trees = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in self.files.items()}
        self.rooms = {file.parent.name for file in package.glob("*/__init__.py")}
        self.shown = {face: self._shown(face) for face in FACES if face in self.files}
        self.of = {name: {m for m in self._imported(name) if m != name} for name in self.files}

    def _shown(self, face):
        """Name -> module of the tables ``{"name": "module"}`` that a face looks names up in."""
        shown = {}
        for table in (node for node in ast.walk(self.trees[face]) if isinstance(node, ast.Dict)):
            for key, value in zip(table.keys, table.values, strict=True):
                for module in self._named(value):
                    shown[getattr(key, "value", None)] = module
        return shown

    def _named(self, tree):
        """Modules that strings name."""
        return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & set(self.files)

    def _member(self, module, name):
        """Module that ``from module import name`` reads from."""
        if f"{module}.{name}" in self.files:
            return f"{module}.{name}"
        return self.shown.get(module, {}).get(name, module)

    def _imported(self, importer):
        tree, aliases = self.trees[importer], {}
        if importer in FACES:  # what they do at once; the rest is shown only
            tree = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                yield from self._named(node)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield from {alias.name} & set(self.files)
                    aliases[alias.asname or alias.name] = alias.name
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if node.level:
                    parts = [*importer.split("."), *["__init__"] * (self.files[importer].name == "__init__.py")]
                    module = ".".join([*parts[: -node.level], *filter(None, [module])])
                if module in self.files:
                    for alias in node.names:
                        aliases[alias.asname or alias.name] = member = self._member(module, alias.name)
                        yield member
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and aliases.get(ast.unparse(node.value)) in self.shown:
                yield self._member(aliases[ast.unparse(node.value)], node.attr)

    def arrows(self):
        """{(room that is used, room that uses it): [sentences that say where]}; "" is the root."""
        arrows = {}
        for importer in self.files.keys() - set(FACES[:1]):
            for module in sorted(self.of[importer]):
                used, user = self._room(module), self._room(importer)
                if used != user:
                    arrows.setdefault((used, user), []).append(f"{importer} imports {module}")
        return arrows

    def _room(self, module):
        return next((part for part in module.split(".")[1:2] if part in self.rooms), "")


def read_diagram(text):
    """Arrows (from, to) of the first mermaid diagram of a page."""
    diagram = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL).group(1)
    return {(a, b) for a, b in re.findall(r"^\s*(\w+) --> (\w+)\s*$", diagram, re.MULTILINE)}


def reachable(arrows):
    """All (from, to) that a path of arrows connects."""
    paths = set(arrows)
    while longer := {(a, d) for a, b in paths for c, d in arrows if b == c} - paths:
        paths |= longer
    return paths


def broken_rules(package, diagram):
    """One sentence for every import, module, folder or arrow that breaks the rules."""
    imports = Imports(package)
    broken, arrows, allowed = [], imports.arrows(), reachable(diagram)
    for (used, user), where in arrows.items():
        if not user:
            broken += [f"{sentence}: the modules at the root use no room" for sentence in where]
        elif used and (used, user) not in allowed:
            broken += [f"{sentence}: no arrow leads from {used} to {user}" for sentence in where]
    broken += [f"the arrow {a} --> {b} has no import" for a, b in sorted(diagram - set(arrows))]
    drawn = {name for arrow in diagram for name in arrow}
    broken += [f"{name} is in the diagram or in the package only" for name in sorted(drawn ^ imports.rooms)]
    broken += [f"{name} comes before itself in the diagram" for name in sorted(drawn) if (name, name) in allowed]
    try:
        TopologicalSorter(imports.of).prepare()
    except CycleError as error:
        broken.append(f"cycle: {' imports '.join(error.args[1][::-1])}")
    for folder in {file.parent for file in imports.files.values()}:
        n_modules = sum(file.name != "__init__.py" for file in folder.glob("*.py"))
        if n_modules > MAX_MODULES:
            broken.append(f"{folder.relative_to(package.parent)}: {n_modules} modules, at most {MAX_MODULES}")
    for file in imports.files.values():
        n_lines = len(file.read_text(encoding="utf-8").splitlines())
        if n_lines > MAX_LINES:
            broken.append(f"{file.relative_to(package.parent)}: {n_lines} lines, at most {MAX_LINES}")
    return broken


def test_rooms():
    diagram = read_diagram((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert broken_rules(ROOT / "gdynet_tf", diagram) == []


DIAGRAM = {("trajectory", "graphs"), ("graphs", "analysis"), ("analysis", "report")}
TREE = {
    "__init__.py": "_SHOWN = {'report': 'gdynet_tf.report.page'}",
    "errors.py": "",
    "trajectory/__init__.py": "",
    "trajectory/cells.py": "import gdynet_tf.errors",
    "graphs/__init__.py": "",
    "graphs/build.py": "from gdynet_tf.trajectory import cells",
    "analysis/__init__.py": "from gdynet_tf.analysis.chi import Chi\n_SHOWN = {'plots': 'gdynet_tf.report.page'}",
    "analysis/chi.py": "def f():\n    from gdynet_tf.graphs.build import g\nclass Chi: pass",
    "report/__init__.py": "",
    "report/page.py": "import gdynet_tf.analysis as ga\nfrom gdynet_tf.trajectory.cells import x\nga.Chi",
}


def write_tree(folder, changes):
    for name, text in (TREE | changes).items():
        file = folder / "gdynet_tf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder / "gdynet_tf"


def test_a_good_tree_passes(tmp_path):
    assert broken_rules(write_tree(tmp_path, {}), DIAGRAM) == []


BACK = "graphs.build imports gdynet_tf.report.page: no arrow leads from report to graphs"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("graphs/build.py", "from gdynet_tf.trajectory import cells\nimport gdynet_tf.report.page", BACK),
        ("graphs/build.py", "from ..trajectory import cells\nfrom ..report import page", BACK),
        ("graphs/build.py", "import gdynet_tf.trajectory\ndef f():\n    from gdynet_tf.report.page import x", BACK),
        ("graphs/build.py", "import gdynet_tf.trajectory\nif TYPE_CHECKING:\n    import gdynet_tf.report.page", BACK),
        ("graphs/build.py", "import gdynet_tf.trajectory\nimport_module('gdynet_tf.report.page')", BACK),
        ("analysis/chi.py", "import gdynet_tf.graphs.build\nfrom gdynet_tf import report", "from report to analysis"),
        ("analysis/chi.py", "import gdynet_tf.graphs.build\nimport gdynet_tf as gd\ngd.report", "report to analysis"),
        ("graphs/build.py", "from gdynet_tf.trajectory import cells\nimport gdynet_tf.analysis as ga\nga.plots", BACK),
        ("errors.py", "import gdynet_tf.trajectory.cells", "the modules at the root use no room"),
        ("graphs/build.py", "", "the arrow trajectory --> graphs has no import"),
        ("learning/__init__.py", "", "learning is in the diagram or in the package only"),
        ("trajectory/cells.py", "import gdynet_tf.trajectory", ""),
        ("trajectory/__init__.py", "import gdynet_tf.trajectory.cells", ""),
        ("report/page.py", "x = 1\n" * 401, "gdynet_tf/report/page.py: 401 lines, at most 400"),
    ],
)
def test_a_broken_rule_is_found(tmp_path, file, text, message):
    broken = broken_rules(write_tree(tmp_path, {file: text}), DIAGRAM)
    assert (message in "\n".join(broken)) if message else broken == []


def test_a_cycle_is_found(tmp_path):
    changes = {"trajectory/cells.py": "from .wrap import x", "trajectory/wrap.py": "def f():\n    from . import cells"}
    broken = broken_rules(write_tree(tmp_path, changes), DIAGRAM)
    assert len(broken) == 1
    assert re.fullmatch(r"cycle: (gdynet_tf\.trajectory\.(cells|wrap)( imports )?){3}", broken[0])


def test_a_face_that_its_modules_import_is_a_cycle(tmp_path):
    changes = {"analysis/chi.py": "import gdynet_tf.graphs.build\nfrom gdynet_tf.analysis import Chi"}
    assert any("cycle" in sentence for sentence in broken_rules(write_tree(tmp_path, changes), DIAGRAM))


def test_a_full_folder_is_found(tmp_path):
    changes = {f"trajectory/m{i}.py": "" for i in range(10)}
    assert broken_rules(write_tree(tmp_path, changes), DIAGRAM) == ["gdynet_tf/trajectory: 11 modules, at most 10"]


def test_a_wrong_diagram_is_found(tmp_path):
    package = write_tree(tmp_path, {})
    assert "report comes before itself in the diagram" in broken_rules(package, DIAGRAM | {("report", "graphs")})
    assert "nothing is in the diagram or in the package only" in broken_rules(
        package, DIAGRAM | {("nothing", "report")}
    )


def test_the_tests_mirror_the_package():
    without_room = {"data", "examples", "__pycache__"}
    folders = {file.parent.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")}
    folders = {folder for folder in folders if folder.parts and folder.parts[0] not in without_room}
    assert [str(folder) for folder in folders if not (ROOT / "gdynet_tf" / folder / "__init__.py").is_file()] == []
    assert {folder.parts[0] for folder in folders} == Imports(ROOT / "gdynet_tf").rooms
