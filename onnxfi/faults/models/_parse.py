"""Fault models as text: what the command line and configuration files hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from onnxfi.errors import ConfigError
from onnxfi.faults.models._burst import PATTERNS, Burst
from onnxfi.faults.models._flip import BitFlip
from onnxfi.faults.models._graph import parse_graph
from onnxfi.faults.models._model import FaultModel
from onnxfi.faults.models._selection import Bits, BitSelection, select_bits
from onnxfi.faults.models._set import SetValue
from onnxfi.faults.models._stuck import StuckAt

_FORMS = "flip, stuck0, stuck1, set:VALUE, set:random, burst:LENGTH, burst:row, graph:FILE.onnx"
_INTEGER = re.compile(r"[+-]?\d+")


def parse_fault_model(
    text: str, bits: Bits | BitSelection = None, graphs: Mapping[str, bytes] | None = None
) -> FaultModel:
    """Read a fault model from text, the inverse of its ``spec()``.

    Args:
        text: A name and its options, separated by colons: ``flip``, ``flip:bits=30``,
            ``flip:count=2:bits=0-7,exponent``, ``stuck0``, ``stuck1:bits=sign``, ``set:0.5``,
            ``set:random``, ``burst:4``, ``burst:4:along=elements``, ``burst:along=-1``,
            ``burst:row``, ``burst:channel:effect=zero``, ``burst:tile=4x4``,
            ``graph:FILE.onnx``, ``graph:FILE.onnx:whole:scale=0.5``.
        bits: Choice of bits given apart from the text (``--bits``).
        graphs: Models that are faults, by the sha256 that stands for the file in texts of files.

    Raises:
        ConfigError: No such model, a wrong option, or bits given where they make no sense or
            given twice.
    """
    name, *parts = text.strip().split(":")
    if name == "graph":
        if bits is not None and not select_bits(bits).everything:
            raise ConfigError(f"fault model {text!r} replaces whole elements; leave bits out")
        return parse_graph(text, parts, graphs or {})
    reader = _READERS.get(name)
    if reader is None:
        raise ConfigError(_unknown(name, text))
    options = _options(text, parts)
    if bits is not None and not select_bits(bits).everything:
        if "bits" in options:
            raise ConfigError(f"fault model {text!r} names its bits, and bits are given apart too")
        options["bits"] = select_bits(bits).spec()
    model = reader(text, options)
    if options:
        raise ConfigError(_superfluous(name, text, options))
    return model


def _options(text: str, parts: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in parts:
        key, sign, value = part.partition("=")
        if not sign:
            key, value = "", part
        if not value or key in options:
            raise ConfigError(f"fault model {text!r}: part {part!r} is empty or given twice")
        options[key] = value
    return options


def _flip(text: str, options: dict[str, str]) -> FaultModel:
    count = _integer(text, "count", options.pop("count", "1"))
    return BitFlip(options.pop("bits", None), count=count)


def _stuck(value: int) -> Callable[[str, dict[str, str]], FaultModel]:
    def read(text: str, options: dict[str, str]) -> FaultModel:  # noqa: ARG001
        return StuckAt(value, options.pop("bits", None))

    return read


def _set(text: str, options: dict[str, str]) -> FaultModel:
    if "bits" in options:
        raise ConfigError(f"fault model {text!r} replaces whole elements; leave bits out")
    value = options.pop("", None)
    if value is None:
        raise ConfigError(f"fault model {text!r} needs a value, such as set:0.5 or set:random")
    if value == "random":
        return SetValue("random")
    try:
        return SetValue(int(value) if _INTEGER.fullmatch(value) else float(value))
    except ValueError:
        raise ConfigError(f"fault model {text!r}: {value!r} is not a number") from None


def _burst(text: str, options: dict[str, str]) -> FaultModel:
    along: str | int = options.pop("along", "bits")
    tile = options.pop("tile", None)
    length = options.pop("length", None)
    short = options.pop("", None)
    if short in PATTERNS:
        along = short
    elif short is not None:
        length = short
    if tile is not None:
        along = "tile"
    if isinstance(along, str) and along not in PATTERNS:
        along = _integer(text, "along", along)
    effect: Any = options.pop("effect", "flip")
    return Burst(
        None if length is None else _integer(text, "length", length),
        along=along,
        tile=None if tile is None else _tile(text, tile),
        bits=options.pop("bits", None),
        effect=effect,
    )


def _tile(text: str, tile: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)[x×](\d+)", tile)
    if not found:
        raise ConfigError(f"fault model {text!r}: tile {tile!r} is not like 4x4 (height x width)")
    return int(found[1]), int(found[2])


def _integer(text: str, option: str, value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise ConfigError(f"fault model {text!r}: {option} {value!r} is not a whole number")
    return int(value)


def _superfluous(name: str, text: str, options: Mapping[str, str]) -> str:
    """What to say about an option that the model does not have."""
    option, value = next(iter(options.items()))
    if option:
        return f"fault model {text!r} has no option {option!r}"
    meant = {
        "flip": f"flip:bits={value} (which bits) or flip:count={value} (how many)",
        "stuck0": f"stuck0:bits={value}",
        "stuck1": f"stuck1:bits={value}",
        "burst": f"burst:along={value}",
    }
    hint = f"; did you mean {meant[name]}?" if name in meant else ""
    return f"fault model {text!r}: {value!r} is no option{hint}"


def _unknown(name: str, text: str) -> str:
    if name == "custom":
        return f"fault model {text!r} is a function; pass it as CustomFault from Python"
    near = difflib.get_close_matches(name, _READERS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; models: {_FORMS}"
    return f"{text!r} is not a fault model{hint}"


_READERS: Mapping[str, Callable[[str, dict[str, str]], FaultModel]] = MappingProxyType(
    {"flip": _flip, "stuck0": _stuck(0), "stuck1": _stuck(1), "set": _set, "burst": _burst}
)
