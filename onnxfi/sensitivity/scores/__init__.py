"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.sensitivity.scores._axis import WHOLE, Axis
from onnxfi.sensitivity.scores._bitscores import BitScores
from onnxfi.sensitivity.scores._change import change
from onnxfi.sensitivity.scores._check import check_subject
from onnxfi.sensitivity.scores._computed import ComputedScores
from onnxfi.sensitivity.scores._cost import Cost
from onnxfi.sensitivity.scores._file import is_sensitivity
from onnxfi.sensitivity.scores._options import SensitivityOptions
from onnxfi.sensitivity.scores._pack import SiteScores
from onnxfi.sensitivity.scores._response import DOSES, DOWN, UP, Response
from onnxfi.sensitivity.scores._scores import SensitivityScores, likelihood
from onnxfi.sensitivity.scores._sensitivity import Sensitivity
from onnxfi.sensitivity.scores._stored import Gain, Shifts, StoredScores
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
    "SensitivityOptions",
    "SensitivityScores",
    "Shifts",
    "SiteScores",
    "StoredScores",
    "change",
    "check_subject",
    "expect",
    "is_sensitivity",
    "likelihood",
]
