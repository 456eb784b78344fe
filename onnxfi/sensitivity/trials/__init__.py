"""Trials: real faults, carried out one at a time on the calibration samples.

In: sites, scores where there are any, and an engine's context. Out: scores of sites that no rule
and no probe covers, and corrections of scores that real faults contradict.
"""

from onnxfi.sensitivity.trials._fallback import Rung, curves, ladder, search, try_sites
from onnxfi.sensitivity.trials._sides import Side, checked_sides, corrected, largest
from onnxfi.sensitivity.trials._trials import (
    TrialOptions,
    Trials,
    candidates,
    flips,
    in_turn,
    sort_of,
    stored_words,
)

__all__ = [
    "Rung",
    "Side",
    "TrialOptions",
    "Trials",
    "candidates",
    "checked_sides",
    "corrected",
    "curves",
    "flips",
    "in_turn",
    "ladder",
    "largest",
    "search",
    "sort_of",
    "stored_words",
    "try_sites",
]
