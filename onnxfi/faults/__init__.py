"""Sites, fault models, faults, scenarios, the fault space and fault list files."""

from onnxfi.faults._burst import Burst
from onnxfi.faults._check import check_scenario, site_named
from onnxfi.faults._compose import merge_groups, scenario_of
from onnxfi.faults._computed import PORT_TYPES
from onnxfi.faults._custom import CustomFault
from onnxfi.faults._enumerate import SiteTable, enumerate_sites
from onnxfi.faults._facets import Facets, bit_key, scenario_facets, site_keys
from onnxfi.faults._filter import SiteFilter, check_steps, name_matches
from onnxfi.faults._flip import BitFlip, StuckAt
from onnxfi.faults._gates import in_tensor, whole_scenario, whole_tensors
from onnxfi.faults._graph_fault import (
    GraphFault,
    check_graph,
    disarmed,
    graphs_of,
    snippet_of,
)
from onnxfi.faults._layout import SampleLayout
from onnxfi.faults._left_out import LeftOut, LeftOutGroup, grouped
from onnxfi.faults._listfile import (
    FaultList,
    open_fault_list,
    read_fault_list,
    scenario_document,
    write_fault_list,
)
from onnxfi.faults._model import Columns, FaultModel
from onnxfi.faults._parse import parse_fault_model
from onnxfi.faults._recipe import check_space, recipe_space
from onnxfi.faults._records import FaultListHeader
from onnxfi.faults._scenario import Fault, FaultGraph, FaultGroup, Scenario, joined, one_graph
from onnxfi.faults._selection import BitSelection, select_bits
from onnxfi.faults._setvalue import SetValue
from onnxfi.faults._site import FaultSite, NeuronPart, SiteKind
from onnxfi.faults._space import FaultSpace, Located, Segment, Stretch, site_bits
from onnxfi.faults._spikes import spike_values
from onnxfi.faults._steps import find_site
from onnxfi.faults._steptext import parse_steps, steps_text
from onnxfi.faults._tie import spread, tie, untied
from onnxfi.faults._touch import single_bit, single_field, touched
from onnxfi.faults._variants import Variants, element_variants

__all__ = [
    "PORT_TYPES",
    "BitFlip",
    "BitSelection",
    "Burst",
    "Columns",
    "CustomFault",
    "Facets",
    "Fault",
    "FaultGraph",
    "FaultGroup",
    "FaultList",
    "FaultListHeader",
    "FaultModel",
    "FaultSite",
    "FaultSpace",
    "GraphFault",
    "LeftOut",
    "LeftOutGroup",
    "Located",
    "NeuronPart",
    "SampleLayout",
    "Scenario",
    "Segment",
    "SetValue",
    "SiteFilter",
    "SiteKind",
    "SiteTable",
    "Stretch",
    "StuckAt",
    "Variants",
    "bit_key",
    "check_graph",
    "check_scenario",
    "check_space",
    "check_steps",
    "disarmed",
    "element_variants",
    "enumerate_sites",
    "find_site",
    "graphs_of",
    "grouped",
    "in_tensor",
    "joined",
    "merge_groups",
    "name_matches",
    "one_graph",
    "open_fault_list",
    "parse_fault_model",
    "parse_steps",
    "read_fault_list",
    "recipe_space",
    "scenario_document",
    "scenario_facets",
    "scenario_of",
    "select_bits",
    "single_bit",
    "single_field",
    "site_bits",
    "site_keys",
    "site_named",
    "snippet_of",
    "spike_values",
    "spread",
    "steps_text",
    "tie",
    "touched",
    "untied",
    "whole_scenario",
    "whole_tensors",
    "write_fault_list",
]
