"""The pages of the site: the repository's own, where they lie, and one for each room of the package."""

from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "C*.md", "CITATION.cff", "LICENSE", "docs/*.md", "docs/figures/*", "examples/**/*.*")


def _api(title, files):
    """A page of some modules; what is public in them is shown by mkdocstrings."""
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in sorted(files)]
    modules = [name for name in modules if not name.endswith("._version")]
    return "\n\n".join([f"# {title}", *(f"::: {name.removesuffix('.__init__')}" for name in modules)])


@event_priority(100)  # before the plugin that turns notebooks into pages
def on_files(files, config):
    """Replace the files of docs/ by all that the site shows, under their paths in the repository."""
    pages = Files([file for file in files if file.src_uri.startswith("assets/")])
    for file in sorted({file for pattern in PAGES for file in ROOT.glob(pattern) if file.is_file()}):
        path = file.relative_to(ROOT).as_posix()
        pages.append(File(path, str(ROOT), config.site_dir, config.use_directory_urls))
    package = ROOT / "gdynet_tf"
    rooms = {face.parent.name: face.parent.rglob("*.py") for face in package.glob("*/__init__.py")}
    for title, modules in {"gdynet_tf": package.glob("*.py"), **rooms}.items():
        pages.append(File.generated(config, f"api/{title}.md", content=_api(title, modules)))
    return pages
