"""Reading a record of settings: its options by group, what they are called, what they may be.

Beside what every option may say, ``extra`` of a setting holds:

    group: Settings of one group belong to the same commands and functions; those without one are
        only stored.
    usual: The default in words, where it is found out and the value itself is None.
    reads: The form of its text: ``kinds``, ``parts``, ``steps``, ``names``, ``fault-model``.
    registry: The kind of plug-in whose names are the choices, such as ``engine``.
    path: ``any`` for the path of something, ``file`` or ``folder`` for one that must be there,
        ``source`` for a path or a text that stands for data, such as ``random:64:0``.
    keyword: Name of the keyword argument of the API, where it is another one.
    takes: Type of that argument, where it takes objects that no file can hold.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, NamedTuple, Union, get_args, get_origin

import msgspec

from onnxfi.errors import ConfigError
from onnxfi.plugins import Option, options_of, unknown_name


@functools.cache
def settings_of(record: type[msgspec.Struct], *groups: str) -> Mapping[str, Option]:
    """The settings that a record declares, by name, in its order.

    Args:
        record: The record.
        groups: Groups to take; all settings, if none is named.
    """
    return MappingProxyType(
        {
            option.name: option
            for option in options_of(record)
            if not groups or option.extra.get("group") in groups
        }
    )


def keyword_of(option: Option) -> str:
    """The keyword argument of the API that gives a setting."""
    return str(option.extra.get("keyword", option.name))


def usual_text(option: Option) -> str:
    """The default of a setting in words; empty where there is nothing to tell."""
    if "usual" in option.extra:
        return str(option.extra["usual"])
    default = option.default
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    told = isinstance(default, str | int | float) and not isinstance(default, bool)
    if isinstance(default, float):
        return f"{default:g}"
    return str(default) if told else ""


class Bounds(NamedTuple):
    """What a number must be: at least, above, at most, below; None for no bound."""

    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None


def bounds_of(option: Option) -> Bounds:
    """The bounds of a setting, wherever its annotations have them."""
    hint = option.checked
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if get_origin(part) is Annotated)
    metas = [each for each in hint.__metadata__ if isinstance(each, msgspec.Meta)]
    found = (
        next((getattr(meta, end) for meta in metas if getattr(meta, end) is not None), None)
        for end in Bounds._fields
    )
    return Bounds(*found)


def check_record(record: msgspec.Struct, of: str) -> None:
    """Refuse values that are not of their type, out of range, or no choice.

    Args:
        record: The record.
        of: Whose settings they are, for the message.

    Raises:
        ConfigError: One is.
    """
    for option in settings_of(type(record)).values():
        value = getattr(record, option.name)
        if option.choices and value not in option.choices:
            raise ConfigError(unknown_name(option.name, value, option.choices))
        plain = option.type in (int, float, str, bool) or get_origin(option.type) is tuple
        if plain and not (value is None and option.nullable):
            option.check(value, of)
