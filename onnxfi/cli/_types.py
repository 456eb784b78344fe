"""Parameter types: what an option's text may be, checked before a command starts.

Rooms that need numpy are imported only when a value is converted, never for ``--help``.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxfi.errors import OnnxFIError
from onnxfi.plugins import Option, Registry, unknown_name
from onnxfi.settings import bounds_of, parse_duration, parse_size

if TYPE_CHECKING:
    from onnxfi.report import Condition


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Seconds, or a number with a unit: ``90``, ``90s``, ``15m``, ``2h``, ``1d``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        try:
            return parse_duration(str(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)


class MemorySize(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A size in memory with its unit, as ``onnxfi.settings.parse_size`` takes it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        try:
            return parse_size(str(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)


class Names(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Names, separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in the order given, each once."""
        found = tuple(dict.fromkeys(split_commas(value)))
        if not found:
            self.fail("no name given", param, ctx)
        return found


class Steps(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Time steps: ``3``, ``2-5`` or ``0,4-6``."""

    name = "steps"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the steps, ascending."""
        from onnxfi.faults import parse_steps

        try:
            return value if isinstance(value, tuple) else parse_steps(str(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)


class Kinds(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Site kinds, separated by commas."""

    name = "kinds"
    what, noun = "a kind of site", "kind"

    def known(self) -> list[str]:
        """What there is to choose from."""
        from onnxfi.faults import SiteKind

        return [kind.value for kind in SiteKind]

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in the order given, each once."""
        if isinstance(value, tuple):
            return value
        known, asked = self.known(), split_commas(value)
        for name in asked:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                all_of_them = f"; {self.noun}s: {', '.join(known)}"
                hint = f"; did you mean '{near[0]}'?" if near else all_of_them
                self.fail(f"'{name}' is not {self.what}{hint}", param, ctx)
        if not asked:
            self.fail(f"no {self.noun} given; {self.noun}s: {', '.join(known)}", param, ctx)
        return tuple(dict.fromkeys(asked))


class Parts(Kinds):
    """Parts of spiking neurons, separated by commas."""

    name = "parts"
    what, noun = "a part of a spiking neuron", "part"

    def known(self) -> list[str]:
        """What there is to choose from."""
        from onnxfi.faults import NeuronPart

        return [part.value for part in NeuronPart]


class FaultModelText(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """The text of a fault model, as ``onnxfi.faults.parse_fault_model`` takes it."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged if it names a fault model."""
        from onnxfi.faults import parse_fault_model

        try:
            parse_fault_model(str(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class ConditionText(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A condition of ``--fail-if``."""

    name = "condition"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Condition:
        """Return the parsed condition."""
        from onnxfi.report import Condition, parse_condition

        if isinstance(value, Condition):
            return value
        try:
            return parse_condition(str(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)


class ReportFile(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A file whose suffix says which form of report to write."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path unchanged if there is such a form."""
        from onnxfi.report import report_form

        try:
            report_form(Path(value))
        except OnnxFIError as error:
            self.fail(str(error), param, ctx)
        return str(value)


#: Where the registry of each kind of plug-in is; imported when its names are needed.
_REGISTRIES = {
    "engine": "onnxfi.engine:ENGINES",
    "executor": "onnxfi.campaign:EXECUTORS",
    "sampler": "onnxfi.sampling:SAMPLERS",
}
#: Kinds whose classes import what they compute with; the setting's help tells of them itself.
_NOT_LISTED = ("engine",)


def registry_of(kind: str) -> Registry[Any]:
    """The registry of a kind of plug-in."""
    module, _, name = _REGISTRIES[kind].partition(":")
    found: Registry[Any] = getattr(importlib.import_module(module), name)
    return found


class PluginName(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """The name of a plug-in, perhaps with options: ``NAME`` or ``NAME:OPTION=VALUE,...``.

    Args:
        kind: The kind of plug-in.
        besides: Words that are taken, too, such as ``auto``.
    """

    name = "name"

    def __init__(self, kind: str, besides: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.besides = besides

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        """Return the names to choose from."""
        return f"[{'|'.join((*self.besides, *registry_of(self.kind).names()))}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged if there is such a plug-in."""
        registry, name = registry_of(self.kind), str(value).partition(":")[0]
        if name not in (*self.besides, *registry.names()):
            known = (*self.besides, *registry.names())
            self.fail(unknown_name(self.kind, name, known), param, ctx)
        return str(value)


class PluginOption(click.Option):
    """An option that takes the name of a plug-in; its help lists what there is."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help, with a few words on each plug-in."""
        record = super().get_help_record(ctx)
        if record is None or not isinstance(self.type, PluginName):
            return record
        if self.type.kind in _NOT_LISTED:
            return record
        told = ", ".join(f"{cls.name} ({cls.help})" for cls in registry_of(self.type.kind))
        text, bracket, rest = record[1].partition("  [")
        return record[0], f"{text} There are: {told}.{bracket}{rest}"


#: Forms that the text of a setting may have, by the name that the schema gives them.
_FORMS: dict[str, click.ParamType] = {  # type: ignore[type-arg]  # generic from click 8.4 on
    "kinds": Kinds(),
    "parts": Parts(),
    "steps": Steps(),
    "names": Names(),
    "fault-model": FaultModelText(),
}


def param_type(option: Option) -> click.ParamType:  # type: ignore[type-arg]  # generic from click 8.4 on
    """How click reads the text of a setting or of a plug-in's option."""
    if option.choices:
        return click.Choice(option.choices)
    if "registry" in option.extra:
        besides = (option.default,) if isinstance(option.default, str) else ()
        return PluginName(option.extra["registry"], besides)
    if "reads" in option.extra:
        return _FORMS[option.extra["reads"]]
    if option.unit in ("s", "bytes"):
        return Duration() if option.unit == "s" else MemorySize()
    if option.extra.get("path") in ("file", "folder", "any"):
        kind = option.extra["path"]
        there, no_file, no_folder = kind != "any", kind == "folder", kind == "file"
        return click.Path(exists=there, file_okay=not no_file, dir_okay=not no_folder)
    if option.type not in (int, float):
        return click.STRING
    bounds = bounds_of(option)
    low = bounds.gt if bounds.ge is None else bounds.ge
    high = bounds.lt if bounds.le is None else bounds.le
    if option.type is float:
        open_above = bounds.lt is not None
        open_below = bounds.gt is not None or bool(option.extra.get("above"))
        return click.FloatRange(low, high, min_open=open_below, max_open=open_above)
    return click.IntRange(None if low is None else int(low), None if high is None else int(high))


def split_commas(value: str | Sequence[str]) -> tuple[str, ...]:
    """Split ``"a, b"`` at its commas; a list (from a configuration file) is taken as it is."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(text for part in parts if (text := str(part).strip()))
