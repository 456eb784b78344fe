"""The campaign's identity: a hash over everything that decides a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxfi.engine import instruction_set, int8_arithmetic, runtime_version


def identity_of(parts: Mapping[str, Any]) -> str:
    """Hex sha256 of the canonical JSON of the parts: equal identity, same experiment."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What differs between two sets of parts, as ``name: stored -> given`` in name order."""
    found: list[str] = []
    for name in sorted(set(stored) | set(given)):
        before, after = stored.get(name), given.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += [f"{name}.{part}" for part in differences(before, after)]
        elif before != after:
            found.append(f"{name}: {_short(before)} -> {_short(after)}")
    return found


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def surroundings() -> dict[str, str]:
    """What of the software and the machine decides results, by what people call it."""
    return {
        "onnxruntime": runtime_version(),
        "instruction set": instruction_set(),
        "int8 arithmetic": int8_arithmetic(),
    }
