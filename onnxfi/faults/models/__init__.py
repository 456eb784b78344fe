"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.faults.models._burst import Burst
from onnxfi.faults.models._compose import merge_groups, scenario_of
from onnxfi.faults.models._custom import CustomFault
from onnxfi.faults.models._flip import BitFlip, StuckAt
from onnxfi.faults.models._graph_fault import (
    GraphFault,
    check_graph,
    disarmed,
    graphs_of,
    known_graph,
    snippet_of,
)
from onnxfi.faults.models._model import Columns, FaultModel
from onnxfi.faults.models._parse import parse_fault_model
from onnxfi.faults.models._places import shape_of_site
from onnxfi.faults.models._scenario import (
    Fault,
    FaultGraph,
    FaultGroup,
    Scenario,
    joined,
    one_graph,
)
from onnxfi.faults.models._selection import FIELDS, BitSelection, out_of_range, select_bits
from onnxfi.faults.models._setvalue import SetValue
from onnxfi.faults.models._touch import single_bit, single_field, touched

__all__ = [
    "FIELDS",
    "BitFlip",
    "BitSelection",
    "Burst",
    "Columns",
    "CustomFault",
    "Fault",
    "FaultGraph",
    "FaultGroup",
    "FaultModel",
    "GraphFault",
    "Scenario",
    "SetValue",
    "StuckAt",
    "check_graph",
    "disarmed",
    "graphs_of",
    "joined",
    "known_graph",
    "merge_groups",
    "one_graph",
    "out_of_range",
    "parse_fault_model",
    "scenario_of",
    "select_bits",
    "shape_of_site",
    "single_bit",
    "single_field",
    "snippet_of",
    "touched",
]
