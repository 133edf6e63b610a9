"""Options of a command from a file: ``--config settings.yaml``, or a run's own ``config.json`` given back."""

import argparse
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdynet_tf.errors import InputError

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset
    from gdynet_tf.learning.splits import Split

__all__ = ["RecordedSplit", "parse_with_settings", "read_settings"]

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
    blocks : dict
        Part of the data -> blocks of frames.
    tau : int
        Lag time in frames, for which the blocks keep their distance.
    graphs_sha256 : str
        Of the graph directory that they divide.
    """

    file: str | Path
    blocks: dict[str, Any]
    tau: int
    graphs_sha256: str

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
            If the graphs or the lag time are others, so that the blocks would mean something else.
        """
        from gdynet_tf.learning.splits import Split

        hint = "--split, or --val and --test, divide the data anew"
        if tau != self.tau:
            raise InputError(f"{self.file}: its split is for --tau {self.tau}, not {tau}; {hint}")
        if graphs.sha256 != self.graphs_sha256:
            raise InputError(f"{self.file}: its split is of other graphs than {graphs.path}; {hint}")
        try:
            return Split.from_dict(self.blocks)
        except TypeError as error:
            raise InputError(f"{self.file}: split: altered, {error}") from None


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
        ``split`` is a `RecordedSplit` when it comes from a run's ``config.json``, which also sets ``precision``.

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
    return argparse.Namespace(**{name: parser.get_default(name) for name in options} | settings | given)


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
        try:
            graphs = content["graphs"]
            split = RecordedSplit(file, content["split"], content["tau"], graphs["sha256"])
            recorded = {"split": split, "precision": content["precision"]}
            content = {key: value for key, value in content.items() if key not in recorded.keys() | _FACTS}
            content["graphs"] = graphs["path"]
        except (KeyError, TypeError) as error:
            raise InputError(f"{file}: altered, {error!r}") from None
    options = {action.dest: action for action in parser._actions if action.dest not in _NO_SETTINGS}
    settings = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name not in options:
            raise InputError(f"{file}: {key}: no such setting; there are {', '.join(sorted(options))}")
        if value is not None:
            settings[name] = _value(f"{file}: {key}", value, options[name])
    return settings | recorded


def _read(file: str | Path) -> dict[str, Any]:
    import yaml

    if Path(file).exists() and not Path(file).is_file():
        raise InputError(f"{file}: is not a regular file")
    try:
        text = Path(file).read_text(encoding="utf-8")
        content = json.loads(text) if Path(file).suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    except RecursionError:
        raise InputError(f"{file}: cannot be read: too deeply nested") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no settings; lines such as 'n_states: 3' are needed")
    return content


def _value(where: str, value: Any, option: argparse.Action) -> Any:
    """The value as the parser would have made it of the command line's words."""
    if option.nargs is None:
        return _scalar(where, value, option)
    n = option.nargs if isinstance(option.nargs, int) else None
    if not isinstance(value, list) or n not in (None, len(value)):
        raise InputError(f"{where}: {value!r} is not a list{'' if n is None else f' of {n}'}")
    return [_scalar(where, item, option) for item in value]


def _scalar(where: str, value: Any, option: argparse.Action) -> Any:
    kind = option.type if isinstance(option.type, type) else str
    if kind is float and not isinstance(value, bool):
        with contextlib.suppress(ValueError, TypeError):
            value = float(value)  # YAML takes 1e-3, which has no point, for a text
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {value!r} is not {_WORDS[kind]}")
    if isinstance(value, str) and ("\0" in value or value != value.encode("utf-8", "replace").decode()):
        raise InputError(f"{where}: {value!r} holds what is no character")
    if option.choices is not None and value not in option.choices:
        raise InputError(f"{where}: {value!r} is not one of {', '.join(map(str, option.choices))}")
    return value
