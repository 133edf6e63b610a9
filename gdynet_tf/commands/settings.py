"""Options of a command from a file: ``--config settings.yaml``, or a run's own ``config.json`` given back."""

import argparse
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdynet_tf.errors import InputError, shortened, shown

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset
    from gdynet_tf.learning.splits import Split

__all__ = ["RecordedSplit", "check_given", "parse_with_settings", "read_settings"]

# What to do, and with what: not how to train.
_NO_SETTINGS = {"help", "config", "overwrite", "resume", "quiet", "log", "tensorboard", "distribute"}
_FACTS = {"data", "versions", "backend", "created"}  # what a run's config.json tells besides its settings
_OTHER_WAYS = {"split": ("val", "test"), "val": ("split",), "test": ("split",)}  # an option -> those it replaces
_WORDS = {int: "an integer", float: "a number", str: "a text"}


@dataclass(frozen=True)
class RecordedSplit:
    """The division of the frames that a run was made with.

    Attributes
    ----------
    file : path-like
        Its ``config.json``.
    config : dict
        Its content, which the schema has passed.
    """

    file: str | Path
    config: dict[str, Any]

    def split(self, graphs: "GraphDataset", tau: int) -> "Split":
        """The same division again.

        Parameters
        ----------
        graphs : GraphDataset
        tau : int
            Lag time in frames.

        Returns
        -------
        Split

        Raises
        ------
        InputError
            If the graphs or the lag time are others, so that the blocks would mean something else, or a part holds no
            pair.
        """
        from gdynet_tf.analysis.runs import check_data
        from gdynet_tf.learning.splits import Split, check_split

        hint = "--split, or --val and --test, divide the data anew"
        if tau != self.config["tau"]:
            raise InputError(f"{self.file}: its split is for --tau {self.config['tau']}, not {tau}; {hint}")
        if graphs.sha256 != self.config["graphs"]["sha256"]:
            raise InputError(f"{self.file}: its split is of other graphs than {graphs.path}; {hint}")
        check_data(self.config["data"], graphs.meta, self.file)
        split = Split.from_dict(self.config["split"])
        check_split(split, graphs.segments, tau, f"{self.file}: split")
        return split


def parse_with_settings(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line, else of the file that ``--config`` names, else the defaults.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        With an option ``--config``.
    argv : list of str, optional
        Default: ``sys.argv[1:]``.

    Returns
    -------
    argparse.Namespace
        ``split`` is a `RecordedSplit` when it comes from a run's ``config.json``, which also sets ``precision``;
        ``given`` are the names of the options on the command line.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    unset = object()  # argparse leaves alone what a namespace already has
    options = [action.dest for action in parser._actions if action.dest != "help"]
    words = vars(parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(options, unset))))
    given = {name: value for name, value in words.items() if value is not unset}
    settings = read_settings(given["config"], parser) if given.get("config") else {}
    for name in given:
        for other in _OTHER_WAYS.get(name, ()):
            settings.pop(other, None)
    defaults = {name: parser.get_default(name) for name in options}
    return argparse.Namespace(**defaults | settings | given, given=tuple(given))


def check_given(args: argparse.Namespace, config: Mapping[str, Any], run: str | Path) -> None:
    """Make sure that no setting on the command line differs from what a run was begun with.

    Parameters
    ----------
    args : argparse.Namespace
        From `parse_with_settings`.
    config : mapping
        Of the run. How it divides the data is not compared, and what older versions did not record.
    run : path-like

    Raises
    ------
    InputError
        Names the option, and what the run was begun with.
    """
    known = {**config, "graphs": config["graphs"]["path"]}
    for name in args.given:
        if name in _NO_SETTINGS or name in _OTHER_WAYS or name not in known:
            continue
        value, begun = getattr(args, name), known[name]
        if name in ("graphs", "start_from") and begun is not None:
            value, begun = Path(value).resolve(), Path(begun).resolve()
        if value != begun:
            raise InputError(f"`{name}={getattr(args, name)}`: {run} was begun with {known[name]}")


def read_settings(file: str | Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Options of a command as a YAML or JSON file gives them.

    Parameters
    ----------
    file : path-like
        A mapping from option names, without the hyphens in front, to values; or a run's ``config.json``.
    parser : argparse.ArgumentParser
        Whose options these are.

    Returns
    -------
    dict
        Name of the option, as the parser stores it -> value. Options that are null are left out.

    Raises
    ------
    InputError
        If the file cannot be read, or a key is no option, or its value is not of the option's type.
    """
    content = _read(file)
    recorded: dict[str, Any] = {}
    if isinstance(content.get("split"), dict):  # a run's config.json
        from gdynet_tf.schema import Config, check_schema

        known = check_schema(content, Config, file)
        recorded = {"split": RecordedSplit(file, content), "precision": known.precision}
        content = {key: value for key, value in content.items() if key not in recorded.keys() | _FACTS}
        content["graphs"] = known.graphs.path
    options = {action.dest: action for action in parser._actions if action.dest not in _NO_SETTINGS}
    settings: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("-", "_") if isinstance(key, str) else ""
        where = f"{file}: {shortened(key) if isinstance(key, str) else shown(key)}"
        if name not in options:
            raise InputError(f"{where}: no such setting; there are {', '.join(sorted(options))}")
        if name in settings:
            raise InputError(f"{where}: is there twice")
        settings[name] = None if value is None else _value(where, value, options[name])
    return {name: value for name, value in settings.items() if value is not None} | recorded


def _read(file: str | Path) -> dict[str, Any]:
    if Path(file).exists() and not Path(file).is_file():
        raise InputError(f"{file}: is not a regular file")
    try:
        text = Path(file).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_unique) if Path(file).suffix == ".json" else _load_yaml(text)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except RecursionError:
        raise InputError(f"{file}: cannot be read: too deeply nested") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no settings; lines such as 'n_states: 3' are needed")
    return content


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Keys and values as a mapping: none twice, of which one would be lost."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"{shortened(key)} is there twice")
        content[key] = value
    return content


def _load_yaml(text: str) -> Any:
    """Content of a YAML file; ValueError of anything that is wrong with it."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Whose errors name the place, and which takes no key twice."""

        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep=deep)
            except (LookupError, AttributeError, TypeError, ValueError, OverflowError):  # no number or date
                what = f"{shown(node.value)} is no {node.tag.rpartition(':')[2]}"
                raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark) from None

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in keys:
                    what = f"{shortened(key.value)} is there twice"
                    raise yaml.MarkedYAMLError(problem=what, problem_mark=key.start_mark)
                keys.add(key.value if isinstance(key, yaml.ScalarNode) else None)
            return super().construct_mapping(node, deep=deep)

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _value(where: str, value: Any, option: argparse.Action) -> Any:
    """The value as the parser would have made it of the command line's words."""
    if option.nargs is None:
        return _scalar(where, value, option)
    n = option.nargs if isinstance(option.nargs, int) else None
    if not isinstance(value, list) or n not in (None, len(value)):
        raise InputError(f"{where}: {shown(value)} is not a list{'' if n is None else f' of {n}'}")
    return [_scalar(where, item, option) for item in value]


def _scalar(where: str, value: Any, option: argparse.Action) -> Any:
    kind = option.type if isinstance(option.type, type) else str
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InputError(f"{where}: {shown(value)} is too large")
    if kind is float and not isinstance(value, bool):
        with contextlib.suppress(ValueError, TypeError):
            value = float(value)  # YAML takes 1e-3, which has no point, for a text
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {shown(value)} is not {_WORDS[kind]}")
    if isinstance(value, str) and ("\0" in value or value != value.encode("utf-8", "replace").decode()):
        raise InputError(f"{where}: {shown(value)} holds what is no character")
    if option.choices is not None and value not in option.choices:
        raise InputError(f"{where}: {shown(value)} is not one of {', '.join(map(str, option.choices))}")
    return value
