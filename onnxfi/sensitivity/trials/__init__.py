"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.sensitivity.trials._candidates import candidates, stored_words
from onnxfi.sensitivity.trials._fallback import ladder, try_sites
from onnxfi.sensitivity.trials._search import Rung, curves, search
from onnxfi.sensitivity.trials._sides import Side, checked_sides, corrected, largest
from onnxfi.sensitivity.trials._trials import TrialOptions, Trials, flips, in_turn, sort_of

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
