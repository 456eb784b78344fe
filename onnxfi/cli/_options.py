"""Options that several commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_origin

import click
import msgspec

from onnxfi.cli._output import Talk
from onnxfi.cli._types import PluginName, PluginOption, param_type
from onnxfi.plugins import Option
from onnxfi.settings import (
    CampaignSettings,
    RunOptions,
    SensitivityOptions,
    StopRule,
    settings_of,
    usual_text,
)

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def stacked(*decorators: Callable[[Any], Any]) -> Callable[[AnyFunction], AnyFunction]:
    """Apply decorators so that the first one listed is the first one in the help."""

    def apply(function: AnyFunction) -> AnyFunction:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _louder(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    ctx.find_root().ensure_object(Talk).level += count


def _quieter(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    ctx.find_root().ensure_object(Talk).level -= count


def _debugging(ctx: click.Context, _param: click.Parameter, on: bool) -> None:
    if on:
        ctx.find_root().ensure_object(Talk).debug = True


#: Taken by the group and by every command, wherever on the line they stand.
common_options = stacked(
    click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_louder,
        help="Say more; twice: all.",
    ),
    click.option(
        "-q", "--quiet", count=True, expose_value=False, callback=_quieter, help="Say less."
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_debugging,
        help="Show the traceback of an error, and all log records.",
    ),
)

model_argument = click.argument("model", type=click.Path())

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")

force_option = click.option("--force", is_flag=True, help="Overwrite the output if it exists.")


def setting_options(
    record: type[msgspec.Struct], *groups: str, fixed: bool = False
) -> Callable[[AnyFunction], AnyFunction]:
    """Options for the settings of some groups, from the schema: spelling, type, help, default.

    Args:
        record: The record that declares them.
        groups: The groups.
        fixed: Whether an option that is not given has the default. Else its value is None, so that
            a resumed campaign can tell it from one that is given.
    """
    options = settings_of(record, *groups).values()
    return stacked(*(_setting_option(option, fixed) for option in options))


def _setting_option(option: Option, fixed: bool) -> Callable[[Any], Any]:
    if option.type is bool:
        return click.option(option.flag, option.name, is_flag=True, help=option.help)
    usual = usual_text(option)
    kind = param_type(option)
    # Those with a form of their own hold several values in one text.
    several = get_origin(option.type) is tuple and "reads" not in option.extra
    several = several or option.extra.get("reads") == "fault-model"
    again = " May be repeated." if several else ""
    default = f"  [default: {usual}]" if usual else ""
    return click.option(
        option.flag,
        option.name,
        cls=PluginOption if isinstance(kind, PluginName) else click.Option,
        type=kind,
        multiple=several,
        metavar=option.metavar,
        default=option.default if fixed else None,
        help=f"{option.help}{again}{default}",
    )


#: The model of a new campaign; commands that always need one take it as an argument.
model_option = setting_options(CampaignSettings, "model")
inputs_option = setting_options(CampaignSettings, "inputs", "state", "reading")
list_option = setting_options(CampaignSettings, "list")
graph_options = setting_options(CampaignSettings, "graph")
site_options = setting_options(CampaignSettings, "sites")
judging_options = setting_options(CampaignSettings, "judging")
provider_option = setting_options(CampaignSettings, "provider")
#: What counts as a failure, and how the model runs: all of it is identity.
study_options = setting_options(
    CampaignSettings, "judging", "engine", "provider", "graph", "runs", "watching"
)
#: How the work is done; none of it changes a result.
work_options = stacked(
    setting_options(RunOptions, "work", fixed=True),
    setting_options(RunOptions, "executor", "memory"),
    setting_options(StopRule, "stop"),
    setting_options(RunOptions, "limits"),
)
effort_options = setting_options(SensitivityOptions, "effort", fixed=True)
confidence_option = setting_options(StopRule, "level", fixed=True)

#: What is done to the bits of sites.
fault_options = stacked(
    setting_options(CampaignSettings, "faults"),
    click.option(
        "--bits",
        metavar="BITS",
        help="Only these bits: a number (0 is the least significant), a list 0,3, a range 0-7, or "
        "a field: sign, exponent, mantissa, magnitude.",
    ),
)
