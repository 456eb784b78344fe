"""Scores taken apart into plain values and arrays, each once, and put together again."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.sensitivity.scores._response import Axis, Response
from onnxfi.sensitivity.scores._sites import BitScores, ComputedScores, Gain, StoredScores

SiteScores = StoredScores | ComputedScores | BitScores
_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (*typing.get_args(SiteScores), Gain, Response, Axis)
}


class ScorePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One object in plain values.

    Attributes:
        type: Name of its class.
        fields: Its fields: numbers and texts as they are, ``{"array": k}``, ``{"part": k}`` for an
            earlier one, ``{"element": NAME}``, ``{"tuple": [...]}``.
    """

    type: str
    fields: dict[str, Any]


class Packed(NamedTuple):
    """Scores in plain values and arrays. Equal scores give equal ones.

    Attributes:
        parts: Objects; those that others hold come first.
        sites: Position in ``parts`` of each site's scores.
        arrays: Arrays by number.
        digest: Hash of all of it, hex.
    """

    parts: list[ScorePart]
    sites: dict[str, int]
    arrays: list[NDArray[Any]]
    digest: str


def pack(sites: Mapping[str, SiteScores], drop: float) -> Packed:
    """Take scores apart.

    Args:
        sites: Scores by site.
        drop: What a failing scenario loses; it goes into the hash.
    """
    packer = _Packer()
    places = {name: packer.place(sites[name]) for name in sorted(sites)}
    content = {"parts": packer.parts, "sites": places, "arrays": list(packer.hashes), "drop": drop}
    digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
    return Packed(packer.parts, places, packer.arrays, digest)


def unpack(
    parts: Sequence[ScorePart], sites: Mapping[str, int], arrays: Sequence[NDArray[Any]]
) -> dict[str, SiteScores]:
    """Put scores together; what sites share is one object again.

    Raises:
        ValueError: The parts make no scores.
    """
    made: list[Any] = []
    for part in parts:
        made.append(_made(part, made, arrays))
    found = {name: made[_within(place, len(made))] for name, place in sites.items()}
    for name, scores in found.items():
        if not isinstance(scores, SiteScores):
            raise ValueError(f"{name} has no scores but a {type(scores).__name__}")
    return found


class _Packer:
    def __init__(self) -> None:
        self.parts: list[ScorePart] = []
        self.arrays: list[NDArray[Any]] = []
        self.hashes: dict[str, int] = {}  # position of an array by its hash
        self._known: dict[bytes, int] = {}  # position of a part by its content
        self._seen: dict[int, tuple[object, int]] = {}  # objects kept alive: an id stays theirs

    def place(self, value: Any) -> int:
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        if isinstance(value, np.ndarray):
            place = self.hashes.setdefault(_hash(value), len(self.arrays))
            if place == len(self.arrays):
                self.arrays.append(value)
        else:
            names = [field.name for field in dataclasses.fields(value)]
            fields = {name: self._plain(getattr(value, name)) for name in names}
            part = ScorePart(type=type(value).__name__, fields=fields)
            place = self._known.setdefault(msgspec.json.encode(part), len(self.parts))
            if place == len(self.parts):
                self.parts.append(part)
        self._seen[id(value)] = (value, place)
        return place

    def _plain(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return {"array": self.place(value)}
        if isinstance(value, ElementType):
            return {"element": value.name}
        if isinstance(value, tuple):
            return {"tuple": [self._plain(each) for each in value]}
        if type(value).__name__ in _TYPES:
            return {"part": self.place(value)}
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and not math.isfinite(plain):
            raise ValueError(f"{plain} can't be written")
        return plain


def _hash(array: NDArray[Any]) -> str:
    sha = hashlib.sha256(f"{array.dtype.str}\0{array.shape}\0".encode())
    sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _made(part: ScorePart, made: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> Any:
    kind = _TYPES.get(part.type)
    if kind is None:
        raise ValueError(f"unknown type {part.type}")
    hints = typing.get_type_hints(kind)
    wanted = {field.name for field in dataclasses.fields(kind)}
    if part.fields.keys() != wanted:
        raise ValueError(f"{part.type} has other fields: {', '.join(part.fields)}")
    fields = {name: _value(plain, made, arrays) for name, plain in part.fields.items()}
    for name, value in fields.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{part.type}.{name} is a {type(value).__name__}")
    return kind(**fields)


def _value(plain: Any, made: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> Any:
    match plain:
        case {"array": int(place)}:
            return arrays[_within(place, len(arrays))]
        case {"part": int(place)}:
            return made[_within(place, len(made))]
        case {"element": str(name)} if name in ElementType.__members__:
            return ElementType[name]
        case {"tuple": list(values)}:
            return tuple(_value(each, made, arrays) for each in values)
    if isinstance(plain, dict | list):
        raise ValueError(f"{plain} says nothing")
    return plain


def _within(place: int, count: int) -> int:
    if not 0 <= place < count:
        raise ValueError(f"{place} is not one of {count}")
    return place


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    # From numpy 2.5 on, NDArray is a `type` statement, which stands for the array's class.
    named = getattr(origin, "__value__", None)
    if named is not None:
        return _fits(value, named)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(hint))
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, origin or hint)
