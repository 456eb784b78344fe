"""The samplers by name, and from a sampler's JSON recipe back to the sampler."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from onnxfi.errors import ConfigError
from onnxfi.plugins import Registry, options_of
from onnxfi.sampling._sampler import Sampler

#: The samplers: one line each, where its class is.
SAMPLERS: Registry[Any] = Registry(
    "sampler",
    {
        "uniform": "onnxfi.sampling._uniform:UniformSampler",
        "stratified": "onnxfi.sampling._stratified:StratifiedSampler",
        "importance": "onnxfi.sampling._importance:ImportanceSampler",
        "top": "onnxfi.sampling._top:TopSampler",
        "exhaustive": "onnxfi.sampling._exhaustive:ExhaustiveSampler",
        "ber": "onnxfi.sampling._ber:BitErrorRateSampler",
    },
    group="onnxfi.samplers",
)


def by_scores(name: object) -> bool:
    """Whether the sampler of a name takes scores, which its recipe does not hold.

    Raises:
        ConfigError: There is no such sampler.
    """
    return any(option.name == "scores" for option in SAMPLERS.options(name))


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


def from_recipe(recipe: Mapping[str, object], **given: Any) -> Sampler:
    """The sampler of a recipe, the inverse of ``Sampler.recipe``.

    Args:
        recipe: JSON values; ``kind`` is the name of a registered sampler.
        given: What a recipe can't hold, such as ``scores``.

    Raises:
        ConfigError: The kind or a field is unknown, a field is missing, or a value is wrong.
    """
    values = {**recipe, **given}
    cls = SAMPLERS.get(values.pop("kind", None))
    if "scores" not in values and by_scores(cls.name):
        raise ConfigError(
            f"sampler {cls.name} needs its scores, which a recipe does not hold; use the fault list"
            " that was drawn with them"
        )
    fields = inspect.signature(cls).parameters
    unknown = sorted(set(values) - set(fields))
    if unknown:
        names = ", ".join(fields)
        raise ConfigError(f"sampler {cls.name} has no field {unknown[0]!r}; it has {names}")
    missing = [
        name
        for name, field in fields.items()
        if field.default is inspect.Parameter.empty and name not in values
    ]
    if missing:
        raise ConfigError(f"sampler {cls.name} needs a value for {', '.join(missing)}")
    for option in options_of(cls):
        if option.name in recipe:
            option.check(recipe[option.name], f"sampler {cls.name}")
    try:
        built: Sampler = cls(**values)
    except TypeError as error:  # of a class that does not declare the types of its options
        raise ConfigError(f"sampler {cls.name} can't be made: {error}") from error
    return built
