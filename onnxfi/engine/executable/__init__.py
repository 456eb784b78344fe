"""The executable graph: what onnxruntime makes of the file, and where its tensors lie in that.

onnxruntime's optimised graph is saved once; all else runs that graph as it is. In: a context, and
the sites that faults are to enter (:class:`Opening`). Out: the graph (:class:`OpenGraph`) with,
for a stored tensor, its image among the initializers (found by tags, verified), and for a computed
one, its place; which stored tensors can be inputs and which lose kernels so; whether the graph
answers without faults as the file's session does (:class:`Agreement`). Also the deployed graph, as
it is shown to people: its tensors under their stored names, and what became of the others.
"""

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
from onnxfi.engine.executable._inputs import (
    OVERLOOKED,
    FedSites,
    LiftedTensors,
    TensorChange,
    changes_of,
)
from onnxfi.engine.executable._mapping import Traced, map_weights
from onnxfi.engine.executable._narrow import Narrow, find_narrow, may_be_narrow
from onnxfi.engine.executable._opening import (
    OpenGraph,
    Opening,
    open_executable,
    open_stored,
    packed_for,
    with_inputs,
)
from onnxfi.engine.executable._optimize import optimized, replay_differs
from onnxfi.engine.executable._places import TensorPlace, find_place
from onnxfi.engine.executable._tags import Numbering, can_tag, converted, related
from onnxfi.engine.executable._twins import unsaturated

__all__ = [
    "OVERLOOKED",
    "ROUNDING",
    "Agreement",
    "Deployed",
    "FedSites",
    "LiftedTensors",
    "Narrow",
    "Numbering",
    "OpenGraph",
    "Opening",
    "OwnAnswers",
    "RemovedTensor",
    "TensorChange",
    "TensorPlace",
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
    "may_be_narrow",
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
