"""Options of samplers, from what the samplers declare, and the recipe that they make.

A sampler's option may say in its ``extra``: ``flag``; ``key``, its name in a recipe; ``implies``:
giving it chooses the sampler; ``always``: it is written into every recipe; ``usual``: the default
of the command line; ``cli``: False where no option is wanted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from onnxfi.cli._options import setting_options, stacked
from onnxfi.cli._types import PluginName, PluginOption, param_type
from onnxfi.errors import ConfigError
from onnxfi.plugins import Option
from onnxfi.sampling import SAMPLERS
from onnxfi.settings import CampaignSettings, RunOptions, StopRule, settings_of, usual_text

DEFAULT_MARGIN = 0.03
#: What all samplers have, or none of its own: how many scenarios, and by which interval.
_SIZE = ("n", "margin", "confidence")
#: Names of other options, which a sampler's option can't have.
_TAKEN = {
    option.flag
    for record in (CampaignSettings, RunOptions, StopRule)
    for option in settings_of(record).values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOption:
    """An option of the command line that samplers share.

    Attributes:
        name: Name of the parameter.
        flag: How it is written.
        samplers: Samplers that have it, by name, and how each declares it.
    """

    name: str
    flag: str
    samplers: Mapping[str, Option]

    @property
    def first(self) -> Option:
        """The declaration that decides type and help."""
        return next(iter(self.samplers.values()))

    @property
    def implied(self) -> str | None:
        """The sampler that is meant where this option is given."""
        implying = (name for name, each in self.samplers.items() if each.extra.get("implies"))
        return next(implying, None)


@functools.cache
def sampler_parameters() -> Mapping[str, SamplerOption]:
    """Options that belong to samplers alone, by parameter; size, seed and level are apart."""
    found: dict[str, SamplerOption] = {}
    for sampler in SAMPLERS.names():
        for option in _declared(sampler):
            if option.name in (*_SIZE, "seed") or option.extra.get("cli") is False:
                continue
            flag = option.flag if option.flag not in _TAKEN else f"--{sampler}-{option.flag[2:]}"
            name = flag.lstrip("-").replace("-", "_")
            held = found.setdefault(name, SamplerOption(name=name, flag=flag, samplers={}))
            found[name] = replace(held, samplers={**held.samplers, sampler: option})
    return found


def _declared(sampler: str) -> tuple[Option, ...]:
    """Options of a sampler; none of one that can't be loaded, which is told when it is chosen."""
    try:
        return SAMPLERS.options(sampler)
    except ConfigError:
        return ()


def _size_of(sampler: str) -> Option | None:
    """How a sampler declares its number of scenarios; None if it has none."""
    return next((option for option in _declared(sampler) if option.name == "n"), None)


def sampler_options(function: Any) -> Any:
    """Add the options by which scenarios are drawn to a command."""
    return stacked(
        click.option(
            "--sampler",
            cls=PluginOption,
            type=PluginName("sampler"),
            help="How scenarios are drawn.",
        ),
        click.option(
            "-n",
            "--scenarios",
            "n",
            type=click.IntRange(min=1),
            help=f"How many scenarios to draw.  [default: {_usual_size()}]",
        ),
        click.option(
            "--plan-margin",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            metavar="E",
            help="Draw as many as it takes for an interval of half-width E, whatever the rate.",
        ),
        setting_options(StopRule, "level", fixed=True),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all draws."
        ),
        *(_option(each) for each in sampler_parameters().values()),
    )(function)


def _usual_size() -> str:
    fixed: dict[str, list[str]] = {}
    for sampler in SAMPLERS.names():
        size = _size_of(sampler)
        if size is not None and "usual" in size.extra:
            fixed.setdefault(str(size.extra["usual"]), []).append(sampler)
    parts = [f"{number} with --sampler {' and '.join(names)}" for number, names in fixed.items()]
    return "; ".join([f"as --plan-margin {DEFAULT_MARGIN}, at most 1068", *parts])


def _option(each: SamplerOption) -> Callable[[Any], Any]:
    option, usual = each.first, usual_text(each.first)
    implied = f" Implies --sampler {each.implied}." if each.implied else ""
    default = f"  [default: {usual}]" if usual else ""
    text = f"{option.help}{implied}{default}"
    if option.type is bool:
        return click.option(each.flag, each.name, is_flag=True, help=text)
    return click.option(
        each.flag, each.name, type=param_type(option), metavar=option.metavar, help=text
    )


def sampler_names() -> tuple[str, ...]:
    """Parameters that decide which scenarios are drawn."""
    return ("sampler", "n", "plan_margin", "confidence", "seed", *sampler_parameters())


def sampler_flags() -> dict[str, str]:
    """The flags of those that a fault list leaves no room for, by parameter."""
    own = {name: each.flag for name, each in sampler_parameters().items()}
    return {
        "sampler": "--sampler",
        "n": "-n",
        "plan_margin": "--plan-margin",
        "seed": "--seed",
        **own,
    }


def implied(options: Mapping[str, Any]) -> str | None:
    """The sampler that belongs to the options given, where none is named; None if any may."""
    found = (
        each.implied
        for name, each in sampler_parameters().items()
        if each.implied and options.get(name) is not None
    )
    return next(found, None)


def sampler_recipe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the sampler options, as ``onnxfi.sampling.from_recipe`` takes it.

    Raises:
        UsageError: Options of different samplers are mixed, or one is missing.
    """
    kind = options["sampler"] or implied(options) or SAMPLERS.names()[0]
    _refuse_mixtures(kind, options)
    seeded = any(option.name == "seed" for option in _declared(kind))
    # In the order that descriptions of a campaign list them.
    recipe: dict[str, Any] = {"kind": kind} | ({"seed": options["seed"]} if seeded else {})
    recipe |= _size(kind, options)
    for name, each in sampler_parameters().items():
        if kind not in each.samplers:
            continue
        option, value = each.samplers[kind], options.get(name)
        if value is None and option.extra.get("always"):
            value = option.default
        if value is None and option.required:
            raise click.UsageError(_needs(kind, each, option))
        if value is not None:
            recipe[option.extra.get("key", option.name)] = (
                list(value) if isinstance(value, tuple) else value
            )
    return recipe


def _needs(kind: str, each: SamplerOption, option: Option) -> str:
    text = f"--sampler {kind} needs {each.flag}"
    if option.name == "scores":
        return (
            f"{text}: a file that `onnxfi sensitivity MODEL --inputs FILE -o scores.npz` makes, or "
            "a .npz of your own with an array for each site"
        )
    return f"{text}: {option.help}"


def _size(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """As many scenarios as are asked for, or as an interval of the planned margin needs."""
    from onnxfi.sampling import sample_size

    size = _size_of(kind)
    if size is None:
        return {}
    if options["n"] is not None:
        return {"n": int(options["n"])}
    if options["plan_margin"] is None and "usual" in size.extra:
        return {"n": size.extra["usual"]}
    margin, level = options["plan_margin"] or DEFAULT_MARGIN, options["confidence"]
    if any(option.name == "margin" for option in _declared(kind)):
        return {"margin": margin, "confidence": level}
    return {"n": sample_size(None, margin, level)}


def _refuse_mixtures(kind: str, options: Mapping[str, Any]) -> None:
    for name, each in sampler_parameters().items():
        if options.get(name) and kind not in each.samplers:
            raise click.UsageError(f"{each.flag} does not go with --sampler {kind}")
    sized, picked = _size_of(kind) is not None, _is_picked(kind)
    if options["n"] is not None and not sized:
        raise click.UsageError(f"-n does not go with --sampler {kind}")
    if options["plan_margin"] is not None and (not sized or picked):
        raise click.UsageError(f"--plan-margin does not go with --sampler {kind}")
    if options["n"] is not None and options["plan_margin"] is not None:
        raise click.UsageError("-n and --plan-margin both say how many scenarios; give one")
    if picked and (options.get("margin") or options.get("relative_margin")):
        raise click.UsageError(
            f"a margin is for estimating a rate, and no rate can be had from --sampler {kind};"
            " stop with --find, or use --sampler importance, stratified or uniform"
        )


def _is_picked(kind: str) -> bool:
    """Whether a sampler picks scenarios, so that no rate follows from them."""
    from onnxfi.analysis import DESIGNS

    return bool(DESIGNS.get(SAMPLERS.get(kind).design).picked)


def over_recipe(
    recipe: Mapping[str, Any], options: Mapping[str, Any], given: Collection[str]
) -> dict[str, Any]:
    """Sampler options as the stored recipe has them, but for those that are given."""
    own = sampler_parameters()
    kind: Any = options["sampler"] if "sampler" in given else recipe.get("kind")
    if "sampler" not in given:
        # What the stored sampler takes itself asks for no other one.
        told = {
            name: options[name] if name in given and kind not in own[name].samplers else None
            for name in own
        }
        kind = implied(told) or kind
    asked: dict[str, Any] = dict.fromkeys(own)
    asked |= {"sampler": kind, "n": None, "plan_margin": None, "seed": 0}
    asked["confidence"] = options["confidence"]
    if kind == recipe.get("kind"):
        asked |= {
            name: recipe.get(each.samplers[kind].extra.get("key", each.samplers[kind].name))
            for name, each in own.items()
            if kind in each.samplers
        }
        asked |= {"n": recipe.get("n"), "plan_margin": recipe.get("margin")}
        asked["confidence"] = recipe.get("confidence", options["confidence"])
        asked["seed"] = recipe.get("seed", 0)
    if "n" in given:
        asked["plan_margin"] = None
    if "plan_margin" in given:
        asked["n"] = None
    return asked | {name: options[name] for name in asked if name in given and name != "sampler"}
