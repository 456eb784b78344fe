"""Fault models: how bits are corrupted, and the scenarios that come of it.

A fault model is a plug-in: one class in one file, with a line in the registry, that numbers its
faults at a site, reads its own text and writes it. In: sites and numbers. Out: faults as columns
(element, masks, sample, graph), gathered into the groups of a :class:`Scenario`.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.models._burst import Burst
    from onnxfi.faults.models._columns import (
        Columns,
        in_groups,
        in_one_group,
        integer_column,
        single_bit,
        single_field,
        touched,
    )
    from onnxfi.faults.models._custom import CustomFault
    from onnxfi.faults.models._effects import Combinations, Effects, Table, whole_word
    from onnxfi.faults.models._flip import BitFlip
    from onnxfi.faults.models._graph import (
        GraphFault,
        check_graph,
        disarmed,
        graphs_of,
        known_graph,
        snippet_of,
    )
    from onnxfi.faults.models._model import FaultModel, FaultModelPlugin, HoldsGraphs, WrittenByHand
    from onnxfi.faults.models._numbered import NumberedModel, Product, bit_product
    from onnxfi.faults.models._patterns import Pattern, shape_of_site, single_elements, windows
    from onnxfi.faults.models._registry import FAULT_MODELS, parse_fault_model
    from onnxfi.faults.models._scenario import (
        Fault,
        FaultGraph,
        FaultGroup,
        Scenario,
        joined,
        merge_groups,
        one_graph,
        scenario_of,
    )
    from onnxfi.faults.models._selection import FIELDS, BitSelection, out_of_range, select_bits
    from onnxfi.faults.models._set import SetValue
    from onnxfi.faults.models._stuck import StuckAt
    from onnxfi.faults.models._text import ModelText, TextForm
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_burst": ["Burst"],
            "_columns": [
                "Columns",
                "in_groups",
                "in_one_group",
                "integer_column",
                "single_bit",
                "single_field",
                "touched",
            ],
            "_custom": ["CustomFault"],
            "_effects": ["Combinations", "Effects", "Table", "whole_word"],
            "_flip": ["BitFlip"],
            "_graph": [
                "GraphFault",
                "check_graph",
                "disarmed",
                "graphs_of",
                "known_graph",
                "snippet_of",
            ],
            "_model": ["FaultModel", "FaultModelPlugin", "HoldsGraphs", "WrittenByHand"],
            "_numbered": ["NumberedModel", "Product", "bit_product"],
            "_patterns": ["Pattern", "shape_of_site", "single_elements", "windows"],
            "_registry": ["FAULT_MODELS", "parse_fault_model"],
            "_scenario": [
                "Fault",
                "FaultGraph",
                "FaultGroup",
                "Scenario",
                "joined",
                "merge_groups",
                "one_graph",
                "scenario_of",
            ],
            "_selection": ["FIELDS", "BitSelection", "out_of_range", "select_bits"],
            "_set": ["SetValue"],
            "_stuck": ["StuckAt"],
            "_text": ["ModelText", "TextForm"],
        },
    )

__all__ = [
    "FAULT_MODELS",
    "FIELDS",
    "BitFlip",
    "BitSelection",
    "Burst",
    "Columns",
    "Combinations",
    "CustomFault",
    "Effects",
    "Fault",
    "FaultGraph",
    "FaultGroup",
    "FaultModel",
    "FaultModelPlugin",
    "GraphFault",
    "HoldsGraphs",
    "ModelText",
    "NumberedModel",
    "Pattern",
    "Product",
    "Scenario",
    "SetValue",
    "StuckAt",
    "Table",
    "TextForm",
    "WrittenByHand",
    "bit_product",
    "check_graph",
    "disarmed",
    "graphs_of",
    "in_groups",
    "in_one_group",
    "integer_column",
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
    "single_elements",
    "single_field",
    "snippet_of",
    "touched",
    "whole_word",
    "windows",
]
