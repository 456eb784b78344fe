"""Which scenarios to draw: pure functions of a fault space and a seed."""

from onnxfi.sampling._ber import BitErrorRateSampler
from onnxfi.sampling._bernoulli import bernoulli_positions
from onnxfi.sampling._exhaustive import ExhaustiveSampler
from onnxfi.sampling._permutation import Permutation, permutation
from onnxfi.sampling._random import Stream, generator, raw_bits
from onnxfi.sampling._recipe import fitted_recipe, from_recipe
from onnxfi.sampling._sampler import Sampler, SingleFaultSampler
from onnxfi.sampling._size import sample_size
from onnxfi.sampling._source import ListedScenarios, SampledScenarios, ScenarioSource
from onnxfi.sampling._uniform import UniformSampler

__all__ = [
    "BitErrorRateSampler",
    "ExhaustiveSampler",
    "ListedScenarios",
    "Permutation",
    "SampledScenarios",
    "Sampler",
    "ScenarioSource",
    "SingleFaultSampler",
    "Stream",
    "UniformSampler",
    "bernoulli_positions",
    "fitted_recipe",
    "from_recipe",
    "generator",
    "permutation",
    "raw_bits",
    "sample_size",
]
