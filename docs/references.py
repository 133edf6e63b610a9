"""What numpydoc means and the API pages should show.

Names in single backticks become links; one that means nothing is a warning, which fails the build. What a module only
imports is shown where it is defined.
"""

import logging
import re

import griffe

logger = logging.getLogger("mkdocs.plugins.references")


class References(griffe.Extension):
    """Link `name` in a docstring to the object that it names, as numpydoc does."""

    def on_package(self, *, pkg, **kwargs):
        members = list(_members(pkg))
        targets = {member.path: member.target_path if member.is_alias else member.path for member in members}
        described = {member.path for member in members if not member.is_alias and member.docstring}
        for obj in (member for member in members if not member.is_alias and member.docstring):
            link = _Linker(obj, targets, described)
            obj.docstring.value = re.sub(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)", link, obj.docstring.value)
            if obj.is_function:
                _correct_defaults(obj)
        for alias in (member for member in members if member.is_alias):
            del alias.parent.members[alias.name]


def _members(parent):
    """Everything defined in a module or class, or imported by it, and itself."""
    yield parent
    if not parent.is_alias:
        for member in parent.members.values():
            yield from _members(member)


def _correct_defaults(function):
    """For "a, b : float" griffe gives b the default of a."""
    for section in function.docstring.parsed:
        if section.kind is griffe.DocstringSectionKind.parameters:
            for parameter in section.value:
                if (name := parameter.name.lstrip("*")) in function.parameters:
                    parameter.default = function.parameters[name].default


class _Linker:
    """From the match of a name in a docstring to a link; the nearest object of that name is meant."""

    def __init__(self, obj, targets, described):
        self.obj, self.targets, self.described = obj, targets, described
        self.parameters = {parameter.name for parameter in getattr(obj, "parameters", ())}

    def __call__(self, match):
        name = match[1]
        if name in self.parameters:
            return f"`{name}`"
        parts = self.obj.path.split(".")
        scopes = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        near = [f"{scope}.{name}" for scope in scopes if f"{scope}.{name}" in self.targets]
        found = near or [path for path in self.targets if f".{path}".endswith(f".{name}")]
        if found:
            target = self.targets[found[0]]
            # An attribute that its class describes has no heading of its own.
            return f"[`{name}`][{target}]" if target in self.described else f"`{name}`"
        logger.warning("%s: `%s` in the docstring of %s names nothing", self.obj.filepath, name, self.obj.path)
        return f"`{name}`"
