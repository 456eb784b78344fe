"""From keyword arguments to settings that a file can hold, and the objects that it can't."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, cast, get_args, get_origin

import msgspec

from onnxfi.api._keywords import CampaignKeywords
from onnxfi.campaign import CustomParts, InMemory
from onnxfi.errors import ConfigError
from onnxfi.faults import FAULT_MODELS, FaultModel, graphs_of, parse_fault_model
from onnxfi.outcome import METRICS, Criterion, FunctionCriterion, Metric, parse_metric
from onnxfi.plugins import Option, unknown_name
from onnxfi.sampling import SAMPLERS, Sampler, UniformSampler, check_sampler, from_recipe
from onnxfi.settings import CampaignSettings, keyword_of, settings_of

#: Settings that objects are given for; the rest is taken over as it is.
_OBJECTS = (
    "model",
    "inputs",
    "fault_models",
    "fault_graphs",
    "sampler",
    "criterion",
    "metrics",
)


def resolve(given: CampaignKeywords) -> tuple[CampaignSettings, CustomParts, InMemory]:
    """Settings for the file, and apart from them what only exists in this process.

    Raises:
        ConfigError: An argument is not of its kind.
    """
    model, inputs = given["model"], given["inputs"]
    # None stands for the default.
    given = cast(CampaignKeywords, {k: v for k, v in given.items() if v is not None})
    models, sampler = _fault_models(given), given.get("sampler")
    _check(model, inputs, sampler)
    if sampler is None and given.get("faults") is None:
        sampler = UniformSampler(n=1_000, seed=0)
    text, criterion = _criterion(given.get("criterion", "auto"))
    metrics = _metrics(given.get("metrics", ()))
    settings = CampaignSettings(
        model=_path_or_none(model) or InMemory.MODEL,
        inputs=_path_or_none(inputs) or InMemory.INPUTS,
        fault_models=tuple(each.spec() for each in models),
        fault_graphs=graphs_of(models),
        sampler={} if sampler is None else dict(sampler.recipe()),
        criterion=text,
        metrics=tuple(each.spec() for each in metrics),
        **plain_settings(given),
    )
    objects = InMemory(
        model=None if _path_or_none(model) else model,
        inputs=inputs if isinstance(inputs, Mapping) else None,
    )
    custom = CustomParts(
        # What a file can't hold is passed along as it is; its spec still goes into the settings.
        fault_models=() if all(_written(each) for each in models) else models,
        sampler=None if sampler is None or _rebuilt(sampler) else sampler,
        criterion=criterion,
        metrics=() if all(map(_measured_anywhere, metrics)) else metrics,
    )
    return settings, custom, objects


def check_keywords(
    function: str,
    given: Collection[str],
    *records: type[msgspec.Struct],
    needed: Sequence[str] = (),
) -> None:
    """Refuse keywords that a function does not take, and calls without those that it needs.

    Args:
        function: Its name, for the message.
        given: The keywords.
        records: Records whose settings it takes.
        needed: Keywords that must be given.

    Raises:
        ConfigError: One is unknown or missing.
    """
    known = [
        keyword_of(option)
        for record in records
        for option in settings_of(record).values()
        if "group" in option.extra
    ]
    for name in given:
        if name not in known:
            raise ConfigError(unknown_name("argument", name, known, where=function))
    for name in needed:
        if name not in given:
            raise ConfigError(f"{function} needs {' and '.join(needed)}; {name} is missing")


def plain_settings(given: Mapping[str, Any], *groups: str) -> dict[str, Any]:
    """Those settings among the arguments that a file holds as they are, in the file's form.

    Args:
        given: The arguments.
        groups: Groups of settings to look at; all of them, if none is named.
    """
    return {
        name: _stored(option, given[keyword_of(option)])
        for name, option in settings_of(CampaignSettings, *groups).items()
        if name not in _OBJECTS and given.get(keyword_of(option)) is not None
    }


def _stored(option: Option, value: Any) -> Any:
    """A value as a file holds it: tuples of texts, paths as texts, steps in order.

    Raises:
        ConfigError: It is not of the kind that the setting takes.
    """
    try:
        return _filed(option, value)
    except TypeError as error:
        raise ConfigError(
            f"{keyword_of(option)} is {value!r}, which it can't be ({error}): {option.help}"
        ) from error


def _filed(option: Option, value: Any) -> Any:
    if isinstance(value, Mapping) and "=" in (option.metavar or ""):  # pairs, as in OUT=IN
        return tuple(f"{name}={each}" for name, each in value.items())
    if get_origin(option.type) is not tuple:
        return fspath(value) if isinstance(value, PathLike) else value
    if get_args(option.type)[0] is int:
        return tuple(sorted(set(value)))
    return paths_of(value)


def paths_of(given: str | PathLike[str] | Sequence[str | PathLike[str]]) -> tuple[str, ...]:
    """Texts, paths among them; a single one will do, and is no sequence of letters."""
    return tuple(fspath(p) for p in ((given,) if isinstance(given, str | PathLike) else given))


def _criterion(given: str | Callable[..., Any] | Criterion) -> tuple[str, Criterion | None]:
    """A criterion's text, and the object where the text does not say it all."""
    if isinstance(given, str):
        return given, None
    criterion = FunctionCriterion(given) if callable(given) else given
    if not hasattr(criterion, "decide") or not hasattr(criterion, "spec"):
        raise ConfigError(
            f"criterion is {given!r}; give a text such as top1, a function of golden, faulty and"
            " labels, or a criterion"
        )
    return criterion.spec(), criterion


def _metrics(given: str | Metric | Sequence[str | Metric]) -> tuple[Metric, ...]:
    """Metrics, some of them given as texts; a single one will do."""
    found: list[Metric] = []
    for each in given if isinstance(given, Sequence) and not isinstance(given, str) else (given,):
        if not isinstance(each, str | Metric):
            raise ConfigError(f"metrics has {each!r}; give names, or objects derived from Metric")
        found.append(parse_metric(each) if isinstance(each, str) else each)
    return tuple(found)


def _path_or_none(value: object) -> str | None:
    return fspath(value) if isinstance(value, str | PathLike) else None


def _check(model: object, inputs: object, sampler: object) -> None:
    """Refuse what is not of its kind, before it fails somewhere inside."""
    if model is None:
        raise ConfigError("model is None; give a path, bytes, onnx.ModelProto or Graph")
    if not isinstance(inputs, str | PathLike | Mapping):
        raise ConfigError(
            f"inputs is a {type(inputs).__name__}; give a path, random:N:SEED, or a mapping "
            "of the model's input names to arrays"
        )
    if sampler is not None:
        check_sampler(sampler)


def _fault_models(given: CampaignKeywords) -> tuple[FaultModel, ...]:
    models: Any = given.get("fault_model", parse_fault_model("flip"))
    several = isinstance(models, Sequence) and not isinstance(models, str)
    found = tuple(models) if several else (models,)
    for model in found:
        if not isinstance(model, FaultModel):
            raise ConfigError(f"fault_model is {model!r}; give a fault model, such as BitFlip()")
    return found


def _written(model: FaultModel) -> bool:
    """Whether the model's text form makes an equal model, in other processes too."""
    text = model.spec()
    if not FAULT_MODELS.lasting(text.partition(":")[0]):
        return False
    try:
        return parse_fault_model(text, graphs=graphs_of([model])) == model
    except ConfigError:
        return False


def _rebuilt(sampler: Sampler) -> bool:
    """Whether the sampler's recipe makes an equal sampler, in other processes too."""
    try:
        return SAMPLERS.lasting(sampler.name) and from_recipe(sampler.recipe()) == sampler
    except ConfigError:
        return False


def _measured_anywhere(metric: Metric) -> bool:
    """Whether the metric's text makes an equal metric, in other processes too."""
    return METRICS.lasting(metric.name) and parse_metric(metric.spec()) == metric
