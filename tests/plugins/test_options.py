"""Options as records, from annotated fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import msgspec
import pytest
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.plugins import Option, options_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    """Declares options of several kinds."""

    name: ClassVar[str] = "oven"
    loaves: Annotated[int, Meta(description="Loaves at once.", ge=1)]
    heat: Annotated[float, Meta(description="Heat.", gt=0, extra={"unit": "K"})] | None = None
    place: Annotated[str | None, Meta(description="Where.")] = None
    mode: Annotated[Literal["gas", "wood"], Meta(description="What burns.")] = "wood"
    doughs: Annotated[
        tuple[str, ...], Meta(description="Doughs.", extra={"metavar": "NAME", "flag": "--dough"})
    ] = ("rye",)
    shares: Annotated[Mapping[str, float], Meta(description="Parts.")] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)


class Settings(msgspec.Struct, frozen=True):
    """A struct that does."""

    path: Annotated[str, Meta(description="Where.")]
    tags: Annotated[list[str], Meta(description="Tags.")] = []
    plain: int = 3


class Keywords(TypedDict):
    """A typed dictionary that does."""

    seed: Annotated[int, Meta(description="Of all draws.")]


def option(name: str) -> Option:
    return next(each for each in options_of(Oven) if each.name == name)


def test_options_come_in_order_and_only_where_described():
    names = [each.name for each in options_of(Oven)]
    assert names == ["loaves", "heat", "place", "mode", "doughs", "shares"]
    assert [each.name for each in options_of(Settings)] == ["path", "tags"]
    assert [each.default for each in options_of(Settings)] == [msgspec.NODEFAULT, []]
    assert [each.required for each in options_of(Keywords)] == [True]


def test_a_record_says_all_that_was_declared():
    assert option("loaves").required
    assert option("loaves").help == "Loaves at once."
    assert option("loaves").flag == "--loaves"
    heat = option("heat")
    assert (heat.type, heat.nullable, heat.unit, heat.default) == (float, True, "K", None)
    assert (option("place").type, option("place").nullable) == (str, True)
    assert option("mode").choices == ("gas", "wood")
    doughs = option("doughs")
    assert (doughs.type, doughs.metavar, doughs.flag) == (tuple[str, ...], "NAME", "--dough")
    assert doughs.default == ("rye",)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("loaves", "12", 12),
        ("heat", "470", 470.0),
        ("mode", "gas", "gas"),
        ("doughs", "rye, spelt", ("rye", "spelt")),
    ],
)
def test_texts_become_values(name, text, value):
    assert option(name).read(text, "oven") == value


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("loaves", 0, "oven: loaves is 0; expected int >= 1"),
        ("loaves", True, "expected int, got bool"),
        ("loaves", "3", "expected int, got str"),
        ("heat", 0.0, "heat is 0.0"),
        ("mode", "coal", "mode is 'coal'; invalid enum value"),
        ("doughs", ["rye", 1], "doughs is"),
    ],
)
def test_values_that_are_wrong_are_refused(name, value, match):
    with pytest.raises(ConfigError, match=match):
        option(name).check(value, "oven")


def test_values_that_are_right_come_back_as_they_were():
    assert option("heat").check(None, "oven") is None
    assert option("doughs").check(["rye"], "oven") == ["rye"]
    assert option("heat").check(3, "oven") == 3
