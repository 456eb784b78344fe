"""Fault models as text: a name and options, separated by colons, read as declared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, get_args, get_origin

from onnxfi.errors import ConfigError
from onnxfi.plugins import Option, options_of, unknown_name

_INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelText:
    """The text of a fault model, cut at its colons: ``flip:count=2`` is ``flip`` and ``count=2``.

    Attributes:
        text: The whole text, for messages.
        name: What stands before the first colon.
        parts: What follows.
        bits: Choice of bits that was given apart from the text; empty if none was.
        graphs: Models that are faults, by the sha256 that stands for the file in texts of files.
    """

    text: str
    name: str
    parts: tuple[str, ...]
    bits: str = ""
    graphs: Mapping[str, bytes] = field(default_factory=dict)

    def options(self, cls: type[Any]) -> dict[str, str]:
        """The options in the text by name; a value without a name has the name ``""``.

        Args:
            cls: The fault model. Its annotated fields are the options; the one whose ``Meta`` has
                ``extra={"bare": True}`` may be given without its name. The choice of bits that is
                given apart is its option ``bits``.

        Raises:
            ConfigError: The model has no such option, or an option is empty or given twice.
        """
        declared = {option.name: option for option in options_of(cls)}
        found: dict[str, str] = {}
        for part in self.parts:
            name, sign, value = part.partition("=")
            if not sign:
                name, value = "", part
            if not value or name in found:
                raise self.error(f": part {part!r} is empty or given twice")
            found[name] = value
        if self.bits and "bits" in found:
            raise self.error(" names its bits, and bits are given apart too")
        if self.bits:
            found["bits"] = self.bits
        if "bits" in found and "bits" not in declared:
            raise self.error(" takes no choice of bits; leave bits out")
        for name, value in found.items():
            if name and name not in declared:
                raise self.error(f": {unknown_name('option', name, declared)}")
            if not name and not any(map(_bare, declared.values())):
                raise self.error(f": {value!r} is no option{self._meant(declared, value)}")
        return found

    def values(self, cls: type[Any]) -> dict[str, Any]:
        """The options in the text, read as the model's fields declare them; as :meth:`options`."""
        declared = {option.name: option for option in options_of(cls)}
        bare = next((option.name for option in declared.values() if _bare(option)), "")
        found: dict[str, Any] = {}
        for given, value in self.options(cls).items():
            name = given or bare
            if name in found:
                raise self.error(f": {name} is given twice")
            found[name] = self._value(declared[name], value)
        missing = [name for name, each in declared.items() if each.required and name not in found]
        if missing:
            form = missing[0].upper() if missing[0] == bare else f"{missing[0]}=..."
            raise self.error(f" lacks {missing[0]}; write {self.name}:{form}")
        return found

    def integer(self, option: str, value: str) -> int:
        """A whole number.

        Raises:
            ConfigError: It is none.
        """
        if not _INTEGER.fullmatch(value):
            raise self.error(f": {option} {value!r} is not a whole number")
        return int(value)

    def error(self, what: str) -> ConfigError:
        """The error for something that is wrong with the text."""
        return ConfigError(f"fault model {self.text!r}{what}")

    def _value(self, option: Option, value: str) -> Any:
        if option.type is int:
            return self.integer(option.name, value)
        if option.name == "bits":  # read by the model, as it reads those given in Python
            return value
        return option.read(value, f"fault model {self.text!r}")

    def _meant(self, declared: Mapping[str, Option], value: str) -> str:
        if not declared:
            return f"; {self.name} has none"
        forms = [f"{self.name}:{name}={value}" for name in declared]
        return f"; did you mean {' or '.join(forms)}?"


class TextForm:
    """Text of a fault model from its annotated fields: the base of a model with plain options."""

    __slots__ = ()

    name: ClassVar[str]

    @classmethod
    def read(cls, text: ModelText) -> Self:
        """The model that a text stands for."""
        return cls(**text.values(cls))

    def spec(self) -> str:
        """The name and the options that differ from their defaults, in the order of the fields."""
        bare, named = [self.name], []
        for option in options_of(type(self)):
            value = getattr(self, option.name)
            if not option.required and value == option.default:
                continue
            several = get_origin(option.type) in (tuple, list) and get_args(option.type)
            text = ",".join(map(str, value)) if several else str(value)
            if _bare(option):
                bare.append(text)
            else:
                named.append(f"{option.name}={text}")
        return ":".join([*bare, *named])


def _bare(option: Option) -> bool:
    return bool(option.extra.get("bare"))
