"""From a sampler's JSON recipe back to the sampler."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from onnxfi.errors import ConfigError
from onnxfi.sampling._ber import BitErrorRateSampler
from onnxfi.sampling._exhaustive import ExhaustiveSampler
from onnxfi.sampling._importance import ImportanceSampler
from onnxfi.sampling._sampler import Sampler
from onnxfi.sampling._stratified import StratifiedSampler
from onnxfi.sampling._top import TopSampler
from onnxfi.sampling._uniform import UniformSampler

#: Samplers that need scores besides what their recipes hold.
SCORED: Mapping[str, type[ImportanceSampler | TopSampler]] = MappingProxyType(
    {"importance": ImportanceSampler, "top": TopSampler}
)


def fitted_recipe(recipe: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """The recipe for a workload of so many samples, which draws per sample depend on.

    Raises:
        ConfigError: It is for another number of samples.
    """
    if not recipe.get("per_sample"):
        return dict(recipe)
    meant = recipe.get("samples")
    if meant not in (None, samples):
        raise ConfigError(
            f"the sampler draws bit errors for each of {meant} samples, the workload has "
            f"{samples}; leave samples out, or use the workload it was made for"
        )
    return {**recipe, "samples": samples}


def from_recipe(recipe: Mapping[str, object]) -> Sampler:
    """The sampler of a recipe, the inverse of ``Sampler.recipe``.

    Args:
        recipe: JSON values; ``kind`` is ``uniform``, ``exhaustive``, ``stratified`` or ``ber``.

    Raises:
        ConfigError: The kind or a field is unknown, a field is missing, or a value is wrong.
    """
    known: dict[str, type[Any]] = {
        "uniform": UniformSampler,
        "exhaustive": ExhaustiveSampler,
        "ber": BitErrorRateSampler,
        "stratified": StratifiedSampler,
    }
    values = dict(recipe)
    kind = values.pop("kind", None)
    if kind in SCORED:
        raise ConfigError(
            f"sampler {kind} needs its scores, which a recipe does not hold; use the fault list"
            " that was drawn with them"
        )
    if kind not in known:
        raise ConfigError(f"unknown sampler kind {kind!r}; expected {', '.join(known)}")
    sampler = known[str(kind)]
    fields = [field for field in dataclasses.fields(sampler) if field.init]
    names = [field.name for field in fields]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ConfigError(f"sampler {kind} has no field {unknown[0]!r}; it has {', '.join(names)}")
    missing = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.name not in values
    ]
    if missing:
        raise ConfigError(f"sampler {kind} needs a value for {', '.join(missing)}")
    try:
        built: Sampler = sampler(**values)
    except TypeError as error:  # a text or a list where a number belongs
        raise ConfigError(f"sampler {kind} has a value of the wrong type: {error}") from error
    return built
