"""Options, read from the annotated fields of a class."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from onnxfi.errors import ConfigError

_NO_TYPE = type(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a plug-in, or one setting.

    Attributes:
        name: Name of the field.
        type: Type of its values without None, such as ``int`` or ``tuple[str, ...]``.
        default: Value where none is given; ``msgspec.NODEFAULT`` if one must be.
        nullable: Whether None is a value, too.
        help: What it decides, in a sentence.
        unit: Unit of the values, such as ``s``; None if they have none.
        metavar: What stands for a value in usage lines; None for the name in capitals.
        choices: The values that there are; empty if they are not listed.
        extra: Everything else that the field's ``Meta`` holds in ``extra``.
        checked: Type with its bounds, as msgspec checks it.
    """

    name: str
    type: Any
    default: Any
    nullable: bool
    help: str
    unit: str | None = None
    metavar: str | None = None
    choices: tuple[Any, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    checked: Any

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is msgspec.NODEFAULT

    @property
    def flag(self) -> str:
        """Name on the command line: ``flag`` among the extras, or the name with dashes."""
        return str(self.extra.get("flag", f"--{self.name.replace('_', '-')}"))

    def check(self, value: Any, of: str) -> Any:
        """The value, if it is of the type and within the bounds.

        Args:
            value: What was given; a list where a tuple belongs, as JSON has it, is as good.
            of: Whose option it is, such as ``sampler uniform``.

        Raises:
            ConfigError: It is not.
        """
        self._convert(value, of, strict=True)
        return value

    def read(self, text: str, of: str) -> Any:
        """The value that a text of the command line, the environment or a file stands for.

        Several values are separated by commas.

        Raises:
            ConfigError: The text is no value of the option.
        """
        several = get_origin(self.type) in (tuple, list)
        given: Any = [part.strip() for part in text.split(",") if part.strip()] if several else text
        return self._convert(given, of, strict=False)

    def _convert(self, value: Any, of: str, *, strict: bool) -> Any:
        try:
            return msgspec.convert(value, self.checked, strict=strict)
        except msgspec.ValidationError as error:
            reason = str(error).replace("`", "").replace("null", "None")
            raise ConfigError(
                f"{of}: {self.name} is {value!r}; {reason[0].lower()}{reason[1:]}"
            ) from None


def options_of(cls: type[Any]) -> tuple[Option, ...]:
    """The options that a dataclass, a msgspec struct or a typed dictionary declares, in order.

    An option is a field annotated as ``Annotated[TYPE, Meta(description=...)]``, or as that
    ``| None``; other fields are none. ``Meta`` may hold bounds (``ge``, ``gt``, ``le``, ``lt``),
    and in ``extra`` the ``unit``, the ``metavar``, the ``flag`` and whatever else a room needs to
    know. Choices come from ``Literal`` types.
    """
    return tuple(_options(cls))


def _options(cls: type[Any]) -> Iterator[Option]:
    defaults = _defaults(cls)
    for name, hint in _hints(cls):
        described, nullable = _without_none(hint)
        metas = _metas(described)
        help_text = next((meta.description for meta in metas if meta.description), None)
        if help_text is None:
            continue
        extra = {key: value for meta in metas for key, value in (meta.extra or {}).items()}
        plain, inside = _without_none(get_args(described)[0])
        yield Option(
            name=name,
            type=plain,
            default=defaults.get(name, msgspec.NODEFAULT),
            nullable=nullable or inside,
            help=help_text,
            unit=extra.pop("unit", None),
            metavar=extra.pop("metavar", None),
            choices=get_args(plain) if get_origin(plain) is Literal else (),
            extra=types.MappingProxyType(extra),
            checked=hint,
        )


def _hints(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """Fields and their types, those of base classes first."""
    for base in reversed(cls.__mro__):
        for name, given in inspect.get_annotations(base).items():
            # Each by itself: a type that only type checkers import is no option's.
            alone = type(base.__name__, (), {"__module__": base.__module__})
            alone.__annotations__ = {name: given}
            with contextlib.suppress(NameError):
                yield name, get_type_hints(alone, include_extras=True)[name]


def _metas(hint: Any) -> list[msgspec.Meta]:
    found = hint.__metadata__ if get_origin(hint) is Annotated else ()
    return [each for each in found if isinstance(each, msgspec.Meta)]


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether None was in it."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    kept = tuple(each for each in get_args(hint) if each is not _NO_TYPE)
    return Union[kept], len(kept) < len(get_args(hint))  # noqa: UP007  # of a computed tuple


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """Default values by field; fields that have none are missing."""
    found: dict[str, Any] = {}
    if issubclass(cls, msgspec.Struct):
        for each in msgspec.structs.fields(cls):
            if each.default is not msgspec.NODEFAULT:
                found[each.name] = each.default
            elif each.default_factory is not msgspec.NODEFAULT:
                found[each.name] = each.default_factory()
    elif dataclasses.is_dataclass(cls):
        for given in dataclasses.fields(cls):
            if given.default is not dataclasses.MISSING:
                found[given.name] = given.default
            elif given.default_factory is not dataclasses.MISSING:
                found[given.name] = given.default_factory()
    return found
