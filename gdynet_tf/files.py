"""Files that are whole or not there, and how a changed one is recognised."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["digest", "write_json"]

_BLOCK = 1 << 22  # bytes


def digest(path: str | Path) -> str:
    """SHA-256 of a file, all of it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        As ``sha256sum`` prints it.
    """
    result = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            result.update(block)
    return result.hexdigest()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that is whole or not there.

    Parameters
    ----------
    path : Path
    content : dict
    """
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(temporary, path)
