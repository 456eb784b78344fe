"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.engine.executable._agreement import ROUNDING, Agreement, OwnAnswers
from onnxfi.engine.executable._carried import carries
from onnxfi.engine.executable._deployed import (
    RemovedTensor,
    check_replay,
    deployed,
    removed_tensors,
    removed_values,
)
from onnxfi.engine.executable._grouping import (
    Deployed,
    integer_kernels,
    kept_together,
    optimized_with,
    stored_sites,
)
from onnxfi.engine.executable._inputs import OVERLOOKED, Change, FedSites, LiftedTensors, changes_of
from onnxfi.engine.executable._mapping import Traced, map_weights
from onnxfi.engine.executable._narrow import Narrow, find_narrow
from onnxfi.engine.executable._opening import (
    OpenGraph,
    Opening,
    open_executable,
    open_stored,
    packed_for,
    with_inputs,
)
from onnxfi.engine.executable._optimize import optimized, replay_differs
from onnxfi.engine.executable._places import Place, find_place
from onnxfi.engine.executable._tags import Numbering, can_tag, converted, related
from onnxfi.engine.executable._twins import unsaturated

__all__ = [
    "OVERLOOKED",
    "ROUNDING",
    "Agreement",
    "Change",
    "Deployed",
    "FedSites",
    "LiftedTensors",
    "Narrow",
    "Numbering",
    "OpenGraph",
    "Opening",
    "OwnAnswers",
    "Place",
    "RemovedTensor",
    "Traced",
    "can_tag",
    "carries",
    "changes_of",
    "check_replay",
    "converted",
    "deployed",
    "find_narrow",
    "find_place",
    "integer_kernels",
    "kept_together",
    "map_weights",
    "open_executable",
    "open_stored",
    "optimized",
    "optimized_with",
    "packed_for",
    "related",
    "removed_tensors",
    "removed_values",
    "replay_differs",
    "stored_sites",
    "unsaturated",
    "with_inputs",
]
