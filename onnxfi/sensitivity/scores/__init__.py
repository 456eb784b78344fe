"""Scores: the likelihood of failure of every fault of a site, as a value and as a file.

In: responses (how much is lost when a channel is shifted) and gains (how far a fault shifts it).
Out: :class:`SensitivityScores` by site, what they expect of a fault space, and the
:class:`Sensitivity` that is written to a file with the options and the cost of measuring it.
"""

from onnxfi.sensitivity.scores._file import is_sensitivity
from onnxfi.sensitivity.scores._pack import SiteScores
from onnxfi.sensitivity.scores._response import DOSES, DOWN, UP, WHOLE, Axis, Response, towards_mean
from onnxfi.sensitivity.scores._scores import SensitivityScores, likelihood
from onnxfi.sensitivity.scores._sensitivity import (
    Cost,
    Sensitivity,
    check_subject,
)
from onnxfi.sensitivity.scores._sites import (
    BitScores,
    ComputedScores,
    Gain,
    Shifts,
    StoredScores,
    change,
)
from onnxfi.sensitivity.scores._summary import Expected, ExpectedRow, expect

__all__ = [
    "DOSES",
    "DOWN",
    "UP",
    "WHOLE",
    "Axis",
    "BitScores",
    "ComputedScores",
    "Cost",
    "Expected",
    "ExpectedRow",
    "Gain",
    "Response",
    "Sensitivity",
    "SensitivityScores",
    "Shifts",
    "SiteScores",
    "StoredScores",
    "change",
    "check_subject",
    "expect",
    "is_sensitivity",
    "likelihood",
    "towards_mean",
]
