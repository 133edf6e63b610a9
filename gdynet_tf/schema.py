"""What meta.json of graphs, and the JSON files of runs, may say: one description, checked on opening.

More keys than these may be there; those that are there are of the right type and in range, and names of files are
single components of a path, so that nothing is read or written outside the directory that was named.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gdynet_tf.errors import InputError, shortened, shown
from gdynet_tf.files import is_single_component
from gdynet_tf.times import is_unit

__all__ = ["Config", "ExplanationContent", "Meta", "Scores", "SelectionConfig", "check_blocks", "check_schema"]

_LARGEST = 2**63 - 1


def _component(name: str) -> str:
    if not is_single_component(name):
        raise ValueError("must be the name of a file, without a path")
    return name


def _unit(name: str) -> str:
    if not is_unit(name):
        raise ValueError("must be words, as ps or frames are")
    return name


Name = Annotated[str, AfterValidator(_component)]
Count = Annotated[int, Field(ge=1, le=_LARGEST)]
Index = Annotated[int, Field(ge=0, le=_LARGEST)]
Positive = Annotated[float, Field(gt=0)]
Interval = Annotated[float, Field(ge=1e-12, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(allow_inf_nan=True)]
Block = Annotated[list[Index], Field(min_length=3, max_length=3)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=())


class _Finding(_Part):
    kind: str
    severity: Literal["good", "note", "warning", "bad"]
    text: str
    numbers: dict[str, Any]


class _Source(_Part):
    path: str
    sha256: str = ""


class _Array(_Part):
    shape: list[Index]
    dtype: str
    sha256: str


class _Expansion(_Part):
    dmin: float
    dmax: float
    step: Positive
    sigma: Positive

    @model_validator(mode="after")
    def _has_centers(self) -> "_Expansion":
        if not 0 < self.dmax - self.dmin <= 1000 * self.step:
            raise ValueError("dmin, dmax and step make no Gaussian centres, or too many")
        return self


class _Graphs(_Part):
    """Graphs of a trajectory."""

    name: Name
    n_frames: Count
    segments: Annotated[list[Count], Field(min_length=1)]
    sources: list[_Source]
    findings: list[_Finding] = []
    arrays: dict[Name, _Array]


class _Shard(_Part):
    """Which part of a graph directory it is."""

    index: Count
    of: Count
    first: dict[Name, Index]
    whole: dict[str, Any]


class Meta(_Part):
    """``meta.json``."""

    format_version: int
    time_unit: Annotated[str, AfterValidator(_unit)]
    frame_interval: Interval
    periodic: Annotated[list[bool], Field(min_length=3, max_length=3)]
    n_atoms: Count
    n_neighbors: Count
    n_targets: Count
    group_size: Count
    edges: Literal["gaussian", "distance"]
    expansion: _Expansion
    trajectories: Annotated[list[_Graphs], Field(min_length=1)]
    arrays: dict[Name, _Array]
    shard: _Shard | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "Meta":
        n, m = self.n_atoms, self.n_neighbors
        _same("arrays", self.arrays, {"atomic_numbers": [n], "targets": [self.n_targets, self.group_size]})
        names = [entry.name for entry in self.trajectories]
        if len(set(names)) < len(names):
            raise ValueError(f"trajectories: two of the same name in {', '.join(names)}")
        for entry in self.trajectories:
            f = entry.n_frames
            if sum(entry.segments) != f:
                raise ValueError(f"{entry.name}: segments of {sum(entry.segments)} frames, n_frames is {f}")
            edges = "edges" if self.edges == "gaussian" else "distances"
            shapes = {"neighbors": [f, n, m], edges: [f, n, m], "lattices": [f, 3, 3], "positions": [f, n, 3]}
            _same(f"{entry.name}: arrays", entry.arrays, shapes)
            if self.shard and entry.name not in self.shard.first:
                raise ValueError(f"shard.first: {entry.name} is missing")
        return self


def _same(where: str, arrays: dict[str, _Array], shapes: dict[str, list[int]]) -> None:
    for name, shape in shapes.items():
        if name not in arrays:
            raise ValueError(f"{where}: {name} is missing")
        found = arrays[name].shape
        if found[: len(shape)] != shape or len(found) > len(shape) + (name == "edges"):
            raise ValueError(f"{where}: {name} is of shape {tuple(found)}, not {tuple(shape)}")


class _Trajectory(_Part):
    name: Name
    segments: Annotated[list[Count], Field(min_length=1)]
    sources: list[_Source] = []


class _Data(_Part):
    frame_interval: Interval
    time_unit: Annotated[str, AfterValidator(_unit)]
    trajectories: Annotated[list[_Trajectory], Field(min_length=1)]
    n_atoms: Count = 1
    n_targets: Count | None = None
    group_size: Count = 1
    n_neighbors: Count = 1


class _Reference(_Part):
    path: str | None
    sha256: str


class _Split(_Part):
    train: list[Block]
    validation: list[Block]
    test: list[Block]


class Config(_Part):
    """``config.json``. What older versions do not tell has a default here, which is for the check only."""

    n_states: Annotated[int, Field(ge=2)]
    tau: Count
    split: _Split
    graphs: _Reference
    data: _Data
    seed: Index = 0
    n_restarts: Count = 1
    model: Literal["gdynet", "vampnet"] = "gdynet"
    n_conv: Count = 1
    n_features: Count | None = None
    variant: Literal["paper", "gdynet2019"] = "paper"
    batch_size: Count | None = None
    epochs: Count = 1
    patience: Count = 1
    learning_rate: Annotated[float, Field(gt=0, lt=10)] = 1e-3
    precision: Literal["float32", "mixed_float16"] = "float32"
    start_from: str | None = None
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _agrees(self) -> "Config":
        names = [entry.name for entry in self.data.trajectories]
        if len(set(names)) < len(names):
            raise ValueError(f"data.trajectories: two of the same name in {', '.join(names)}")
        split = {part: getattr(self.split, part) for part in ("train", "validation", "test")}
        try:
            check_blocks(split, [entry.segments for entry in self.data.trajectories])
        except ValueError as error:
            raise ValueError(f"split.{error}") from None
        return self


def check_blocks(split: Mapping[str, Sequence[Sequence[int]]], segments: Sequence[Sequence[int]]) -> None:
    """Make sure that the blocks of a division are in the data, and that none of them share a frame.

    Parameters
    ----------
    split : mapping
        Part of the data -> blocks (trajectory, start, stop).
    segments : list of list of int
        Frames of each segment of each trajectory.

    Raises
    ------
    ValueError
        Names the part and the block.
    """
    ends, taken = [[0, *accumulate(lengths)] for lengths in segments], []
    for part, blocks in split.items():
        for block in blocks:
            if len(block) != 3 or not all(isinstance(n, Integral) and not isinstance(n, bool) for n in block):
                raise ValueError(f"{part}: block {shown(block)} is not a trajectory, a start and a stop")
            index, start, stop = map(int, block)
            known = ends[index] if 0 <= index < len(ends) else [0]
            if not 0 <= start < stop <= known[-1]:
                raise ValueError(f"{part}: block {[index, start, stop]} is not in the data")
            if stop > known[bisect_right(known, start)]:
                raise ValueError(f"{part}: block {[index, start, stop]} is not within one segment of the data")
            taken.append((index, start, stop, part))
    for one, other in pairwise(sorted(taken)):
        if one[0] == other[0] and other[1] < one[2]:
            raise ValueError(
                f"{one[3]}: block {list(one[:3])} shares frames with block {list(other[:3])} of {other[3]}"
            )


class SelectionConfig(_Part):
    """``config.json`` of a selection."""

    n_states: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    tau: Count
    lags: Annotated[list[Count], Field(min_length=1)]
    n_splits: Annotated[int, Field(ge=2)]
    n_restarts: Count
    epochs: Count
    seed: Index
    graphs: _Reference


class _Agreement(_Part):
    n_restarts: Count
    canonical_correlations: list[float]
    same_likeliest_state: Share
    f1: list[Share]
    found_again: list[bool]


class Scores(_Part):
    """``scores.json``."""

    vamp2: dict[str, float | None] = {}
    agreement: _Agreement | None = None
    populations: list[Share] = []
    crispness: Share = 0.0
    collapsed: list[str] = []
    findings: list[_Finding] = []
    restarts: list[dict[str, Any]] = []


class _Table(_Part):
    """Columns of equal length."""

    state: Annotated[list[Index], Field(min_length=1)]
    center: list[str]
    neighbor: list[str]
    rank: list[Count]

    @model_validator(mode="after")
    def _is_a_table(self) -> "_Table":
        for name, column in (vars(self) | (self.model_extra or {})).items():
            if not isinstance(column, list) or len(column) != len(self.state):
                raise ValueError(f"{name}: is no column of {len(self.state)} rows, as state has")
        return self


class _Attention(_Table):
    convolution: list[Count]
    attention: list[Number | None]


class _Gradients(_Table):
    shell_from: list[Number]
    shell_to: list[Number]
    n_pairs: list[Count]
    gradient: list[Number]


class _Sensitivities(_Table):
    sensitivity: list[Number]


class _Told(_Part):
    center: str
    neighbor: str
    first_rank: Count
    last_rank: Count
    start: Number | None = Field(alias="from")
    to: Number | None
    in_state: Number
    elsewhere: Number
    accounted: Number


class ExplanationContent(_Part):
    """``explanation.json``. The network's own numbers may be none."""

    attention: _Attention
    gradients: _Gradients
    sensitivities: _Sensitivities
    told_by: list[_Told | None]
    n_samples: Index
    own_share: Number


Model = TypeVar("Model", bound=_Part)


def check_schema(content: Any, schema: type[Model], file: str | Path) -> Model:
    """Make sure that the content of a file is what its reader relies on.

    Parameters
    ----------
    content : object
        As ``json.loads`` gives it.
    schema : type
        `Meta`, `Config`, `Scores`, `ExplanationContent` or `SelectionConfig`.
    file : path-like
        For the message.

    Returns
    -------
    Meta, Config, Scores, ExplanationContent or SelectionConfig

    Raises
    ------
    InputError
        Names the file, the first key that is wrong, and how.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = shortened(".".join(str(part) for part in first["loc"]))
        what = shortened(first["msg"].removeprefix("Value error, "), 200)
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InputError(f"{file}: altered, {where}{': ' if where else ''}{what}{more}") from None
