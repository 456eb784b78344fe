"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.faults.space._check import check_group, check_scenario, site_named
from onnxfi.faults.space._facets import Facets, bit_key, scenario_facets, site_keys
from onnxfi.faults.space._filter import SiteFilter, check_steps, name_matches
from onnxfi.faults.space._gates import in_tensor, whole_scenario, whole_tensors
from onnxfi.faults.space._space import FaultSpace, Located, Segment, Stretch, site_bits
from onnxfi.faults.space._steps import find_site
from onnxfi.faults.space._tie import spread, tie, untied
from onnxfi.faults.space._variants import Variants, element_variants

__all__ = [
    "Facets",
    "FaultSpace",
    "Located",
    "Segment",
    "SiteFilter",
    "Stretch",
    "Variants",
    "bit_key",
    "check_group",
    "check_scenario",
    "check_steps",
    "element_variants",
    "find_site",
    "in_tensor",
    "name_matches",
    "scenario_facets",
    "site_bits",
    "site_keys",
    "site_named",
    "spread",
    "tie",
    "untied",
    "whole_scenario",
    "whole_tensors",
]
