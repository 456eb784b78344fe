"""Plug-ins as text: a name, and options as ``NAME:OPTION=VALUE,OPTION=VALUE``."""

from __future__ import annotations

from typing import Any

from onnxfi.errors import ConfigError
from onnxfi.plugins._options import options_of
from onnxfi.plugins._unknown import unknown_name


def read_options(cls: type[Any], text: str, kind: str) -> dict[str, Any]:
    """The values that ``OPTION=VALUE,OPTION=VALUE`` gives to the options of a plug-in.

    Args:
        cls: The plug-in.
        text: What follows the colon; empty if nothing does.
        kind: What the plug-in is, such as ``metric``; in the words of messages.

    Raises:
        ConfigError: There is no such option, one is missing, or a value is wrong.
    """
    of = f"{kind} {cls.name}"
    options = {option.name: option for option in options_of(cls)}
    values: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in options:
            raise ConfigError(unknown_name("option", key, options, where=of))
        values[key] = options[key].read(value, of)
    missing = [key for key, option in options.items() if option.required and key not in values]
    if missing:
        raise ConfigError(f"{of} needs {missing[0]}; say {cls.name}:{missing[0]}=VALUE")
    return values


def written_options(plugin: Any) -> str:
    """The text of a plug-in: its name, and the options that differ from their defaults."""
    given = [
        f"{option.name}={getattr(plugin, option.name)}"
        for option in options_of(type(plugin))
        if option.required or getattr(plugin, option.name) != option.default
    ]
    return ":".join([plugin.name, *filter(None, [",".join(given)])])
