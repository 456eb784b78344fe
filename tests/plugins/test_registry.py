"""Registries: our own plug-ins, those of installed packages, those of the running process."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from onnxfi.errors import ConfigError
from onnxfi.plugins import Registry, lazy_exports, unknown_name

SOURCE = """
class Apple:
    name = "apple"
    help = "a fruit"

class Pear:
    name = "pear"
    help = "another"

class Wrong:
    name = "plum"
    help = "a plum under a wrong name"

Textless = type("Textless", (), {"name": "textless"})
"""


class Quince:
    """A fruit of this process."""

    name: ClassVar[str] = "quince"
    help: ClassVar[str] = "a fruit of this process"


@pytest.fixture
def fruits(tmp_path, monkeypatch):
    """A registry of one fruit of its own; packages that are installed bring more."""
    (tmp_path / "fruits_of_test.py").write_text(SOURCE)
    info = tmp_path / "orchard-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orchard\nVersion: 1.0\n")
    lines = ["pear = fruits_of_test:Pear", "quarrel = fruits_of_test:Wrong"]
    lines += ["lost = no_such_module:Lost", "textless = fruits_of_test:Textless"]
    lines += ["apple = fruits_of_test:Pear"]
    (info / "entry_points.txt").write_text("\n".join(["[test.fruits]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("fruit", {"apple": "fruits_of_test:Apple"}, group="test.fruits")
    sys.modules.pop("fruits_of_test", None)


def test_names_keep_the_declared_order_and_import_nothing(fruits):
    assert fruits.names() == ("apple", "lost", "pear", "quarrel", "textless")
    assert "fruits_of_test" not in sys.modules
    assert "pear" in fruits
    assert "plum" not in fruits


def test_ours_and_installed_classes_are_found(fruits):
    assert fruits.get("apple").help == "a fruit"  # an entry point can't take its place
    assert fruits.get("pear").name == "pear"


def test_users_classes_are_registered(fruits):
    assert fruits.register(Quince) is Quince
    assert fruits.get("quince") is Quince
    assert fruits.register(Quince) is Quince
    assert "quince" in fruits.names()


def test_a_name_is_given_once(fruits):
    other = type("Other", (), {"name": "apple", "help": "not that one"})
    with pytest.raises(ConfigError, match=r"fruit 'apple' exists already; give .*Other another"):
        fruits.register(other)
    fruits.register(Quince)
    second = type("Second", (), {"name": "quince", "help": "another quince"})
    with pytest.raises(ConfigError, match="exists already"):
        fruits.register(second)


@pytest.mark.parametrize("bad", [type("Nameless", (), {"help": "none"}), "apple", Quince()])
def test_what_is_no_plugin_is_refused(fruits, bad):
    with pytest.raises(ConfigError, match="is no fruit: it must be a class with texts name and"):
        fruits.register(bad)


def test_unknown_names_tell_what_there_is(fruits):
    with pytest.raises(ConfigError) as caught:
        fruits.get("aple", where="basket.json")
    text = str(caught.value)
    assert text.startswith("unknown fruit 'aple' in basket.json; did you mean 'apple'? There are:")
    assert "entry point of group test.fruits" in text
    with pytest.raises(ConfigError, match=r"unknown fruit \['apple'\]"):
        fruits.get(["apple"])


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("lost", "can't be loaded from no_such_module:Lost: ModuleNotFoundError"),
        ("quarrel", "leads to a fruit of the name 'plum'"),
        ("textless", "is no fruit"),
    ],
)
def test_installed_classes_that_are_wrong(fruits, name, match):
    with pytest.raises(ConfigError, match=match):
        fruits.get(name)


def test_messages_without_a_near_name():
    assert unknown_name("fruit", "z", ["apple"]) == "unknown fruit 'z'; there are: apple"
    assert unknown_name("fruit", "z", []) == "unknown fruit 'z'; there are: none"


def test_lazy_packages_know_their_names_only():
    get = lazy_exports("json", {"decoder": ["JSONDecoder"]})
    assert get("JSONDecoder").__name__ == "JSONDecoder"
    with pytest.raises(AttributeError, match="'json' has no attribute 'yaml'"):
        get("yaml")


def test_the_seam_imports_neither_numpy_nor_scipy():
    code = "import sys, onnxfi.plugins; print({'numpy', 'scipy', 'onnx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
