"""``--config FILE.toml``: options of a command from a file, under their own names."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from onnxfi.settings import CampaignSettings, settings_of

#: Options whose values are paths, taken relative to the file that names them.
_PATHS = (
    "folder",
    *(name for name, option in settings_of(CampaignSettings).items() if "path" in option.extra),
)


def config_option(function: Any) -> Any:
    """Add ``--config`` to a command: the file's values stand in for options that are not given."""
    return click.option(
        "--config",
        type=click.Path(),
        is_eager=True,
        expose_value=False,
        callback=_load,
        help="A TOML file whose keys are the options' names, such as targets = "
        '["weight"]; the command line and the environment go first. Paths in it are relative to '
        "the file.",
    )(function)


def _load(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    values = _read(ctx, param, Path(path))
    names = _names(ctx.command)
    found: dict[str, Any] = {}
    for key, value in values.items():
        option = names.get(key.replace("_", "-"))
        if option is None:
            near = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise click.BadParameter(f"{path}: unknown key '{key}'{hint}", ctx, param)
        found[option.name or ""] = _value(option, value, f"{path}: '{key}'", ctx)
    _resolve_paths(found, Path(path).parent)
    ctx.default_map = {**(ctx.default_map or {}), **found}


def _read(ctx: click.Context, param: click.Parameter, path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.BadParameter(f"{path}: {reason}", ctx, param) from error


def _names(command: click.Command) -> dict[str, click.Parameter]:
    """Parameters that a file may set, by every long name they have."""
    names: dict[str, click.Parameter] = {}
    for parameter in command.params:
        if not parameter.expose_value:
            continue
        names[str(parameter.name).replace("_", "-")] = parameter
        for text in parameter.opts:
            names[text.lstrip("-")] = parameter
    return names


def _value(option: click.Parameter, value: Any, where: str, ctx: click.Context) -> Any:
    """Check the TOML value's shape; its content is checked as on the command line."""
    many = isinstance(value, list)
    if isinstance(value, dict) or (many and any(isinstance(item, dict | list) for item in value)):
        raise click.BadParameter(f"{where} must not be a table", ctx, option)
    if option.multiple:
        return value if many else [value]
    if many:
        return ",".join(str(item) for item in value)
    return value


def _resolve_paths(found: dict[str, Any], base: Path) -> None:
    for name in _PATHS:
        value = found.get(name)
        if isinstance(value, list):
            found[name] = [str(base / each) for each in value]
        elif isinstance(value, str) and not value.startswith("random:"):
            found[name] = str(base / value)
