"""Samplers: which scenarios of a fault space are run.

In: a fault space, and a sampler with its options and seed. Out: scenarios by number, each a pure
function of seed, space and number, so that any of them can be drawn alone; and what the header of a
fault list says of how they were drawn, from which :mod:`onnxfi.analysis` knows how rates follow.

A sampler is one class in one file, declared in one line of :data:`SAMPLERS`; see
:mod:`onnxfi.plugins`. Its ``design`` says how rates follow from its scenarios.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.sampling._allotment import allot, expected_rates, strata_of_sample
    from onnxfi.sampling._ber import BitErrorRateSampler
    from onnxfi.sampling._bit_errors import bernoulli_positions, minus_log1m, open_uniforms
    from onnxfi.sampling._exhaustive import ExhaustiveSampler
    from onnxfi.sampling._importance import ImportanceSampler, Mixture
    from onnxfi.sampling._orders import PriorityOrder, priority_order, top_order
    from onnxfi.sampling._permutation import Feistel, Permutation, permutation
    from onnxfi.sampling._random import Stream, generator, raw_bits
    from onnxfi.sampling._registry import SAMPLERS, by_scores, fitted_recipe, from_recipe
    from onnxfi.sampling._sampler import EQUAL, Sampler, Scores, SingleFaultSampler
    from onnxfi.sampling._scores import ArrayScores, FunctionScores, scored
    from onnxfi.sampling._source import (
        ListedScenarios,
        SampledScenarios,
        ScenarioSource,
        check_sampler,
    )
    from onnxfi.sampling._strata import Stratum, strata
    from onnxfi.sampling._stratified import StratifiedSampler
    from onnxfi.sampling._top import TopSampler
    from onnxfi.sampling._uniform import UniformSampler, sample_size
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_allotment": ["allot", "expected_rates", "strata_of_sample"],
            "_ber": ["BitErrorRateSampler"],
            "_bit_errors": ["bernoulli_positions", "minus_log1m", "open_uniforms"],
            "_exhaustive": ["ExhaustiveSampler"],
            "_importance": ["ImportanceSampler", "Mixture"],
            "_orders": ["PriorityOrder", "priority_order", "top_order"],
            "_permutation": ["Feistel", "Permutation", "permutation"],
            "_random": ["Stream", "generator", "raw_bits"],
            "_registry": ["SAMPLERS", "by_scores", "fitted_recipe", "from_recipe"],
            "_sampler": ["EQUAL", "Sampler", "Scores", "SingleFaultSampler"],
            "_scores": ["ArrayScores", "FunctionScores", "scored"],
            "_source": ["ListedScenarios", "SampledScenarios", "ScenarioSource", "check_sampler"],
            "_strata": ["Stratum", "strata"],
            "_stratified": ["StratifiedSampler"],
            "_top": ["TopSampler"],
            "_uniform": ["UniformSampler", "sample_size"],
        },
    )

__all__ = [
    "EQUAL",
    "SAMPLERS",
    "ArrayScores",
    "BitErrorRateSampler",
    "ExhaustiveSampler",
    "Feistel",
    "FunctionScores",
    "ImportanceSampler",
    "ListedScenarios",
    "Mixture",
    "Permutation",
    "PriorityOrder",
    "SampledScenarios",
    "Sampler",
    "ScenarioSource",
    "Scores",
    "SingleFaultSampler",
    "StratifiedSampler",
    "Stratum",
    "Stream",
    "TopSampler",
    "UniformSampler",
    "allot",
    "bernoulli_positions",
    "by_scores",
    "check_sampler",
    "expected_rates",
    "fitted_recipe",
    "from_recipe",
    "generator",
    "minus_log1m",
    "open_uniforms",
    "permutation",
    "priority_order",
    "raw_bits",
    "sample_size",
    "scored",
    "strata",
    "strata_of_sample",
    "top_order",
]
