"""Which scenarios to draw: pure functions of a fault space and a seed."""

from onnxfi.sampling._ber import BitErrorRateSampler
from onnxfi.sampling._bernoulli import bernoulli_positions
from onnxfi.sampling._exhaustive import ExhaustiveSampler
from onnxfi.sampling._importance import ImportanceSampler
from onnxfi.sampling._permutation import Permutation, permutation
from onnxfi.sampling._pilot import expected_rates
from onnxfi.sampling._priority import Mixture, PriorityOrder, priority_order
from onnxfi.sampling._random import Stream, generator, raw_bits
from onnxfi.sampling._recipe import SCORED, fitted_recipe, from_recipe
from onnxfi.sampling._sampler import Sampler, SingleFaultSampler
from onnxfi.sampling._scores import ArrayScores, FunctionScores, Scores
from onnxfi.sampling._size import sample_size
from onnxfi.sampling._source import ListedScenarios, SampledScenarios, ScenarioSource
from onnxfi.sampling._strata import Stratum, strata
from onnxfi.sampling._stratified import StratifiedSampler, homes
from onnxfi.sampling._top import TopSampler, top_order
from onnxfi.sampling._uniform import UniformSampler

__all__ = [
    "SCORED",
    "ArrayScores",
    "BitErrorRateSampler",
    "ExhaustiveSampler",
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
    "bernoulli_positions",
    "expected_rates",
    "fitted_recipe",
    "from_recipe",
    "generator",
    "homes",
    "permutation",
    "priority_order",
    "raw_bits",
    "sample_size",
    "strata",
    "top_order",
]
