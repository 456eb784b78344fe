"""The fault space: every single fault of a set-up, numbered and never listed.

In: sites and fault models; filters and names that people gave. Out: a :class:`FaultSpace` that
turns numbers into faults and back; sites that are derived from others (single steps, ties, gates);
what the faults of a scenario have in common; and checks of scenarios against sites.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.space._check import check_group, check_scenario, site_named
    from onnxfi.faults.space._derived import (
        find_site,
        parse_steps,
        spread,
        steps_text,
        tie,
        untied,
        whole_scenario,
        whole_tensors,
    )
    from onnxfi.faults.space._facets import Facets, bit_key, scenario_facets, site_keys
    from onnxfi.faults.space._filter import SiteFilter, check_steps, name_matches
    from onnxfi.faults.space._space import (
        FaultSpace,
        Located,
        Segment,
        Stretch,
        Variants,
        element_variants,
        site_bits,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_check": ["check_group", "check_scenario", "site_named"],
            "_derived": [
                "find_site",
                "parse_steps",
                "spread",
                "steps_text",
                "tie",
                "untied",
                "whole_scenario",
                "whole_tensors",
            ],
            "_facets": ["Facets", "bit_key", "scenario_facets", "site_keys"],
            "_filter": ["SiteFilter", "check_steps", "name_matches"],
            "_space": [
                "FaultSpace",
                "Located",
                "Segment",
                "Stretch",
                "Variants",
                "element_variants",
                "site_bits",
            ],
        },
    )

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
    "name_matches",
    "parse_steps",
    "scenario_facets",
    "site_bits",
    "site_keys",
    "site_named",
    "spread",
    "steps_text",
    "tie",
    "untied",
    "whole_scenario",
    "whole_tensors",
]
