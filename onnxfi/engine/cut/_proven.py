"""Proven ways: cheaper ways to run parts, each put to the proof when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar
from weakref import WeakMethod

_Way = TypeVar("_Way")


class Proven(Mapping[int, _Way]):
    """Ways to run parts, by position; those that fail the proof are not there.

    Whether a way holds depends on the part alone, so it does not matter when it is proven.

    Args:
        found: The ways.
        proof: Whether a way gives the bits of the whole part; a method.
    """

    def __init__(self, found: Mapping[int, _Way], proof: Callable[[int, _Way], bool]) -> None:
        self.candidates = found
        self._proof = WeakMethod(proof)  # whoever proves holds this: in a circle nothing is freed
        self._holds: dict[int, bool] = {}

    def __getitem__(self, position: int) -> _Way:
        """The way of a part.

        Raises:
            KeyError: There is none, or it does not give the same bits.
        """
        way = self.candidates[position]
        if position not in self._holds:
            proof = self._proof()
            self._holds[position] = proof is not None and proof(position, way)
        if not self._holds[position]:
            raise KeyError(position)
        return way

    def __iter__(self) -> Iterator[int]:
        """Positions; all ways are proven for that."""
        return (position for position in self.candidates if position in self)

    def __len__(self) -> int:
        """How many hold; all ways are proven for that."""
        return sum(1 for _ in self)
