"""What a fault model is: what campaigns ask of it, and what its class says to be named in texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Masks
from onnxfi.faults.models._columns import Columns
from onnxfi.faults.models._scenario import FaultGroup
from onnxfi.faults.models._text import ModelText
from onnxfi.faults.sites import FaultSite
from onnxfi.plugins import Plugin


@runtime_checkable
class FaultModel(Protocol):
    """How bits are corrupted: a numbered set of variants at each site.

    The numbering is part of the file formats: a variant keeps its number for good.
    """

    @property
    def enumerable(self) -> bool:
        """Whether a number stands for exactly one fault, whatever the random state."""
        ...

    def spec(self) -> str:
        """Text form, as the command line takes it and as file headers hold it."""
        ...

    def variants(self, site: FaultSite) -> int:
        """How many faults of this model the site allows; 0 where the model does not apply.

        Raises:
            FaultError: The site's shape is not known, or the model asks for bits it lacks.
        """
        ...

    def columns(
        self, site: FaultSite, numbers: NDArray[np.int64], rng: np.random.Generator
    ) -> Columns:
        """The faults that numbers stand for.

        Args:
            site: Where.
            numbers: int64 (n,), each in ``[0, variants(site))``.
            rng: The only source of randomness; untouched by enumerable models.
        """
        ...

    def number(self, site: FaultSite, group: FaultGroup) -> int | None:
        """The number of a fault, or None if it is none of this model; inverse of ``columns``."""
        ...


class FaultModelPlugin(FaultModel, Plugin, Protocol):
    """What the class of a fault model says and can do so that people can name it in a text.

    Attributes:
        name: The word before the first colon.
        help: What it does, as a phrase without a full stop.
        forms: Texts that stand for the model in help and docs, such as ``flip:bits=BITS``; none
            for a model that can't be named in a text.
    """

    forms: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """The model that a text stands for, the inverse of ``spec()``.

        Raises:
            ConfigError: The text has a wrong option, or lacks one.
        """
        ...


@runtime_checkable
class HoldsGraphs(Protocol):
    """A fault model that acts by graphs; files hold them with its text."""

    def graphs(self) -> Mapping[str, bytes]:
        """The graphs, small ONNX models, by sha256."""
        ...


@runtime_checkable
class WrittenByHand(Plugin, Protocol):
    """A fault model that has a column of its name in fault lists, for people who write them.

    Attributes:
        column: JSON type of a value of the column, such as ``int``.
    """

    column: ClassVar[Any]

    @classmethod
    def masks(cls, name: str, values: Sequence[Any], site: FaultSite) -> Masks:
        """What the values of the column do to elements of a site.

        Args:
            name: Name of the column.
            values: Of type ``column``, one for each row, or one for all.
            site: Where.

        Returns:
            Masks as uint64 arrays with an entry for each value.

        Raises:
            FaultError: The site can't have such a fault.
        """
        ...
