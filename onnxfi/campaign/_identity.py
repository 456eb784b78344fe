"""The campaign's identity: a hash over everything that decides a result."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxfi.engine import runtime_version


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


def instruction_set() -> str:
    """The machine's architecture and the vector extensions that choose onnxruntime's kernels."""
    x86 = {"avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8"}
    arm = {"asimd", "asimddp", "i8mm", "sve"}
    found = sorted(_cpu_flags() & (x86 | arm))
    return "+".join([platform.machine(), *found])


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def surroundings() -> dict[str, str]:
    """What of the software and the machine decides results: runtime version, instruction set."""
    return {"onnxruntime": runtime_version(), "instruction set": instruction_set()}
