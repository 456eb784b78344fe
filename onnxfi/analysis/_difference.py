"""The difference estimator of priority samples: what weights expect, and the difference from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from onnxfi.analysis._design import Values


class Difference(NamedTuple):
    """An estimated total and what its error is made of.

    Attributes:
        total: The estimated sum over all scenarios.
        residual: float64 (m,), what the weights leave open of each scenario that chance decided on.
        probability: float64 (m,), inclusion probabilities of these.
    """

    total: float
    residual: Values
    probability: Values


def difference_total(
    values: Values, weight: Values, probability: Values, population: int
) -> Difference | None:
    """A sum over all scenarios by the generalised difference estimator.

    With f = a + b w it is sum f over all scenarios, which is known since the weights of all sum to
    1, plus sum (y - f) / p over those seen (Cassel, Särndal and Wretman, Biometrika 1976). Those
    that are seen for certain count as they are; a and b make the estimated variance of the rest
    least. The bias is of order 1/n, as they come from the same sample.

    Args:
        values: float64 (n,), y of the scenarios seen.
        weight: float64 (n,), sampling weights w.
        probability: float64 (n,), inclusion probabilities p.
        population: Scenarios that exist.

    Returns:
        None if fewer than three scenarios were left to chance.
    """
    open_ = probability < 1
    y, w, p = values[open_], weight[open_], probability[open_]
    if len(y) <= 2:
        return None
    importance = (1 - p) / p**2
    mean_w, mean_y = np.average(w, weights=importance), np.average(y, weights=importance)
    spread = float(importance @ (w - mean_w) ** 2)
    # Weights that are all alike, but for rounding, have no slope.
    alike = spread <= 1e-20 * float(importance.sum()) * mean_w**2
    slope = 0.0 if alike else float(importance @ ((w - mean_w) * (y - mean_y))) / spread
    residual = y - mean_y - slope * (w - mean_w)
    left, weight_left = population - np.count_nonzero(~open_), 1 - weight[~open_].sum()
    expected = left * (mean_y - slope * mean_w) + slope * weight_left
    total = float(values[~open_].sum() + expected + (residual / p).sum())
    return Difference(total, residual, p)
