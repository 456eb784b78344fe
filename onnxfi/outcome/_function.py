"""A user's own function as a criterion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._topk import argmax_correct
from onnxfi.workload import Labels

CriterionFunction = Callable[[NDArray[Any], NDArray[Any], "Labels | None"], "NDArray[np.bool_]"]


@dataclass(frozen=True, slots=True)
class FunctionCriterion:
    """Calls ``function(golden, faulty, labels)``, which returns bool (B,): decision changed.

    Arrays have shape (B, ...), or (B, m, ...) for an output with m > 1 rows a sample; labels are
    int64 (B,) or None. The function is part of a campaign's identity by its qualified name, and
    must be importable where workers run.
    """

    function: CriterionFunction
    by_row: bool = field(default=False, init=False)

    def spec(self) -> str:
        """``function:module.name``."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"function:{self.function.__module__}.{name}"

    def check(self, output: str, golden: NDArray[Any]) -> None:
        """Every output is the function's own business."""

    def decide(
        self, golden: NDArray[Any], faulty: NDArray[Any], labels: Labels | None
    ) -> NDArray[np.bool_]:
        """What the function says.

        Raises:
            ConfigError: It raised, or returned anything but B booleans.
        """
        try:
            got = self.function(golden, faulty, labels)
        except Exception as error:
            raise ConfigError(
                f"criterion {self.spec()} raised {type(error).__name__}: {error}; it is called as "
                f"f(golden, faulty, labels) with arrays of shape {golden.shape}"
            ) from error
        answer = np.asarray(got)
        if answer.dtype != np.bool_ or answer.shape != (len(golden),):
            raise ConfigError(
                f"criterion {self.spec()} returned {type(got).__name__} of {answer.dtype} "
                f"{list(answer.shape)}, expected bool [{len(golden)}], one a sample"
            )
        return answer

    def correct(self, output: NDArray[Any], labels: Labels) -> NDArray[np.bool_] | None:
        """Top-1 accuracy where the output is class scores (B, C) or an integer class."""
        return argmax_correct(output, labels)
