"""Findings: what a result allows one to say, as data with a sentence for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

__all__ = ["Finding", "Severity"]

Severity: TypeAlias = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """One verdict, caveat or warning.

    Programs decide by ``kind``, ``severity`` and ``numbers``; ``text`` is for reading only.

    Attributes
    ----------
    kind : str
        What it is about, one fixed phrase for each place that makes it: "not refuted", "few events".
    severity : {"good", "note", "warning", "bad"}
        "good": holds; "note": to be known; "warning": weakens the results; "bad": they do not hold.
    text : str
        One or two sentences.
    numbers : mapping of str to number
        What the text rests on, in the units that the text names.
    """

    kind: str
    severity: Severity
    text: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"kind": self.kind, "severity": self.severity, "text": self.text, "numbers": dict(self.numbers)}
