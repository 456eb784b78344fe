"""Registries: the plug-ins of one kind by name, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from onnxfi.errors import ConfigError
from onnxfi.plugins._options import Option, options_of
from onnxfi.plugins._unknown import unknown_name


class Plugin(Protocol):
    """What every plug-in class says of itself, whatever its kind.

    Attributes:
        name: The word by which people and files name it.
        help: What it is for, in a few words without a full stop.
    """

    name: ClassVar[str]
    help: ClassVar[str]


P = TypeVar("P", bound=Plugin)


class Registry(Generic[P]):
    """The plug-ins of one kind: ours, those of installed packages, and those of this process."""

    def __init__(self, kind: str, plugins: Mapping[str, str], *, group: str) -> None:
        """Declare our own plug-ins.

        Args:
            kind: What they are, such as ``sampler``; in the words of messages.
            plugins: Where each class is, as ``module:Class``, by name; their order is kept.
            group: Entry points of this group are plug-ins, too, such as ``onnxfi.samplers``.
        """
        self.kind = kind
        self.group = group
        self._ours = dict(plugins)
        self._registered: dict[str, type[P]] = {}

    @property
    def ours(self) -> tuple[str, ...]:
        """Names of the plug-ins that come with this package."""
        return tuple(self._ours)

    def lasting(self, name: str) -> bool:
        """Whether other processes find it, too: those of ours and of installed packages."""
        return name in self._ours or (name in self._installed and name not in self._registered)

    def names(self) -> tuple[str, ...]:
        """All names: ours in the order declared, then the others in that of their names."""
        others = sorted({*self._registered, *self._installed})
        return (*self._ours, *others)

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in self._registered or name in self._installed

    def __iter__(self) -> Iterator[type[P]]:
        return (self.get(name) for name in self.names())

    def get(self, name: object, *, where: str = "") -> type[P]:
        """The class of a name.

        Args:
            name: As it was given.
            where: Where it was given, for the message.

        Raises:
            ConfigError: There is no such plug-in, or an installed one can't be loaded.
        """
        if isinstance(name, str):
            if name in self._registered:
                return self._registered[name]
            if name in self._ours:
                return self._import(name)
            if name in self._installed:
                return self._load(name)
        raise ConfigError(
            unknown_name(self.kind, name, self.names(), where=where)
            + f"; one of your own is known once the module that registers it is imported, or its"
            f" package has an entry point of group {self.group}"
        )

    def options(self, name: object) -> tuple[Option, ...]:
        """The options of a plug-in; errors as :meth:`get`."""
        return options_of(self.get(name))

    def register(self, cls: type[P]) -> type[P]:
        """Make a user's class known in this process; also a decorator.

        A class of the same module and name takes the place of an earlier one, as when a cell of a
        notebook is run again.

        Raises:
            ConfigError: It lacks a name or a help text, or another plug-in has the name.
        """
        name = self._checked(cls).name
        earlier = self._registered.get(name)
        taken = name in self if earlier is None else _address(earlier) != _address(cls)
        if taken:
            raise ConfigError(
                f"{self.kind} {name!r} exists already; give {_address(cls)} another name"
            )
        self._registered[name] = cls
        return cls

    @cached_property
    def _installed(self) -> dict[str, Any]:
        """Entry points of installed packages by name, read when first needed; ours come first."""
        from importlib.metadata import entry_points

        found = {point.name: point for point in entry_points(group=self.group)}
        return {name: point for name, point in found.items() if name not in self._ours}

    def _import(self, name: str) -> type[P]:
        module, _, attribute = self._ours[name].partition(":")
        found: type[P] = getattr(importlib.import_module(module), attribute)
        return found

    def _load(self, name: str) -> type[P]:
        point = self._installed[name]
        try:
            found = self._checked(point.load())
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"{self.kind} {name!r} can't be loaded from {point.value}:"
                f" {type(error).__name__}: {error}; mend or remove its package"
            ) from error
        if found.name != name:
            raise ConfigError(
                f"the entry point {name!r} of group {self.group} leads to a {self.kind} of the name"
                f" {found.name!r}; both must be the same"
            )
        return found

    def _checked(self, cls: Any) -> type[P]:
        """A user's class, if it says what a plug-in must."""
        for attribute in ("name", "help"):
            text = getattr(cls, attribute, None)
            if not isinstance(cls, type) or not isinstance(text, str) or not text:
                raise ConfigError(
                    f"{cls!r} is no {self.kind}: it must be a class with texts name and help, such"
                    f' as name: ClassVar[str] = "mine"; {attribute} is {text!r}'
                )
        found: type[P] = cls
        return found


def _address(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
